//! Batches from outside: made, looked at, watched and cancelled over HTTP.

// What is made and refused, and how batches and their jobs are shown.
mod answers;
// Who watches through a server's violent end.
mod crash;
// Who watches, whenever they come.
mod watching;

use serde_json::{Value, json};

use crate::support::{EventStream, Response, Server};

/// Asks for a batch.
fn ask(server: &Server, body: &Value) -> Response {
    server.post("/api/v1/batches", &body.to_string())
}

/// Makes a batch of new jobs with these ids; its own.
fn make(server: &Server, jobs: &[&str]) -> String {
    let jobs: Vec<_> = jobs.iter().map(|id| json!({"jobId": id, "request": {}})).collect();
    let answer = ask(server, &json!({ "jobs": jobs }));
    assert_eq!(answer.head.status, 201, "{}", answer.body);
    answer.json()["batchId"].as_str().unwrap().to_owned()
}

/// Reports on a job.
fn say(server: &Server, job: &str, said: &Value) {
    let answer = server.post(&format!("/api/v1/jobs/{job}/status"), &said.to_string());
    assert_eq!(answer.head.status, 200, "{said}: {}", answer.body);
}

fn post(server: &Server, path: &str) -> Response {
    server.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn events_path(batch: &str) -> String {
    format!("/api/v1/batches/{batch}/events")
}

/// The next state that a watcher is told, and its id; none at the end.
fn next_state(stream: &mut EventStream) -> Option<(u64, Value)> {
    loop {
        let event = stream.next_or_end()?;
        if event.name == "message" {
            let state: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(state["revision"].to_string(), event.id);
            return Some((event.id.parse().unwrap(), state));
        }
        assert_eq!(event.name, "ping", "{event:?}");
    }
}
