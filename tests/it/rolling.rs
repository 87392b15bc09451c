//! Servers that follow each other on one socket, under load, behind real nginx: nothing is lost.
//!
//! The clients are as browsers are: they come back when they are told, with the last id they have, and
//! an answer that is no event stream ends them for good. The publishers are as they should be: what was
//! not acknowledged is sent again under the same key. And when no server follows, they are told.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tidings::event::parser::EventStreamParser;

use crate::nginx::{Nginx, is_installed};
use crate::support::{EventStream, Head, PATIENCE, Response, Server, connect};

const CLIENTS: usize = 200;
const PUBLISHERS: usize = 4;

/// How many events must have been acknowledged between two stops.
const BETWEEN: usize = 200;

/// What a publisher does between two events: enough load to have some in every state at a stop, and
/// little enough for a slow machine to carry it two hundred times.
const PACE: Duration = Duration::from_millis(5);

/// The last event of all.
const LAST: &str = "last";

/// What a client found in its streams, one after the other.
#[derive(Debug, Default)]
struct Found {
    /// The data of its events, in the order they came.
    events: Vec<String>,
    gaps: Vec<String>,
    /// How often it was told to come back.
    sent_away: usize,
    /// Streams that ended otherwise: the client came back all the same.
    cut: usize,
}

