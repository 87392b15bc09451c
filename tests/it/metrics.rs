//! `GET /metrics` as Prometheus reads it, and `GET /ready`.

mod exposition;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use self::exposition::{Format, Scrape};
use crate::support::{Server, connect};

fn request(method: &str, path: &str, accept: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAccept: {accept}\r\n\r\n")
}

/// What Prometheus 2.42 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

fn scrape(server: &Server) -> Scrape {
    Scrape::read(&server.get("/metrics").body, Format::Plain)
}

/// A bit of everything: streams that come, get something and go, requests good and bad, a refusal, a gap.
fn traffic(server: &Server) {
    let mut first = server.stream("/events?session_id=a");
    let mut second = server.stream("/events?session_id=b&subscribe=test");
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.next().name, "connected");
    }
    for n in 0..3 {
        // Answered when it is on disk.
        let event = json!({"event_type": "test", "data": n, "durable": true});
        assert_eq!(server.post("/events/broadcast", &event.to_string()).head.status, 200);
    }
    for stream in [&mut first, &mut second] {
        (0..3).for_each(|_| drop(stream.next_named("test")));
    }
    drop((first, second));
    assert_eq!(server.stream("/events?last_event_id=1-0").next_named("gap").name, "gap");
    server.post("/events/broadcast", "{");
    server.get("/nowhere/x1");
    server.get("/static/nothing.js");
    server
        .send("POST /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    server.send("no request at all\r\n\r\n");
    server.wait_for_status(|status| status["totals"]["streams_ended"]["client_gone"] == 3);
}

#[test]
fn both_formats_are_what_prometheus_expects() {
    let server = Server::start(&[]);
    traffic(&server);
    let plain = server.get("/metrics");
    assert_eq!(plain.head.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.head.header("cache-control"), Some("no-store"));
    let plain = Scrape::read(&plain.body, Format::Plain);
    let open = server.send(&request("GET", "/metrics", PROMETHEUS));
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.head.header("content-type"), Some(content_type));
    let open = Scrape::read(&open.body, Format::OpenMetrics);
    assert_eq!(plain.names(), open.names(), "the formats differ in form only");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let server = Server::start(&[]);
    traffic(&server);
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let promtool = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else {
        assert!(std::env::var_os("CI").is_none(), "promtool is not installed");
        println!("left out: promtool is not installed");
        return;
    };
    let text = server.get("/metrics").body;
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn what_happens_is_counted() {
    let server = Server::start(&[]);
    let before = scrape(&server);
    assert_eq!(
        before.count("tidings_streams_ended_total{reason=\"stuck\"}"),
        0,
        "before the first"
    );
    traffic(&server);
    let after = scrape(&server);
    for (sample, expected) in [
        ("tidings_streams{door=\"events\",state=\"ending\"}", 0),
        ("tidings_stream_queue_events", 0),
        ("tidings_streams_opened_total", 3),
        ("tidings_streams_resumed_total", 1),
        ("tidings_streams_ended_total{reason=\"client_gone\"}", 3),
        ("tidings_gaps_total{reason=\"restart\"}", 1),
        ("tidings_events_published_total", 3),
        ("tidings_events_refused_total{reason=\"busy\"}", 0),
        ("tidings_events_dropped_total", 0),
        ("tidings_delivery_latency_seconds_count", 6),
        ("tidings_publish_duration_seconds_count", 3),
        ("tidings_history_events", 3),
        ("tidings_inbox_events", 0),
        ("tidings_events_conflated_total", 0),
        ("tidings_store_events", 3),
        ("tidings_store_pending_events", 0),
        ("tidings_store_failures_total", 0),
        ("tidings_store_given_up_events_total", 0),
        ("tidings_http_requests_total{method=\"GET\",route=\"/events\",status=\"200\"}", 3),
        (
            "tidings_http_requests_total{method=\"POST\",route=\"/events/broadcast\",status=\"200\"}",
            3,
        ),
        (
            "tidings_http_requests_total{method=\"POST\",route=\"/events/broadcast\",status=\"400\"}",
            1,
        ),
        ("tidings_http_requests_total{method=\"GET\",route=\"/static/{}\",status=\"404\"}", 1),
        ("tidings_http_requests_total{method=\"GET\",route=\"other\",status=\"404\"}", 1),
        ("tidings_http_requests_total{method=\"POST\",route=\"other\",status=\"405\"}", 1),
        ("tidings_http_requests_total{method=\"other\",route=\"other\",status=\"400\"}", 1),
        ("tidings_http_refusals_total{reason=\"too_many_connections\"}", 0),
    ] {
        assert_eq!(after.count(sample), expected, "{sample}");
    }
    assert!(after.value("tidings_events_delivered_total") >= 9.0, "greetings count too");
    assert!(after.value("tidings_delivered_bytes_total") > 500.0);
    assert!(after.value("tidings_dispatch_round_events_sum") >= 3.0);
    assert!((1..=3).contains(&after.count("tidings_store_commit_duration_seconds_count")));
    assert!(after.value("process_resident_memory_bytes") > 1e6);
    assert!((3.0..1e3).contains(&after.value("process_open_fds")));
    assert!(after.count("process_threads") > 3);
    before.check_only_grown_to(&after);
}

