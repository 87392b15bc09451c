//! Watchers that come back after each kill -9 by the state they had last: nothing goes backwards for them,
//! and the end comes once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tidings::event::parser::{EventStreamParser, ReceivedEvent};

use super::is_terminal;
use crate::support::{PATIENCE, Server};

const JOBS: usize = 4;
const WATCHERS: usize = 3;
const LIVES: usize = 5;
pub(crate) const STEPS: usize = 60;

/// Sends a request on a connection that may break at any moment; none if it did.
fn request(address: SocketAddr, request: &str) -> Option<TcpStream> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    connection.set_read_timeout(Some(PATIENCE)).ok()?;
    connection.write_all(request.as_bytes()).ok()?;
    Some(connection)
}

/// The answer's status and the rest; none if the connection broke before that.
fn answer(address: SocketAddr, path: &str, body: &Value) -> Option<(u16, String)> {
    let body = body.to_string();
    let mut connection = request(
        address,
        &format!(
            "POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )?;
    let mut text = String::new();
    connection.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Says something until it is taken and on disk, under the same name each time.
fn insist(address: SocketAddr, path: &str, body: &Value) {
    let deadline = Instant::now() + PATIENCE * 3;
    loop {
        match answer(address, path, body) {
            Some((200 | 201, said)) if said.contains("\"stored\":true") => return,
            Some((503, _)) | None => {}
            // Made by an earlier try, whose answer was lost.
            Some((409, said)) if said.contains("job_exists") => return,
            other => panic!("{path} {body}: {other:?}"),
        }
        assert!(Instant::now() < deadline, "{path} {body} is not taken");
    }
}

fn work(address: SocketAddr, id: &str, reports: &AtomicUsize) {
    insist(address, "/api/v1/jobs", &json!({"jobId": id}));
    report_all(address, id, reports);
}

/// Does a job that is there, step by step, through whatever happens to the server.
pub(crate) fn report_all(address: SocketAddr, id: &str, reports: &AtomicUsize) {
    for step in 1..=STEPS {
        let status = if step == STEPS { "completed" } else { "processing" };
        let progress = step as f64 * 100.0 / STEPS as f64;
        let said = json!({"status": status, "progress": progress, "updateId": step.to_string()});
        insist(address, &format!("/api/v1/jobs/{id}/status"), &said);
        reports.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a watcher has seen, and from where it goes on.
#[derive(Default)]
pub(crate) struct Watcher {
    last_id: String,
    progress: f64,
    pub(crate) ends: usize,
    pub(crate) connections: usize,
}

impl Watcher {
    /// Comes back until it is told that there is no more.
    pub(crate) fn watch(mut self, address: SocketAddr, path: &str) -> Self {
        let deadline = Instant::now() + PATIENCE * 3;
        while !self.visit(address, path) {
            self.connections += 1;
            assert!(Instant::now() < deadline, "no end: {} {}", self.last_id, self.progress);
        }
        self
    }

    /// One connection, until it ends or breaks; whether there is no more.
    fn visit(&mut self, address: SocketAddr, path: &str) -> bool {
        let resume = if self.last_id.is_empty() {
            String::new()
        } else {
            format!("Last-Event-ID: {}\r\n", self.last_id)
        };
        let asked = format!("GET {path} HTTP/1.0\r\nAccept: text/event-stream\r\n{resume}\r\n");
        let Some(mut connection) = request(address, &asked) else { return false };
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match connection.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return false,
            }
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("HTTP/1.1 204 ") {
            assert_eq!(self.ends, 1, "there is no more, and it has not seen the end");
            return true;
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let (mut parser, mut buffer) = (EventStreamParser::default(), [0; 4096]);
        while let Ok(count @ 1..) = connection.read(&mut buffer) {
            parser.feed(&buffer[..count]).into_iter().for_each(|event| self.see(event));
        }
        false
    }

    fn see(&mut self, event: ReceivedEvent) {
        if event.name != "message" {
            return;
        }
        let state: Value = serde_json::from_str(&event.data).unwrap();
        let (before, now): (u64, u64) =
            (self.last_id.parse().unwrap_or(0), event.id.parse().unwrap());
        let progress = state["progress"].as_f64().unwrap();
        assert!(now >= before && progress >= self.progress, "{before} {} {state}", self.progress);
        assert_eq!(self.ends, 0, "something comes after the end: {state}");
        self.ends += usize::from(is_terminal(&state));
        (self.last_id, self.progress) = (event.id, progress);
    }
}

#[test]
fn after_kill_9_progress_never_goes_back_and_the_end_comes_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flags = ["--log", "warn", "--max-connections-per-address", "0"];
    let mut server = Server::start_on(&listener, &flags);
    let reports = AtomicUsize::new(0);
    thread::scope(|scope| {
        let mut watchers = Vec::new();
        for job in 0..JOBS {
            let (id, reports) = (format!("job-{job}"), &reports);
            let path = format!("/api/v1/jobs/{id}/events?wait=1");
            for _ in 0..WATCHERS {
                let path = path.clone();
                watchers.push(scope.spawn(move || Watcher::default().watch(address, &path)));
            }
            scope.spawn(move || work(address, &id, reports));
        }
        for life in 1..LIVES {
            let enough = JOBS * STEPS * life / LIVES;
            while reports.load(Ordering::Relaxed) < enough {
                thread::sleep(Duration::from_millis(1));
            }
            server.signal(Signal::KILL);
            server.wait();
            server = server.start_again_on(&listener, &flags);
        }
        for watcher in watchers {
            let watcher = watcher.join().unwrap();
            assert_eq!(watcher.ends, 1);
            assert!(watcher.connections >= LIVES - 1, "it was there all the time");
        }
    });
}
