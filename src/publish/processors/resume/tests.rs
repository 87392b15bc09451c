//! Résumés of all kinds, made up: what comes of each, and of what is none.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::tests::{Notebook, task};
use super::*;
use crate::clock::SystemClock;
use crate::publish::fetch;

fn analysis(limits: Limits) -> ResumeAnalysis {
    let fetcher = fetch::Limits { private_addresses: true, ..fetch::Limits::default() };
    ResumeAnalysis::new(limits, Fetcher::new(fetcher, Arc::new(SystemClock)))
}

fn analyze(data: Value) -> Result<Value, Failure> {
    analysis(Limits::default()).process(&task(data), &Notebook::default())
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "resumes"].iter().collect()
}

fn encoded(name: &str) -> Value {
    let bytes = fs::read(folder().join(name)).unwrap();
    json!({"fileBase64": STANDARD.encode(bytes), "fileName": name})
}

#[test]
fn every_resume_gives_what_it_says() {
    let expected = fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(&expected).unwrap();
    let mut wrong = Vec::new();
    for (name, fields) in &expected {
        let found = match analyze(encoded(name)) {
            Ok(found) => found,
            Err(failure) => json!({"failure": failure.message}),
        };
        for (field, value) in fields.iter().filter(|(field, value)| found[*field] != **value) {
            wrong.push(format!("{name}: {field}: {} instead of {value}", found[field]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_resume_is_expected_to_give_something() {
    let expected = fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if ["pdf", "txt", "md"].contains(&kind) {
            assert!(fs::metadata(&path).unwrap().len() < 60_000, "{} is large", path.display());
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    names.sort();
    assert_eq!(names, expected.keys().cloned().collect::<Vec<_>>());
}

#[test]
fn watchers_see_the_stages_and_whose_resume_it_is() {
    let desk = Notebook::default();
    let data = json!({"resumeId": "r-1", "candidateId": "c-2", "organisationId": "o", "text": "Ann Lee\n\nSkills\nRust"});
    let result = analysis(Limits::default()).process(&task(data), &desk).unwrap();
    let stages = ["initializing", "fetching", "parsing", "extracting", "analyzing", "storing"];
    assert_eq!(desk.stages(), stages);
    assert!(desk.percents().is_sorted() && desk.percents().len() == stages.len());
    for report in desk.reports() {
        assert_eq!(report.data, Some(json!({"resumeId": "r-1", "candidateId": "c-2"})));
        assert!(report.message.is_some());
    }
    assert_eq!(result["resumeId"], "r-1");
    assert_eq!(result["candidateId"], "c-2");
    assert_eq!((&result["name"], &result["skills"]), (&json!("Ann Lee"), &json!(["Rust"])));
    assert_eq!((&result["pages"], &result["experience"]), (&Value::Null, &json!([])));
}

#[test]
fn a_cancelled_job_ends_at_the_next_stage() {
    for reports in 1..5 {
        let desk = Notebook::cancelled_after(reports);
        let failure = analysis(Limits::default()).process(&task(json!({"text": "x"})), &desk);
        assert_eq!(failure.unwrap_err().message, "the job was cancelled");
        assert_eq!(desk.reports().len(), reports);
    }
}

/// The address of a server that answers once.
fn serve(status: &'static str, kind: &'static str, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let _ = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        )
        .and_then(|()| stream.write_all(&body))
        .unwrap();
    });
    format!("http://{address}/resume")
}

#[test]
fn a_resume_is_fetched() {
    let bytes = fs::read(folder().join("groff.pdf")).unwrap();
    let url = serve("200 OK", "application/octet-stream", bytes);
    let data = json!({"fileUrl": url, "fileName": "resume.pdf", "mimeType": "application/pdf"});
    assert_eq!(analyze(data).unwrap()["name"], "Samuel Okafor");
}

#[test]
fn by_default_nothing_is_fetched_from_this_machine() {
    let fetcher = Fetcher::new(fetch::Limits::default(), Arc::new(SystemClock));
    let analysis = ResumeAnalysis::new(Limits::default(), fetcher);
    let task = task(json!({"fileUrl": "http://localhost:1/resume.pdf"}));
    let failure = analysis.process(&task, &Notebook::default()).unwrap_err();
    assert!(failure.message.contains("not on the public internet"), "{failure}");
    assert!(!failure.is_retryable);
}

fn check_failure(data: Value, message: &str, is_retryable: bool) {
    let failure = analyze(data).unwrap_err();
    assert!(failure.message.contains(message), "{failure}");
    assert_eq!(failure.is_retryable, is_retryable, "{failure}");
}

#[test]
fn what_was_not_fetched_is_tried_again_where_that_may_help() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check_failure(json!({"fileUrl": format!("http://{closed}/")}), "could not be reached", true);
    let busy = serve("503 Busy", "text/plain", Vec::new());
    check_failure(json!({"fileUrl": busy}), "503", true);
    let gone = serve("404 Not Found", "text/plain", Vec::new());
    check_failure(json!({"fileUrl": gone}), "404", false);
    check_failure(json!({"fileUrl": "file:///etc/passwd"}), "must begin with http", false);
}

#[test]
fn what_is_no_resume_fails_for_good() {
    let base64 = |text: &str| json!({"fileBase64": STANDARD.encode(text), "fileName": "cv.pdf"});
    check_failure(json!({}), "exactly one of fileUrl, fileBase64 and text", false);
    check_failure(json!({"text": " \n"}), "the document is empty", false);
    check_failure(json!({"text": "-- * --"}), "the document is empty", false);
    check_failure(base64("Jane Doe"), "not a PDF file", false);
    check_failure(base64("PK\u{3}\u{4}"), "a Word document", false);
    check_failure(base64("%PDF-1.4 and nothing more"), "broken", false);
    check_failure(json!({"fileBase64": "%"}), "not base64", false);
    let page = serve("200 OK", "text/html", b"<!DOCTYPE html><h1>Please log in</h1>".into());
    check_failure(json!({"fileUrl": page}), "a web page", false);
}

#[test]
fn sizes_have_limits() {
    let small = || analysis(Limits { max_bytes: 100, max_pages: 1, ..Limits::default() });
    let text = task(json!({"text": "x".repeat(101)}));
    let failure = small().process(&text, &Notebook::default()).unwrap_err();
    assert!(failure.message.contains("has 101 bytes, the limit is 100"), "{failure}");
    let two_pages = analysis(Limits { max_pages: 1, ..Limits::default() });
    let failure = two_pages.process(&task(encoded("weasy.pdf")), &Notebook::default()).unwrap_err();
    assert!(failure.message.contains("has 2 pages, the limit is 1"), "{failure}");
}

#[test]
fn any_text_ends_in_a_result_soon() {
    let pieces = [
        "Experience",
        "\n",
        "\n\n",
        "\t",
        "2015 - 2018",
        "seit",
        ",",
        "•",
        "(",
        ")",
        ":",
        "@",
        "+49",
        "a@b.co",
        "Skills",
        "Engineer",
        "GmbH",
        "ä",
        "世",
        "年",
        "—",
        "#",
        "*",
        "/",
        "https://",
        "0",
        "Languages",
        "'",
        "Mai",
        ".",
    ];
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..1_000 {
        let text: String =
            (0..random.usize(1..40)).map(|_| pieces[random.usize(..pieces.len())]).collect();
        let _ = analyze(json!({"text": text}));
    }
    // Cubic time would make this test run for minutes.
    for piece in pieces {
        let _ = analyze(json!({"text": piece.repeat(40_000 / piece.len())}));
        let _ =
            analyze(json!({"text": format!("Experience\n{piece}\n").repeat(4_000 / piece.len())}));
        let _ = analyze(json!({"text": format!("{piece} ").repeat(20_000 / piece.len())}));
    }
}
