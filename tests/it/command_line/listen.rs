//! `tidings listen`: what people and programs see of a stream, across its breaks.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Program, check_refused, misbehaving, program, run, stream_of, url};
use crate::support::Server;

/// Listens to this server and waits until it is connected.
fn listen(server: &Server, more: &[&str]) -> Program {
    let url = url(server);
    let program = Program::start(&[&["listen", &url], more].concat());
    program.wait_for("connected to");
    server.wait_for_status(|status| status["total_connections"] == 1);
    program
}

fn publish(server: &Server, name: &str, data: impl Into<Value>) -> String {
    let event = json!({"event_type": name, "data": data.into()});
    let answer = server.post("/events/broadcast", &event.to_string()).json();
    answer["event_id"].as_str().unwrap().to_owned()
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

#[test]
fn people_see_time_type_and_data_on_one_line() {
    let server = Server::start(&[]);
    let program = listen(&server, &["--max-events", "2"]);
    publish(&server, "test", json!({"text": "grüße\n\u{9b}31m\u{202e}"}));
    publish(&server, "system", 7);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<_> = ended.output.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    let (time, rest) = lines[0].split_once("  ").unwrap();
    assert!(time.len() == 13 && time.ends_with('Z'), "{time}");
    assert!(rest.starts_with("test              {\"text\":\"grüße\\n"), "{rest}");
    assert!(!rest.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{rest:?}");
    assert!(lines[1].ends_with("  system            7"), "{}", lines[1]);
}

#[test]
fn programs_get_an_object_to_a_line_as_it_comes() {
    let server = Server::start(&[]);
    let program = listen(&server, &["--json", "--subscribe", "test"]);
    publish(&server, "system", "not asked for");
    let id = publish(&server, "test", json!({"a": [1, "\u{7f}"]}));
    // It came although the program goes on.
    let line = program.next();
    assert!(!line.contains('\u{7f}'), "{line:?}");
    let line = json_of(&line);
    let expected =
        json!({"id": id, "event": "test", "data": {"a": [1, "\u{7f}"]}, "time": line["time"]});
    assert_eq!(line, expected);
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
    program.interrupt();
    let ended = program.end();
    assert_eq!((ended.code, ended.output.as_str()), (Some(0), ""), "{ended:?}");
}

#[test]
fn only_a_sessions_own_listener_gets_what_is_sent_to_it() {
    let server = Server::start(&[]);
    let program = listen(&server, &["--session", "me", "--json", "--max-events", "1"]);
    for session in ["you", "me"] {
        let event = json!({"event_type": "test", "data": session, "session_filter": session});
        server.post("/events/broadcast", &event.to_string());
    }
    assert_eq!(json_of(&program.next())["data"], "me");
}

#[test]
fn it_resumes_when_the_server_is_back() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let quick = ["--retry-ms", "10", "--drain-seconds", "1"];
    let mut before = Server::start_on(&port, &quick);
    let program = listen(&before, &["--json", "--subscribe", "test", "--max-events", "2"]);
    let first = publish(&before, "test", 1);
    assert_eq!(json_of(&program.next())["id"], first);
    before.signal(Signal::TERM);
    before.wait();
    let after = before.start_again_on(&port, &quick);
    let second = publish(&after, "test", 2);
    assert_eq!(json_of(&program.next())["id"], second);
    let ended = program.end();
    assert_eq!((ended.code, ended.output.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.errors.contains("connecting again in"), "{ended:?}");
}

#[test]
fn it_begins_after_the_event_that_is_named() {
    let server = Server::start(&[]);
    let ids = [1, 2, 3].map(|number| publish(&server, "test", number));
    let after = ["--last-event-id", ids[0].as_str(), "--max-events", "2"];
    let program = Program::start(&[&["listen", &url(&server), "--json"], &after[..]].concat());
    let seen = [program.next(), program.next()].map(|line| json_of(&line)["id"].clone());
    assert_eq!(seen, [json!(ids[1]), json!(ids[2])]);
}

#[test]
fn a_gap_is_told_to_people_and_a_line_for_programs() {
    let server = Server::start(&[]);
    let id = "1-0";
    let program = listen(&server, &["--json", "--last-event-id", id]);
    program.wait_for("a gap: events after 1-0");
    let line = json_of(&program.next());
    assert_eq!((&line["event"], &line["data"]["from"]), (&json!("gap"), &json!(id)));
}

#[test]
fn a_jobs_stream_is_followed_to_its_end() {
    let server = Server::start(&[]);
    let created = server.post("/api/v1/jobs", r#"{"jobId":"j1"}"#);
    assert_eq!(created.head.status / 100, 2, "{}", created.body);
    let stream = format!("{}/api/v1/jobs/j1/events", url(&server));
    let program = Program::start(&["listen", &stream, "--json"]);
    program.wait_for("connected to");
    let report = r#"{"status":"completed","progress":100}"#;
    let reported = server.post("/api/v1/jobs/j1/status", report);
    assert_eq!(reported.head.status / 100, 2, "{}", reported.body);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = json_of(ended.output.lines().last().unwrap());
    assert_eq!(last["data"]["status"], "completed", "{ended:?}");
    assert!(ended.errors.contains("the stream is over"), "{ended:?}");
}

#[test]
fn what_cannot_be_listened_to_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let server = Server::start(&[]);
    let url = url(&server);
    let check = |arguments: &[&str], code, part| {
        check_refused(&[&["listen"], arguments].concat(), code, part);
    };
    check(&[&address], 1, "cannot listen: http://127.0.0.1");
    check(&[&format!("{url}/nowhere")], 1, "the server answered 404 Not Found");
    check(&[&format!("{url}/events/status")], 1, "no event stream but application/json");
    check(&[&url, "--subscribe", "nope"], 1, "There is no event type");
    check(&["127.0.0.1:5001"], 2, "an address looks like");
    check(&[&url, "--last-event-id", "a\nb"], 2, "an id is a text of plain letters");
}

#[test]
fn refusals_for_good_end_it_and_others_do_not() {
    for status in ["401 Unauthorized", "403 Forbidden", "406 Not Acceptable"] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: 46\r\n\r\n{{\"title\":\"No\u{7f}\",\"detail\":\"\\u001b[2J\",\"field\":\"a\"}}"
        );
        let answer =
            answer.replace("46", &answer.split_once("\r\n\r\n").unwrap().1.len().to_string());
        let server = misbehaving(vec![answer.into_bytes()]);
        let said = format!("the server answered {status}: No\\u{{7f}}: \\u{{1b}}[2J (field a)");
        check_refused(&["listen", &server], 1, &said);
    }
    let busy =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_vec();
    let over = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let body = "retry: 1\n\nid: 1\ndata: x\n\n";
    let server = misbehaving(vec![stream_of(body), busy, stream_of("data: y\n\n"), over]);
    let ended = run(&["listen", &server, "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let data: Vec<_> = ended.output.lines().map(|line| json_of(line)["data"].clone()).collect();
    assert_eq!(data, ["x", "y"]);
}

#[test]
fn nothing_that_a_server_sends_reaches_the_terminal_as_a_command() {
    let body = "event: \u{1b}]0;title\u{7}\nid: \u{1b}[1m\ndata: \u{1b}[2J\u{9b}1m\rdata: b\u{202e}\n\n\
                event: ping\ndata: hidden\n\n: a comment\n\nnonsense\n\n";
    let over = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let forbidden = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    for more in [&[][..], &["--json"], &["--all"]] {
        let server = misbehaving(vec![stream_of(&format!("retry: 1\n{body}")), over.clone()]);
        let ended = run(&[&["listen", &server], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            !ended.output.contains(forbidden) && !ended.errors.contains(forbidden),
            "{ended:?}"
        );
        assert_eq!(ended.output.lines().count(), if more == ["--all"] { 2 } else { 1 });
    }
}

#[test]
fn who_has_seen_enough_may_hang_up() {
    let server = Server::start(&[]);
    let mut child = program(&["listen", &url(&server), "--json"]).spawn().unwrap();
    server.wait_for_status(|status| status["total_connections"] == 1);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    publish(&server, "test", 1);
    assert_eq!(json_of(&lines.next().unwrap().unwrap())["data"], 1);
    drop(lines);
    publish(&server, "test", 2);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("cannot"), "{said}");
}
