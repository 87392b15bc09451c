//! What is taken and refused, and how queues are shown.

use serde_json::{Value, json};

use super::{Works, add, delete, job, lease, leased, post, queue, report};
use crate::support::{Response, Server};

/// Seed 001's example, as it stands there.
const SEED: &str = r#"{
    "queueName": "resume-analysis",
    "jobName": "analyze-resume",
    "data": {
      "resumeId": "test-123",
      "candidateId": "candidate-456",
      "organisationId": "org-789",
      "fileUrl": "https://example.com/resume.pdf",
      "fileName": "resume.pdf",
      "mimeType": "application/pdf"
    }
  }"#;

#[test]
fn the_seeds_example_is_taken_as_it_stands() {
    let server = Server::start(&[]);
    let answer = server.post("/api/v1/queue/add", SEED);
    assert_eq!(answer.head.status, 202, "{}", answer.body);
    let body = answer.json();
    let id = body["jobId"].as_str().unwrap();
    assert_eq!(body["queueName"], "resume-analysis");
    assert_eq!(body["sseEndpoint"], format!("/api/v1/jobs/{id}/events"));
    assert_eq!(body["stored"], true);
    assert_eq!(answer.head.header("location"), Some(format!("/api/v1/jobs/{id}").as_str()));
    let job = job(&server, id);
    assert_eq!(job["jobName"], "analyze-resume");
    assert_eq!(job["request"]["candidateId"], "candidate-456");
}

#[test]
fn what_a_job_is_given_is_what_it_has() {
    let server = Server::start(&[]);
    let options = json!({
        "jobId": "mine", "data": [1, null, "x"], "delay": 3_600_000, "attempts": 7,
        "backoff": {"type": "exponential", "delay": 250}, "priority": 9,
    });
    assert_eq!(add(&server, "q", &options), "mine");
    let seen = job(&server, "mine");
    assert_eq!(seen["request"], json!([1, null, "x"]));
    assert_eq!((&seen["attempts"], &seen["priority"]), (&json!(7), &json!(9)));
    assert_eq!(seen["backoff"], json!({"type": "exponential", "delay": 250}));
    assert!(seen["notBefore"].is_string());
    assert_eq!(queue(&server, "q")["delayed"], 1);
    // A number is a pause that stays the same, as in BullMQ; nothing is nothing.
    add(&server, "r", &json!({"jobId": "short", "backoff": 40, "durable": false}));
    let leased = leased(&server, "r", "w");
    assert_eq!((&leased["data"], &leased["attempts"]), (&Value::Null, &json!(3)));
    assert_eq!(job(&server, "short")["backoff"], json!({"type": "fixed", "delay": 40}));
}

/// Checks the status, the code and the field of what is refused.
fn check(answer: &Response, expected: (u16, &str, Option<&str>)) {
    let problem = answer.json();
    let seen = (answer.head.status, problem["code"].as_str().unwrap(), problem["field"].as_str());
    assert_eq!(seen, expected, "{problem}");
}

