//! Who watches a batch is told how it is, what becomes of it now and then, and the end once.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{events_path, make, next_state, say};
use crate::support::{EventStream, Head, Server, connect};

/// An hour: nothing but the first news and the end comes in a test's time.
const HARDLY_EVER: [&str; 2] = ["--batch-report-ms", "3600000"];

/// What a watcher is told, up to the end of its stream.
fn rest(stream: &mut EventStream) -> Vec<(u64, Value)> {
    std::iter::from_fn(|| next_state(stream)).collect()
}

#[test]
fn a_watcher_sees_a_batch_from_its_present_state_to_its_end() {
    let server = Server::start(&[]);
    let batch = make(&server, &["a", "b"]);
    let mut stream = server.stream(&events_path(&batch));
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    let (id, first) = next_state(&mut stream).unwrap();
    assert_eq!((id, &first["status"], &first["total"]), (2, &json!("pending"), &json!(2)));
    assert!((2_000..=3_000).contains(&stream.retry_ms().unwrap()));
    say(&server, "a", &json!({"status": "processing", "progress": 50}));
    let (id, state) = next_state(&mut stream).unwrap();
    assert_eq!((id, &state["status"], &state["progress"]), (3, &json!("processing"), &json!(25)));
    say(&server, "a", &json!({"status": "completed"}));
    say(&server, "b", &json!({"status": "failed"}));
    let (id, end) = rest(&mut stream).pop().unwrap();
    assert_eq!((id, &end["status"], &end["ended"]), (5, &json!("failed"), &json!(2)));
    assert_eq!((&end["progress"], &end["etaSeconds"]), (&json!(100), &json!(0)));
    // Late: the end alone, and then that there is no more.
    let late = rest(&mut server.stream(&events_path(&batch)));
    assert_eq!(late, [(5, end)]);
    for (last_id, status) in [("5", 204), ("4", 200), ("6", 200), ("x", 200)] {
        let mut connection = connect(server.address, None);
        let path = events_path(&batch);
        write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nLast-Event-ID: {last_id}\r\n\r\n")
            .unwrap();
        assert_eq!(Head::read(&mut connection).status, status, "after {last_id}");
    }
}

#[test]
fn however_much_happens_little_is_told_and_the_end_at_once() {
    let server = Server::start(&HARDLY_EVER);
    let batch = make(&server, &["a", "b"]);
    let mut stream = server.stream(&events_path(&batch));
    next_state(&mut stream).unwrap();
    say(&server, "b", &json!({"status": "processing"}));
    next_state(&mut stream).unwrap();
    for percent in 1..=100 {
        say(&server, "a", &json!({"status": "processing", "progress": percent}));
    }
    // Whoever asks is told how it is now.
    let asked = server.get(&format!("/api/v1/batches/{batch}")).json();
    assert_eq!(asked["progress"], 50);
    say(&server, "a", &json!({"status": "completed"}));
    say(&server, "b", &json!({"status": "completed"}));
    let rest = rest(&mut stream);
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((rest[0].0, &rest[0].1["status"]), (105, &json!("completed")));
}

#[test]
fn between_two_reports_there_is_the_pause_of_the_settings() {
    const PAUSE: Duration = Duration::from_millis(100);
    let server = Server::start(&["--batch-report-ms", "100"]);
    let batch = make(&server, &["a"]);
    let mut stream = server.stream(&events_path(&batch));
    let begun = Instant::now();
    next_state(&mut stream).unwrap();
    let told = thread::scope(|scope| {
        let told = scope.spawn(|| rest(&mut stream));
        // Until a few of them must have come.
        let mut percent = 0.0;
        while begun.elapsed() < PAUSE * 6 {
            percent += 0.001;
            say(&server, "a", &json!({"status": "processing", "progress": percent}));
        }
        say(&server, "a", &json!({"status": "completed"}));
        told.join().unwrap()
    });
    // The first comes at once, and so does the end.
    let at_most = begun.elapsed().as_millis() / PAUSE.as_millis() + 2;
    assert!((3..=at_most).contains(&(told.len() as u128)), "{} of {at_most}", told.len());
}

#[test]
fn a_client_of_http_1_0_is_told_as_well() {
    let server = Server::start(&[]);
    let batch = make(&server, &["a"]);
    say(&server, "a", &json!({"status": "completed"}));
    let mut connection = connect(server.address, None);
    write!(connection, "GET {} HTTP/1.0\r\n\r\n", events_path(&batch)).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("200 OK") && !head.contains("chunked"), "{head}");
    assert!(body.starts_with("id: 2\nretry: ") && body.ends_with("}\n\n"), "{body}");
}

#[test]
fn streams_of_batches_are_seen_in_the_status() {
    let server = Server::start(&[]);
    let batch = make(&server, &["a"]);
    let _stream = server.stream(&events_path(&batch));
    assert_eq!(server.status()["connections"][0]["door"], "batches");
}

/// Watchers come at any moment of a batch's short life: nothing goes backwards, and each sees the end once.
#[test]
fn nobody_misses_the_end_whenever_they_come() {
    let server = Server::start(&["--batch-report-ms", "1", "--max-connections-per-address", "0"]);
    for round in 0..6 {
        let jobs: Vec<String> = (0..5).map(|job| format!("{round}-{job}")).collect();
        let batch = make(&server, &jobs.iter().map(String::as_str).collect::<Vec<_>>());
        let seen: Vec<Vec<(u64, Value)>> = thread::scope(|scope| {
            let watch = || {
                for _ in 0..fastrand::u32(0..2_000) {
                    thread::yield_now();
                }
                rest(&mut server.stream(&events_path(&batch)))
            };
            let watchers: Vec<_> = (0..6).map(|_| scope.spawn(watch)).collect();
            for job in &jobs {
                let server = &server;
                scope.spawn(move || {
                    say(server, job, &json!({"status": "processing", "progress": 50}));
                    say(server, job, &json!({"status": "completed"}));
                });
            }
            watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect()
        });
        for seen in seen {
            let progress = |state: &Value| state["progress"].as_f64().unwrap();
            let grows = seen.is_sorted_by(|a, b| a.0 <= b.0 && progress(&a.1) <= progress(&b.1));
            assert!(grows, "{seen:?}");
            let ends = seen.iter().filter(|(_, state)| state["endedAt"] != Value::Null);
            assert_eq!((ends.count(), seen.last().unwrap().0), (1, 15));
        }
    }
}
