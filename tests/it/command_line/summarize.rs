//! `tidings summarize`: files in, summaries out, and what is said when something is in the way.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Program, check_refused, misbehaving, run, stream_of, url};
use crate::support::{PATIENCE, Server};

const TALK: &str = "WEBVTT\n\n00:01.000 --> 00:04.000\nDr. Lee says the harbour needs a new lamp.\n\n\
    00:05.500 --> 00:09.000\nEvery ship that enters the harbour looks for the lamp.\n\n\
    00:10.000 --> 00:12.000\nThe weather was fine on all of those days.\n\n\
    00:13.000 --> 00:15.000\nWithout a lamp no ship finds the harbour at night.\n";

/// Files, by their names.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

/// So much text that it takes a while.
fn long_talk(number: usize) -> String {
    let sentence = |n| format!("The number {n} follows {} of {number}. ", n / 7);
    (0..6_000).map(sentence).collect()
}

#[test]
fn a_file_is_summarized_for_people() {
    let server = Server::start(&[]);
    let files = Files::new(&[("lamp.vtt", TALK)]);
    let ended = run(&["summarize", &files.path("lamp.vtt"), "--server", &url(&server)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected = "lamp\nby extractive\n\n     0:01  Dr. Lee says the harbour needs a new lamp.\n";
    assert!(ended.output.starts_with(expected), "{ended:?}");
    assert!(ended.output.contains("\n     0:05  Every ship that enters the harbour"), "{ended:?}");
    assert!(ended.errors.contains("tidings: lamp: done"), "{ended:?}");
}

#[test]
fn what_fails_does_not_keep_the_others_back() {
    let server = Server::start(&[]);
    let files = Files::new(&[("bad.srt", "none"), ("lamp.vtt", TALK)]);
    let (bad, lamp) = (files.path("bad.srt"), files.path("lamp.vtt"));
    let ended = run(&["summarize", &bad, &lamp, "--server", &url(&server), "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines: Vec<Value> =
        ended.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> = lines.iter().map(|line| (&line["title"], &line["status"])).collect();
    assert_eq!(seen, [(&json!("bad"), &json!("failed")), (&json!("lamp"), &Value::Null)]);
    assert_eq!(lines[1]["sentences"][0]["start_seconds"], 1.0);
    let said: Vec<_> = ended.errors.lines().collect();
    assert_eq!(said.len(), 2, "no progress, but what failed: {ended:?}");
    assert!(said[0].starts_with("tidings: bad: failed: line 1: "), "{ended:?}");
    assert_eq!(said[1], "tidings: cannot summarize: 1 of 2 talks failed");
}

#[test]
fn standard_input_becomes_a_document() {
    let server = Server::start(&[]);
    let arguments = ["summarize", "-", "--markdown", "--server", &url(&server)];
    let ended = Program::start_with(&arguments, TALK.as_bytes()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.starts_with("# "), "{ended:?}");
    assert!(ended.output.contains("\n- 0:05 Every ship"), "{ended:?}");
}

#[test]
fn summaries_come_in_the_order_of_the_files() {
    let server = Server::start(&[]);
    let files = Files::new(&[("a.txt", &long_talk(1)), ("b.vtt", TALK)]);
    let (a, b) = (files.path("a.txt"), files.path("b.vtt"));
    let ended = run(&["summarize", &a, &b, "--server", &url(&server), "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let title = |line| serde_json::from_str::<Value>(line).unwrap()["title"].clone();
    assert_eq!(ended.output.lines().map(title).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn who_interrupts_cancels_the_batch() {
    let server = Server::start(&[]);
    let talks: Vec<_> =
        (0..30).map(|number| (format!("{number}.txt"), long_talk(number))).collect();
    let talks: Vec<_> = talks.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let files = Files::new(&talks);
    let paths: Vec<_> = talks.iter().map(|(name, _)| files.path(name)).collect();
    let url = url(&server);
    let mut arguments = vec!["summarize", "--server", &url];
    arguments.extend(paths.iter().map(String::as_str));
    let program = Program::start(&arguments);
    program.wait_for("%)");
    program.interrupt();
    let ended = program.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("cannot summarize: cancelled; "), "{ended:?}");
    // It says so itself, for a log line would stand among its bars.
    assert!(ended.errors.contains("tidings: stopping; a second signal"), "{ended:?}");
    assert!(!ended.errors.contains("INFO"), "{ended:?}");
    let deadline = Instant::now() + PATIENCE;
    let is_quiet = || {
        let queues = server.get("/api/v1/queues").json().to_string();
        !queues.contains("\"active\":1") && !queues.contains("\"active\":2")
    };
    while !is_quiet() {
        assert!(Instant::now() < deadline, "the jobs go on");
    }
}

#[test]
fn what_cannot_be_summarized_is_told_before_anything_is_done() {
    let server = Server::start(&[]);
    let files = Files::new(&[("lamp.vtt", TALK), ("empty.txt", " "), ("picture.txt", "\u{1}\0")]);
    let (url, lamp) = (url(&server), files.path("lamp.vtt"));
    let check = |arguments: &[&str], code, part: &str| {
        check_refused(&[&["summarize", "--server", &url], arguments].concat(), code, part);
    };
    assert!(!Path::new("nope.vtt").exists());
    check(&[&lamp, "nope.vtt"], 1, "nope.vtt: it is neither a file that is there");
    check(&[&files.path("empty.txt")], 1, "there is nothing in it");
    check(&[&files.path("picture.txt")], 1, "this is no text");
    check(&[&lamp, "--model", "gpt-9"], 1, "there is no \"gpt-9\"");
    check(&["https://example.com/talk"], 1, "(field videos[0])");
    check(&[], 2, "<FILE|URL|ID>...");
    check(&[&lamp, "--json", "--markdown"], 2, "cannot be used with");
    assert_eq!(server.status()["totals"]["events_published"], 0);
    let off = Server::start(&["--summarizer", "off"]);
    let off = super::url(&off);
    check_refused(&["summarize", &lamp, "--server", &off], 1, "makes no summaries");
}

#[test]
fn a_server_that_does_not_behave_is_told_of() {
    let files = Files::new(&[("lamp.vtt", TALK)]);
    let lamp = files.path("lamp.vtt");
    let open = stream_of("retry: 1\n\n");
    let accepted = |body: &str| {
        format!("HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{body}").into_bytes()
    };
    let gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    for (answers, part) in [
        (vec![], "cannot summarize: http://127.0.0.1"),
        (vec![gone.clone()], "the server answered 404"),
        (vec![b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()], "there is no stream"),
        (vec![open.clone(), accepted("<html>")], "the server's answer cannot be read"),
        (
            vec![open.clone(), accepted("{\"batch_id\":\"b\"}")],
            "the server's answer cannot be read",
        ),
        // The stream has ended meanwhile, and is not there any more.
        (
            vec![
                open,
                accepted(r#"{"batch_id":"b","items":[{"id":"i","title":"t","status":"queued"}]}"#),
                gone,
            ],
            "the server answered 404",
        ),
    ] {
        let server = misbehaving(answers);
        check_refused(&["summarize", &lamp, "--server", &server], 1, part);
    }
}
