//! What is made, asked for, listed, cancelled and removed; and what is refused.

use serde_json::{Value, json};

use super::{create, delete, post, report, say};
use crate::support::{Response, Server};

fn make(server: &Server, body: &str, headers: &str) -> Response {
    server.send(&format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn any_object_becomes_a_job() {
    let server = Server::start(&[]);
    let body = r#"{"topics": ["technology"], "sources":["techcrunch"], "n": 1.10}"#;
    let made = make(&server, body, "");
    assert_eq!((made.head.status, made.head.header("cache-control")), (201, Some("no-store")));
    let answer = made.json();
    let id = answer["jobId"].as_str().unwrap();
    let events = format!("/api/v1/jobs/{id}/events");
    assert_eq!(
        answer,
        json!({"jobId": id, "status": "pending", "sseEndpoint": events, "stored": true})
    );
    let location = made.head.header("location").unwrap();
    assert_eq!(location, format!("/api/v1/jobs/{id}"));
    let job = server.get(location);
    assert_eq!((job.head.status, job.head.header("cache-control")), (200, Some("no-store")));
    assert!(job.body.contains(&format!("\"request\":{body}")), "as it was sent: {}", job.body);
    let job = job.json();
    assert_eq!(job["createdAt"], job["timestamp"]);
    for (member, expected) in [
        ("jobId", json!(id)),
        ("status", json!("pending")),
        ("progress", json!(0)),
        ("stage", json!("")),
        ("message", json!("")),
        ("attempt", json!(1)),
        ("revision", json!(1)),
        ("sseEndpoint", json!(events)),
    ] {
        assert_eq!(job[member], expected, "{member}");
    }
    assert_eq!(make(&server, " {} ", "").head.status, 201);
}

#[test]
fn what_is_no_job_is_refused() {
    let server = Server::start(&[]);
    let check = |body: &str, status: u16, code: &str, field: Option<&str>| {
        let answer = make(&server, body, "");
        let problem = answer.json();
        let seen = (answer.head.status, problem["code"].as_str(), problem["field"].as_str());
        assert_eq!(seen, (status, Some(code), field), "{body}: {problem}");
    };
    check("", 400, "malformed_json", None);
    check("{", 400, "malformed_json", None);
    for body in ["[]", "[1, 2]", "null", "1", "\"job\""] {
        check(body, 422, "invalid", None);
    }
    for id in
        [json!(""), json!("a b"), json!("a/b"), json!("x".repeat(129)), json!("."), json!("..")]
    {
        check(&json!({"jobId": id}).to_string(), 422, "invalid", Some("jobId"));
    }
    check(r#"{"jobId": 7}"#, 422, "invalid", Some("jobId"));
    for lease in [json!(0), json!(86_401), json!(-1), json!(1.5), json!("60")] {
        let body = json!({"lease_seconds": lease}).to_string();
        check(&body, 422, "invalid", Some("lease_seconds"));
    }
    assert_eq!(server.get("/api/v1/jobs").json()["jobs"], json!([]), "and nothing was made");
    let text = "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(server.send(text).head.status, 415);
    let batch = server.get("/api/v1/jobs/a%20b");
    assert_eq!((batch.head.status, &batch.json()["code"]), (400, &json!("invalid_job_id")));
}

#[test]
fn a_maker_can_choose_the_id_once() {
    let server = Server::start(&[]);
    let body = json!({"jobId": "mine:1", "lease_seconds": 60}).to_string();
    assert_eq!(make(&server, &body, "").json()["jobId"], "mine:1");
    assert_eq!(server.get("/api/v1/jobs/mine:1").json()["leaseSeconds"], 60);
    say(&server, "mine:1", &json!({"status": "processing", "progress": 5}));
    let again = make(&server, &body, "");
    let problem = again.json();
    assert_eq!((again.head.status, &problem["code"]), (409, &json!("job_exists")));
    assert_eq!(
        (&problem["job"]["jobId"], &problem["job"]["progress"]),
        (&json!("mine:1"), &json!(5))
    );
}

#[test]
fn a_second_try_makes_no_second_job() {
    let server = Server::start(&[]);
    let key = "Idempotency-Key: k-1\r\n";
    let first = make(&server, r#"{"n": 1}"#, key).json();
    let again = make(&server, r#"{"n": 1}"#, key);
    assert_eq!((again.head.status, &again.json()["repeated"]), (200, &json!(true)));
    assert_eq!(again.json()["jobId"], first["jobId"]);
    let reused = make(&server, r#"{"n": 2}"#, key);
    assert_eq!(reused.json()["code"], "idempotency_key_reused");
    assert_eq!(reused.head.status, 422);
    let other = make(&server, r#"{"n": 1}"#, "Idempotency-Key: k-2\r\n").json();
    assert_ne!(other["jobId"], first["jobId"]);
    let bad = make(&server, "{}", "Idempotency-Key: \r\n");
    assert_eq!((bad.head.status, &bad.json()["code"]), (400, &json!("invalid_idempotency_key")));
    // With an id of its own as well, also after a restart.
    let named = r#"{"jobId": "mine"}"#;
    assert_eq!(make(&server, named, "Idempotency-Key: k-3\r\n").head.status, 201);
    server.signal(rustix::process::Signal::TERM);
    let server = server.start_again(&[]);
    assert_eq!(make(&server, named, "Idempotency-Key: k-3\r\n").json()["repeated"], true);
    assert_eq!(make(&server, r#"{"n": 1}"#, key).json()["jobId"], first["jobId"]);
}

#[test]
fn who_keeps_nothing_does_not_say_that_it_is_stored() {
    let server = Server::start(&["--data-dir", ""]);
    let made = make(&server, r#"{"jobId": "a"}"#, "").json();
    assert_eq!(made.get("stored"), None, "{made}");
    let said = say(&server, "a", &json!({"status": "completed"}));
    assert_eq!((said.get("stored"), &said["status"]), (None, &json!("completed")));
}

#[test]
fn no_more_jobs_are_open_than_there_may_be() {
    let server = Server::start(&["--max-open-jobs", "2"]);
    create(&server, "a");
    create(&server, "b");
    let full = make(&server, r#"{"jobId": "c"}"#, "");
    assert_eq!((full.head.status, &full.json()["code"]), (503, &json!("too_many_jobs")));
    assert!(full.head.header("retry-after").is_some());
    say(&server, "a", &json!({"status": "failed", "error": "no"}));
    create(&server, "c");
}

#[test]
fn jobs_that_have_not_ended_take_no_more_room_than_there_is() {
    let server = Server::start(&["--max-job-bytes", "100000"]);
    let large = |id: &str| json!({"jobId": id, "text": "x".repeat(60_000)}).to_string();
    assert_eq!(make(&server, &large("a"), "").head.status, 201);
    let full = make(&server, &large("b"), "");
    assert_eq!((full.head.status, &full.json()["code"]), (503, &json!("too_many_jobs")));
    post(&server, "/api/v1/jobs/a/cancel");
    assert_eq!(make(&server, &large("b"), "").head.status, 201);
    assert_eq!(server.get("/api/v1/jobs/a").head.status, 404, "it has ended and made room");
}

/// The ids on a page, and where the next one goes on.
fn page(server: &Server, query: &str) -> (Vec<String>, Option<String>) {
    let page = server.get(&format!("/api/v1/jobs?{query}")).json();
    let ids = page["jobs"].as_array().unwrap_or_else(|| panic!("{query}: {page}")).iter();
    let ids = ids.map(|job| job["jobId"].as_str().unwrap().to_owned()).collect();
    (ids, page["next"].as_str().map(str::to_owned))
}

#[test]
fn jobs_are_listed_in_pages_the_newest_first() {
    let server = Server::start(&[]);
    for n in 0..5 {
        create(&server, &format!("j{n}"));
    }
    say(&server, "j1", &json!({"status": "processing"}));
    say(&server, "j3", &json!({"status": "completed"}));
    let check = |query: &str, ids: &[&str], next: Option<&str>| {
        let expected = (ids.iter().map(ToString::to_string).collect(), next.map(str::to_owned));
        assert_eq!(page(&server, query), expected, "{query}");
    };
    check("", &["j4", "j3", "j2", "j1", "j0"], None);
    check("limit=2", &["j4", "j3"], Some("j3"));
    check("limit=2&after=j3", &["j2", "j1"], Some("j1"));
    check("limit=2&after=j1", &["j0"], None);
    check("after=j0", &[], None);
    check("status=pending", &["j4", "j2", "j0"], None);
    check("status=pending&limit=1&after=j4", &["j2"], Some("j2"));
    check("status=completed,processing", &["j3", "j1"], None);
    check("status=failed", &[], None);
    for bad in
        ["limit=0", "limit=1001", "limit=x", "after=nobody", "after=", "status=done", "status="]
    {
        let answer = server.get(&format!("/api/v1/jobs?{bad}"));
        assert_eq!(answer.head.status, 400, "{bad}: {}", answer.body);
    }
    let unknown = server.get("/api/v1/jobs?status=pending,done").json();
    assert_eq!(unknown["code"], "unknown_status");
    let detail = unknown["detail"].as_str().unwrap();
    assert!(detail.contains("pending, processing, completed, failed, cancelled"), "{detail}");
}

#[test]
fn a_job_is_cancelled_until_it_has_ended() {
    let server = Server::start(&[]);
    create(&server, "a");
    say(&server, "a", &json!({"status": "processing", "progress": 12.5}));
    let cancelled = post(&server, "/api/v1/jobs/a/cancel");
    assert_eq!(cancelled.head.status, 200);
    assert_eq!(cancelled.json()["status"], "cancelled");
    assert_eq!(cancelled.json()["progress"], 12.5);
    let again = post(&server, "/api/v1/jobs/a/cancel");
    assert_eq!((again.head.status, &again.json()["repeated"]), (200, &json!(true)));
    create(&server, "b");
    say(&server, "b", &json!({"status": "completed"}));
    let late = post(&server, "/api/v1/jobs/b/cancel");
    assert_eq!((late.head.status, &late.json()["code"]), (409, &json!("job_ended")));
    assert_eq!(late.json()["job"]["status"], "completed");
    assert_eq!(post(&server, "/api/v1/jobs/c/cancel").head.status, 404);
}

#[test]
fn a_worker_learns_from_its_heartbeat_whether_it_is_still_wanted() {
    let server = Server::start(&[]);
    create(&server, "a");
    say(&server, "a", &json!({"status": "processing"}));
    let beat = || post(&server, "/api/v1/jobs/a/heartbeat");
    let expected = json!({"jobId": "a", "status": "processing", "cancelled": false, "attempt": 1});
    assert_eq!((beat().head.status, beat().json()), (200, expected));
    post(&server, "/api/v1/jobs/a/cancel");
    assert_eq!(beat().json()["cancelled"], true);
    assert_eq!(post(&server, "/api/v1/jobs/b/heartbeat").head.status, 404);
}

#[test]
fn a_job_is_removed_after_its_end() {
    let server = Server::start(&[]);
    create(&server, "a");
    let open = delete(&server, "/api/v1/jobs/a");
    assert_eq!((open.head.status, &open.json()["code"]), (409, &json!("job_open")));
    post(&server, "/api/v1/jobs/a/cancel");
    assert_eq!(delete(&server, "/api/v1/jobs/a").head.status, 204);
    assert_eq!(delete(&server, "/api/v1/jobs/a").head.status, 404);
    assert_eq!(server.get("/api/v1/jobs/a").head.status, 404);
    assert_eq!(report(&server, "a", &json!({"status": "completed"})).head.status, 404);
    server.signal(rustix::process::Signal::TERM);
    let server = server.start_again(&[]);
    assert_eq!(server.get("/api/v1/jobs").json(), json!({"jobs": [], "next": Value::Null}));
}

#[test]
fn a_job_may_be_called_like_a_path() {
    let server = Server::start(&[]);
    create(&server, "status");
    assert_eq!(server.get("/api/v1/jobs/status").json()["jobId"], "status");
    say(&server, "status", &json!({"status": "completed"}));
    assert_eq!(delete(&server, "/api/v1/jobs/status").head.status, 204);
}

#[test]
fn a_job_tells_what_it_went_through() {
    let server = Server::start(&[]);
    let id = "travelled";
    create(&server, id);
    say(&server, id, &json!({"status": "processing", "progress": 5, "stage": "reading"}));
    say(&server, id, &json!({"status": "processing", "progress": 9, "stage": "reading"}));
    say(&server, id, &json!({"status": "processing", "progress": 50, "stage": "writing"}));
    say(&server, id, &json!({"status": "failed", "error": "no paper"}));
    let job = server.get(&format!("/api/v1/jobs/{id}")).json();
    let mut steps = job["timeline"].as_array().unwrap().clone();
    let times: Vec<_> = steps
        .iter_mut()
        .map(|step| {
            step.as_object_mut().unwrap().remove("time").unwrap().as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!((times[0].as_deref(), times.is_sorted()), (job["createdAt"].as_str(), true));
    let stage = job["stage"].as_str().unwrap();
    let expected = [
        json!({"status": "pending", "attempt": 1}),
        json!({"status": "processing", "stage": "reading", "attempt": 1}),
        json!({"status": "processing", "stage": "writing", "attempt": 1}),
        json!({"status": "failed", "stage": stage, "attempt": 1, "error": "no paper"}),
    ];
    assert_eq!(steps, expected);
    let listed = &server.get("/api/v1/jobs").json()["jobs"][0];
    assert!(listed.get("timeline").is_none() && listed.get("queueName").is_none(), "{listed}");
}
