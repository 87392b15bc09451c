//! The tree itself: who may import whom, who reads the environment, how files begin and how long they
//! are, which licences come with us. Rules that a compiler does not know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml::de::DeTable;

/// Who may import whom: an event's way goes one way. Everyone may use [`COMMON`].
const PERMITTED: &[(&str, &[&str])] = &[
    ("main", &["settings", "client", "access", "serve", "store", "publish", "hub", "event"]),
    ("logging", &["settings"]),
    // What a setting may hold is what an event type may be.
    ("settings", &["client", "access", "serve", "store", "publish", "hub", "event"]),
    ("serve", &["access", "store", "publish", "hub", "event"]),
    ("client", &["event"]),
    // What a token is worth depends on nothing but the token, the keys and the time.
    ("access", &[]),
    ("publish", &["store", "hub", "event"]),
    ("store", &["hub", "event"]),
    ("hub", &["event"]),
    ("event", &[]),
    ("shutdown", &[]),
    ("readiness", &[]),
    ("clock", &[]),
    ("histogram", &[]),
];

/// What everyone may use.
const COMMON: &[&str] = &["shutdown", "clock", "readiness", "histogram"];

/// Files may have this many lines; a longer one stands in [`LONG_FILES`] with its reason.
const MAX_LINES: usize = 400;

const LONG_FILES: &[(&str, usize, &str)] =
    &[("src/settings/table.rs", 760, "a table, which grows with the settings")];

/// A file of the project.
struct Source {
    /// From the project's root.
    path: PathBuf,
    text: String,
}

impl Source {
    /// The stage of an event's way that the file belongs to: `hub` for `src/hub/shard.rs`.
    fn module(&self) -> &str {
        let below = self.path.strip_prefix("src").unwrap();
        let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The lines of code before the tests, numbered, without comments; `tests.rs` and what lies in
    /// `tests/` have none.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.with_extension("").iter().any(|part| part == "tests");
        let text = if is_test { "" } else { &self.text };
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let code = lines.take_while(|(_, line)| *line != "#[cfg(test)]");
        code.filter(|(_, line)| !line.starts_with("//"))
            .map(|(number, line)| (number, line.split(" // ").next().unwrap()))
    }

    /// The modules of ours that the code names, with the line.
    fn imports(&self) -> Vec<(usize, String)> {
        let named = self.code().flat_map(|(number, line)| {
            let roots = line.split("crate::").skip(1).chain(line.split("tidings::").skip(1));
            roots.flat_map(named_modules).map(move |module| (number, module))
        });
        named.filter(|(_, module)| module != self.module()).collect()
    }
}

