//! What is made and refused, and how batches and their jobs are shown.

use serde_json::{Value, json};

use super::{ask, events_path, make, post, say};
use crate::support::{Response, Server};

/// Asks for a batch under a name.
fn ask_as(server: &Server, key: &str, body: &Value) -> Response {
    let body = body.to_string();
    server.send(&format!(
        "POST /api/v1/batches HTTP/1.1\r\nHost: t\r\nConnection: close\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn a_batch_is_made_of_old_and_new_jobs_and_those_of_queues() {
    let server = Server::start(&[]);
    assert_eq!(server.post("/api/v1/jobs", r#"{"jobId": "old"}"#).head.status, 201);
    say(&server, "old", &json!({"status": "processing", "progress": 50}));
    let answer = ask(
        &server,
        &json!({"title": "Talks", "jobs": [
            {"request": {"url": "a", "n": 1}, "weight": 2, "lease_seconds": 60},
            {"jobId": "old", "weight": 0.5},
            {"queueName": "mail", "jobName": "send", "data": {"to": "b"}, "priority": 3, "attempts": 2},
            {"jobId": "mine", "request": {}},
        ]}),
    );
    assert_eq!(answer.head.status, 201, "{}", answer.body);
    let made = answer.json();
    let id = made["batchId"].as_str().unwrap();
    assert_eq!(answer.head.header("location"), Some(format!("/api/v1/batches/{id}").as_str()));
    assert_eq!(made["sseEndpoint"], events_path(id));
    assert_eq!((&made["total"], &made["status"]), (&json!(4), &json!("processing")));
    assert_eq!((&made["stored"], &made["repeated"]), (&json!(true), &Value::Null));
    let jobs = made["jobIds"].as_array().unwrap();
    assert_eq!((jobs.len(), &jobs[1], &jobs[3]), (4, &json!("old"), &json!("mine")));
    let job = |index: usize| {
        server.get(&format!("/api/v1/jobs/{}", jobs[index].as_str().unwrap())).json()
    };
    assert_eq!(job(0)["request"], json!({"url": "a", "n": 1}));
    assert_eq!(job(0)["leaseSeconds"], 60);
    assert_eq!((&job(2)["queueName"], &job(2)["priority"]), (&json!("mail"), &json!(3)));
    let shown = server.get(&format!("/api/v1/batches/{id}")).json();
    assert_eq!(shown["title"], "Talks");
    assert_eq!(shown["totalWeight"], 4.5);
    assert_eq!(shown["progress"], 5.56, "0.25 of 4.5");
    let counts =
        json!({"pending": 3, "processing": 1, "completed": 0, "failed": 0, "cancelled": 0});
    assert_eq!(shown["counts"], counts);
    assert_eq!(shown["etaSeconds"], Value::Null);
    assert_eq!(server.get("/api/v1/queues/mail").json()["waiting"], 1);
}

/// Checks with which status and code, and for which field, a body is refused.
fn check(server: &Server, body: &Value, status: u16, code: &str, field: &str) {
    let answer = ask(server, body);
    let problem = answer.json();
    let seen = (answer.head.status, problem["code"].as_str(), problem["field"].as_str());
    assert_eq!(seen, (status, Some(code), Some(field)), "{body}: {problem}");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
}

#[test]
fn what_is_no_batch_is_refused_with_its_place_and_changes_nothing() {
    let server = Server::start(&["--max-batch-jobs", "3"]);
    assert_eq!(server.post("/api/v1/jobs", r#"{"jobId": "a"}"#).head.status, 201);
    let new = json!({"request": {}});
    let task = json!({"queueName": "q", "jobName": "j"});
    let with = |mut job: Value, name: &str, value: Value| {
        job[name] = value;
        job
    };
    let cases = [
        (json!([]), "invalid", "jobs"),
        (json!([new, new, new, new]), "invalid", "jobs"),
        (json!([1]), "invalid", "jobs[0]"),
        (json!([new, {}]), "invalid", "jobs[1]"),
        (json!([new, {"weight": 1}]), "invalid", "jobs[1]"),
        (json!([new, {"jobId": "b"}]), "unknown_job", "jobs[1].jobId"),
        (json!([{"jobId": "a b"}]), "invalid", "jobs[0].jobId"),
        (json!([{"jobId": "a", "lease_seconds": 1}]), "invalid", "jobs[0].lease_seconds"),
        (json!([{"jobId": "a"}, new, {"jobId": "a"}]), "job_named_twice", "jobs[2].jobId"),
        (json!([with(new.clone(), "weight", json!(0))]), "invalid", "jobs[0].weight"),
        (json!([with(new.clone(), "weight", json!("1"))]), "invalid", "jobs[0].weight"),
        (json!([with(new.clone(), "lease_seconds", json!(0))]), "invalid", "jobs[0].lease_seconds"),
        (json!([{"request": []}]), "invalid", "jobs[0].request"),
        (json!([with(new.clone(), "data", json!(1))]), "invalid", "jobs[0].data"),
        (json!([{"queueName": "q"}]), "invalid", "jobs[0]"),
        (json!([with(task.clone(), "attempts", json!(0))]), "invalid", "jobs[0].attempts"),
        (json!([with(task.clone(), "durable", json!(true))]), "invalid", "jobs[0].durable"),
        (json!([with(task.clone(), "request", json!({}))]), "invalid", "jobs[0].request"),
    ];
    for (jobs, code, field) in cases {
        check(&server, &json!({ "jobs": jobs }), 422, code, field);
    }
    check(&server, &json!({"jobs": [new], "title": ""}), 422, "invalid", "title");
    check(&server, &json!({"jobs": [new], "name": "x"}), 422, "invalid", "name");
    let exists = ask(&server, &json!({"jobs": [task, {"jobId": "a", "request": {}}]}));
    assert_eq!((exists.head.status, &exists.json()["code"]), (409, &json!("job_exists")));
    assert_eq!(server.get("/api/v1/batches").json(), json!({"batches": [], "next": null}));
    assert_eq!(server.get("/api/v1/jobs").json()["jobs"].as_array().unwrap().len(), 1);
    let queued = server.get("/api/v1/queues/q/jobs");
    assert!(queued.head.status == 404 || queued.json()["jobs"] == json!([]), "{}", queued.body);
}

#[test]
fn a_second_try_makes_no_second_batch_even_after_a_restart() {
    let server = Server::start(&[]);
    let body = json!({"jobs": [{"request": {"n": 1}}, {"queueName": "q", "jobName": "j"}]});
    let first = ask_as(&server, "monday", &body);
    assert_eq!(first.head.status, 201, "{}", first.body);
    let check_again = |server: &Server| {
        let again = ask_as(server, "monday", &body);
        assert_eq!((again.head.status, &again.json()["repeated"]), (200, &json!(true)));
        assert_eq!(again.json()["batchId"], first.json()["batchId"]);
        assert_eq!(again.json()["jobIds"], first.json()["jobIds"]);
    };
    check_again(&server);
    let other = ask_as(&server, "monday", &json!({"jobs": [{"request": {"n": 2}}]}));
    assert_eq!((other.head.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    server.signal(rustix::process::Signal::KILL);
    let mut server = server;
    server.wait();
    let server = server.start_again(&[]);
    check_again(&server);
    assert_eq!(server.get("/api/v1/jobs").json()["jobs"].as_array().unwrap().len(), 2);
}

#[test]
fn batches_and_their_jobs_are_shown_in_pages() {
    let server = Server::start(&[]);
    let batches: Vec<String> = (0..3)
        .map(|n| make(&server, &[&format!("{n}-a"), &format!("{n}-b"), &format!("{n}-c")]))
        .collect();
    let list = |query: &str| server.get(&format!("/api/v1/batches{query}")).json();
    let ids = |list: &Value, key: &str, name: &str| -> Vec<String> {
        let items = list[key].as_array().unwrap();
        items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let page = list("?limit=2");
    assert_eq!(ids(&page, "batches", "batchId"), [batches[2].clone(), batches[1].clone()]);
    assert_eq!(page["next"], json!(batches[1]));
    let page = list(&format!("?limit=2&after={}", batches[1]));
    assert_eq!(ids(&page, "batches", "batchId"), [batches[0].clone()]);
    assert_eq!(page["next"], Value::Null);
    for job in ["1-a", "1-c"] {
        say(&server, job, &json!({"status": "failed", "error": "no feed"}));
    }
    let jobs = |query: &str| server.get(&format!("/api/v1/batches/{}/jobs{query}", batches[1]));
    let failed = jobs("?status=failed&limit=1").json();
    assert_eq!(
        (ids(&failed, "jobs", "jobId"), &failed["next"]),
        (vec!["1-a".into()], &json!("1-a"))
    );
    assert_eq!(
        (&failed["jobs"][0]["error"], &failed["jobs"][0]["weight"]),
        (&json!("no feed"), &json!(1.0))
    );
    assert_eq!(ids(&jobs("?status=failed&after=1-a").json(), "jobs", "jobId"), ["1-c"]);
    assert_eq!(ids(&jobs("").json(), "jobs", "jobId"), ["1-a", "1-b", "1-c"]);
    for (query, code) in [
        ("?status=done", "unknown_status"),
        ("?after=x", "invalid_parameter"),
        ("?limit=0", "invalid_parameter"),
    ] {
        assert_eq!((jobs(query).head.status, &jobs(query).json()["code"]), (400, &json!(code)));
    }
    // A job that is forgotten is still one of its batch.
    let path = "/api/v1/jobs/1-a";
    let deleted =
        server.send(&format!("DELETE {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    assert_eq!(deleted.head.status, 204);
    let gone =
        json!({"weight": 1.0, "jobId": "1-a", "status": "failed", "attempt": 1, "gone": true});
    assert_eq!(jobs("?limit=1").json()["jobs"][0], gone);
    assert_eq!(
        server.get(&format!("/api/v1/batches/{}", batches[1])).json()["counts"]["failed"],
        2
    );
}

#[test]
fn a_batch_is_cancelled_with_all_that_has_not_ended() {
    let server = Server::start(&[]);
    let answer = ask(
        &server,
        &json!({"jobs": [
            {"jobId": "a", "request": {}}, {"jobId": "b", "request": {}},
            {"queueName": "q", "jobName": "j", "jobId": "c"},
        ]}),
    );
    let id = answer.json()["batchId"].as_str().unwrap().to_owned();
    say(&server, "a", &json!({"status": "completed"}));
    let path = format!("/api/v1/batches/{id}/cancel");
    let cancelled = post(&server, &path);
    assert_eq!(cancelled.head.status, 200, "{}", cancelled.body);
    let state = cancelled.json();
    assert_eq!((&state["status"], &state["progress"]), (&json!("cancelled"), &json!(100)));
    assert_eq!(
        (&state["counts"]["completed"], &state["counts"]["cancelled"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(server.get("/api/v1/queues/q").json()["waiting"], 0);
    assert_eq!(server.get("/api/v1/jobs/b").json()["status"], "cancelled");
    assert_eq!(post(&server, &path).json(), state, "there is nothing left to cancel");
}

#[test]
fn there_is_no_other_batch() {
    let server = Server::start(&[]);
    for path in ["", "/jobs", "/events"] {
        let answer = server.get(&format!("/api/v1/batches/x{path}"));
        assert_eq!((answer.head.status, &answer.json()["code"]), (404, &json!("not_found")));
        let answer = server.get(&format!("/api/v1/batches/a%20b{path}"));
        assert_eq!((answer.head.status, &answer.json()["code"]), (400, &json!("invalid_batch_id")));
    }
    assert_eq!(post(&server, "/api/v1/batches/x/cancel").head.status, 404);
}