/// Follows the events until the last one.
fn follow(proxy: SocketAddr, is_there: &Barrier) -> Found {
    let (mut found, mut last_id, mut retry, mut first) =
        (Found::default(), String::new(), Duration::ZERO, Some(is_there));
    let deadline = Instant::now() + PATIENCE * 3;
    loop {
        assert!(Instant::now() < deadline, "the last event does not come: {found:?}");
        let mut connection = connect(proxy, None);
        // HTTP/1.0, so that what nginx sends needs no unpacking.
        let request = format!(
            "GET /events?subscribe=test&session_id=all HTTP/1.0\r\nHost: t\r\n\
             Accept: text/event-stream\r\nLast-Event-ID: {last_id}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let status = Head::read(&mut connection).status;
        assert_eq!(status, 200, "a browser would give up");
        let mut parser = EventStreamParser::default();
        let (mut bytes, mut is_told) = ([0; 16 << 10], false);
        while let Ok(count @ 1..) = connection.read(&mut bytes) {
            for event in parser.feed(&bytes[..count]) {
                // A refusal has none, and a browser keeps the id it has.
                if !event.id.is_empty() {
                    last_id.clone_from(&event.id);
                }
                match event.name.as_str() {
                    "connected" => drop(first.take().map(Barrier::wait)),
                    "test" => found.events.push(event.data.trim_matches('"').to_owned()),
                    "gap" => found.gaps.push(event.data),
                    "system" => {
                        assert!(!event.data.contains(r#""away""#), "nobody was there");
                        is_told = true;
                    }
                    _ => {}
                }
            }
            if found.events.last().is_some_and(|event| event == LAST) {
                return found;
            }
        }
        *(if is_told { &mut found.sent_away } else { &mut found.cut }) += 1;
        retry = parser.retry_ms().map_or(retry, Duration::from_millis);
        thread::sleep(retry);
    }
}

/// Publishes until it is acknowledged, and returns how many attempts that took.
fn publish(proxy: SocketAddr, data: &str) -> usize {
    let body = format!(r#"{{"event_type": "test", "data": "{data}", "durable": true}}"#);
    let request = format!(
        "POST /events/broadcast HTTP/1.0\r\nHost: t\r\nContent-Type: application/json\r\n\
         Idempotency-Key: {data}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for attempt in 1..10_000 {
        let mut connection = connect(proxy, None);
        let mut answer = String::new();
        let sent = connection.write_all(request.as_bytes());
        let read = sent.and_then(|()| connection.read_to_string(&mut answer));
        let status = answer.split(' ').nth(1).unwrap_or_default();
        match (read, status) {
            (Ok(_), "200") => return attempt,
            // Broken on the way, or not now.
            (Err(_), _) | (Ok(_), "" | "502" | "503" | "504") => thread::sleep(PACE),
            _ => panic!("{answer}"),
        }
    }
    panic!("{data} is not acknowledged");
}

/// Publishes one event after the other until told to stop; returns how many, and how many twice.
fn publish_all(proxy: SocketAddr, name: usize, load: &Load) -> (usize, usize) {
    let (mut events, mut retries) = (0, 0);
    while !load.is_over.load(Ordering::Relaxed) {
        retries += publish(proxy, &format!("{name}:{events}")) - 1;
        events += 1;
        load.acknowledged.fetch_add(1, Ordering::Relaxed);
        thread::sleep(PACE);
    }
    (events, retries)
}

#[derive(Debug, Default)]
struct Load {
    acknowledged: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Waits until so many more events have been acknowledged.
    fn wait_for(&self, more: usize) {
        let (before, deadline) =
            (self.acknowledged.load(Ordering::Relaxed), Instant::now() + PATIENCE);
        while self.acknowledged.load(Ordering::Relaxed) < before + more {
            assert!(Instant::now() < deadline, "the publishers are stuck");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Checks that a client got all of them once, each publisher's in order.
fn check(found: &Found, published: &[usize]) {
    assert_eq!(found.gaps, [""; 0], "{found:?}");
    let mut next: HashMap<usize, usize> = HashMap::new();
    for event in found.events.iter().filter(|event| *event != LAST) {
        let (name, number) = event.split_once(':').unwrap();
        let next = next.entry(name.parse().unwrap()).or_default();
        assert_eq!(number.parse(), Ok(*next), "of publisher {name}");
        *next += 1;
    }
    for (publisher, count) in published.iter().enumerate() {
        assert_eq!(next.get(&publisher), Some(count), "of publisher {publisher}");
    }
}

#[test]
fn a_rolling_restart_under_load_loses_nothing() {
    if !is_installed() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--trusted-proxies=127.0.0.1",
        "--max-connections-per-address=0",
        "--retry-ms=20",
        "--drain-seconds=1",
        &format!("--data-dir={}", folder.path().display()),
    ];
    let mut server = Server::start_on(&listener, &flags);
    let nginx = Nginx::start(&server, &[]);
    let proxy = nginx.plain;

    let (load, are_there) = (Arc::new(Load::default()), Arc::new(Barrier::new(CLIENTS + 1)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let are_there = are_there.clone();
            thread::spawn(move || follow(proxy, &are_there))
        })
        .collect();
    are_there.wait();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|name| {
            let load = load.clone();
            thread::spawn(move || publish_all(proxy, name, &load))
        })
        .collect();
    for _ in 0..2 {
        load.wait_for(BETWEEN);
        server.signal(Signal::TERM);
        // While the old one is still at it.
        let next = Server::start_on(&listener, &flags);
        let report = server.wait_for_log("stopped in");
        assert!(report.contains("cut=0") && report.contains("unwritten_events=0"), "{report}");
        assert_eq!(server.wait().code(), Some(0));
        server = next;
    }
    load.wait_for(BETWEEN);
    load.is_over.store(true, Ordering::Relaxed);
    let published: Vec<_> = publishers.into_iter().map(|thread| thread.join().unwrap()).collect();
    publish(proxy, LAST);
    let found: Vec<_> = clients.into_iter().map(|thread| thread.join().unwrap()).collect();

    let counts: Vec<_> = published.iter().map(|(events, _)| *events).collect();
    println!("published, and sent again: {published:?}");
    println!("cut: {}", found.iter().map(|found| found.cut).sum::<usize>());
    for found in &found {
        check(found, &counts);
        assert!(found.sent_away >= 1, "{found:?}");
    }
}

#[test]
fn while_there_is_no_server_a_stream_is_sent_away_and_others_are_told() {
    if !is_installed() {
        return;
    }
    let mut server = Server::start(&["--trusted-proxies", "127.0.0.1"]);
    let nginx = Nginx::start(&server, &[]);
    server.signal(Signal::KILL);
    server.wait();
    let mut retries = BTreeSet::new();
    for _ in 0..40 {
        let mut stream = EventStream::open(connect(nginx.plain, None), "/events", &[]);
        assert_eq!(stream.head.status, 200, "a browser would give up");
        assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
        let event = stream.next();
        let data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!((event.name.as_str(), &data["type"]), ("system", &"refused".into()));
        assert_eq!(data["retry_ms"].as_u64(), stream.retry_ms());
        retries.extend(stream.retry_ms());
    }
    assert!(retries.len() > 1, "all come back at once: {retries:?}");
    let mut connection = connect(nginx.plain, None);
    let request = "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let answer = Response::read(&mut connection);
    assert_eq!((answer.head.status, answer.json()["code"].as_str()), (503, Some("away")));
    assert_eq!(answer.head.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.head.header("retry-after"), Some("2"));
}
