//! Faults on purpose from outside: each does what it says to the stream it was meant for, and lifting it
//! leaves a stream that has lost nothing.

use std::io::{ErrorKind, Read};

use serde_json::{Value, json};

use crate::support::{EventStream, Head, Server, connect};

const ON: [&str; 2] = ["--faults", "on"];

/// A stream of a session that is past its greeting, and its public name.
fn open(server: &Server, session: &str) -> (EventStream, String) {
    let mut stream = server.stream(&format!("/events?session_id={session}"));
    let greeting: Value = serde_json::from_str(&stream.next().data).unwrap();
    (stream, greeting["connection_id"].as_str().unwrap().to_owned())
}

/// A stream of someone who comes back to a session.
fn resumed(server: &Server, session: &str, last: &str) -> EventStream {
    let path = format!("/events?session_id={session}&last_event_id={last}");
    let mut stream = server.stream(&path);
    assert_eq!(stream.next().name, "connected");
    stream
}

fn put(server: &Server, order: &Value) -> Value {
    let answer = server.post("/events/faults", &order.to_string());
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    answer.json()
}

fn lift(server: &Server) {
    let request = "DELETE /events/faults HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    assert_eq!(server.send(request).json(), json!({"faults": []}));
}

fn publish(server: &Server, data: impl Into<Value>) -> String {
    let event = json!({"event_type": "test", "data": data.into()});
    let answer = server.post("/events/broadcast", &event.to_string()).json();
    answer["event_id"].as_str().unwrap().to_owned()
}

/// What the status says of one connection.
fn connection(status: &Value, id: &str) -> Value {
    let all = status["connections"].as_array().unwrap();
    all.iter().find(|connection| connection["connection_id"] == id).cloned().unwrap_or_default()
}

