//! Who watches a job is told its present state, every later one, and the end once, whenever they come.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{create, delete, events_path, is_terminal, next_state, report, rest, say};
use crate::support::{EventStream, Head, Server, connect};

/// How a request for a stream is answered, with these header lines.
fn ask(server: &Server, path: &str, headers: &str) -> Head {
    let mut connection = connect(server.address, None);
    write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\n{headers}\r\n").unwrap();
    Head::read(&mut connection)
}

fn status(server: &Server, path: &str, headers: &str) -> u16 {
    ask(server, path, headers).status
}

#[test]
fn a_watcher_sees_a_job_from_its_present_state_to_its_end() {
    let server = Server::start(&[]);
    create(&server, "a");
    say(
        &server,
        "a",
        &json!({"status": "processing", "progress": 10, "stage": "retrieving-content"}),
    );
    let mut stream = server.stream(&events_path("a"));
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    let first = stream.next();
    assert_eq!((first.name.as_str(), first.id.as_str()), ("message", "2"), "unnamed, by revision");
    let retry = stream.retry_ms().unwrap();
    assert!((2_000..=3_000).contains(&retry), "{retry}");
    let state: Value = serde_json::from_str(&first.data).unwrap();
    for (member, expected) in [
        ("jobId", json!("a")),
        ("status", json!("processing")),
        ("progress", json!(10)),
        ("stage", json!("retrieving-content")),
        ("message", json!("")),
    ] {
        assert_eq!(state[member], expected, "{member}");
    }
    let time = state["timestamp"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    say(&server, "a", &json!({"status": "processing", "progress": 55.5, "data": {"n": 1}}));
    let state = next_state(&mut stream).unwrap();
    assert_eq!((&state["progress"], &state["data"]), (&json!(55.5), &json!({"n": 1})));
    say(&server, "a", &json!({"status": "completed", "result": {"episode": 7}}));
    let end = rest(&mut stream);
    assert_eq!(
        (end.len(), &end[0]["status"], &end[0]["progress"]),
        (1, &json!("completed"), &json!(100))
    );
    assert_eq!(end[0]["result"], json!({"episode": 7}));
}

#[test]
fn who_comes_late_is_told_the_end_once_and_then_that_there_is_no_more() {
    let server = Server::start(&[]);
    create(&server, "a");
    say(&server, "a", &json!({"status": "failed", "error": "no feed"}));
    let path = events_path("a");
    for last_id in ["", "1", "3", "1795244819144-0"] {
        let connection = connect(server.address, None);
        let header = format!("Last-Event-ID: {last_id}");
        let mut stream = EventStream::open(connection, &path, &[&header]);
        assert_eq!(stream.head.status, 200, "{header}");
        let event = stream.next();
        assert_eq!((event.name.as_str(), event.id.as_str()), ("message", "2"));
        assert!(stream.retry_ms().is_some());
        let state: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!((&state["status"], &state["error"]), (&json!("failed"), &json!("no feed")));
        assert_eq!(stream.next_or_end(), None);
    }
    let head = ask(&server, &path, "Last-Event-ID: 2\r\n");
    assert_eq!((head.status, head.header("content-type")), (204, None));
    assert_eq!(status(&server, &format!("{path}?last_event_id=2"), ""), 204);
    assert_eq!(status(&server, &format!("{path}?last_event_id=1"), ""), 200);
    // Also after a restart: revisions are kept with the job.
    server.signal(Signal::TERM);
    let server = server.start_again(&[]);
    assert_eq!(status(&server, &path, "Last-Event-ID: 2\r\n"), 204);
}

#[test]
fn a_failure_that_may_be_tried_again_is_no_end() {
    let server = Server::start(&[]);
    create(&server, "a");
    let mut stream = server.stream(&events_path("a"));
    say(&server, "a", &json!({"status": "processing", "progress": 80}));
    say(&server, "a", &json!({"status": "failed", "retryable": true, "error": "busy"}));
    say(&server, "a", &json!({"status": "processing", "progress": 5, "attempt": 2}));
    say(&server, "a", &json!({"status": "completed"}));
    let seen = rest(&mut stream);
    let seen: Vec<_> =
        seen.iter().map(|state| (state["status"].as_str().unwrap(), &state["progress"])).collect();
    let progress: Vec<_> = [0, 80, 80, 5, 100].map(Value::from).into();
    let statuses = ["pending", "processing", "failed", "processing", "completed"];
    assert_eq!(seen, statuses.into_iter().zip(&progress).collect::<Vec<_>>());
    assert_eq!(status(&server, &events_path("a"), "Last-Event-ID: 3\r\n"), 200);
}

#[test]
fn who_may_not_watch_is_told_why() {
    let server = Server::start(&[]);
    create(&server, "a");
    let path = events_path("a");
    let unknown = server.get(&events_path("nobody"));
    assert_eq!((unknown.head.status, &unknown.json()["code"]), (404, &json!("not_found")));
    assert_eq!(server.get(&format!("{path}?wait=yes")).head.status, 400);
    assert_eq!(server.get("/api/v1/jobs/a%20b/events").head.status, 400);
    assert_eq!(status(&server, &path, "Accept: application/json\r\n"), 406);
    let posted = server.post(&path, "{}");
    assert_eq!(
        (posted.head.status, posted.head.header("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
    let head = |id: &str| {
        let request =
            format!("HEAD {} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", events_path(id));
        let mut connection = connect(server.address, None);
        connection.write_all(request.as_bytes()).unwrap();
        let head = Head::read(&mut connection);
        let mut more = Vec::new();
        connection.read_to_end(&mut more).unwrap();
        assert!(more.is_empty());
        head
    };
    assert_eq!(head("a").header("content-type"), Some("text/event-stream"));
    assert_eq!((head("a").status, head("nobody").status), (200, 404));
}

#[test]
fn who_waits_sees_a_job_from_its_very_beginning() {
    let server = Server::start(&[]);
    let mut stream = server.stream(&format!("{}?wait=1", events_path("later")));
    let first = stream.next();
    let state: Value = serde_json::from_str(&first.data).unwrap();
    assert_eq!((first.name.as_str(), first.id.as_str()), ("message", "0"));
    assert_eq!((&state["status"], &state["stage"]), (&json!("pending"), &json!("waiting")));
    assert_eq!(server.get("/api/v1/jobs/later").head.status, 404, "it is no job yet");
    create(&server, "later");
    let made = next_state(&mut stream).unwrap();
    assert_eq!((&made["status"], &made["stage"]), (&json!("pending"), &json!("")));
    say(&server, "later", &json!({"status": "completed"}));
    assert_eq!(rest(&mut stream).len(), 1);
    assert_eq!(delete(&server, "/api/v1/jobs/later").head.status, 204);
}

#[test]
fn a_client_of_http_1_0_sees_it_all_without_chunks() {
    let server = Server::start(&[]);
    create(&server, "a");
    let path = events_path("a");
    let open = || {
        let mut connection = connect(server.address, None);
        write!(connection, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        connection
    };
    let mut stream = EventStream::answer(open());
    assert_eq!(stream.head.header("transfer-encoding"), None);
    assert_eq!(next_state(&mut stream).unwrap()["status"], "pending");
    say(&server, "a", &json!({"status": "completed"}));
    assert_eq!(rest(&mut stream).len(), 1);
    assert_eq!(rest(&mut EventStream::answer(open())).len(), 1, "and after the end");
}

#[test]
fn what_is_no_state_has_a_name() {
    let server = Server::start(&["--heartbeat-ms", "20"]);
    create(&server, "a");
    let mut stream = server.stream(&events_path("a"));
    assert_eq!(stream.next().name, "message");
    let beat = stream.next();
    assert_eq!((beat.name.as_str(), beat.data.as_str()), ("ping", "keep-alive"));
    assert_eq!(beat.id, "1", "and no id of its own");
    server.signal(Signal::TERM);
    let goodbye = stream.next_named("system");
    assert!(goodbye.data.contains(r#""reason":"shutdown""#), "{}", goodbye.data);
    assert_eq!(stream.next_or_end(), None);
}

#[test]
fn a_job_of_which_nothing_is_heard_stalls_and_fails() {
    let server = Server::start(&["--job-stall-grace-seconds", "1"]);
    let body = json!({"jobId": "a", "lease_seconds": 1}).to_string();
    assert_eq!(server.post("/api/v1/jobs", &body).head.status, 201);
    let mut stream = server.stream(&events_path("a"));
    say(&server, "a", &json!({"status": "processing", "progress": 30}));
    let seen = rest(&mut stream);
    assert_eq!(seen.len(), 4, "{seen:#?}");
    assert_eq!((seen[1].get("stalled"), &seen[1]["progress"]), (None, &json!(30)));
    assert_eq!((&seen[2]["stalled"], &seen[2]["status"]), (&json!(true), &json!("processing")));
    assert_eq!((&seen[3]["error"], &seen[3]["status"]), (&json!("lost_worker"), &json!("failed")));
    let late = report(&server, "a", &json!({"status": "completed"}));
    assert_eq!((late.head.status, &late.json()["code"]), (409, &json!("job_ended")));
}

/// What one watcher must have seen: no state twice, none missing after its first but those that a newer
/// one replaced while it was slow, and the end as the last one.
fn check_seen(seen: &[Value]) {
    let mut last = None;
    for state in seen {
        // Each state is one percent further than the one before.
        let now = state["progress"].as_f64().unwrap();
        let replaced = state["conflated"].as_u64().unwrap_or(1);
        if let Some(before) = last.replace(now) {
            assert!((now - before - replaced as f64).abs() < 0.1, "{before} {state}");
        }
    }
    let ends = seen.iter().filter(|state| is_terminal(state)).count();
    assert!(ends == 1 && is_terminal(seen.last().unwrap()), "{seen:#?}");
}

/// What a watcher saw who came at one moment of a job's life: the id of its first state, and all states.
fn watch(server: &Server, id: &str) -> (String, Vec<Value>) {
    let mut stream = server.stream(&format!("{}?wait=1", events_path(id)));
    let first = stream.next();
    let mut seen = vec![serde_json::from_str(&first.data).unwrap()];
    seen.extend(rest(&mut stream));
    (first.id, seen)
}

/// Watchers come in the very moments of many short lives: when a job is made, at each report, at its end,
/// before and after; over real connections.
#[test]
fn nobody_misses_the_end_whenever_they_come() {
    const STEPS: usize = 3;
    let server = Server::start(&["--max-connections-per-address", "0"]);
    let mut first_ids = HashSet::new();
    for round in 0..30 {
        let (id, moment, server) = (format!("job-{round}"), AtomicUsize::new(0), &server);
        let next = || moment.fetch_add(1, Relaxed);
        let seen: Vec<_> = thread::scope(|scope| {
            let come_at = |awaited: usize| {
                let (id, moment) = (&id, &moment);
                scope.spawn(move || {
                    while moment.load(Relaxed) < awaited {
                        thread::yield_now();
                    }
                    watch(server, id)
                })
            };
            let watchers: Vec<_> = (0..=STEPS + 3).map(come_at).collect();
            next();
            create(server, &id);
            for percent in 1..=STEPS {
                next();
                say(server, &id, &json!({"status": "processing", "progress": percent}));
            }
            next();
            let end = ["failed", "cancelled"][round % 2];
            say(server, &id, &json!({"status": end, "progress": STEPS + 1}));
            next();
            watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect()
        });
        for (first_id, mut seen) in seen {
            // The placeholder and the job's first state are both at nothing.
            if first_id == "0" {
                seen.remove(0);
            }
            check_seen(&seen);
            first_ids.insert(first_id);
        }
    }
    assert!(first_ids.len() > 3, "they came at different moments: {first_ids:?}");
    server.wait_until_quiet();
}
