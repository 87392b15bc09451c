//! `GET /events/status`: the fields of the seed, pages, and the server's totals.

use serde_json::{Value, json};

use super::{connected, publish};
use crate::support::Server;

#[test]
fn a_connection_is_shown_with_everything() {
    let server = Server::start(&[]);
    let mut stream = connected(&server, "/events?session_id=me&subscribe=test,system");
    publish(&server, "x");
    stream.next();
    // The event can arrive before it is counted.
    server.wait_for_status(|status| status["connections"][0]["events_sent"] == 2);
    let status = server.status();
    assert_eq!(status["total_connections"], 1);
    let shown = &status["connections"][0];
    assert_eq!(shown["connection_id"].as_str().unwrap().len(), 36);
    for time in ["created_at", "last_activity"] {
        let text = shown[time].as_str().unwrap();
        assert!(text.len() >= 20 && text.ends_with('Z') && text.contains('T'), "{time} is {text}");
    }
    assert!(shown["created_at"].as_str() <= shown["last_activity"].as_str());
    let rest = json!({
        "session_id": "me",
        "user_ip": "127.0.0.1",
        "is_active": true,
        "subscriptions": ["system", "test"],
        "queue_size": 0,
        "state": "direct",
        "door": "events",
    });
    for (field, expected) in rest.as_object().unwrap() {
        assert_eq!(&shown[field], expected, "{field}");
    }
    assert!(shown["bytes_sent"].as_u64().unwrap() > 100);
}

#[test]
fn the_server_tells_of_itself() {
    let flags = ["--history-events", "2", "--max-connections", "77", "--data-dir", ""];
    let server = Server::start(&flags);
    let first = connected(&server, "/events");
    for n in 0..3 {
        publish(&server, n);
    }
    drop(first);
    server.wait_for_status(|status| status["totals"]["streams_ended"]["client_gone"] == 1);
    let status = server.status();
    assert_eq!(status["server"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["server"]["uptime_seconds"].is_u64());
    assert_eq!(status["totals"]["events_published"], 3);
    assert_eq!(status["totals"]["streams_opened"], 1);
    assert_eq!(
        (&status["history"]["events"], &status["history"]["max_events"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(status["limits"]["max_connections"], 77);
    assert!(status["rates"]["published_per_second"].is_number());
}

/// The sessions of one page, and where the next one begins.
fn page(server: &Server, query: &str) -> (Vec<String>, Value) {
    let status = server.get(&format!("/events/status?{query}")).json();
    let connections = status["connections"].as_array().unwrap().iter();
    let sessions = connections.map(|c| c["session_id"].as_str().unwrap().to_owned());
    (sessions.collect(), status["next"].clone())
}

#[test]
fn connections_come_in_pages() {
    let server = Server::start(&[]);
    let names: Vec<_> = (0..7).map(|n| format!("s{n}")).collect();
    let _open: Vec<_> =
        names.iter().map(|s| connected(&server, &format!("/events?session_id={s}"))).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (sessions, next) = page(&server, &format!("limit=3{after}"));
        assert!(sessions.len() == 3 || next.is_null());
        seen.extend(sessions);
        let Some(next) = next.as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, names);
    assert_eq!(page(&server, "limit=7"), (names.clone(), Value::Null), "there is no empty page");
    assert_eq!(page(&server, "session_id=s4"), (vec!["s4".to_owned()], Value::Null));
    assert_eq!(page(&server, "session_id=nobody"), (Vec::new(), Value::Null));
    assert_eq!(server.get("/events/status?session_id=s4").json()["total_connections"], 1);
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let server = Server::start(&[]);
    for query in
        ["limit=0", "limit=-1", "limit=x", "limit=", "limit=99999999", "after=x", "after=-1"]
    {
        let answer = server.get(&format!("/events/status?{query}"));
        let seen = (answer.head.status, answer.json()["code"].clone());
        assert_eq!(seen, (400, json!("invalid_parameter")), "{query}");
    }
}
