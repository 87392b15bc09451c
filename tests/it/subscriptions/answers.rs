//! What is answered to requests that are not good, and the figures.

use serde_json::{Value, json};

use super::{CONNECT, Connection, make_job};
use crate::support::Server;

fn check(answer: &crate::support::Response, status: u16, code: &str) {
    let seen = (answer.head.status, answer.json()["code"].clone());
    assert_eq!(seen, (status, json!(code)), "{}", answer.body);
}

#[test]
fn a_stream_that_makes_no_sense_is_refused() {
    let server = Server::start(&[]);
    check(&server.get(&format!("{CONNECT}?job=a%20b")), 400, "invalid_id");
    check(&server.get(&format!("{CONNECT}?queue={}", "x".repeat(129))), 400, "invalid_id");
    check(&server.get(&format!("{CONNECT}?session_id=%20")), 400, "invalid_session_id");
    check(&server.post(CONNECT, "{}"), 405, "method_not_allowed");
    let html = format!(
        "GET {CONNECT} HTTP/1.1\r\nHost: t\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    );
    check(&server.send(&html), 406, "not_acceptable");
    let head = format!("HEAD {CONNECT} HTTP/1.0\r\n\r\n");
    let mut connection = crate::support::connect(server.address, None);
    std::io::Write::write_all(&mut connection, head.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut connection, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("content-type: text/event-stream"), "{answer}");
}

#[test]
fn a_change_that_makes_no_sense_is_refused() {
    let server = Server::start(&[]);
    let connection = Connection::new(&server);
    let post = |rest: &str, body: &str| {
        server.post(&format!("/api/v1/sse/{}/{rest}", connection.id), body)
    };
    check(&post("subscribe/job/a%2Fb", ""), 400, "invalid_id");
    check(&post("subscribe/film/a", ""), 404, "not_found");
    check(&post("subscribe/job", ""), 404, "not_found");
    check(&post("subscriptions", "{"), 400, "malformed_json");
    check(&post("subscriptions", r#"{"add": {"films": []}}"#), 422, "invalid");
    let bad_id = post("subscriptions", r#"{"add": {"jobs": ["a", "b c"]}}"#);
    check(&bad_id, 422, "invalid");
    assert_eq!(bad_id.json()["field"], "add.jobs[1]");
    let get = server.get(&format!("/api/v1/sse/{}/subscriptions", connection.id));
    check(&get, 405, "method_not_allowed");
    let stats = server.get("/api/v1/sse/stats").json();
    assert_eq!(stats["totalJobSubscriptions"], 0, "nothing of it was done");
}

#[test]
fn the_stats_count_as_the_seed_does() {
    let server = Server::start(&[]);
    let empty = server.get("/api/v1/sse/stats");
    assert_eq!(empty.head.header("cache-control"), Some("no-store"));
    let expected = json!({
        "totalConnections": 0, "totalJobSubscriptions": 0, "totalQueueSubscriptions": 0,
        "totalWorkerSubscriptions": 0, "connections": [], "next": null,
    });
    assert_eq!(empty.json(), expected);
    make_job(&server, "a");
    let _other_door = server.stream("/events");
    let first = Connection::open(&server, "?job=a,b&queue=q&session_id=me", &[]);
    let second = Connection::open(&server, "?job=a&worker=w", &[]);
    let stats = server.get("/api/v1/sse/stats").json();
    let totals = ["totalConnections", "totalJobSubscriptions", "totalQueueSubscriptions"];
    assert_eq!(totals.map(|total| stats[total].as_u64().unwrap()), [2, 3, 1]);
    assert_eq!(stats["totalWorkerSubscriptions"], 1);
    let shown = &stats["connections"][0];
    let expected = [
        ("connectionId", json!(first.id)),
        ("sessionId", json!("me")),
        ("address", json!("127.0.0.1")),
        ("jobSubscriptions", json!(2)),
        ("queueSubscriptions", json!(1)),
        ("workerSubscriptions", json!(0)),
    ];
    for (field, value) in expected {
        assert_eq!(shown[field], value, "{field}");
    }
    assert!(shown["connectedAt"].as_u64() <= shown["lastActivityAt"].as_u64());
    let page = server.get("/api/v1/sse/stats?limit=1").json();
    let next = page["next"].as_str().unwrap();
    assert_eq!(page["totalConnections"], 2);
    let page = server.get(&format!("/api/v1/sse/stats?limit=1&after={next}")).json();
    assert_eq!(
        (&page["connections"][0]["connectionId"], &page["next"]),
        (&json!(second.id), &Value::Null)
    );
    let mine = server.get("/api/v1/sse/stats?session_id=me").json();
    assert_eq!(mine["totalJobSubscriptions"], 2);
    check(&server.get("/api/v1/sse/stats?limit=0"), 400, "invalid_parameter");
    // And the other views of the server's streams know the door.
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("tidings_streams{door=\"subscriptions\",state="), "{metrics}");
    let shown = server.status()["connections"][1].clone();
    assert_eq!(shown["door"], "subscriptions");
    assert_eq!(shown["subscriptions"], json!(["job:a", "job:b", "queue:q"]));
}
