//! Queues from outside: jobs go in over HTTP, commands and workers elsewhere do them.

// What is taken and refused, and how queues are shown.
mod answers;
// What a process's violent end does to queues.
mod crash;
// Workers that lease jobs.
mod leases;
// The programs of `examples/workers`.
mod samples;
// Jobs that commands of the settings do.
mod working;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{PATIENCE, Response, Server};

/// A server with queues in its settings file, and a folder for what their commands write.
struct Works {
    server: Server,
    folder: TempDir,
}

impl Works {
    /// Starts it with these sections; `@` is the folder.
    fn start(sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sections = sections.replace('@', folder.path().to_str().unwrap());
        fs::write(folder.path().join("tidings.toml"), sections).unwrap();
        let data = Arc::new(tempfile::tempdir().unwrap());
        let server = Server::start_in(data, &Self::flags(&folder));
        Self { server, folder }
    }

    /// Starts the next one, in the same folders.
    fn start_again(&mut self) {
        self.server = self.server.start_again(&Self::flags(&self.folder));
    }

    fn flags(folder: &TempDir) -> [&str; 2] {
        let path = folder.path().to_str().unwrap();
        // It is the same for the whole test.
        ["--config", String::leak(format!("{path}/tidings.toml"))]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of a file that commands write; none if it is not there.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A section whose command is this shell script, with these keys as well.
fn script(queue: &str, keys: &str, script: &str) -> String {
    format!(
        "[queue.{queue}]\ncommand = ['/bin/sh', '-c', '''{script}''']\n\
         environment = {{ PATH = '/usr/bin:/bin' }}\n{keys}\n"
    )
}

/// Puts a job in a queue; its id.
fn add(server: &Server, queue: &str, options: &Value) -> String {
    let mut body = json!({"queueName": queue, "jobName": "test"});
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let answer = server.post("/api/v1/queue/add", &body.to_string());
    assert_eq!(answer.head.status, 202, "{body}: {}", answer.body);
    answer.json()["jobId"].as_str().unwrap().to_owned()
}

fn post(server: &Server, path: &str) -> Response {
    server.post(path, "{}")
}

fn delete(server: &Server, path: &str) -> Response {
    server.send(&format!("DELETE {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
}

fn job(server: &Server, id: &str) -> Value {
    let answer = server.get(&format!("/api/v1/jobs/{id}"));
    assert_eq!(answer.head.status, 200, "{id}: {}", answer.body);
    answer.json()
}

fn queue(server: &Server, name: &str) -> Value {
    server.get(&format!("/api/v1/queues/{name}")).json()
}

/// Asks again until it is so; for what follows from something a while later.
fn wait_until<T>(mut ask: impl FnMut() -> T, is_so: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
{
    let deadline = Instant::now() + PATIENCE * 3;
    loop {
        let seen = ask();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "it stays {seen:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a job has this status.
fn wait_for(server: &Server, id: &str, status: &str) -> Value {
    wait_until(|| job(server, id), |job| job["status"] == status && job["retryable"] != true)
}

/// Asks for a lease.
fn lease(server: &Server, queue: &str, wish: &Value) -> Response {
    server.post(&format!("/api/v1/queues/{queue}/lease"), &wish.to_string())
}

/// Leases the next job, which must be there.
fn leased(server: &Server, queue: &str, worker: &str) -> Value {
    let answer = lease(server, queue, &json!({"workerId": worker, "waitSeconds": 20}));
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    answer.json()
}

/// Reports on a leased job.
fn report(server: &Server, leased: &Value, said: &Value) -> Response {
    let mut body = json!({"leaseToken": leased["leaseToken"]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let id = leased["jobId"].as_str().unwrap();
    server.post(&format!("/api/v1/jobs/{id}/status"), &body.to_string())
}
