//! Workers that lease jobs: they wait, prove what is theirs, and lose what they say nothing of.

use std::io::Write;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{add, job, lease, leased, post, queue, report, wait_until};
use crate::support::{Response, Server, connect};

/// How a worker of the server's is listed; null if it is not.
fn worker(server: &Server, id: &str) -> Value {
    let workers = server.get("/api/v1/workers").json()["workers"].clone();
    let workers = workers.as_array().unwrap();
    workers.iter().find(|worker| worker["workerId"] == id).cloned().unwrap_or_default()
}

fn heartbeat(server: &Server, leased: &Value) -> Response {
    let id = leased["jobId"].as_str().unwrap();
    let body = json!({"leaseToken": leased["leaseToken"]}).to_string();
    server.post(&format!("/api/v1/jobs/{id}/heartbeat"), &body)
}

/// Checks that a lease is over, and what the job is by now.
fn check_lost(answer: &Response, status: &str) {
    let problem = answer.json();
    let seen = (answer.head.status, &problem["code"], &problem["job"]["status"]);
    assert_eq!(seen, (409, &json!("lease_lost"), &json!(status)), "{problem}");
}

#[test]
fn a_worker_waits_for_a_job_and_gets_it_when_it_comes() {
    let server = Server::start(&[]);
    assert_eq!(lease(&server, "q", &json!({"workerId": "w"})).head.status, 204);
    thread::scope(|scope| {
        let waits = scope.spawn(|| leased(&server, "q", "w"));
        let id = add(&server, "q", &json!({"jobName": "greet", "data": {"to": "all"}}));
        let leased = waits.join().unwrap();
        assert_eq!(leased["jobId"], id.as_str());
        assert_eq!((&leased["jobName"], &leased["data"]), (&json!("greet"), &json!({"to": "all"})));
        assert_eq!((&leased["attempt"], &leased["leaseSeconds"]), (&json!(1), &json!(30)));
    });
    assert_eq!(worker(&server, "w")["status"], "active");
}

#[test]
fn only_who_has_the_lease_reports_and_watchers_see_it_live() {
    let server = Server::start(&[]);
    let id = add(&server, "q", &json!({}));
    let mine = leased(&server, "q", "w");
    let mut stream = server.stream(&format!("/api/v1/jobs/{id}/events"));
    let mut next = || -> Value {
        loop {
            let event = stream.next();
            if event.name == "message" {
                break serde_json::from_str(&event.data).unwrap();
            }
        }
    };
    assert_eq!(next()["status"], "processing");
    let half = json!({"status": "processing", "progress": 50, "stage": "counting"});
    for token in [json!("wrong"), Value::Null] {
        let other = json!({"jobId": id, "leaseToken": token});
        check_lost(&report(&server, &other, &half), "processing");
        check_lost(&heartbeat(&server, &other), "processing");
    }
    assert_eq!(report(&server, &mine, &half).head.status, 200);
    let seen = next();
    assert_eq!((&seen["progress"], &seen["stage"]), (&json!(50), &json!("counting")));
    assert_eq!(heartbeat(&server, &mine).json()["cancelled"], false);
    let done = json!({"status": "completed", "result": {"n": 1}, "updateId": "end"});
    assert_eq!(report(&server, &mine, &done).head.status, 200);
    assert_eq!(report(&server, &mine, &done).json()["repeated"], true, "the answer may be lost");
    assert_eq!(next()["result"], json!({"n": 1}));
    assert_eq!(queue(&server, "q")["completed"], 1);
    assert_eq!(worker(&server, "w")["status"], "idle");
}

#[test]
fn a_job_whose_worker_falls_silent_goes_to_the_next() {
    let server = Server::start(&["--job-stall-grace-seconds", "1"]);
    let id = add(&server, "q", &json!({}));
    let short = json!({"workerId": "silent", "leaseSeconds": 1});
    let first = lease(&server, "q", &short).json();
    let mut stream = server.stream(&format!("/api/v1/jobs/{id}/events"));
    let second = leased(&server, "q", "next");
    assert_eq!((&second["jobId"], &second["attempt"]), (&json!(id), &json!(2)));
    check_lost(&report(&server, &first, &json!({"status": "completed"})), "processing");
    report(&server, &second, &json!({"status": "completed"}));
    let mut states = Vec::new();
    while let Some(event) = stream.next_or_end() {
        if event.name == "message" {
            states.push(serde_json::from_str::<Value>(&event.data).unwrap());
        }
    }
    let is_stalled = |state: &Value| state["stalled"] == true;
    assert!(states.iter().any(is_stalled), "{states:?}");
    let last = states.last().unwrap();
    assert_eq!((&last["status"], &last["attempt"]), (&json!("completed"), &json!(2)));
}

