//! The events door from outside: what goes over the wire, and each of its four addresses.

mod answers;
mod broadcast;
mod ends;
mod explain;
mod poll;
mod pressure;
mod resume;
mod status;
mod stream;

use serde_json::{Value, json};

use crate::support::{EventStream, Server};

const JSON: &str = "Content-Type: application/json";

/// A stream that is past its greeting.
fn connected(server: &Server, path: &str) -> EventStream {
    let mut stream = server.stream(path);
    assert_eq!(stream.head.status, 200, "{path}");
    assert_eq!(stream.next().name, "connected", "{path}");
    stream
}

/// Broadcasts; the answer.
fn broadcast(server: &Server, event: &Value) -> Value {
    let answer = server.post("/events/broadcast", &event.to_string());
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    answer.json()
}

/// Broadcasts an event of type `test` for everyone; its id.
fn publish(server: &Server, data: impl Into<Value>) -> String {
    let answer = broadcast(server, &json!({"event_type": "test", "data": data.into()}));
    answer["event_id"].as_str().unwrap().to_owned()
}

/// Ends the streams' tests: publishes `end` for everyone and returns what the stream got before it.
fn before_end(server: &Server, stream: &mut EventStream) -> Vec<String> {
    let id = publish(server, "end");
    let mut seen = Vec::new();
    loop {
        let event = stream.next();
        if event.id == id {
            return seen;
        }
        seen.push(event.data);
    }
}

/// A request with these further header lines, as it is sent.
fn request(method: &str, path: &str, headers: &[&str]) -> String {
    let first = format!("{method} {path} HTTP/1.1\r\nHost: t\r\nConnection: close");
    let lines: Vec<_> = [first.as_str()].iter().chain(headers).copied().collect();
    lines.join("\r\n") + "\r\n\r\n"
}
