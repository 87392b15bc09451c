//! `POST /events/broadcast`: who gets an event, what data may be, what is refused.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{JSON, before_end, broadcast, connected, publish, request};
use crate::support::{Response, Server};

#[test]
fn an_event_reaches_those_it_is_for_and_they_are_counted() {
    let server = Server::start(&[]);
    let mut streams = [
        connected(&server, "/events?session_id=me&subscribe=test,system"),
        connected(&server, "/events?session_id=me&subscribe=test"),
        connected(&server, "/events?session_id=you&subscribe=test,system"),
        connected(&server, "/events?session_id=you&subscribe=test,summary_complete"),
    ];
    let mut check = |filters: Value, expected: &[usize]| {
        let mut event = json!({"event_type": "test", "data": filters});
        event.as_object_mut().unwrap().extend(filters.as_object().unwrap().clone());
        let matched = broadcast(&server, &event)["matched"].clone();
        assert_eq!(matched, expected.len(), "{filters}");
        for (number, stream) in streams.iter_mut().enumerate() {
            let got = before_end(&server, stream);
            let is_for = expected.contains(&number);
            assert_eq!(got.contains(&filters.to_string()), is_for, "{filters} for {number}");
        }
    };
    check(json!({}), &[0, 1, 2, 3]);
    check(json!({"session_filter": "me"}), &[0, 1]);
    check(json!({"session_filter": "nobody"}), &[]);
    // Its own type is `test`, which the second and the last ask for in vain.
    check(json!({"subscription_filter": "system"}), &[0, 2]);
    check(json!({"subscription_filter": "system", "session_filter": "you"}), &[2]);
    check(json!({"session_filter": null, "subscription_filter": null}), &[0, 1, 2, 3]);
}

#[test]
fn a_stream_sees_the_type_of_an_event_that_was_matched_as_another() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events?subscribe=system");
    let event = json!({"event_type": "test", "data": 1, "subscription_filter": "system"});
    let id = broadcast(&server, &event)["event_id"].clone();
    let event = stream.next();
    assert_eq!((event.name.as_str(), json!(event.id)), ("test", id));
}

#[test]
fn every_kind_of_data_arrives_as_it_was_sent() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events");
    let mut check = |data: &str, expected: &str| {
        let body = format!("{{\"event_type\": \"test\", \"data\": {data}}}");
        assert_eq!(server.post("/events/broadcast", &body).head.status, 200, "{data}");
        let event = stream.next();
        assert_eq!((event.name.as_str(), event.data.as_str()), ("test", expected));
    };
    for same in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.50",
        "-1.5E+300",
        "1e400",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        r#""""#,
        r#""text""#,
        r#"" leading space""#,
        r#""id: 1\nevent: evil\n\ndata: x""#,
        r#""\r\n""#,
        r#""\u0000\u2028\ud83d\ude00""#,
        "\"\u{2028}\u{2029}\u{85}\u{feff}\"",
        "\"é 漢字 😀 \u{7f}\"",
        "[]",
        "{}",
        r#"{"b":1,"a":{"c":[1,null]},"b":2}"#,
    ] {
        check(same, same);
    }
    // A browser joins the lines of data by line feeds.
    check("[1,\n  2]", "[1,\n  2]");
    check("[1,\r\n  2]", "[1,\n  2]");
    check("[1,\r  2]", "[1,\n  2]");
    check("{\n\n\r\n  \"a\": 1\n}", "{\n\n\n  \"a\": 1\n}");
    check("  1\t", "1");
}

#[test]
fn data_may_have_256_kibibytes_and_not_one_more() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events");
    let largest = "x".repeat((256 << 10) - 2);
    publish(&server, largest.as_str());
    assert_eq!(stream.next().data.len(), 256 << 10);
    let event = json!({"event_type": "test", "data": largest + "x"});
    let answer = server.post("/events/broadcast", &event.to_string());
    let problem = answer.json();
    assert_eq!((answer.head.status, &problem["code"]), (413, &json!("event_too_large")));
    assert!(problem["detail"].as_str().unwrap().contains("262144"), "{problem}");
}

/// A body of this kind as a whole request.
fn post(content_type: &str, body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    request("POST", "/events/broadcast", &[content_type, &length]) + body
}