/// `hub::{…}` names `hub`; `{hub, serve::Limits}` names both.
fn named_modules(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 0;
    let top_level = group.split_inclusive(['{', '}', ',']).filter_map(|part| {
        let named = (depth == 0).then(|| name(part)).filter(|name| !name.is_empty());
        depth += part.matches('{').count();
        depth = depth.saturating_sub(part.matches('}').count());
        named
    });
    top_level.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Fails with every breach, each as `file:line: what`.
fn check(breaches: impl IntoIterator<Item = String>) {
    let breaches: Vec<_> = breaches.into_iter().collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

fn breach(source: &Source, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", source.path.display())
}

#[test]
fn imports_go_along_an_events_way() {
    let sources = sources(&["src"]);
    let breaches = sources.iter().filter(|source| source.module() != "lib").flat_map(|source| {
        let module = source.module();
        let row = PERMITTED.iter().find(|(name, _)| *name == module);
        let permitted = row.unwrap_or_else(|| panic!("no row for {module}")).1;
        let imports = source.imports().into_iter().filter(move |(_, used)| {
            !permitted.contains(&used.as_str()) && !COMMON.contains(&used.as_str())
        });
        imports.map(move |(line, used)| breach(source, line, &format!("{module} imports {used}")))
    });
    check(breaches);
}

#[test]
fn named_modules_are_found_in_groups_too() {
    assert_eq!(named_modules("hub::{Hub, Limits};"), ["hub"]);
    assert_eq!(
        named_modules("{hub, serve::{Limits, x::Y}, publish};"),
        ["hub", "serve", "publish"]
    );
}

/// Checks that no line of code in these modules contains one of these words, in any case.
fn check_absent(modules: &[&str], words: &[&str]) {
    let sources = sources(&["src"]);
    let inside = sources.iter().filter(|source| modules.contains(&source.module()));
    let breaches = inside.flat_map(|source| {
        let found = source.code().filter_map(|(line, code)| {
            let code = code.to_lowercase();
            words.iter().find(|word| code.contains(*word)).map(|word| (line, word))
        });
        found.map(|(line, word)| breach(source, line, &format!("{word} has no place here")))
    });
    check(breaches);
}

#[test]
fn the_core_knows_no_network() {
    check_absent(&["hub", "event"], &["tcpstream", "tcplistener", "unixstream", "http"]);
}

#[test]
fn nobody_but_settings_reads_the_environment() {
    let modules: Vec<_> = PERMITTED.iter().map(|(module, _)| *module).collect();
    let others: Vec<_> = modules.into_iter().filter(|module| *module != "settings").collect();
    check_absent(&others, &["std::env", "env::var", "env::args"]);
}

#[test]
fn nobody_but_the_clock_asks_for_the_wall_time() {
    // A log line's time is for people and decides nothing.
    let modules: Vec<_> = PERMITTED.iter().map(|(module, _)| *module).collect();
    let others: Vec<_> =
        modules.into_iter().filter(|module| !["clock", "logging"].contains(module)).collect();
    check_absent(&others, &["systemtime::now", "now_utc", "now_local"]);
}

#[test]
fn nothing_outside_tests_panics_on_a_result() {
    // Clippy says so too; here an exception cannot be had without its reason in the same file.
    let sources = sources(&["src"]);
    let breaches = sources.iter().flat_map(|source| {
        let reason = source.text.contains("clippy::unwrap_used, reason")
            || source.text.contains("clippy::expect_used, reason");
        let calls = source.code().filter(move |(_, code)| {
            !reason && (code.contains(".unwrap()") || code.contains(".expect("))
        });
        calls.map(|(line, _)| breach(source, line, "unwrap or expect without a stated reason"))
    });
    check(breaches);
}

#[test]
fn every_limit_is_a_setting() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let table = read("src/settings/table.rs") + &read("src/settings/table/summaries.rs");
    let structs = [
        ("src/serve.rs", "serve"),
        ("src/hub/limits.rs", "hub"),
        ("src/store.rs", "store"),
        ("src/publish.rs", "publish"),
        ("src/publish/pubsub.rs", "pubsub"),
        ("src/publish/summarizer/limits.rs", "summaries"),
        ("src/publish/summarizer/library.rs", "library"),
        ("src/publish/summarizer/videos.rs", "videos"),
        ("src/publish/summarizer/engine/chat.rs", "models"),
        ("src/publish/fetch.rs", "fetch"),
        ("src/publish/jobs.rs", "jobs"),
        ("src/publish/batches.rs", "batches"),
        ("src/publish/queues.rs", "queue_limits"),
        ("src/publish/processors/resume.rs", "resumes"),
    ];
    for (path, group) in structs {
        let text = read(path);
        let (_, limits) = text.split_once("pub struct Limits {").unwrap();
        let (limits, _) = limits.split_once("\n}").unwrap();
        let fields = limits.lines().filter_map(|line| line.trim().strip_prefix("pub "));
        let fields: Vec<_> = fields.map(|field| field.split_once(':').unwrap().0).collect();
        assert!(!fields.is_empty());
        let unset = fields.iter().filter(|field| !table.contains(&format!("s.{group}.{field}")));
        check(unset.map(|field| format!("{path}: {field} is no setting")));
    }
}

#[test]
fn every_file_opens_with_what_it_holds() {
    let sources = sources(&["src", "tests", "benches", "examples", "fuzz"]);
    let silent = sources.iter().filter(|source| !source.text.starts_with("//! "));
    check(silent.map(|source| breach(source, 1, "does not open with `//! ` and what it holds")));
}

#[test]
fn a_module_is_documented_in_its_own_file() {
    // Documented where it is declared as well, rustdoc would look there for the links of its own file.
    let sources = sources(&["src"]);
    let breaches = sources.iter().flat_map(|source| {
        let lines: Vec<_> = source.text.lines().map(str::trim).collect();
        let twice = lines.windows(2).enumerate().filter(|(_, pair)| {
            let declared = pair[1].trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            pair[0].starts_with("///") && declared.starts_with("mod ") && declared.ends_with(';')
        });
        let breaches = twice
            .map(|(index, _)| breach(source, index + 1, "`///` before a module; `//` will do"));
        breaches.collect::<Vec<_>>()
    });
    check(breaches);
}

#[test]
fn no_file_is_long_without_a_reason() {
    let sources = sources(&["src", "tests", "benches", "examples", "fuzz"]);
    let long = sources.iter().filter_map(|source| {
        let exception = LONG_FILES.iter().find(|(path, ..)| source.path == Path::new(path));
        let limit = exception.map_or(MAX_LINES, |(_, limit, _)| *limit);
        let lines = source.text.lines().count();
        (lines > limit).then(|| breach(source, lines, &format!("more than {limit} lines")))
    });
    check(long);
}

/// The strings of the list `key` in `deny.toml`'s section `section`.
fn denied_or_allowed(section: &str, key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let table = DeTable::parse(&text).unwrap().into_inner();
    let section = table[section].get_ref().as_table().unwrap();
    let list = section[key].get_ref().as_array().unwrap();
    list.iter().map(|item| item.get_ref().as_str().unwrap().to_owned()).collect()
}

/// Whether an SPDX expression can be satisfied by the allowed licences. `AND` binds closer than `OR`.
fn is_satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // The old form of some crates, from before SPDX expressions.
    let expression = expression.replace('/', " OR ");
    let any = |text: &str| text.split(" OR ").any(|name| allowed.contains(name.trim()));
    let mut rest = expression.as_str();
    let mut satisfied = !rest.is_empty();
    // `(A OR B) AND C`: groups first, then what is left of the conjunction.
    while let Some((before, (group, after))) =
        rest.split_once('(').and_then(|(before, rest)| Some((before, rest.split_once(')')?)))
    {
        assert!(before.trim().is_empty(), "unforeseen licence expression: {expression}");
        satisfied &= any(group);
        rest = after.trim().strip_prefix("AND ").unwrap_or(after);
    }
    let rest = rest.trim();
    satisfied && (rest.is_empty() || rest.split(" OR ").any(|all| all.split(" AND ").all(any)))
}

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<_> = ["MIT", "Unicode-3.0"].map(str::to_owned).into();
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "(MIT OR X) AND Unicode-3.0",
        "X OR MIT AND Unicode-3.0",
    ] {
        assert!(is_satisfied(good, &allowed), "{good}");
    }
    for bad in ["", "X", "MIT AND X", "(MIT OR X) AND Y", "(X OR Y) AND MIT", "X OR MIT AND Y"] {
        assert!(!is_satisfied(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_crate_has_an_allowed_licence_and_comes_from_the_registry() {
    // Only what is built here: the crates of other systems may not have been fetched.
    let version = cargo(&["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&cargo(&arguments)).unwrap();
    let licences = denied_or_allowed("licenses", "allow");
    let registries = denied_or_allowed("sources", "allow-registry");
    let packages = metadata["packages"].as_array().unwrap();
    check(packages.iter().filter(|package| !package["source"].is_null()).filter_map(|package| {
        let source = package["source"].as_str().unwrap();
        let known = registries.iter().any(|registry| source == format!("registry+{registry}"));
        let licence = package["license"].as_str().unwrap_or_default();
        let good = known && is_satisfied(licence, &licences);
        (!good).then(|| format!("{}: licence {licence:?}, source {source}", package["name"]))
    }));
}
