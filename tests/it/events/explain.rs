//! `GET /events/explain`: what is said of an event's way, from outside.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{broadcast, connected, publish};
use crate::support::{EventStream, Server};

fn ask(server: &Server, query: &str) -> Value {
    let answer = server.get(&format!("/events/explain?{query}"));
    assert_eq!(answer.head.status, 200, "{query}: {}", answer.body);
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    answer.json()
}

/// The answer once the dispatcher's round is over: a client can have the event a moment before.
fn settled(server: &Server, query: &str) -> Value {
    loop {
        let answer = ask(server, query);
        if answer["verdict"] != "queued" {
            return answer;
        }
    }
}

/// A stream past its greeting, and its connection's id.
fn known(server: &Server, path: &str) -> (EventStream, String) {
    let mut stream = server.stream(path);
    let data: Value = serde_json::from_str(&stream.next_named("connected").data).unwrap();
    (stream, data["connection_id"].as_str().unwrap().to_owned())
}

#[test]
fn a_delivered_event_is_told_step_by_step() {
    let server = Server::start(&[]);
    let (mut stream, connection) = known(&server, "/events?session_id=me&subscribe=test");
    let id = publish(&server, "secret");
    assert_eq!(stream.next().id, id);
    let answer = settled(&server, &format!("event={id}&connection={connection}"));
    assert_eq!(answer["verdict"], "delivered", "{answer:#}");
    let event = &answer["event"];
    assert_eq!(
        [&event["id"], &event["type"], &event["topic"], &event["size_bytes"]],
        [&json!(id), &json!("test"), &json!("default/events"), &json!(8)]
    );
    let shown = &answer["connection"];
    assert_eq!(
        [&shown["id"], &shown["session_id"], &shown["state"], &shown["ended"]],
        [&json!(connection), &json!("me"), &json!("direct"), &Value::Null]
    );
    assert_eq!(shown["subscriptions"], json!(["test"]));
    let steps = answer["steps"].as_array().unwrap();
    let whats: Vec<_> = steps.iter().map(|step| step["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["opened", "published", "dispatched", "written"]);
    assert!(steps.iter().all(|step| step["at"].as_str().unwrap().ends_with('Z')));
    assert!(answer["lag_ms"].as_f64().is_some_and(|lag| lag >= 0.0));
    assert_eq!(answer["lag_clock"], "steady");
    assert!(answer["replayable_until"].as_str() > event["time"].as_str());
    assert!(!answer.to_string().contains("secret"), "what it says is not for everyone");
}

#[test]
fn a_filter_is_named_in_words() {
    let server = Server::start(&[]);
    let (_stream, connection) = known(&server, "/events?session_id=me&subscribe=system");
    let check = |event: Value, reason: &str| {
        let id = broadcast(&server, &event)["event_id"].as_str().unwrap().to_owned();
        let answer = ask(&server, &format!("event={id}&connection={connection}"));
        assert_eq!(answer["verdict"], "filtered");
        assert_eq!(answer["because"], reason);
        assert_eq!(answer["lag_ms"], Value::Null);
    };
    check(
        json!({"event_type": "test", "data": 1}),
        "The connection asked for system; the event is of type test.",
    );
    check(
        json!({"event_type": "system", "data": 1, "session_filter": "you"}),
        "The event is for session you, the connection belongs to session me.",
    );
    check(
        json!({"event_type": "system", "data": 1, "subscription_filter": "test"}),
        "The connection asked for system; the event, of type system, counts as test because its \
         subscription_filter says so.",
    );
}

#[test]
fn a_session_has_all_its_connections_even_those_that_are_gone() {
    let server = Server::start(&[]);
    let mut first = connected(&server, "/events?session_id=me");
    let had = publish(&server, 1);
    assert_eq!(first.next().id, had);
    drop(first);
    server.wait_for_status(|status| status["total_connections"] == 0);
    let missed = publish(&server, 2);
    let answer = ask(&server, &format!("event={missed}&session=me"));
    assert_eq!(answer["verdict"], "not_connected", "{answer:#}");
    let because = answer["because"].as_str().unwrap();
    let until = answer["replayable_until"].as_str().unwrap();
    assert!(because.contains(&format!("gets it replayed until {until}")), "{because}");
    let gone = &answer["connections"][0];
    assert_eq!(
        (&gone["verdict"], &gone["connection"]["state"]),
        (&json!("ended_before"), &json!("ended"))
    );
    assert_eq!(gone["connection"]["reason"], "client_gone");
    // It comes back with its last id, and gets what it missed.
    let (mut second, _) = known(&server, &format!("/events?session_id=me&last_event_id={had}"));
    assert_eq!(second.next().id, missed);
    let answer = settled(&server, &format!("event={missed}&session=me"));
    assert_eq!(answer["verdict"], "delivered", "{answer:#}");
    let verdicts: Vec<_> = answer["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|connection| connection["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["ended_before", "delivered"]);
    assert_eq!(settled(&server, &format!("event={had}&session=me"))["verdict"], "delivered");
    let other = ask(&server, &format!("event={had}&session=nobody"));
    assert_eq!((&other["verdict"], &other["connections"]), (&json!("not_connected"), &json!([])));
}

#[test]
fn a_poll_is_a_connection_too() {
    let server = Server::start(&[]);
    let since = server.get("/events/poll?session_id=me").json()["last_event_id"].clone();
    let id = publish(&server, 1);
    server.get(&format!("/events/poll?session_id=me&since={}", since.as_str().unwrap()));
    let answer = ask(&server, &format!("event={id}&session=me"));
    assert_eq!(answer["verdict"], "delivered", "{answer:#}");
}

#[test]
fn what_a_crash_took_is_not_said_to_have_never_been() {
    let flags = ["--passing-types", "test"];
    let mut server = Server::start(&flags);
    let lost = publish(&server, 1);
    server.signal(Signal::KILL);
    server.wait();
    let mut server = server.start_again(&flags);
    let (_stream, _) = known(&server, "/events?session_id=me");
    let answer = ask(&server, &format!("event={lost}&session=me"));
    assert_eq!(answer["verdict"], "forgotten", "{answer:#}");
    assert!(answer["because"].as_str().unwrap().contains("is not remembered"), "{answer:#}");
    // After an end in order it is known what there never was.
    let kept = publish(&server, 2);
    server.signal(Signal::TERM);
    server.wait();
    let server = server.start_again(&flags);
    publish(&server, 3);
    let (_stream, _) = known(&server, "/events?session_id=me");
    let (ms, _) = kept.split_once('-').unwrap();
    assert_eq!(ask(&server, &format!("event={ms}-77&session=me"))["verdict"], "unknown_event");
}

#[test]
fn after_a_restart_the_event_is_known_and_its_connections_are_not() {
    let mut server = Server::start(&[]);
    let _stream = connected(&server, "/events?session_id=me");
    let event = json!({"event_type": "test", "data": 1, "durable": true});
    let id = broadcast(&server, &event)["event_id"].as_str().unwrap().to_owned();
    server.signal(Signal::TERM);
    server.wait();
    let server = server.start_again(&["--history-events", "1"]);
    publish(&server, "pushes it out of the history");
    let answer = ask(&server, &format!("event={id}&session=me"));
    assert_eq!(answer["verdict"], "not_connected", "{answer:#}");
    assert_eq!(answer["event"]["id"], id);
    assert!(answer["replayable_until"].is_string());
}

#[test]
fn what_is_not_known_is_said_to_be() {
    let server = Server::start(&["--history-events", "1", "--passing-types", "test"]);
    let nobody = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let gone = publish(&server, 1);
    let kept = publish(&server, 2);
    let (_stream, connection) = known(&server, "/events");
    let check = |event: &str, connection: &str, verdict: &str, part: &str| {
        let answer = ask(&server, &format!("event={event}&connection={connection}"));
        assert_eq!(answer["verdict"], verdict);
        assert_eq!(answer["event"]["id"], event);
        assert!(answer["because"].as_str().unwrap().contains(part), "{answer:#}");
    };
    check(&gone, &connection, "forgotten", "newer events needed its place");
    check("9999999999999-0", &connection, "unknown_event", "no event with this id yet");
    check(&kept, nobody, "not_connected", "or among the last 1000 that ended");
    check(&kept, &connection, "not_connected", "before this connection opened");
    let answer = server.get(&format!("/events/explain?event={gone}&connection={nobody}"));
    assert_eq!(answer.head.status, 404);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("is gone") && detail.contains("No such connection"), "{detail}");
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let server = Server::start(&[]);
    let id = publish(&server, 1);
    let check = |query: &str, status: u16, code: &str, hint: &str| {
        let answer = server.get(&format!("/events/explain?{query}"));
        let problem = answer.json();
        assert_eq!((answer.head.status, &problem["code"]), (status, &json!(code)), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(hint), "{query}: {problem:#}");
    };
    check("", 422, "invalid", "`event` is missing");
    check(&format!("event={id}"), 422, "invalid", "Say for whom");
    check(&format!("event={id}&connection=x&session=y"), 422, "invalid", "not for both");
    check("event=12&session=me", 400, "invalid_event_id", "looks like 1700000000000-0");
    check(&format!("event={id}&connection=12"), 400, "invalid_connection_id", "such as");
    check(&format!("event={id}&session=a%20b"), 400, "invalid_session_id", "1 to 128");
}
