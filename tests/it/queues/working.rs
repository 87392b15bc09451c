//! Jobs that commands of the settings do.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Works, add, job, post, queue, script, wait_for, wait_until};
use crate::support::Response;

/// Writes which job it is, and when it began.
const NOTE: &str = "echo \"$TIDINGS_JOB_ID $TIDINGS_ATTEMPT $(date +%s%3N)\" >> @/notes";

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// What commands have noted: the job, the attempt and the time.
fn notes(works: &Works) -> Vec<(String, u64, u64)> {
    let read = |line: &String| {
        let mut parts = line.split(' ');
        let mut next = || parts.next().unwrap().to_owned();
        (next(), next().parse().unwrap(), next().parse().unwrap())
    };
    works.lines("notes").iter().map(read).collect()
}

#[test]
fn a_job_is_watched_from_the_queue_to_its_end() {
    let report = r#"
        read -r job
        for percent in 10 50 90; do
            echo "{\"progress\": $percent, \"stage\": \"s$percent\", \"message\": \"at $percent\"}"
        done
        echo "{\"result\": $job}""#;
    let works = Works::start(&script("shell", "", report));
    let server = &works.server;
    assert_eq!(post(server, "/api/v1/queues/shell/pause").json()["paused"], true);
    let id = add(server, "shell", &json!({"data": {"text": "a \"b\""}}));
    let mut stream = server.stream(&format!("/api/v1/jobs/{id}/events"));
    let mut states: Vec<Value> = Vec::new();
    let mut is_resumed = false;
    while let Some(event) = stream.next_or_end() {
        if event.name == "message" {
            states.push(serde_json::from_str(&event.data).unwrap());
        }
        if !std::mem::replace(&mut is_resumed, true) {
            assert_eq!(states[0]["status"], "pending");
            assert_eq!(post(server, "/api/v1/queues/shell/resume").json()["paused"], false);
        }
    }
    let last = states.pop().unwrap();
    assert_eq!((&last["status"], &last["progress"]), (&json!("completed"), &json!(100)));
    assert_eq!(last["result"]["data"], json!({"text": "a \"b\""}));
    assert_eq!(last["result"]["queueName"], "shell");
    let progress: Vec<_> = states.iter().map(|state| state["progress"].as_f64().unwrap()).collect();
    assert!(progress.is_sorted(), "{progress:?}");
    assert!(states.iter().any(|state| state["stage"] == "s90"), "{states:?}");
    assert_eq!(wait_until(|| queue(server, "shell"), |q| q["completed"] == 1)["active"], 0);
}

#[test]
fn what_becomes_of_jobs_is_counted_by_queue() {
    let sections = script("bad", "attempts = 1", "exit 1") + &script("good", "", NOTE);
    let works = Works::start(&sections);
    let server = &works.server;
    post(server, "/api/v1/queues/good/pause");
    let done = add(server, "good", &json!({}));
    add(server, "good", &json!({"delay": 3_600_000}));
    let failed = add(server, "bad", &json!({}));
    wait_for(server, &failed, "failed");
    post(server, "/api/v1/queues/good/resume");
    wait_for(server, &done, "completed");
    for name in ["somebodys", "somebody-elses"] {
        add(server, name, &json!({}));
    }
    let scrape = server.get("/metrics").body;
    for sample in [
        "tidings_queue_jobs{queue=\"good\",state=\"delayed\"} 1",
        "tidings_queue_jobs{queue=\"good\",state=\"active\"} 0",
        "tidings_queue_jobs{queue=\"other\",state=\"waiting\"} 2",
        "tidings_queue_jobs_ended_total{queue=\"good\",outcome=\"completed\"} 1",
        "tidings_queue_jobs_ended_total{queue=\"bad\",outcome=\"failed\"} 1",
        "tidings_queue_wait_seconds_count 2",
        "tidings_queue_attempt_duration_seconds_count 2",
    ] {
        assert!(scrape.lines().any(|line| line == sample), "no {sample} in {scrape}");
    }
}

