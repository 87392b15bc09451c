//! `GET /metrics`: the server in figures, as Prometheus reads them.
//!
//! Whoever asks for `OpenMetrics` gets version 1.0.0 of it, as Prometheus does since 2.5; everyone else
//! gets the plain text format, version 0.0.4. The figures are those of the moment; nothing is kept here.

mod figures;
mod process;
mod queues;

// The summaries' library.
mod sheet;
mod summaries;

use std::fmt::{self, Write};

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use self::figures::Figures;
use self::process::Process;
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::http::Response;
use crate::serve::http::preference::choices;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// What all of our own names begin with.
const PREFIX: &str = "tidings";

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// All figures of this moment.
pub fn metrics(call: &Call<'_>) -> Result<Answer, Problem> {
    let open_metrics = open_metrics(call.app).map_err(|_| {
        let detail = "The figures could not be written; this is a mistake of the server's own.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").detail(detail)
    })?;
    let (content_type, text) = if wants_open_metrics(&call.request.headers) {
        (OPEN_METRICS, open_metrics)
    } else {
        (PLAIN, plain(&open_metrics))
    };
    Ok(Response::text(StatusCode::OK, text)
        .header(CONTENT_TYPE, content_type)
        .header(VARY, HeaderValue::from(ACCEPT))
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .into())
}

/// Whether a client names `OpenMetrics`, and plain text not before it.
fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let weight = |media_type: &str| {
        let named = choices(headers.get_all(ACCEPT))
            .filter(|choice| choice.value.eq_ignore_ascii_case(media_type));
        named.map(|choice| choice.weight).max().unwrap_or(0)
    };
    let open_metrics = weight("application/openmetrics-text");
    open_metrics > 0 && open_metrics >= weight("text/plain")
}

fn open_metrics(app: &App) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process::here(app.started_ms)));
    let ours = registry.sub_registry_with_prefix(PREFIX);
    ours.register_collector(Box::new(Figures::of(app)));
    app.traffic.register(ours);
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The same in the plain format. It calls a counter by the name that its samples have, and knows
/// neither units nor an end.
fn plain(open_metrics: &str) -> String {
    let mut plain = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let kind =
                lines.next().and_then(|line| line.rsplit_once(' ')).map_or("", |(_, kind)| kind);
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            let suffix = if kind == "counter" { "_total" } else { "" };
            // Writing to a string cannot fail.
            let _ = writeln!(plain, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_format_names_a_counter_as_its_samples() {
        let open_metrics = "# HELP a_bytes Sent.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n\
                            a_bytes_total 3\n# HELP b Now.\n# TYPE b gauge\nb{c=\"d\"} 1\n# EOF\n";
        let expected = "# HELP a_bytes_total Sent.\n# TYPE a_bytes_total counter\na_bytes_total 3\n\
                        # HELP b Now.\n# TYPE b gauge\nb{c=\"d\"} 1\n";
        assert_eq!(plain(open_metrics), expected);
    }

    fn check(accept: &'static str, expected: bool) {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        assert_eq!(wants_open_metrics(&headers), expected, "{accept}");
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        check("", false);
        check("*/*", false);
        check("text/html,application/xhtml+xml,*/*;q=0.8", false);
        check("text/plain;version=0.0.4;q=1,*/*;q=0.1", false);
        check("application/openmetrics-text", true);
        check("application/openmetrics-text;q=0", false);
        check("application/openmetrics-text;q=0.3,text/plain;q=0.7", false);
        // What Prometheus 2.42 sends.
        check(
            "application/openmetrics-text;version=1.0.0,\
             application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            true,
        );
    }
}
