//! Jobs from outside: made, reported on and watched over HTTP.

// What is made, asked for, listed and removed.
mod answers;
// Who watches through a server's violent end.
pub(crate) mod crash;
// What services say, one or many.
mod reports;
// Who watches, whenever they come.
mod watching;

use serde_json::{Value, json};

use crate::support::{EventStream, Response, Server};

/// Makes a job with this id.
fn create(server: &Server, id: &str) {
    let answer = server.post("/api/v1/jobs", &json!({"jobId": id}).to_string());
    assert_eq!(answer.head.status, 201, "{}", answer.body);
}

/// Reports on a job.
fn report(server: &Server, id: &str, report: &Value) -> Response {
    server.post(&format!("/api/v1/jobs/{id}/status"), &report.to_string())
}

/// Reports what is taken.
fn say(server: &Server, id: &str, said: &Value) -> Value {
    let answer = report(server, id, said);
    assert_eq!(answer.head.status, 200, "{said}: {}", answer.body);
    answer.json()
}

fn post(server: &Server, path: &str) -> Response {
    server.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn delete(server: &Server, path: &str) -> Response {
    server.send(&format!("DELETE {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
}

fn events_path(id: &str) -> String {
    format!("/api/v1/jobs/{id}/events")
}

/// The next state that a watcher is told; none at the end. Heartbeats are named, states are not.
fn next_state(stream: &mut EventStream) -> Option<Value> {
    loop {
        let event = stream.next_or_end()?;
        if event.name == "message" {
            return Some(serde_json::from_str(&event.data).unwrap());
        }
        assert_eq!(event.name, "ping", "{event:?}");
    }
}

/// The states that a watcher is told, up to the end of its stream.
fn rest(stream: &mut EventStream) -> Vec<Value> {
    std::iter::from_fn(|| next_state(stream)).collect()
}

fn is_terminal(state: &Value) -> bool {
    let is_end = ["completed", "cancelled"].contains(&state["status"].as_str().unwrap());
    is_end || (state["status"] == "failed" && state["retryable"] != true)
}
