//! The programs of `examples/processors`, run as their settings file declares them, and what a command
//! could get of the server's.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidings::clock::SystemClock;
use tidings::publish::processors::command::Command;
use tidings::publish::queues::config::{ProcessorChoice, QueueConfig};
use tidings::publish::queues::processor::{Desk, Failure, Processor, Progress, Task};
use tidings::settings::read;

use crate::support::Server;

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<Progress>>);

impl Desk for Notes {
    fn report(&self, progress: Progress) {
        self.0.lock().unwrap().push(progress);
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The queues of the examples' settings file.
fn queues() -> Vec<QueueConfig> {
    let file = root().join("examples/processors/tidings.toml");
    let arguments = ["tidings", "--config", file.to_str().unwrap()].map(OsString::from);
    let environment: Vec<_> = std::env::vars_os().collect();
    let ours = |name: &OsString| ["PATH", "HOME"].iter().any(|ours| name == ours);
    let environment: Vec<_> = environment.into_iter().filter(|(name, _)| ours(name)).collect();
    read(&arguments, &environment, |path| fs::read_to_string(path)).unwrap().settings.queues
}

/// Does a job by the command of this queue, if its program is there; on a build machine it must be.
fn run(queue: &str, data: Value) -> Option<(Result<Value, Failure>, Vec<Progress>)> {
    let config = queues().into_iter().find(|config| config.name.as_str() == queue).unwrap();
    let ProcessorChoice::Command(command) = config.processor else { panic!("{queue}") };
    let found = process::Command::new(&command.program).args(["-c", ":"]).output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{} is not installed", command.program);
        eprintln!("skipped: {} is not installed", command.program);
        return None;
    }
    let name = |text: &str| text.parse().unwrap();
    let task = Task {
        job_id: name("job-1"),
        queue_name: config.name,
        job_name: String::new(),
        data,
        attempt: 1,
        attempts: config.attempts,
    };
    let notes = Notes::default();
    let command = Command::new(command, config.timeout, Arc::new(SystemClock));
    let result = command.process(&task, &notes);
    Some((result, notes.0.into_inner().unwrap()))
}

/// Checks that the reports go from a beginning to the end, and returns the stages.
fn check_progress(reports: &[Progress]) -> Vec<&str> {
    let percents: Vec<_> = reports.iter().filter_map(|report| report.percent).collect();
    assert!(percents.len() > 1 && percents.is_sorted(), "{percents:?}");
    assert!(percents[0] < 100.0 && percents.ends_with(&[100.0]), "{percents:?}");
    let mut stages: Vec<_> = reports.iter().filter_map(|r| r.stage.as_deref()).collect();
    stages.dedup();
    stages
}

/// Checks that what is no job for this queue fails for good and says what would be one.
fn check_refused(queue: &str, data: Value, message: &str) {
    let Some((result, _)) = run(queue, data) else { return };
    let failure = result.unwrap_err();
    assert!(failure.message.ends_with(message), "{failure}");
    assert!(!failure.is_retryable, "{failure}");
}

#[test]
fn the_python_example_counts_words_chapter_by_chapter() {
    let text = "Before.\n\nChapter 1: Loomings\nCall me Ishmael. Call, call!\n\
                # The Sea\nIt isn’t the sea — the sea, 3 times: sea.\nIV.\n";
    let Some((result, reports)) = run("chapters", json!({"text": text})) else { return };
    let expected = json!({
        "words": 14,
        "chapters": [
            {"title": "", "words": 1, "often": [["before", 1]]},
            {"title": "Chapter 1: Loomings", "words": 5, "often": [["call", 3], ["ishmael", 1]]},
            {"title": "The Sea", "words": 8, "often": [["isn’t", 1], ["times", 1]]},
            {"title": "IV.", "words": 0, "often": []},
        ],
    });
    assert_eq!(result, Ok(expected));
    assert_eq!(check_progress(&reports), ["splitting", "counting"]);
    assert!(reports.iter().any(|report| report.data == Some(json!({"chapter": "The Sea"}))));
    check_refused("chapters", json!({"text": " "}), "the data must have a \"text\"");
    check_refused("chapters", json!([]), "the data must have a \"text\"");
}

#[test]
fn the_shell_example_sums_files() {
    let Some((result, reports)) = run("checksums", json!({"pattern": "*.*"})) else { return };
    let mut files: Vec<_> = fs::read_dir(root().join("examples/processors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut bytes, mut sums) = (0, serde_json::Map::new());
    for file in &files {
        let content = fs::read(file).unwrap();
        bytes += content.len();
        let sum = Sha256::digest(&content);
        let sum = sum.iter().fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"));
        sums.insert(file.file_name().unwrap().to_str().unwrap().into(), sum.into());
    }
    let expected = json!({"files": files.len(), "bytes": bytes, "sha256": sums});
    assert_eq!(result, Ok(expected));
    assert_eq!(check_progress(&reports), ["hashing"]);
    assert_eq!(reports.len(), files.len());
    let (result, _) = run("checksums", json!({"pattern": "*.none"})).unwrap();
    assert_eq!(result, Ok(json!({"files": 0, "bytes": 0, "sha256": {}})));
    let hint = "the data must have a \"pattern\", such as \"*.md\"";
    for pattern in ["", "../*", "$(id)", "a b", "x\"; id; \""] {
        check_refused("checksums", json!({"pattern": pattern}), hint);
    }
}

#[test]
fn the_node_example_finds_headings_and_dead_links() {
    let markdown = "# Title\n\n[a](#the-end) [b](#nowhere) [c](#title-1)\n```\n# no heading\n[x](#no)\n```\n\
                    ## Title\n### The *end*!\n";
    let Some((result, reports)) = run("outline", json!({"markdown": markdown})) else { return };
    let expected = json!({
        "headings": [
            {"level": 1, "title": "Title", "anchor": "title"},
            {"level": 2, "title": "Title", "anchor": "title-1"},
            {"level": 3, "title": "The *end*!", "anchor": "the-end"},
        ],
        "dead_links": [{"line": 3, "anchor": "nowhere"}],
    });
    assert_eq!(result, Ok(expected));
    assert_eq!(check_progress(&reports), ["reading", "linking"]);
    check_refused("outline", json!({"text": ""}), "the data must have a \"markdown\" text");
}

#[test]
fn the_documents_list_every_key_with_its_default() {
    let documents = fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let file = "[queue.q]\ncommand = [\"x\"]";
    let arguments = ["tidings", "--config", "tidings.toml"].map(OsString::from);
    let reading = read(&arguments, &[], |_| Ok(file.to_owned())).unwrap();
    let report = reading.to_string();
    let (_, section) = report.split_once("[queue.q]").unwrap();
    let defaults = section.lines().filter(|line| line.ends_with("# default"));
    let keys = defaults.filter_map(|line| line.split("  #").next()?.split_once(" = "));
    let keys: Vec<_> = keys.collect();
    assert!(keys.len() > 12, "{section}");
    for (key, value) in keys.into_iter().filter(|(key, _)| *key != "working_directory") {
        let shown = value.trim().replace('"', "`");
        let row = format!("| `{key}` | {shown} |");
        assert!(documents.contains(&row), "{row} is not in docs/commands.md");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_socket_of_the_server_is_left_open_in_what_it_starts() {
    const CLOSED_ON_EXEC: u32 = 0o2_000_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // A socket that is passed to a process is one that survived an exec.
    for server in [Server::start(&[]), Server::start_on(&listener, &[])] {
        let _stream = server.stream("/events");
        let process = format!("/proc/{}", server.measure("Pid"));
        let mut sockets = 0;
        for entry in fs::read_dir(format!("{process}/fd")).unwrap() {
            let entry = entry.unwrap();
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let is_ours = target.to_string_lossy().starts_with("socket:");
            let number = entry.file_name().into_string().unwrap();
            let info = fs::read_to_string(format!("{process}/fdinfo/{number}"));
            let info = info.unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let Some(flags) = flags.filter(|_| is_ours) else { continue };
            let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
            assert!(flags & CLOSED_ON_EXEC != 0, "descriptor {number} would be inherited");
            sockets += 1;
        }
        // The one that listens, and the stream's.
        assert!(sockets >= 2, "{sockets}");
    }
}
