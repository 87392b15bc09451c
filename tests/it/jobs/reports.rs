//! What services say of jobs, one report or many, and why it is not taken.

use serde_json::{Value, json};

use super::{create, report, say};
use crate::support::Server;

#[test]
fn a_report_in_the_words_of_the_seed_is_taken() {
    let server = Server::start(&[]);
    create(&server, "a");
    let said = say(
        &server,
        "a",
        &json!({
            "jobId": "a",
            "status": "processing",
            "progress": 40,
            "stage": "processing-articles",
            "message": "12 of 30",
            "timestamp": "2024-01-15T10:30:00.042Z",
            "data": {"articles": 12},
        }),
    );
    let expected = json!({"jobId": "a", "status": "processing", "progress": 40, "attempt": 1,
                          "revision": 2, "stored": true});
    assert_eq!(said, expected);
    let job = server.get("/api/v1/jobs/a").json();
    for (member, expected) in [
        ("stage", json!("processing-articles")),
        ("message", json!("12 of 30")),
        ("timestamp", json!("2024-01-15T10:30:00.042Z")),
        ("data", json!({"articles": 12})),
    ] {
        assert_eq!(job[member], expected, "{member}");
    }
    let said = json!({"status": "completed", "timestamp": 1_705_314_600_043_u64, "result": [1]});
    assert_eq!(say(&server, "a", &said)["progress"], 100);
    let job = server.get("/api/v1/jobs/a").json();
    assert_eq!(
        (&job["timestamp"], &job["result"]),
        (&json!("2024-01-15T10:30:00.043Z"), &json!([1]))
    );
    assert_eq!(job["stage"], "processing-articles", "what is not said stays");
}

#[test]
fn the_other_seeds_words_are_understood() {
    let server = Server::start(&[]);
    create(&server, "a");
    for word in ["started", "in_progress", "processing"] {
        assert_eq!(say(&server, "a", &json!({"status": word}))["status"], "processing");
    }
}

/// Checks the status, code and field with which a report is refused.
fn check(server: &Server, said: &Value, expected: (u16, &str, Option<&str>)) -> Value {
    let answer = report(server, "a", said);
    let problem = answer.json();
    let seen = (answer.head.status, problem["code"].as_str().unwrap(), problem["field"].as_str());
    assert_eq!(seen, expected, "{said}: {problem}");
    problem
}

#[test]
fn what_is_no_report_is_refused_with_its_field() {
    let server = Server::start(&[]);
    create(&server, "a");
    let invalid = |field| (422, "invalid", field);
    for (member, value) in [
        ("progress", json!(-0.1)),
        ("progress", json!(100.1)),
        ("progress", json!("40")),
        ("attempt", json!(0)),
        ("attempt", json!(-1)),
        ("timestamp", json!("yesterday")),
        ("timestamp", json!(-1)),
        ("timestamp", json!(1.5)),
        ("timestamp", json!([])),
        ("timestamp", json!(u64::MAX)),
        ("stage", json!(1)),
        ("message", json!({})),
        ("retryable", json!("yes")),
        ("retryable", json!(true)),
        ("updateId", json!("")),
        ("updateId", json!("u".repeat(256))),
        ("status", json!("done")),
        ("status", json!(null)),
        ("status", json!(5)),
        ("status", json!(["processing"])),
        ("jobId", json!("b")),
        ("percent", json!(5)),
    ] {
        let mut said = json!({"status": "processing"});
        said[member] = value;
        check(&server, &said, invalid(Some(member)));
    }
    check(&server, &json!({"progress": 5}), invalid(Some("status")));
    check(&server, &json!("processing"), invalid(None));
    let large = json!({"status": "processing", "data": "x".repeat(300_000)});
    check(&server, &large, (413, "event_too_large", None));
    assert_eq!(server.get("/api/v1/jobs/a").json()["revision"], 1, "and nothing has changed");
    assert_eq!(report(&server, "b", &json!({"status": "processing"})).head.status, 404);
}