#[test]
fn a_mistake_is_said_with_its_place() {
    let server = Server::start(&["--max-queues", "3"]);
    let good = json!({"queueName": "q", "jobName": "n"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let add = |body: &Value| server.post("/api/v1/queue/add", &body.to_string());
    for (name, value) in [
        ("queueName", json!("a b")),
        ("queueName", json!("..")),
        ("queueName", json!(3)),
        ("queueName", Value::Null),
        ("jobName", json!("")),
        ("jobName", json!("x".repeat(256))),
        ("delay", json!(-1)),
        ("delay", json!(1.5)),
        ("delay", json!(315_576_000_001_u64)),
        ("attempts", json!(0)),
        ("attempts", json!(1001)),
        ("backoff", json!("fixed")),
        ("backoff", json!({"type": "linear", "delay": 1})),
        ("backoff", json!({"type": "fixed", "delay": 1, "jitter": 1})),
        ("priority", json!(2_097_153)),
        ("jobId", json!("")),
        ("jobId", json!(".")),
        ("durable", json!("yes")),
        ("removeOnComplete", json!(true)),
    ] {
        check(&add(&with(name, value)), (422, "invalid", Some(name)));
    }
    check(&add(&json!([])), (422, "invalid", None));
    check(&add(&json!({"queueName": "q"})), (422, "invalid", None));
    check(&server.post("/api/v1/queue/add", "{"), (400, "malformed_json", None));
    let lease = |wish: Value| lease(&server, "q", &wish);
    for (name, wish) in [
        ("workerId", json!({"workerId": "a b"})),
        ("leaseSeconds", json!({"workerId": "w", "leaseSeconds": 0})),
        ("leaseSeconds", json!({"workerId": "w", "leaseSeconds": 3601})),
        ("waitSeconds", json!({"workerId": "w", "waitSeconds": 31})),
        ("patience", json!({"workerId": "w", "patience": 1})),
    ] {
        check(&lease(wish), (422, "invalid", Some(name)));
    }
    // What was refused has made nothing, not even a queue; resume-analysis and summarize are there.
    let names = |server: &Server| -> Vec<Value> {
        let queues = server.get("/api/v1/queues").json();
        queues["queues"].as_array().unwrap().iter().map(|q| q["queueName"].clone()).collect()
    };
    assert!(!names(&server).contains(&json!("q")), "{:?}", names(&server));
    for n in names(&server).len()..3 {
        assert_eq!(add(&with("queueName", json!(format!("q{n}")))).head.status, 202);
    }
    let one_more = add(&with("queueName", json!("one-more")));
    check(&one_more, (422, "too_many_queues", Some("queueName")));
}

#[test]
fn a_taken_id_is_a_conflict_and_a_key_makes_one_job() {
    let server = Server::start(&[]);
    add(&server, "q", &json!({"jobId": "mine"}));
    let again = json!({"queueName": "q", "jobName": "n", "jobId": "mine"}).to_string();
    let again = server.post("/api/v1/queue/add", &again);
    check(&again, (409, "job_exists", None));
    assert_eq!(again.json()["job"]["status"], "pending");
    let keyed = |path: &str, body: &Value| {
        let body = body.to_string();
        server.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nIdempotency-Key: k\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let one = json!({"queueName": "r", "jobName": "n"});
    let first = keyed("/api/v1/queue/add", &one).json();
    let second = keyed("/api/v1/queue/add", &one).json();
    assert_eq!((&first["repeated"], &second["repeated"]), (&Value::Null, &json!(true)));
    assert_eq!(first["jobId"], second["jobId"]);
    let other = json!({"queueName": "r", "jobName": "other"});
    check(&keyed("/api/v1/queue/add", &other), (422, "idempotency_key_reused", None));
    let many = json!({"queueName": "r", "jobs": [{"jobName": "n"}, {"jobName": "n"}]});
    let first = keyed("/api/v1/queue/add-bulk", &many).json();
    let second = keyed("/api/v1/queue/add-bulk", &many).json();
    assert_eq!(first["jobIds"], second["jobIds"]);
    assert_eq!(second["repeated"], true);
    assert_eq!(queue(&server, "r")["waiting"], 3);
}

#[test]
fn many_jobs_are_taken_all_or_none_and_in_their_order() {
    let works = Works::start("[queue.small]\nmax_waiting_jobs = 2\n");
    let server = &works.server;
    let bulk = |body: &Value| server.post("/api/v1/queue/add-bulk", &body.to_string());
    let jobs = |count: usize| -> Vec<_> {
        (0..count).map(|n| json!({"jobName": "n", "jobId": format!("j{n}")})).collect()
    };
    let refused = bulk(&json!({"queueName": "small", "jobs": jobs(3)}));
    check(&refused, (503, "queue_full", None));
    assert_eq!(refused.head.header("retry-after"), Some("1"));
    let named = |queue: &str| json!({"jobName": "n", "queueName": queue});
    let mixed = json!({"jobs": [named("other"), named("small"), named("small"), named("small")]});
    check(&bulk(&mixed), (503, "queue_full", None));
    let twice = [jobs(1), jobs(1)].concat();
    let twice = json!({"queueName": "other", "jobs": twice});
    check(&bulk(&twice), (409, "job_exists", None));
    let bad = json!({"queueName": "q", "jobs": [{"jobName": "n"}, {"jobName": "n", "delay": -1}]});
    check(&bulk(&bad), (422, "invalid", Some("jobs[1].delay")));
    let bad =
        json!({"queueName": "q", "jobs": [{"jobName": "n"}, {"jobName": "n", "attempts": 0}]});
    check(&bulk(&bad), (422, "invalid", Some("jobs[1].attempts")));
    let bad = json!({"queueName": "q", "jobs": [{"jobName": "n", "durable": true}]});
    check(&bulk(&bad), (422, "invalid", Some("jobs[0].durable")));
    check(&bulk(&json!({"jobs": [{"jobName": "n"}]})), (422, "invalid", Some("jobs[0].queueName")));
    check(&bulk(&json!({"queueName": "q", "jobs": []})), (422, "invalid", Some("jobs")));
    assert_eq!(server.get("/api/v1/jobs").json()["jobs"], json!([]));
    let taken = bulk(&json!({"queueName": "large", "jobs": jobs(10_000)}));
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    let ids = taken.json()["jobIds"].clone();
    assert_eq!(ids.as_array().unwrap().len(), 10_000);
    assert_eq!((&ids[0], &ids[9_999]), (&json!("j0"), &json!("j9999")));
    assert_eq!(queue(server, "large")["waiting"], 10_000);
    check(
        &bulk(&json!({"queueName": "q", "jobs": vec![named("q"); 10_001]})),
        (422, "invalid", Some("jobs")),
    );
}

#[test]
fn a_queue_tells_how_it_works_and_how_it_is() {
    let works = Works::start(
        "[queue.busy]\ncommand = ['/bin/true']\nconcurrency = 4\nattempts = 5\nbackoff = 'fixed'\n\
         backoff_ms = 20\nrate_limit_jobs = 10\nrate_limit_seconds = 2\n",
    );
    let server = &works.server;
    let seen = queue(server, "busy");
    for (name, expected) in [
        ("processor", json!("command")),
        ("concurrency", json!(4)),
        ("attempts", json!(5)),
        ("backoff", json!({"type": "fixed", "delay": 20})),
        ("rateLimit", json!({"max": 10, "duration": 2_000})),
        ("timeoutSeconds", json!(600)),
        ("waiting", json!(0)),
        ("paused", json!(false)),
    ] {
        assert_eq!(seen[name], expected, "{name}");
    }
    let own = &seen["workers"][0];
    assert_eq!((&own["status"], &own["outside"]), (&json!("idle"), &json!(false)));
    add(server, "away", &json!({}));
    let job = leased(server, "away", "w1");
    let away = queue(server, "away");
    assert_eq!((&away["processor"], &away["active"]), (&json!("outside"), &json!(1)));
    let worker = json!({
        "workerId": "w1", "queueName": "away", "status": "active", "currentJob": job["jobId"],
        "concurrency": 1, "outside": true,
    });
    assert_eq!(away["workers"], json!([worker]));
    assert!(server.get("/api/v1/workers").json()["workers"].as_array().unwrap().contains(&worker));
    check(&server.get("/api/v1/queues/none"), (404, "not_found", None));
    check(&server.get("/api/v1/queues/none/jobs"), (404, "not_found", None));
    check(&post(server, "/api/v1/queues/none/pause"), (404, "not_found", None));
    check(&server.get("/api/v1/queues/a%20b"), (400, "invalid_queue_name", None));
}

#[test]
fn a_queues_jobs_are_listed_by_what_they_are() {
    let server = Server::start(&[]);
    for (id, options) in [
        ("a", json!({"attempts": 1})),
        ("b", json!({})),
        ("c", json!({})),
        ("later", json!({"delay": 3_600_000})),
    ] {
        let mut options = options;
        options["jobId"] = json!(id);
        add(&server, "q", &options);
    }
    add(&server, "other", &json!({"jobId": "elsewhere"}));
    let failed = leased(&server, "q", "w");
    report(&server, &failed, &json!({"status": "failed", "error": "no", "retryable": true}));
    leased(&server, "q", "w");
    let list = |query: &str| -> Vec<String> {
        let answer = server.get(&format!("/api/v1/queues/q/jobs{query}"));
        assert_eq!(answer.head.status, 200, "{query}: {}", answer.body);
        let jobs = answer.json()["jobs"].clone();
        let ids = jobs.as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(list(""), ["later", "c", "b", "a"]);
    assert_eq!(list("?status=failed"), ["a"], "the dead letters");
    assert_eq!(list("?status=active"), ["b"]);
    assert_eq!(list("?status=waiting"), ["c"]);
    assert_eq!(list("?status=delayed"), ["later"]);
    assert_eq!(list("?status=pending,processing"), ["later", "c", "b"]);
    assert_eq!(list("?limit=2"), ["later", "c"]);
    assert_eq!(list("?limit=2&after=c"), ["b", "a"]);
    check(&server.get("/api/v1/queues/q/jobs?status=lost"), (400, "unknown_status", None));
    check(&server.get("/api/v1/queues/q/jobs?limit=0"), (400, "invalid_parameter", None));
    check(&server.get("/api/v1/queues/q/jobs?after=none"), (400, "invalid_parameter", None));
}

#[test]
fn a_failed_job_is_tried_again_once_and_a_waiting_one_is_removed() {
    let server = Server::start(&[]);
    add(&server, "q", &json!({"jobId": "a", "attempts": 1, "data": {"n": 1}}));
    check(&post(&server, "/api/v1/jobs/a/retry"), (409, "not_failed", None));
    check(&post(&server, "/api/v1/jobs/none/retry"), (404, "not_found", None));
    let first = leased(&server, "q", "w");
    check(&delete(&server, "/api/v1/jobs/a"), (409, "job_open", None));
    report(&server, &first, &json!({"status": "failed", "error": "no"}));
    let again = post(&server, "/api/v1/jobs/a/retry");
    assert_eq!(again.head.status, 202, "{}", again.body);
    let again = again.json();
    assert_eq!(again["retryOf"], "a");
    let twice = post(&server, "/api/v1/jobs/a/retry");
    check(&twice, (409, "already_retried", None));
    assert_eq!(twice.json()["retriedAs"], again["jobId"]);
    assert_eq!(job(&server, "a")["retriedAs"], again["jobId"]);
    let second = leased(&server, "q", "w");
    assert_eq!((&second["jobId"], &second["data"]), (&again["jobId"], &json!({"n": 1})));
    add(&server, "q", &json!({"jobId": "b"}));
    assert_eq!(delete(&server, "/api/v1/jobs/b").head.status, 204);
    assert_eq!(server.get("/api/v1/jobs/b").head.status, 404);
    assert_eq!(queue(&server, "q")["waiting"], 0);
}