#[test]
fn without_the_setting_there_are_none() {
    let server = Server::start(&[]);
    let (_stream, id) = open(&server, "me");
    let order = json!({"connection_id": id, "fault": {"type": "drop"}}).to_string();
    for answer in [
        server.get("/events/faults"),
        server.post("/events/faults", &order),
        server.send("DELETE /events/faults HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"),
    ] {
        assert_eq!(answer.head.status, 404, "{}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains("--faults on"));
    }
    assert!(!server.get("/sse-test").body.contains("server-faults"));
    assert_eq!(server.status()["total_connections"], 1);
}

#[test]
fn with_the_setting_the_log_warns_and_the_page_has_a_panel() {
    let server = Server::start(&ON);
    server.wait_for_log("faults are on");
    assert!(server.get("/sse-test").body.contains("server-faults"));
    assert_eq!(server.get("/events/faults").json(), json!({"faults": []}));
}

/// Opens a stream by bytes, drops it in this way, and returns how the bytes ended.
fn dropped(server: &Server, how: &str) -> std::io::Result<Vec<u8>> {
    let session = format!("dropped-{how}");
    let mut connection = connect(server.address, None);
    let request = format!("GET /events?session_id={session} HTTP/1.1\r\nHost: t\r\n\r\n");
    std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
    assert_eq!(Head::read(&mut connection).status, 200);
    // Its first event: what is dropped before has said nothing.
    let mut said = Vec::new();
    while !said.ends_with(b"\n\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    let order = json!({"session_id": session, "fault": {"type": "drop", "how": how}});
    assert_eq!(put(server, &order), json!({"faults": [], "dropped": 1}));
    connection.read_to_end(&mut said)?;
    Ok(said)
}

#[test]
fn a_stream_is_dropped_cleanly_cut_or_reset() {
    let server = Server::start(&ON);
    let clean = dropped(&server, "clean").unwrap();
    assert!(clean.ends_with(b"\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&clean));
    server.wait_for_status(|status| status["total_connections"] == 0);
    let cut = dropped(&server, "cut").unwrap();
    assert!(cut.ends_with(b"\n\n\r\n"), "{}", String::from_utf8_lossy(&cut));
    server.wait_for_status(|status| status["total_connections"] == 0);
    assert_eq!(dropped(&server, "reset").unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.wait_until_quiet();
    assert_eq!(server.status()["totals"]["streams_ended"]["fault"], 3);
}

#[test]
fn who_is_dropped_resumes_and_misses_nothing() {
    let server = Server::start(&ON);
    let (mut stream, id) = open(&server, "me");
    let first = publish(&server, 1);
    assert_eq!(stream.next().id, first);
    put(&server, &json!({"connection_id": id, "fault": {"type": "drop", "how": "clean"}}));
    assert!(stream.next_or_end().is_none());
    let second = publish(&server, 2);
    assert_eq!(resumed(&server, "me", &first).next().id, second);
}

/// Holds one stream up by this fault; others are not, and it gets everything once the fault is lifted.
fn check_hold_up(fault: &Value) {
    let server = Server::start(&ON);
    let (mut held, id) = open(&server, "held");
    let (mut other, _) = open(&server, "other");
    let answer = put(&server, &json!({"connection_id": id, "fault": fault}));
    assert_eq!(answer["faults"][0]["fault"], *fault);
    let ids = [publish(&server, 1), publish(&server, 2)];
    assert_eq!([0; 2].map(|_| other.next().id), ids);
    server.wait_for_status(|status| {
        let held = connection(status, &id);
        // The first may be in the writer's hands already.
        held["state"] == "lagging" && held["queue_size"].as_u64().unwrap() >= 1
    });
    assert_eq!(connection(&server.status(), &id)["events_sent"], 1, "only the greeting");
    lift(&server);
    assert_eq!([0; 2].map(|_| held.next().id), ids);
    server.wait_for_status(|status| connection(status, &id)["state"] == "direct");
}

#[test]
fn a_delay_holds_events_back() {
    check_hold_up(&json!({"type": "delay", "ms": 60_000}));
}

#[test]
fn a_throttle_to_nothing_hangs_the_stream() {
    check_hold_up(&json!({"type": "throttle", "bytes_per_second": 0}));
}

#[test]
fn what_is_throttled_or_delayed_comes_whole() {
    let server = Server::start(&ON);
    let (mut stream, id) = open(&server, "me");
    for fault in
        [json!({"type": "throttle", "bytes_per_second": 2_000}), json!({"type": "delay", "ms": 5})]
    {
        put(&server, &json!({"connection_id": id, "fault": fault}));
    }
    let texts: Vec<_> = (0..5).map(|n| format!("{n}").repeat(100)).collect();
    for text in &texts {
        publish(&server, text.as_str());
    }
    for text in texts {
        assert_eq!(stream.next().data, format!("\"{text}\""));
    }
}

#[test]
fn a_fault_ends_by_itself() {
    let server = Server::start(&ON);
    let (mut stream, id) = open(&server, "me");
    let fault = json!({"type": "delay", "ms": 60_000});
    put(&server, &json!({"connection_id": id, "fault": fault, "seconds": 1}));
    let event = publish(&server, 1);
    assert_eq!(stream.next().id, event);
    assert_eq!(server.get("/events/faults").json(), json!({"faults": []}));
}

#[test]
fn the_next_resume_begins_with_a_gap_and_is_owed_nothing_any_more() {
    let server = Server::start(&ON);
    let ids: Vec<_> = (0..3).map(|n| publish(&server, n)).collect();
    let fault = json!({"type": "gap", "reason": "overflow"});
    put(&server, &json!({"session_id": "me", "fault": fault}));
    // Who comes for the first time misses nothing, and others are not meant.
    let (_stream, _) = open(&server, "me");
    assert_eq!(resumed(&server, "other", &ids[0]).next().id, ids[1]);
    let mut stream = resumed(&server, "me", &ids[0]);
    let gap = stream.next();
    assert_eq!((gap.name.as_str(), &gap.id), ("gap", &ids[2]));
    let expected = json!({"from": ids[0], "to": ids[2], "reason": "overflow"});
    assert_eq!(serde_json::from_str::<Value>(&gap.data).unwrap(), expected);
    let new = publish(&server, "new");
    assert_eq!(stream.next().id, new);
    assert_eq!(resumed(&server, "me", &ids[0]).next().id, ids[1], "only once");
}

#[test]
fn a_gap_at_once_drops_the_stream_too() {
    let server = Server::start(&ON);
    let mut connection = connect(server.address, None);
    let request = "GET /events?session_id=me HTTP/1.0\r\n\r\n";
    std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
    Head::read(&mut connection);
    server.wait_for_status(|status| status["total_connections"] == 1);
    let last = publish(&server, 1);
    let answer =
        put(&server, &json!({"session_id": "me", "fault": {"type": "gap", "at_once": true}}));
    assert_eq!((&answer["dropped"], &answer["faults"][0]["left"]), (&json!(1), &json!(1)));
    connection.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(resumed(&server, "me", &last).next().name, "gap");
    assert_eq!(server.get("/events/faults").json(), json!({"faults": []}));
}

#[test]
fn events_come_twice_as_often_as_was_said() {
    let server = Server::start(&ON);
    let (mut stream, id) = open(&server, "me");
    let (mut other, _) = open(&server, "other");
    let fault = json!({"type": "duplicate", "events": 2, "every": 2});
    put(&server, &json!({"connection_id": id, "fault": fault}));
    let ids: Vec<_> = (0..6).map(|n| publish(&server, n)).collect();
    let twice = [0, 1, 1, 2, 3, 3, 4, 5].map(|n| ids[n].clone());
    assert_eq!([0; 8].map(|_| stream.next().id), twice);
    assert_eq!([0; 6].map(|_| other.next().id), ids[..]);
    assert_eq!(server.get("/events/faults").json(), json!({"faults": []}), "it is used up");
}

#[test]
fn a_sessions_fault_meets_the_streams_that_are_yet_to_come() {
    let server = Server::start(&ON);
    let ids: Vec<_> = (0..3).map(|n| publish(&server, n)).collect();
    put(&server, &json!({"session_id": "me", "fault": {"type": "duplicate", "events": 9}}));
    let mut stream = resumed(&server, "me", &ids[0]);
    assert_eq!([0; 4].map(|_| stream.next().id), [1, 1, 2, 2].map(|n| ids[n].clone()));
}

#[test]
fn heartbeats_stay_away() {
    let server = Server::start(&["--faults", "on", "--heartbeat-ms", "20"]);
    let (mut stream, id) = open(&server, "me");
    stream.next_named("ping");
    put(&server, &json!({"connection_id": id, "fault": {"type": "no_heartbeats"}}));
    publish(&server, "before");
    stream.next_named("test");
    let sent = |status: &Value| connection(status, &id)["bytes_sent"].as_u64().unwrap();
    let before = sent(&server.status());
    // The server believes that it beats.
    server.wait_for_status(|status| sent(status) > before + 100);
    let last = publish(&server, "after");
    assert_eq!(stream.next().id, last);
}

#[test]
fn the_next_streams_are_refused() {
    let server = Server::start(&ON);
    put(&server, &json!({"session_id": "me", "fault": {"type": "refuse", "times": 2}}));
    open(&server, "other");
    for _ in 0..2 {
        let mut stream = server.stream("/events?session_id=me");
        let refused = stream.next();
        assert_eq!((stream.head.status, refused.name.as_str()), (200, "system"));
        assert!(refused.data.contains(r#""type":"refused","reason":"overloaded""#));
        assert!(stream.next_or_end().is_none());
    }
    open(&server, "me");
    let status = json!({"type": "refuse", "how": "status"});
    put(&server, &json!({"session_id": "me", "fault": status}));
    let answer = server.get("/events?session_id=me");
    assert_eq!((answer.head.status, answer.head.header("retry-after")), (503, Some("1")));
    open(&server, "me");
}

#[test]
fn a_wrong_order_changes_nothing_and_says_what_would_be_right() {
    let server = Server::start(&ON);
    let (_stream, id) = open(&server, "me");
    let gone = "00000000-0000-4000-8000-000000000000";
    let drop = json!({"type": "drop"});
    let check = |order: Value, expected: (u16, Option<&str>)| {
        let answer = server.post("/events/faults", &order.to_string());
        let body = answer.json();
        assert_eq!((answer.head.status, body["field"].as_str()), expected, "{order}: {body}");
    };
    check(json!({"connection_id": gone, "fault": drop}), (404, None));
    check(json!({"connection_id": "x", "fault": drop}), (422, Some("connection_id")));
    check(json!({"session_id": "a b", "fault": drop}), (422, Some("session_id")));
    check(json!({"fault": drop}), (422, Some("session_id")));
    check(
        json!({"connection_id": id, "session_id": "me", "fault": drop}),
        (422, Some("session_id")),
    );
    check(json!({"connection_id": id, "fault": {"type": "gap"}}), (422, Some("connection_id")));
    check(json!({"connection_id": id, "fault": {"type": "refuse"}}), (422, Some("connection_id")));
    let wrong = |fault: Value, field: &str| {
        check(json!({"session_id": "me", "fault": fault}), (422, Some(field)));
    };
    wrong(json!({"type": "delay", "ms": 0}), "fault.ms");
    wrong(json!({"type": "delay", "ms": 60_001}), "fault.ms");
    wrong(json!({"type": "duplicate", "events": 0}), "fault.events");
    wrong(json!({"type": "duplicate", "every": 0}), "fault.every");
    wrong(json!({"type": "refuse", "times": 0}), "fault.times");
    wrong(json!({"type": "drop", "how": "softly"}), "fault");
    wrong(json!({"type": "explode"}), "fault.type");
    wrong(json!({"type": "delay"}), "fault");
    wrong(json!({"type": "delay", "ms": 5, "hours": 3}), "fault");
    wrong(json!({"type": "gap", "reason": "bad luck"}), "fault");
    let long = json!({"session_id": "me", "fault": {"type": "no_heartbeats"}, "seconds": 3601});
    check(long, (422, Some("seconds")));
    assert_eq!(server.get("/events/faults").json(), json!({"faults": []}));
    assert_eq!(server.status()["total_connections"], 1);
}

#[test]
fn faults_are_lifted_one_scope_at_a_time_and_are_bounded() {
    let server = Server::start(&ON);
    let fault = json!({"type": "no_heartbeats"});
    for session in ["a", "b"] {
        put(&server, &json!({"session_id": session, "fault": fault}));
    }
    let delete =
        "DELETE /events/faults?session_id=a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    let left = server.send(delete).json();
    assert_eq!(
        (left["faults"].as_array().unwrap().len(), &left["faults"][0]["session_id"]),
        (1, &json!("b"))
    );
    for _ in 1..100 {
        put(&server, &json!({"session_id": "c", "fault": fault}));
    }
    let order = json!({"session_id": "c", "fault": fault}).to_string();
    let answer = server.post("/events/faults", &order);
    assert_eq!((answer.head.status, &answer.json()["code"]), (409, &json!("too_many_faults")));
    lift(&server);
}
