//! What every address says to methods and wishes that it does not have.

use std::io::{Read, Write};

use serde_json::json;

use super::request;
use crate::support::{Server, connect};

/// The whole answer to a request, as bytes.
fn raw(server: &Server, request: &str) -> String {
    let mut connection = connect(server.address, None);
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn head_answers_like_get_without_its_content() {
    let server = Server::start(&[]);
    let check = |path: &str, expected: &[&str]| {
        let answer = raw(&server, &request("HEAD", path, &[]));
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert_eq!(content, "", "{path}");
        for line in expected {
            assert!(head.contains(line), "{path} lacks {line}: {head}");
        }
    };
    check("/events", &["content-type: text/event-stream", "x-accel-buffering: no"]);
    check("/events/status", &["content-type: application/json", "content-length: "]);
    check("/events/poll", &["content-type: application/json", "cache-control: no-store"]);
    check("/health", &["content-length: "]);
    check("/sse-test", &["content-type: text/html"]);
    server.wait_until_quiet();
    assert_eq!(server.status()["totals"]["streams_ended"]["client_gone"], 0);
}

#[test]
fn options_and_wrong_methods_are_told_what_is_allowed() {
    let server = Server::start(&[]);
    let check = |method: &str, path: &str, status: u16, allow: &str| {
        let answer = raw(&server, &request(method, path, &["Content-Length: 0"]));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert!(answer.contains(&format!("allow: {allow}\r\n")), "{method} {path}: {answer}");
        let is_problem = answer.contains("content-type: application/problem+json");
        assert_eq!(is_problem, status == 405, "{answer}");
    };
    for (path, allow) in [
        ("/events", "GET, HEAD, OPTIONS"),
        ("/events/status", "GET, HEAD, OPTIONS"),
        ("/events/poll", "GET, HEAD, OPTIONS"),
        ("/events/broadcast", "POST, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
    ] {
        check("OPTIONS", path, 204, allow);
        check("DELETE", path, 405, allow);
        check("PATCH", path, 405, allow);
    }
    check("POST", "/events", 405, "GET, HEAD, OPTIONS");
    check("GET", "/events/broadcast", 405, "POST, OPTIONS");
    check("HEAD", "/events/broadcast", 405, "POST, OPTIONS");
}

#[test]
fn a_client_that_rules_event_streams_out_gets_none() {
    let server = Server::start(&[]);
    let check = |accept: &str, status: u16| {
        let head = raw_head(&server, &request("GET", "/events", &[accept]));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{accept}: {head}");
    };
    check("Accept: text/event-stream", 200);
    check("Accept: */*", 200);
    check("Accept: text/*", 200);
    check("Accept: application/json, text/event-stream;q=0.1", 200);
    check("X-None: x", 200);
    check("Accept: application/json", 406);
    check("Accept: text/event-stream;q=0, */*", 406);
}

/// The beginning of an answer, which may go on for ever.
fn raw_head(server: &Server, request: &str) -> String {
    let mut connection = connect(server.address, None);
    connection.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn what_is_not_there_is_a_problem_in_json() {
    let server = Server::start(&[]);
    for path in
        ["/nothing", "/events/", "/events/nothing", "/Events", "/events%2Fstatus", "//events"]
    {
        let answer = server.get(path);
        assert_eq!(answer.head.header("content-type"), Some("application/problem+json"), "{path}");
        let problem = answer.json();
        let seen = (answer.head.status, &problem["status"], &problem["code"], &problem["title"]);
        assert_eq!(seen, (404, &json!(404), &json!("not_found"), &json!("Not Found")), "{path}");
    }
}