#[test]
fn the_smallest_number_comes_first() {
    let works = Works::start(&script("shell", "", NOTE));
    let server = &works.server;
    post(server, "/api/v1/queues/shell/pause");
    for (id, priority) in [("a", 5), ("b", 0), ("c", 2_097_152), ("d", 5), ("e", 1)] {
        add(server, "shell", &json!({"jobId": id, "priority": priority}));
    }
    assert_eq!(queue(server, "shell")["waiting"], 5);
    post(server, "/api/v1/queues/shell/resume");
    wait_until(|| queue(server, "shell"), |queue| queue["completed"] == 5);
    let order: Vec<_> = notes(&works).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(order, ["b", "e", "a", "d", "c"]);
}

#[test]
fn a_delayed_job_does_not_begin_before_its_time() {
    let works = Works::start(&script("shell", "", NOTE));
    let before = now_ms();
    let id = add(&works.server, "shell", &json!({"delay": 700}));
    assert_eq!(queue(&works.server, "shell")["delayed"], 1);
    add(&works.server, "shell", &json!({"jobId": "at-once", "priority": 9}));
    wait_for(&works.server, &id, "completed");
    let notes = notes(&works);
    assert_eq!((notes[0].0.as_str(), notes[1].0.as_str()), ("at-once", id.as_str()));
    assert!(notes[1].2 >= before + 700, "{notes:?} after {before}");
}

#[test]
fn what_fails_is_tried_again_after_longer_and_longer_pauses() {
    let fail = format!("{NOTE}; echo \"no luck\" >&2; test $TIDINGS_ATTEMPT = 5");
    let works = Works::start(&script("shell", "", &fail));
    let server = &works.server;
    let backoff = json!({"type": "exponential", "delay": 150});
    let id = add(server, "shell", &json!({"attempts": 3, "backoff": backoff}));
    let failed = wait_for(server, &id, "failed");
    assert_eq!(failed["attempt"], 3);
    assert!(failed["error"].as_str().unwrap().contains("no luck"), "{failed}");
    let times: Vec<_> = notes(&works).into_iter().map(|(.., time)| time).collect();
    assert!(times[1] >= times[0] + 150 && times[2] >= times[1] + 300, "{times:?}");
    let list = server.get("/api/v1/queues/shell/jobs?status=failed").json();
    assert_eq!(list["jobs"][0]["jobId"], id.as_str());
    assert_eq!(queue(server, "shell")["failed"], 1);
    let again = post(server, &format!("/api/v1/jobs/{id}/retry")).json();
    let again = again["jobId"].as_str().unwrap();
    let failed_again = wait_for(server, again, "failed");
    assert_eq!(failed_again["attempt"], 3, "it has as many attempts as the first");
    assert_eq!(job(server, &id)["status"], "failed");
}

#[test]
fn no_more_begin_than_the_rate_limit_lets() {
    let keys = "rate_limit_jobs = 2\nrate_limit_seconds = 1\nconcurrency = 6";
    let works = Works::start(&script("shell", keys, NOTE));
    let before = now_ms();
    let jobs = vec![json!({"jobName": "n"}); 6];
    let bulk = json!({"queueName": "shell", "jobs": jobs}).to_string();
    let answer = works.server.post("/api/v1/queue/add-bulk", &bulk);
    assert_eq!(answer.head.status, 202);
    wait_until(|| queue(&works.server, "shell"), |queue| queue["completed"] == 6);
    let mut times: Vec<_> = notes(&works).into_iter().map(|(.., time)| time).collect();
    times.sort_unstable();
    for (n, time) in times.iter().enumerate() {
        // A process starts after its job, never before it.
        let earliest = before + 1_000 * (n as u64 / 2);
        assert!(*time >= earliest, "the job number {n} began early: {times:?} from {before}");
    }
}

#[test]
fn a_job_under_way_is_cancelled_and_its_command_ended() {
    let works = Works::start(&script("shell", "", &format!("{NOTE}; exec sleep 600")));
    let server = &works.server;
    let id = add(server, "shell", &json!({}));
    wait_until(|| notes(&works), |notes| !notes.is_empty());
    let cancel = |id: &str| -> Response { post(server, &format!("/api/v1/jobs/{id}/cancel")) };
    assert_eq!(cancel(&id).json()["status"], "cancelled");
    // The one worker is free for the next.
    let next = add(server, "shell", &json!({}));
    wait_until(|| notes(&works), |notes| notes.len() == 2);
    assert_eq!(cancel(&next).head.status, 200);
    wait_until(|| queue(server, "shell"), |queue| queue["active"] == 0);
}
