//! `GET /events/poll`: the same events with the same ids, by question and answer.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{broadcast, connected, publish};
use crate::support::{Response, Server, connect};

/// What a poll answers.
fn poll(server: &Server, query: &str) -> Value {
    let answer = server.get(&format!("/events/poll?{query}"));
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    answer.json()
}

/// The events of an answer as pairs of id and data.
fn events(answer: &Value) -> Vec<(String, Value)> {
    let entries = answer["events"].as_array().unwrap().iter();
    entries.map(|entry| (entry["id"].as_str().unwrap().to_owned(), entry["data"].clone())).collect()
}

/// A poll that waits, on a connection of its own; it is seen to wait before this returns.
fn waiting(server: &Server, query: &str) -> TcpStream {
    let since = poll(server, "")["last_event_id"].as_str().unwrap().to_owned();
    let mut connection = connect(server.address, None);
    let path = format!("/events/poll?since={since}&{query}");
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes()).unwrap();
    server.wait_for_status(|status| status["total_connections"] == 1);
    connection
}

#[test]
fn a_first_poll_answers_at_once_with_where_to_go_on() {
    let server = Server::start(&[]);
    let id = publish(&server, 1);
    let answer = poll(&server, "session_id=me&subscribe=test");
    assert_eq!((&answer["events"], &answer["last_event_id"]), (&json!([]), &json!(id)));
    assert_eq!(answer["subscriptions"], json!(["test"]));
    assert_eq!(answer["session_id"], "me");
    assert!(answer["retry_ms"].is_u64());
}

#[test]
fn a_poll_gets_what_it_missed_with_the_ids_of_the_stream() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events");
    let since = poll(&server, "")["last_event_id"].as_str().unwrap().to_owned();
    let mine = json!({"event_type": "system", "data": {"a": 1.50}, "session_filter": "me"});
    broadcast(&server, &mine);
    publish(&server, "all");
    let all = poll(&server, &format!("since={since}&session_id=me"));
    let first = &all["events"][0];
    assert_eq!((&first["event"], &first["data"]["a"]), (&json!("system"), &json!(1.5)));
    assert!(first["time"].as_str().unwrap().ends_with('Z'));
    let last = stream.next();
    assert_eq!(events(&all)[1], (last.id.clone(), json!("all")));
    assert_eq!(all["last_event_id"], json!(last.id));
    let others = poll(&server, &format!("since={since}&session_id=you"));
    assert_eq!(events(&others), [(last.id, json!("all"))]);
    let chosen = poll(&server, &format!("since={since}&session_id=me&subscribe=system"));
    assert_eq!(events(&chosen).len(), 1);
}

#[test]
fn a_poll_waits_for_what_comes() {
    let server = Server::start(&[]);
    let mut connection = waiting(&server, "subscribe=test&session_id=me");
    // None of these is for it.
    broadcast(&server, &json!({"event_type": "system", "data": 1}));
    broadcast(&server, &json!({"event_type": "test", "data": 2, "session_filter": "you"}));
    let id = publish(&server, 3);
    let answer = Response::read(&mut connection).json();
    assert_eq!(events(&answer), [(id.clone(), json!(3))]);
    assert_eq!(answer["last_event_id"], json!(id));
    server.wait_for_status(|status| status["totals"]["streams_ended"]["finished"] == 2);
}

#[test]
fn polls_one_after_the_other_lose_and_repeat_nothing() {
    let server = Server::start(&[]);
    let mut since = server.stream("/events").next().id;
    thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(|n| drop(publish(&server, n))));
        let mut seen = Vec::new();
        while seen.len() < 200 {
            let answer = poll(&server, &format!("since={since}"));
            seen.extend(events(&answer).into_iter().map(|(_, data)| data));
            since = answer["last_event_id"].as_str().unwrap().to_owned();
        }
        assert_eq!(seen, (0..200).map(Value::from).collect::<Vec<_>>());
    });
}

#[test]
fn a_gap_is_the_first_entry() {
    let server = Server::start(&["--history-events", "2", "--data-dir", ""]);
    let ids: Vec<_> = (0..4).map(|n| publish(&server, n)).collect();
    let check = |since: &str, reason: &str| {
        let answer = poll(&server, &format!("since={since}"));
        let first = &answer["events"][0];
        assert_eq!((&first["event"], &first["id"]), (&json!("gap"), &json!(ids[1])));
        assert_eq!(first["data"], json!({"from": since, "to": ids[1], "reason": reason}));
        assert_eq!((events(&answer).len(), &answer["last_event_id"]), (3, &json!(ids[3])));
    };
    check(&ids[0], "overflow");
    check("nonsense", "restart");
}

#[test]
fn more_than_one_answer_holds_comes_with_the_next() {
    let server = Server::start(&[]);
    let since = server.stream("/events").next().id;
    for n in 0..1_001 {
        publish(&server, n);
    }
    let first = poll(&server, &format!("since={since}"));
    assert_eq!(events(&first).len(), 1_000);
    let rest = poll(&server, &format!("since={}", first["last_event_id"].as_str().unwrap()));
    assert_eq!(
        events(&rest).iter().map(|(_, data)| data.clone()).collect::<Vec<_>>(),
        [json!(1_000)]
    );
}

#[test]
fn a_client_that_hangs_up_while_it_waits_is_noticed_at_once() {
    let server = Server::start(&[]);
    let connection = waiting(&server, "");
    drop(connection);
    server.wait_until_quiet();
    assert_eq!(server.status()["totals"]["streams_ended"]["client_gone"], 1);
}

#[test]
fn a_client_that_only_says_no_more_is_answered_at_once() {
    let server = Server::start(&[]);
    let mut connection = waiting(&server, "");
    connection.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Response::read(&mut connection).json()["events"], json!([]));
    server.wait_until_quiet();
}

#[test]
fn a_request_behind_a_poll_is_answered_after_it() {
    let server = Server::start(&[]);
    let mut connection = waiting(&server, "");
    connection.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let id = publish(&server, 1);
    assert_eq!(events(&Response::read(&mut connection).json()), [(id, json!(1))]);
    assert_eq!(Response::read(&mut connection).head.status, 200);
}

#[test]
fn a_stop_ends_polls_with_an_answer() {
    let mut server = Server::start(&[]);
    let mut connection = waiting(&server, "");
    server.signal(Signal::TERM);
    let answer = Response::read(&mut connection);
    let answer = (answer.head.status, answer.json());
    assert_eq!((answer.0, &answer.1["events"]), (200, &json!([])));
    assert_eq!(answer.1["reconnect"]["reason"], "shutdown");
    assert!(answer.1["reconnect"]["deadline"].is_string(), "{}", answer.1);
    assert_eq!(server.wait().code(), Some(0));
}
