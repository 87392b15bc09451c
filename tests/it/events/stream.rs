//! `GET /events`: the head, the greeting, types and sessions.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::{before_end, broadcast, connected, publish};
use crate::support::{EventStream, Server, connect};

#[test]
fn the_head_is_that_of_an_event_stream() {
    let server = Server::start(&[]);
    let stream = server.stream("/events");
    let check = |name: &str, expected: Option<&str>| {
        assert_eq!(stream.head.header(name), expected, "{name}");
    };
    assert_eq!(stream.head.status, 200);
    check("content-type", Some("text/event-stream"));
    check("cache-control", Some("no-cache, no-transform"));
    check("x-accel-buffering", Some("no"));
    check("x-content-type-options", Some("nosniff"));
    check("transfer-encoding", Some("chunked"));
    check("content-length", None);
    check("content-encoding", None);
    assert!(stream.head.header("date").is_some_and(|date| date.ends_with(" GMT")));
}

#[test]
fn the_greeting_comes_with_the_head_and_names_everything() {
    let server = Server::start(&["--retry-ms", "4000"]);
    let mut stream = server.stream("/events?subscribe=test,system");
    let greeting = stream.next();
    assert_eq!(greeting.name, "connected");
    let data: Value = serde_json::from_str(&greeting.data).unwrap();
    assert_eq!(data["message"], "Connected to notification stream");
    assert_eq!(data["subscriptions"], json!(["test", "system"]));
    let shown = server.status()["connections"][0].clone();
    assert_eq!(data["connection_id"], shown["connection_id"]);
    assert_eq!(data["session_id"], shown["session_id"]);
    assert!(stream.retry_ms().is_some_and(|retry| (4_000..=6_000).contains(&retry)));
    // The greeting's id comes before that of the first event: who gets no more can resume.
    let id = |text: &str| text.split('-').map(|part| part.parse().unwrap()).collect::<Vec<u64>>();
    assert!(id(&greeting.id) < id(&publish(&server, 1)));
}

#[test]
fn the_greeting_is_one_block_with_its_retry() {
    let server = Server::start(&[]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\n\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).unwrap();
    let (_, block) = text.split_once("\r\n\r\n").unwrap();
    let fields: Vec<_> = block.trim_end().lines().map(|l| l.split_once(": ").unwrap().0).collect();
    assert_eq!(fields, ["id", "retry", "event", "data"]);
}

#[test]
fn clients_are_told_to_return_at_different_times() {
    let server = Server::start(&["--retry-ms", "100000"]);
    let told = |_| {
        let mut stream = server.stream("/events");
        stream.next();
        stream.retry_ms().unwrap()
    };
    let first = told(0);
    assert!((1..20).map(told).any(|other| other != first));
}

#[test]
fn a_stream_gets_the_types_it_asked_for() {
    let server = Server::start(&["--event-types", "order.paid"]);
    let check = |subscribe: &str, expected: &[&str]| {
        let mut stream = connected(&server, &format!("/events?{subscribe}"));
        for name in ["system", "summary_progress", "order.paid"] {
            broadcast(&server, &json!({"event_type": name, "data": name}));
        }
        let expected: Vec<_> = expected.iter().map(|name| format!("{name:?}")).collect();
        assert_eq!(before_end(&server, &mut stream), expected, "{subscribe}");
    };
    check("", &["system", "summary_progress", "order.paid"]);
    check("subscribe=", &["system", "summary_progress", "order.paid"]);
    check("subscribe=test", &[]);
    check("subscribe=test,system", &["system"]);
    check("subscribe=test&subscribe=system", &["system"]);
    check("subscribe=test,+order.paid+,", &["order.paid"]);
    check("subscribe=test%2Csystem", &["system"]);
}

#[test]
fn a_type_that_does_not_exist_is_refused_with_those_that_do() {
    let server = Server::start(&["--event-types", "order.paid"]);
    for path in ["/events?subscribe=test,nonsense", "/events/poll?subscribe=nonsense"] {
        let answer = server.get(path);
        let problem = answer.json();
        assert_eq!((answer.head.status, &problem["code"]), (400, &json!("unknown_event_type")));
        let detail = problem["detail"].as_str().unwrap();
        for name in ["nonsense", "summary_complete", "summary_progress", "system", "order.paid"] {
            assert!(detail.contains(name), "{detail}");
        }
    }
    server.wait_until_quiet();
}

/// A stream of someone who sends this cookie.
fn with_cookie(server: &Server, cookie: &str, path: &str) -> EventStream {
    EventStream::open(connect(server.address, None), path, &[&format!("Cookie: {cookie}")])
}

/// The session that a stream's greeting names.
fn session(stream: &mut EventStream) -> String {
    let data: Value = serde_json::from_str(&stream.next().data).unwrap();
    data["session_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_first_visit_gets_a_session_that_the_next_one_keeps() {
    let server = Server::start(&[]);
    let mut first = server.stream("/events");
    let cookie = first.head.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "without TLS it would never come back: {cookie}");
    let id = session(&mut first);
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(pair, format!("sid={id}"));

    let mut second = with_cookie(&server, pair, "/events");
    assert_eq!(second.head.header("set-cookie"), None);
    assert_eq!(session(&mut second), id);
    let mut named = with_cookie(&server, pair, "/events?session_id=other");
    assert_eq!(named.head.header("set-cookie"), None);
    assert_eq!(session(&mut named), "other");
    let mut spoiled = with_cookie(&server, "sid=not/ours", "/events");
    assert!(spoiled.head.header("set-cookie").is_some());
    assert_ne!(session(&mut spoiled), "not/ours");
    assert_eq!(server.get("/events?session_id=not/ours").head.status, 400);
}

#[test]
fn the_cookie_is_for_tls_only_where_a_proxy_speaks_it() {
    let check = |trusted: &str, expected: bool| {
        let server = Server::start(&["--trusted-proxies", trusted]);
        let connection = connect(server.address, None);
        let stream = EventStream::open(connection, "/events", &["X-Forwarded-Proto: https"]);
        let cookie = stream.head.header("set-cookie").unwrap();
        assert_eq!(cookie.contains("Secure"), expected, "{cookie}");
    };
    check("127.0.0.1", true);
    check("192.0.2.1", false);
}