#[test]
fn a_worker_that_has_hung_up_gets_no_job() {
    let server = Server::start(&[]);
    let wish = json!({"workerId": "gone", "waitSeconds": 30}).to_string();
    let mut connection = connect(server.address, None);
    let head = "POST /api/v1/queues/q/lease HTTP/1.1\r\nHost: t\r\nContent-Type: application/json";
    write!(connection, "{head}\r\nContent-Length: {}\r\n\r\n{wish}", wish.len()).unwrap();
    wait_until(|| worker(&server, "gone"), |worker| worker["status"] == "idle");
    drop(connection);
    let id = add(&server, "q", &json!({}));
    // If it was leased in that very moment, it has come back.
    let leased = leased(&server, "q", "here");
    assert_eq!(leased["jobId"], id.as_str());
    assert_eq!(job(&server, &id)["workerId"], "here");
    assert_eq!(report(&server, &leased, &json!({"status": "completed"})).head.status, 200);
}

#[test]
fn whoever_waits_when_the_server_stops_is_sent_to_the_next() {
    let mut server = Server::start(&[]);
    thread::scope(|scope| {
        let waits =
            scope.spawn(|| lease(&server, "q", &json!({"workerId": "w", "waitSeconds": 30})));
        wait_until(|| worker(&server, "w"), |worker| worker["status"] == "idle");
        server.signal(Signal::TERM);
        let answer = waits.join().unwrap();
        assert_eq!((answer.head.status, &answer.json()["code"]), (503, &json!("draining")));
        assert!(answer.head.header("retry-after").is_some());
    });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_job_that_nobody_wants_any_more_is_told_to_its_worker() {
    let server = Server::start(&[]);
    let id = add(&server, "q", &json!({}));
    let mine = leased(&server, "q", "w");
    assert_eq!(post(&server, &format!("/api/v1/jobs/{id}/cancel")).head.status, 200);
    let heard = heartbeat(&server, &mine).json();
    assert_eq!((&heard["cancelled"], &heard["status"]), (&json!(true), &json!("cancelled")));
    let late = report(&server, &mine, &json!({"status": "completed"}));
    assert_eq!((late.head.status, &late.json()["code"]), (409, &json!("job_ended")));
    assert_eq!(worker(&server, "w")["status"], "idle");
}

#[test]
fn nobody_leases_from_a_queue_that_is_paused() {
    let server = Server::start(&[]);
    add(&server, "q", &json!({}));
    post(&server, "/api/v1/queues/q/pause");
    assert_eq!(lease(&server, "q", &json!({"workerId": "w"})).head.status, 204);
    assert_eq!(worker(&server, "w")["status"], "paused");
    post(&server, "/api/v1/queues/q/resume");
    leased(&server, "q", "w");
}

#[test]
fn what_is_pushed_about_a_leased_job_changes_nothing() {
    let server = Server::start(&[]);
    let id = add(&server, "q", &json!({}));
    leased(&server, "q", "w");
    let push = |message: &str, id: &str| {
        let update = json!({"jobId": id, "status": "processing", "progress": 70}).to_string();
        let message = json!({"messageId": message, "data": STANDARD.encode(update)});
        let envelope = json!({"message": message, "subscription": "projects/p/subscriptions/s"});
        server.post("/pubsub/push", &envelope.to_string()).head.status
    };
    assert_eq!(push("1", &id), 204);
    assert_eq!(job(&server, &id)["progress"], 0);
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("pubsub_messages_total{outcome=\"stale\"} 1"), "{metrics}");
    // One that waits is taken from the line by whoever reports on it.
    let other = add(&server, "q", &json!({}));
    assert_eq!(push("2", &other), 204);
    assert_eq!(lease(&server, "q", &json!({"workerId": "w"})).head.status, 204);
    assert_eq!(job(&server, &other)["progress"], 70);
}
