//! Reads what `/metrics` says, more strictly than Prometheus does: whatever the format leaves open or
//! a parser forgives fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// The two forms that figures come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Text format 0.0.4.
    Plain,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

/// All figures of one moment.
pub(super) struct Scrape {
    /// By name and labels, as they are written.
    samples: BTreeMap<String, f64>,
    /// The kind of each family, by the name of its samples.
    kinds: BTreeMap<String, String>,
}

/// The family whose samples are being read.
struct Family {
    name: String,
    kind: String,
}

impl Scrape {
    pub(super) fn read(text: &str, format: Format) -> Self {
        let mut scrape = Self { samples: BTreeMap::new(), kinds: BTreeMap::new() };
        let mut family = None;
        let mut lines = text.lines().peekable();
        assert!(text.ends_with('\n'));
        while let Some(line) = lines.next() {
            if line == "# EOF" {
                assert_eq!(
                    (format, lines.next()),
                    (Format::OpenMetrics, None),
                    "the end is the end"
                );
                scrape.check_histograms();
                return scrape;
            } else if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} "));
                family =
                    Some(Family::new(name, help, kind.expect("a type after its help"), format));
                let family = family.as_ref().unwrap();
                let known = scrape.kinds.insert(family.name.clone(), family.kind.clone());
                assert_eq!(known, None, "{name} is described twice");
            } else {
                let family = family.as_ref().expect("a description before the samples");
                scrape.sample(family, line);
            }
        }
        assert_eq!(format, Format::Plain, "OpenMetrics ends with its own mark");
        scrape.check_histograms();
        scrape
    }

    fn sample(&mut self, family: &Family, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').expect("labels that end");
        check_labels(labels);
        assert!(family.has_sample(name), "{name} stands under {}", family.name);
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let twice = self.samples.insert(series.to_owned(), value);
        assert_eq!(twice, None, "{series} is there twice");
    }

    /// Every histogram's buckets are cumulative and end with its count.
    fn check_histograms(&self) {
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, count) in &self.samples {
            let Some((before, rest)) = series.split_once("le=\"") else { continue };
            let (bound, after) = rest.split_once('"').unwrap();
            let labels = [before.split_once('{').unwrap().1, after.trim_matches(',')].concat();
            let name = before.split_once("_bucket{").unwrap().0;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            let labels = labels.trim_matches(['{', '}', ',']);
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            buckets.entry(format!("{name}_count{labels}")).or_default().push((bound, *count));
        }
        assert!(!buckets.is_empty());
        for (count, mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(
                buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1),
                "{count}"
            );
            let (bound, last) = *buckets.last().unwrap();
            assert!(bound.is_infinite(), "{count} has no last bucket");
            assert!(last.total_cmp(&self.value(&count)).is_eq(), "{count} is not {last}");
            self.value(&count.replace("_count", "_sum"));
        }
    }

    /// The value of a sample, by its name and labels as they are written.
    pub(super) fn value(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.series()))
    }

    /// The value of a sample that counts something.
    pub(super) fn count(&self, series: &str) -> u64 {
        let value = self.value(series);
        value.to_string().parse().unwrap_or_else(|_| panic!("{series} is {value}"))
    }

    /// All samples' names and labels.
    pub(super) fn series(&self) -> BTreeSet<String> {
        self.samples.keys().cloned().collect()
    }

    /// The families' names.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.kinds.keys().map(String::as_str).collect()
    }

    /// Nothing that only grows has shrunk or vanished.
    pub(super) fn check_only_grown_to(&self, later: &Self) {
        for (series, value) in &self.samples {
            let name = series.split('{').next().unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
                .any(|family| self.kinds.get(family).is_some_and(|kind| kind == "histogram"));
            if of_histogram || self.kinds.get(name).is_some_and(|kind| kind == "counter") {
                assert!(later.value(series) >= *value, "{series} has shrunk from {value}");
            }
        }
    }
}

impl Family {
    fn new(name: &str, help: &str, kind: &str, format: Format) -> Self {
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{name} is a {kind}");
        assert!(help.len() > 10 && !help.contains('\\'), "{name}: {help}");
        let allowed = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(allowed), "{name}");
        assert!(name.starts_with("tidings_") || name.starts_with("process_"), "{name}");
        let suffix = if format == Format::OpenMetrics && kind == "counter" { "_total" } else { "" };
        let name = format!("{name}{suffix}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        Self { name, kind: kind.to_owned() }
    }

    fn has_sample(&self, name: &str) -> bool {
        let suffix = name.strip_prefix(&self.name);
        match self.kind.as_str() {
            "histogram" => suffix.is_some_and(|it| ["_bucket", "_sum", "_count"].contains(&it)),
            _ => suffix == Some(""),
        }
    }
}

/// `a="b",c="d"`, with plain names and values.
fn check_labels(mut labels: &str) {
    let mut seen = BTreeSet::new();
    while !labels.is_empty() {
        let (name, rest) = labels.split_once("=\"").unwrap();
        let (value, rest) = rest.split_once('"').unwrap();
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{labels}");
        assert!(!value.is_empty() && !value.contains(['\\', '\n']), "{labels}");
        assert!(seen.insert(name), "{name} is there twice");
        labels = rest.strip_prefix(',').unwrap_or(rest);
        assert!(rest.is_empty() || rest.starts_with(',') && !labels.is_empty(), "{labels}");
    }
}