#[test]
fn open_streams_are_counted_by_door_and_state() {
    let server = Server::start(&[]);
    let mut open: Vec<_> = (0..3).map(|_| server.stream("/events")).collect();
    for stream in &mut open {
        assert_eq!(stream.next().name, "connected");
    }
    server.wait_for_status(|status| {
        status["connections"].as_array().unwrap().iter().all(|c| c["state"] == "direct")
    });
    let scrape = scrape(&server);
    assert_eq!(scrape.count("tidings_streams{door=\"events\",state=\"direct\"}"), 3);
    assert_eq!(scrape.count("tidings_streams{door=\"events\",state=\"lagging\"}"), 0);
    // The three, the one that asks, and perhaps one that asked before and is still leaving.
    assert!((4..=5).contains(&scrape.count("tidings_http_connections")));
}

#[test]
fn who_is_refused_is_counted_by_reason() {
    let server = Server::start(&["--max-connections", "2"]);
    let held = [server.stream("/events"), server.stream("/events")];
    assert_eq!(server.get("/health").head.status, 503);
    drop(held);
    server.wait_until_quiet();
    let scrape = scrape(&server);
    assert!(scrape.count("tidings_http_refusals_total{reason=\"too_many_connections\"}") >= 1);
}

#[test]
fn the_documentation_lists_all_figures_there_are() {
    let server = Server::start(&[]);
    traffic(&server);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(','));
    let listed: BTreeSet<_> = names.map(|name| name.trim().trim_matches('`')).collect();
    assert_eq!(listed, scrape(&server).names());
}

#[test]
fn strangers_do_not_decide_how_many_figures_there_are() {
    let server = Server::start(&[]);
    let names = |server: &Server| -> BTreeSet<String> { scrape(server).series() };
    server.send(&request("X1", "/p1?q=1", "*/*"));
    server.get("/p1");
    server.get("/api/v1/summaries/1");
    let add = |n: u32| {
        let job = json!({"queueName": format!("queue-{n}"), "jobName": format!("n{n}")});
        assert_eq!(server.post("/api/v1/queue/add", &job.to_string()).head.status, 202);
    };
    add(1);
    let before = names(&server);
    let before = before.union(&names(&server)).cloned().collect::<BTreeSet<_>>();
    for n in 2..20 {
        server.send(&request(&format!("X{n}"), &format!("/p{n}?q={n}"), "*/*"));
        server.get(&format!("/p{n}/\u{20}"));
        server.get(&format!("/api/v1/summaries/{n}"));
        add(n);
    }
    let new: Vec<_> = names(&server).difference(&before).cloned().collect();
    assert!(new.iter().all(|series| series.contains("route=\"other\"")), "{new:?}");
    assert!(new.len() <= 2, "{new:?}");
}

#[test]
fn head_is_answered_without_a_body() {
    let server = Server::start(&[]);
    let mut connection = connect(server.address, None);
    connection.write_all(request("HEAD", "/metrics", "*/*").as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut connection, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn a_server_that_runs_is_ready() {
    let server = Server::start(&[]);
    let answer = server.get("/ready");
    assert_eq!((answer.head.status, answer.head.header("cache-control")), (200, Some("no-store")));
    let body = answer.json();
    assert_eq!(body["status"], "ready");
    let names: Vec<_> = body["parts"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["connections", "dispatch", "storage", "jobs"]);
    for part in body["parts"].as_array().unwrap() {
        assert_eq!(part["state"], "ready", "{part}");
        assert!(
            part["name"].is_string() && part["detail"].as_str().unwrap().ends_with('.'),
            "{part}"
        );
    }
    assert_eq!(server.get("/health").json()["status"], "ok");
}