#[test]
fn what_is_refused_is_refused_with_the_place_and_changes_nothing() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events?session_id=me");
    let check = |content_type: &str, body: &str, status: u16, code: &str, told: &str| {
        let answer = server.send(&post(content_type, body));
        assert_eq!(answer.head.header("content-type"), Some("application/problem+json"));
        let problem = answer.json();
        let seen = (answer.head.status, problem["status"].clone(), problem["code"].clone());
        assert_eq!(seen, (status, json!(status), json!(code)), "{body}");
        assert!(answer.body.contains(told), "{told:?} is not in {}", answer.body);
    };
    let fine = r#"{"event_type": "test", "data": 1}"#;
    check("Content-Type: text/plain", fine, 415, "unsupported_media_type", "application/json");
    check("X-None: x", fine, 415, "unsupported_media_type", "application/json");
    check(
        "Content-Type: application/json; charset=latin1",
        fine,
        415,
        "unsupported_media_type",
        "",
    );
    check(JSON, "", 400, "malformed_json", "line 1 column 0");
    check(JSON, "{", 400, "malformed_json", "line 1 column 1");
    check(JSON, "{\n  \"event_type\": tes\n}", 400, "malformed_json", "line 2 column");
    check(JSON, r#"{"event_type":"test","data":1} x"#, 400, "malformed_json", "trailing");
    check(JSON, r#"{"event_type":"test","data":[1,}"#, 400, "malformed_json", "line 1 column");
    check(JSON, "[]", 422, "invalid", "");
    check(JSON, "{}", 422, "invalid", "event_type");
    check(JSON, r#"{"event_type":"test"}"#, 422, "invalid", "data");
    check(JSON, r#"{"event_type":7,"data":1}"#, 422, "invalid", r#""field":"event_type""#);
    check(JSON, r#"{"event_type":"nil","data":1}"#, 422, "invalid", r#""field":"event_type""#);
    check(JSON, r#"{"event_type":"*","data":1}"#, 422, "invalid", r#""field":"event_type""#);
    let more = |more: &str| format!(r#"{{"event_type":"test","data":1,{more}}}"#);
    check(JSON, &more(r#""type":"x""#), 422, "invalid", "type");
    check(JSON, &more(r#""data":2"#), 422, "invalid", "data");
    check(JSON, &more(r#""session_filter":"a b""#), 422, "invalid", r#""field":"session_filter""#);
    check(JSON, &more(r#""session_filter":"""#), 422, "invalid", r#""field":"session_filter""#);
    check(JSON, &more(r#""subscription_filter":"nil""#), 422, "invalid", "subscription_filter");
    check(JSON, &more(r#""key":"a b""#), 422, "invalid", r#""field":"key""#);
    check(JSON, &more(r#""key":"""#), 422, "invalid", r#""field":"key""#);
    check(JSON, &more(r#""terminal":1"#), 422, "invalid", r#""field":"terminal""#);
    check(JSON, &"[".repeat(100_000), 422, "invalid", "64 levels");

    assert_eq!(server.status()["totals"]["events_published"], 0);
    assert_eq!(before_end(&server, &mut stream), [""; 0]);
}

#[test]
fn with_a_star_any_valid_type_may_be_broadcast() {
    let server = Server::start(&["--event-types", "*"]);
    let mut stream = connected(&server, "/events?subscribe=order:paid");
    broadcast(&server, &json!({"event_type": "order:paid", "data": 1}));
    assert_eq!(stream.next().name, "order:paid");
    let answer = server.post("/events/broadcast", r#"{"event_type":"not a name","data":1}"#);
    assert_eq!(answer.head.status, 422);
    // What the server says itself is nobody else's to say, or to ask for.
    for own in ["gap", "connected", "ping"] {
        for body in [
            json!({"event_type": own, "data": 1}),
            json!({"event_type": "test", "subscription_filter": own, "data": 1}),
        ] {
            let answer = server.post("/events/broadcast", &body.to_string());
            assert_eq!(answer.head.status, 422, "{body}");
            assert!(answer.body.contains("what the server itself says"), "{}", answer.body);
        }
        assert_eq!(server.get(&format!("/events?subscribe={own}")).head.status, 400);
    }
}

/// Broadcasts `data` with a key in the header; the answer.
fn with_key(server: &Server, key: &str, data: &str) -> Response {
    let body = format!(r#"{{"event_type":"test","data":"{data}"}}"#);
    let length = format!("Content-Length: {}", body.len());
    let key = format!("Idempotency-Key: {key}");
    let head = request("POST", "/events/broadcast", &[JSON, &length, &key]);
    server.send(&(head + &body))
}

#[test]
fn a_second_try_is_not_a_second_event() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events");
    let first = with_key(&server, "order-7", "x").json();
    let second = with_key(&server, "order-7", "x").json();
    assert_eq!(first["event_id"], second["event_id"]);
    assert_eq!((&first["repeated"], &second["repeated"]), (&Value::Null, &json!(true)));
    assert_eq!(second["matched"], 1);
    assert_eq!(before_end(&server, &mut stream), ["\"x\""]);
    let field = json!({"event_type": "test", "data": "y", "event_id": "order-8"});
    assert_eq!(broadcast(&server, &field)["event_id"], broadcast(&server, &field)["event_id"]);
    assert_eq!(before_end(&server, &mut stream), ["\"y\""]);
}

#[test]
fn a_second_try_is_known_after_a_restart_whatever_the_history_holds() {
    let flags = ["--history-events", "1", "--passing-types", "test"];
    let mut server = Server::start(&flags);
    let first = with_key(&server, "order-7", "x").json();
    for n in 0..5 {
        with_key(&server, &format!("other-{n}"), "y");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let mut server = server.start_again(&flags);
    assert_eq!(server.status()["history"]["events"], 1);
    let again = with_key(&server, "order-7", "x").json();
    assert_eq!((&again["event_id"], &again["repeated"]), (&first["event_id"], &json!(true)));
    assert_eq!(with_key(&server, "order-7", "z").head.status, 422, "it stands for one event");
    // Also after a crash, if the event was on disk.
    server.signal(Signal::KILL);
    server.wait();
    let server = server.start_again(&flags);
    assert_eq!(with_key(&server, "order-7", "x").json()["repeated"], true);
}

#[test]
fn a_key_that_comes_back_with_another_event_is_a_mistake() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events");
    assert_eq!(with_key(&server, "a", "x").head.status, 200);
    let answer = with_key(&server, "a", "y");
    assert_eq!(
        (answer.head.status, &answer.json()["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    assert_eq!(before_end(&server, &mut stream), ["\"x\""]);
}

#[test]
fn a_key_that_cannot_be_one_is_refused() {
    let server = Server::start(&[]);
    let long = "k".repeat(256);
    for key in ["", long.as_str(), "caf\u{e9}"] {
        let answer = with_key(&server, key, "x");
        assert_eq!(
            (answer.head.status, &answer.json()["code"]),
            (400, &json!("invalid_idempotency_key"))
        );
    }
    let body = json!({"event_type": "test", "data": 1, "event_id": ""});
    let answer = server.post("/events/broadcast", &body.to_string());
    assert_eq!((answer.head.status, &answer.json()["field"]), (422, &json!("event_id")));
}

#[test]
fn keys_can_be_switched_off() {
    let server = Server::start(&["--idempotency-seconds", "0"]);
    let ids = ["x", "x"].map(|data| with_key(&server, "a", data).json()["event_id"].clone());
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_is_to_be_on_disk_is_when_the_answer_comes() {
    let mut server = Server::start(&[]);
    let durable = json!({"event_type": "test", "data": "kept", "durable": true});
    let answer = broadcast(&server, &durable);
    assert_eq!(answer["stored"], true);
    // As hard as an end can be.
    server.signal(Signal::KILL);
    server.wait();
    let server = server.start_again(&[]);
    let mut stream = server.stream("/events?last_event_id=0-0&subscribe=test");
    let event = stream.next_named("test");
    assert_eq!((json!(event.id), event.data.as_str()), (answer["event_id"].clone(), "\"kept\""));
}

#[test]
fn without_a_disk_nothing_can_be_durable() {
    let server = Server::start(&["--data-dir", ""]);
    let durable = json!({"event_type": "test", "data": 1, "durable": true});
    let answer = server.post("/events/broadcast", &durable.to_string());
    assert_eq!((answer.head.status, &answer.json()["field"]), (422, &json!("durable")));
}
