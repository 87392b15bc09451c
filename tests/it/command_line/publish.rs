//! `tidings publish`: what is published, what it says of it, and how mistakes are told.

use serde_json::{Value, json};

use super::{Program, check_refused, misbehaving, run, url};
use crate::support::{EventStream, Server};

/// A stream of this session, past its greeting.
fn watch(server: &Server, query: &str) -> EventStream {
    let mut stream = server.stream(&format!("/events?{query}"));
    assert_eq!(stream.next().name, "connected");
    stream
}

#[test]
fn an_event_is_published_and_its_id_printed() {
    let server = Server::start(&[]);
    let url = url(&server);
    let mut stream = watch(&server, "session_id=me");
    for (data, expected) in [(&["{\"a\": [1]}"][..], "{\"a\": [1]}"), (&["-7"], "-7"), (&[], "{}")]
    {
        let ended = run(&[&["publish", "test"], data, &["--server", &url]].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let event = stream.next();
        assert_eq!((event.name.as_str(), event.data.as_str()), ("test", expected));
        assert_eq!(ended.output, format!("{}  matched 1 stream\n", event.id));
    }
}

#[test]
fn data_may_come_from_standard_input() {
    let server = Server::start(&[]);
    let url = url(&server);
    let mut stream = watch(&server, "session_id=me");
    let arguments = ["publish", "test", "-", "--server", &url, "--json", "--durable"];
    let ended = Program::start_with(&arguments, b"{\n \"from\": \"input\"\n}\n").end();
    let answer: Value = serde_json::from_str(&ended.output).unwrap();
    let event = stream.next();
    assert_eq!(answer, json!({"event_id": event.id, "matched": 1, "stored": true}));
    assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), json!({"from": "input"}));
    let ended = Program::start_with(&arguments, b"no JSON").end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("cannot publish: the data is no JSON"), "{ended:?}");
}

#[test]
fn an_event_may_be_for_one_session_or_for_a_types_subscribers() {
    let server = Server::start(&[]);
    let url = url(&server);
    let _others = [watch(&server, "session_id=you"), watch(&server, "subscribe=system")];
    let matched = |more: &[&str]| {
        let ended = run(&[&["publish", "test", "1", "--server", &url, "--json"], more].concat());
        let answer: Value = serde_json::from_str(&ended.output).unwrap();
        answer["matched"].clone()
    };
    assert_eq!(matched(&["--session", "you"]), 1);
    assert_eq!(matched(&["--session", "nobody"]), 0);
    let everything = matched(&["--subscription-filter", "summary_complete"]);
    assert_eq!(matched(&["--subscription-filter", "system"]), everything.as_u64().unwrap() + 1);
}

#[test]
fn what_cannot_be_published_is_told() {
    let server = Server::start(&["--data-dir", ""]);
    let url = url(&server);
    let check = |arguments: &[&str], code, part| {
        check_refused(&[&["publish", "--server", &url], arguments].concat(), code, part);
    };
    check(&["nope", "1"], 1, "the server answered 422 Unprocessable Entity: ");
    check(&["nope", "1"], 1, "(field event_type)");
    check(&["test", "1", "--durable"], 1, "(field durable)");
    check(&["test", "hello"], 2, "a text is written '\"text\"'");
    check(&["test", "{"], 2, "it is no JSON");
    check(&["a b", "1"], 2, "invalid value 'a b'");
    check(&["test", "1", "--session", "a b"], 2, "an id has 1 to 128");
    check(&[], 2, "<TYPE>");
}

#[test]
fn a_server_that_does_not_behave_is_told_of() {
    let ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    for (answer, part) in [
        (format!("{ok}{{\"event_id\":"), "the server's answer cannot be read"),
        (format!("{ok}{{}}"), "no answer of a Tidings server"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), "cannot publish: http://127.0.0.1"),
        (String::new(), "cannot publish: http://127.0.0.1"),
    ] {
        let server = misbehaving(vec![answer.into_bytes()]);
        check_refused(&["publish", "test", "--server", &server], 1, part);
    }
}