#[test]
fn what_the_state_does_not_allow_is_a_conflict_with_that_state() {
    let server = Server::start(&[]);
    create(&server, "a");
    say(&server, "a", &json!({"status": "processing", "progress": 50}));
    let backwards = json!({"status": "processing", "progress": 49});
    let problem = check(&server, &backwards, (409, "progress_backwards", None));
    assert_eq!((&problem["job"]["progress"], &problem["job"]["revision"]), (&json!(50), &json!(2)));
    check(&server, &json!({"status": "pending"}), (409, "already_processing", None));
    say(&server, "a", &json!({"status": "failed", "retryable": true, "error": "no answer"}));
    check(&server, &json!({"status": "processing"}), (409, "attempt_failed", None));
    let next = say(&server, "a", &json!({"status": "processing", "progress": 3, "attempt": 2}));
    assert_eq!((&next["attempt"], &next["progress"]), (&json!(2), &json!(3)));
    let late = json!({"status": "processing", "progress": 60, "attempt": 1});
    check(&server, &late, (409, "old_attempt", None));
    say(&server, "a", &json!({"status": "completed"}));
    let problem = check(&server, &json!({"status": "failed"}), (409, "job_ended", None));
    assert_eq!(problem["job"]["status"], "completed");
}

#[test]
fn a_report_that_comes_again_changes_nothing() {
    let server = Server::start(&[]);
    create(&server, "a");
    let said = json!({"status": "processing", "progress": 10, "updateId": "u-1"});
    let first = say(&server, "a", &said);
    assert_eq!(first.get("repeated"), None);
    say(&server, "a", &json!({"status": "processing", "progress": 20}));
    let again = say(&server, "a", &said);
    assert_eq!((&again["repeated"], &again["progress"]), (&json!(true), &json!(20)));
    assert_eq!(again["revision"], 3);
}

#[test]
fn many_reports_come_at_once_and_each_has_its_result() {
    let server = Server::start(&[]);
    create(&server, "a");
    create(&server, "b");
    let updates = json!({"updates": [
        {"jobId": "a", "status": "processing", "progress": 10},
        {"jobId": "b", "status": "processing", "progress": 20.5},
        {"jobId": "a", "status": "processing", "progress": 5},
        {"jobId": "nobody", "status": "processing"},
        {"status": "processing"},
        {"jobId": "a b", "status": "processing"},
        {"jobId": "a", "status": "processing", "progress": 101},
        {"jobId": "a", "status": "processing", "percent": 1},
        7,
        {"jobId": "a", "status": "completed"},
        {"jobId": "a", "status": "cancelled"},
    ]});
    let answer = server.post("/api/v1/jobs/status", &updates.to_string());
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    let results = answer.json()["results"].clone();
    let seen: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let problem = &result["problem"];
            (
                result["status_code"].as_u64().unwrap(),
                result["jobId"].as_str().unwrap_or("-"),
                problem["code"].as_str().or(result["status"].as_str()).unwrap(),
                problem["field"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (200, "a", "processing", "-"),
            (200, "b", "processing", "-"),
            (409, "a", "progress_backwards", "-"),
            (404, "nobody", "not_found", "-"),
            (422, "-", "invalid", "jobId"),
            (422, "-", "invalid", "jobId"),
            (422, "-", "invalid", "progress"),
            (422, "-", "invalid", "percent"),
            (422, "-", "invalid", "-"),
            (200, "a", "completed", "-"),
            (409, "a", "job_ended", "-"),
        ]
    );
    assert_eq!(results[1]["progress"], 20.5);
    assert_eq!(results[2]["problem"]["job"]["progress"], 10);
    assert_eq!(results[9]["stored"], true);
    let refuse = |body: &Value, field: &str| {
        let answer = server.post("/api/v1/jobs/status", &body.to_string());
        assert_eq!((answer.head.status, answer.json()["field"].as_str()), (422, Some(field)));
    };
    refuse(&json!({"updates": vec![json!({}); 1_001]}), "updates");
    refuse(&json!({"updates": 3}), "updates");
    refuse(&json!({"updates": [], "more": 1}), "more");
}
