//! The subscriptions door from outside: one stream, and requests that change what it is subscribed to.

mod answers;

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use crate::support::{EventStream, Server, connect};

const CONNECT: &str = "/api/v1/sse/connect";

/// A stream of this door, past its greeting, and its name.
struct Connection {
    stream: EventStream,
    id: String,
    greeting: Value,
}

impl Connection {
    fn open(server: &Server, query: &str, headers: &[&str]) -> Self {
        let path = format!("{CONNECT}{query}");
        let mut stream = EventStream::open(connect(server.address, None), &path, headers);
        assert_eq!(stream.head.status, 200, "{query}");
        let (name, greeting) = parsed(&mut stream);
        assert_eq!(name, "connected");
        let id = greeting["connectionId"].as_str().unwrap().to_owned();
        Self { stream, id, greeting }
    }

    fn new(server: &Server) -> Self {
        Self::open(server, "", &[])
    }

    /// The next event's name and data.
    fn next(&mut self) -> (String, Value) {
        parsed(&mut self.stream)
    }

    /// The next event, which has this name.
    fn expect(&mut self, name: &str) -> Value {
        let (seen, data) = self.next();
        assert_eq!(seen, name, "{data}");
        data
    }

    fn post(&self, server: &Server, rest: &str, body: &str) -> (u16, Value) {
        let answer = server.post(&format!("/api/v1/sse/{}/{rest}", self.id), body);
        (answer.head.status, answer.json())
    }

    /// Subscribes to, or unsubscribes from, one thing, as the seed's examples do: without a body.
    fn subscribe(&self, server: &Server, what: &str) -> Value {
        let path = format!("/api/v1/sse/{}/{what}", self.id);
        let answer = server.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(answer.head.status, 200, "{path}: {}", answer.body);
        answer.json()
    }
}

fn parsed(stream: &mut EventStream) -> (String, Value) {
    let event = stream.next();
    let data = serde_json::from_str(&event.data).unwrap_or_else(|e| panic!("{e}: {event:?}"));
    (event.name, data)
}

fn make_job(server: &Server, id: &str) {
    let answer = server.post("/api/v1/jobs", &json!({ "jobId": id }).to_string());
    assert_eq!(answer.head.status, 201, "{}", answer.body);
}

fn report(server: &Server, id: &str, update: &Value) {
    let answer = server.post(&format!("/api/v1/jobs/{id}/status"), &update.to_string());
    assert_eq!(answer.head.status, 200, "{update}: {}", answer.body);
}

fn progress(percent: u32) -> Value {
    json!({"status": "processing", "progress": percent})
}

#[test]
fn the_greeting_names_the_connection() {
    let server = Server::start(&[]);
    let connection = Connection::new(&server);
    assert_eq!(connection.stream.head.header("content-type"), Some("text/event-stream"));
    assert_eq!(connection.stream.head.header("set-cookie"), None);
    assert_eq!(connection.greeting["type"], "connected");
    assert!(connection.greeting["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
    let none = json!({"jobs": [], "queues": [], "workers": []});
    assert_eq!(connection.greeting["subscriptions"], none);
    assert!(connection.stream.retry_ms().is_some());
    let id = &connection.id;
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id} is random");
}

/// The life of a job as seed 001 shows it.
#[test]
fn a_job_is_subscribed_to_and_watched_to_its_end() {
    let server = Server::start(&[]);
    let mut connection = Connection::new(&server);
    make_job(&server, "resume-123");
    let answer = connection.subscribe(&server, "subscribe/job/resume-123");
    assert_eq!(answer["connectionId"], connection.id.as_str());
    assert_eq!(answer["added"], json!({"jobs": ["resume-123"], "queues": [], "workers": []}));
    assert_eq!(answer["total"], 1);
    let mut confirmed = connection.expect("subscribed");
    assert!(confirmed["timestamp"].take().is_u64());
    assert_eq!(
        confirmed,
        json!({"type": "subscribed", "kind": "job", "jobId": "resume-123", "exists": true, "timestamp": null})
    );
    let present = connection.expect("job_update");
    assert_eq!((&present["status"], &present["type"]), (&json!("pending"), &json!("job_update")));
    let update = json!({
        "status": "processing", "progress": 50, "stage": "parsing", "message": "Parsing resume content",
        "timestamp": 1_699_267_200_000_u64, "data": {"resumeId": "resume-123", "candidateId": "candidate-456"},
    });
    report(&server, "resume-123", &update);
    let expected = json!({
        "type": "job_update", "jobId": "resume-123", "timestamp": 1_699_267_200_000_u64,
        "status": "started", "progress": 50, "stage": "parsing", "message": "Parsing resume content",
        "resumeId": "resume-123", "candidateId": "candidate-456",
    });
    assert_eq!(connection.expect("job_update"), expected);
    report(&server, "resume-123", &progress(75));
    assert_eq!(connection.expect("job_update")["status"], "in_progress");
    report(&server, "resume-123", &json!({"status": "completed", "result": {"pages": 3}}));
    let last = connection.expect("job_update");
    assert_eq!((&last["status"], &last["progress"]), (&json!("completed"), &json!(100)));
    assert_eq!(last["result"], json!({"pages": 3}));
    // The stream goes on: it is about more than this job.
    connection.subscribe(&server, "unsubscribe/job/resume-123");
    assert_eq!(connection.expect("unsubscribed")["jobId"], "resume-123");
}

#[test]
fn what_is_unsubscribed_from_is_not_heard_of_any_more() {
    let server = Server::start(&[]);
    let mut connection = Connection::new(&server);
    for job in ["a", "b"] {
        make_job(&server, job);
        connection.subscribe(&server, &format!("subscribe/job/{job}"));
        connection.expect("subscribed");
        connection.expect("job_update");
    }
    let answer = connection.subscribe(&server, "unsubscribe/job/a");
    assert_eq!((&answer["removed"]["jobs"], &answer["total"]), (&json!(["a"]), &json!(1)));
    connection.expect("unsubscribed");
    report(&server, "a", &progress(10));
    report(&server, "b", &progress(20));
    assert_eq!(connection.expect("job_update")["jobId"], "b");
    let again = connection.subscribe(&server, "unsubscribe/job/a");
    assert_eq!(again["removed"]["jobs"], json!([]), "there was nothing to end");
    connection.expect("unsubscribed");
    // Who comes back to it is told how it is now.
    connection.subscribe(&server, "subscribe/job/a");
    connection.expect("subscribed");
    assert_eq!(connection.expect("job_update")["progress"], 10);
}

#[test]
fn a_job_may_come_after_its_subscription() {
    let server = Server::start(&[]);
    let mut connection = Connection::new(&server);
    connection.subscribe(&server, "subscribe/job/later");
    assert_eq!(connection.expect("subscribed")["exists"], false);
    make_job(&server, "later");
    assert_eq!(connection.expect("job_update")["status"], "pending");
}

/// What a browser's EventSource does by itself after its connection broke: the same address again.
#[test]
fn the_address_can_name_what_to_subscribe_to() {
    let server = Server::start(&[]);
    make_job(&server, "a");
    make_job(&server, "b");
    report(&server, "b", &json!({"status": "failed", "error": "no space"}));
    let query = "?job=a,b&job=c&worker=w";
    let mut connection = Connection::open(&server, query, &["Last-Event-ID: 1699267200000-0"]);
    let expected = json!({"jobs": ["a", "b", "c"], "queues": [], "workers": ["w"]});
    assert_eq!(connection.greeting["subscriptions"], expected);
    let seen: Vec<_> = (0..6).map(|_| connection.next()).collect();
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    let confirmed =
        ["subscribed", "job_update", "subscribed", "job_update", "subscribed", "subscribed"];
    assert_eq!(names, confirmed, "and no gap: the present state is what there is to know");
    assert_eq!(seen[3].1["error"], "no space");
    assert_eq!((&seen[5].1["kind"], &seen[5].1["workerId"]), (&json!("worker"), &json!("w")));
}

#[test]
fn many_are_changed_at_once() {
    let server = Server::start(&[]);
    let mut connection = Connection::open(&server, "?job=old", &[]);
    connection.expect("subscribed");
    make_job(&server, "a");
    let body =
        json!({"add": {"jobs": ["a", "b"], "queues": ["q"]}, "remove": {"jobs": ["old", "a"]}});
    let (status, answer) = connection.post(&server, "subscriptions", &body.to_string());
    let expected = json!({
        "connectionId": connection.id,
        "added": {"jobs": ["a", "b"], "queues": ["q"], "workers": []},
        "removed": {"jobs": ["old"], "queues": [], "workers": []},
        "total": 3,
    });
    assert_eq!((status, answer), (200, expected));
    for name in ["unsubscribed", "subscribed", "job_update", "subscribed", "subscribed"] {
        connection.expect(name);
    }
}

/// A settings file with a queue that a program outside would work on, and one that has a worker.
fn with_queues() -> (Server, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[queue.mails]\n[queue.films]\ncommand = [\"cat\"]\n").unwrap();
    let flags = ["--config", file.path().to_str().unwrap()];
    (Server::start(&flags), file)
}

#[test]
fn queues_and_workers_tell_how_they_are() {
    let (server, _file) = with_queues();
    let mut connection = Connection::new(&server);
    connection.subscribe(&server, "subscribe/queue/mails");
    assert_eq!(connection.expect("subscribed")["queueName"], "mails");
    let mut queue = connection.expect("queue_update");
    assert!(queue["timestamp"].take().is_u64());
    let expected = json!({
        "type": "queue_update", "timestamp": null, "queueName": "mails",
        "waiting": 0, "active": 0, "completed": 0, "failed": 0, "delayed": 0, "paused": false,
    });
    assert_eq!(queue, expected);
    connection.subscribe(&server, "subscribe/worker/films-1");
    assert_eq!(connection.expect("subscribed")["workerId"], "films-1");
    let worker = connection.expect("worker_status");
    assert_eq!(
        (&worker["workerId"], &worker["status"], &worker["currentJob"]),
        (&json!("films-1"), &json!("idle"), &Value::Null)
    );
}

#[test]
fn only_the_connections_own_session_may_change_it() {
    let server = Server::start(&[]);
    let mut connection = Connection::open(&server, "", &["Cookie: sid=me"]);
    let subscribe = |connection: &Connection, header: &str, query: &str| {
        let path = format!("/api/v1/sse/{}/subscribe/job/a{query}", connection.id);
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{header}\r\n");
        server.send(&request).head.status
    };
    assert_eq!(subscribe(&connection, "", ""), 403);
    assert_eq!(subscribe(&connection, "Cookie: sid=you\r\n", ""), 403);
    assert_eq!(subscribe(&connection, "Cookie: sid=me\r\n", ""), 200);
    assert_eq!(subscribe(&connection, "", "?session_id=me"), 200);
    connection.expect("subscribed");
    // One without a session belongs to whoever knows its name.
    let nobodys = Connection::new(&server);
    assert_eq!(subscribe(&nobodys, "", ""), 200);
    assert_eq!(subscribe(&nobodys, "Cookie: sid=me\r\n", ""), 200);
}

#[test]
fn a_connection_that_is_gone_is_not_found() {
    let server = Server::start(&[]);
    let connection = Connection::new(&server);
    let other_door = server.stream("/events").next();
    let other_door: Value = serde_json::from_str(&other_door.data).unwrap();
    let Connection { stream, id, .. } = connection;
    drop(stream);
    server.wait_until_quiet();
    let other_door = other_door["connection_id"].as_str().unwrap();
    for id in [id.as_str(), "not-an-id", "00000000-0000-4000-8000-000000000000", other_door] {
        let answer = server.post(&format!("/api/v1/sse/{id}/subscribe/job/a"), "");
        assert_eq!(
            (answer.head.status, &answer.json()["code"]),
            (404, &json!("not_found")),
            "{id}"
        );
    }
}

#[test]
fn there_may_be_so_many_subscriptions_and_no_more() {
    let server = Server::start(&["--max-subscriptions-per-stream", "3"]);
    let too_many = server.get(&format!("{CONNECT}?job=a,b,c,d"));
    assert_eq!(too_many.head.status, 422, "{}", too_many.body);
    let connection = Connection::open(&server, "?job=a,b,a", &[]);
    let change = |body: Value| connection.post(&server, "subscriptions", &body.to_string());
    let (status, problem) =
        change(json!({"add": {"jobs": ["c", "d"]}, "remove": {"queues": ["q"]}}));
    assert_eq!((status, &problem["code"]), (422, &json!("too_many_subscriptions")));
    let (status, answer) = change(json!({"add": {"jobs": ["c", "d"]}, "remove": {"jobs": ["a"]}}));
    assert_eq!((status, &answer["total"]), (200, &json!(3)), "what was refused changed nothing");
    let off = Server::start(&["--max-subscriptions-per-stream", "0"]);
    let ids: Vec<_> = (0..1_500).map(|n| n.to_string()).collect();
    let body = json!({"add": {"jobs": ids}}).to_string();
    let mut connection = Connection::new(&off);
    let (status, answer) = connection.post(&off, "subscriptions", &body);
    assert_eq!((status, &answer["total"]), (200, &json!(1_500)));
    for _ in 0..1_500 {
        connection.expect("subscribed");
    }
}

#[test]
fn the_heartbeat_has_a_name_and_data_that_scripts_can_parse() {
    let server = Server::start(&["--heartbeat-ms", "20"]);
    let mut connection = Connection::new(&server);
    assert_eq!(connection.expect("heartbeat"), json!({}));
}

/// Clients that subscribe at different moments while services report: each is told every state from the
/// present one to the end, and none twice.
#[test]
fn whenever_a_client_subscribes_it_misses_nothing() {
    let server = Arc::new(Server::start(&[]));
    for job in ["a", "b"] {
        make_job(&server, job);
    }
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let server = server.clone();
            thread::spawn(move || {
                let mut connection = Connection::new(&server);
                for job in ["a", "b"] {
                    // Sooner or later, and some more than once.
                    for _ in 0..=n % 3 {
                        connection.subscribe(&server, &format!("subscribe/job/{job}"));
                    }
                }
                let mut last = [None::<u64>; 2];
                let mut ended = [false; 2];
                while ended != [true; 2] {
                    let (name, data) = connection.next();
                    let which = usize::from(data["jobId"] == "b");
                    if name == "subscribed" {
                        // The present state comes next, which may be known already.
                        last[which] = None;
                        continue;
                    }
                    let percent = data["progress"].as_u64().unwrap();
                    // One for several may also stand for some from before it subscribed again.
                    let many = data["conflated"].as_u64().unwrap_or(1);
                    let is_next = |last| last < percent && percent <= last + many;
                    assert!(last[which].is_none_or(is_next), "{percent} after {last:?}");
                    last[which] = Some(percent);
                    ended[which] = data["status"] == "completed";
                }
            })
        })
        .collect();
    let services = ["a", "b"].map(|job| {
        let server = server.clone();
        thread::spawn(move || {
            for percent in 1..100 {
                report(&server, job, &progress(percent));
            }
            report(&server, job, &json!({"status": "completed", "progress": 100}));
        })
    });
    for thread in services.into_iter().chain(clients) {
        thread.join().unwrap();
    }
}
