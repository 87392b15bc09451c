//! `tidings record` and `tidings replay` against real servers: what a stream brought, across its breaks,
//! comes out of another server again.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::support::{EventStream, PATIENCE, Server};

fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    program.env_clear().args(arguments).stderr(Stdio::piped());
    program
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// A recording of the session `me` that is under way.
struct Recording {
    child: Child,
    file: PathBuf,
    directory: TempDir,
}

/// A recording that has ended.
struct Recorded {
    lines: Vec<Value>,
    file: PathBuf,
    _directory: TempDir,
}

impl Recording {
    fn start(server: &Server, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("events.jsonl");
        let (url, name) = (url(server), file.to_str().unwrap().to_owned());
        let mut arguments = vec!["record", &url, "--session", "me", "--output", &name];
        arguments.extend(more);
        // What does not come must fail the test rather than hold it up.
        let patience = PATIENCE.as_secs().to_string();
        if !more.contains(&"--for") {
            arguments.extend(["--for", &patience]);
        }
        let child = program(&arguments).spawn().unwrap();
        server.wait_for_status(|status| status["total_connections"] == 1);
        Self { child, file, directory }
    }

    /// Waits until this stands in the file.
    fn wait_for(&self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(&self.file).unwrap().contains(part) {
            assert!(Instant::now() < deadline, "{part} is not recorded");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end, which is a good one.
    fn finish(mut self) -> Recorded {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{said}");
        let text = fs::read_to_string(&self.file).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Recorded { lines, file: self.file, _directory: self.directory }
    }
}

impl Recorded {
    /// What the lines have in this field, as far as they have it.
    fn all(&self, field: &str) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line[field].as_str()).collect()
    }

    fn file(&self) -> &str {
        self.file.to_str().unwrap()
    }
}

fn publish(server: &Server, data: impl Into<Value>) -> String {
    let event = json!({"event_type": "test", "data": data.into()});
    let answer = server.post("/events/broadcast", &event.to_string()).json();
    answer["event_id"].as_str().unwrap().to_owned()
}

/// Does something to the recording's stream, or to the next one.
fn fault(server: &Server, fault: &Value) {
    let order = json!({"session_id": "me", "fault": fault}).to_string();
    assert_eq!(server.post("/events/faults", &order).head.status, 200);
}

/// Breaks the recording's stream and waits until it is back.
fn cut(server: &Server, how: &str) {
    let opened = |status: &Value| status["totals"]["streams_opened"].as_u64().unwrap();
    let before = opened(&server.status());
    fault(server, &json!({"type": "drop", "how": how}));
    server.wait_for_status(|status| opened(status) > before && status["total_connections"] == 1);
}

/// Runs `tidings replay`; its exit code and what it said.
fn replay(file: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = program(&[&["replay", file], more].concat()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A file with these lines.
fn file_with(lines: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

/// A stream of someone who is past the greeting.
fn listener(server: &Server) -> EventStream {
    let mut stream = server.stream("/events?session_id=listener");
    assert_eq!(stream.next().name, "connected");
    stream
}

const FAULTY: [&str; 4] = ["--faults", "on", "--retry-ms", "10"];

#[test]
fn what_is_recorded_across_breaks_comes_out_of_another_server() {
    let server = Server::start(&FAULTY);
    let recording = Recording::start(&server, &["--events", "5"]);
    let sent = [json!(1.5), json!({"a": "\r\n\u{1f30a}"}), json!("x"), json!(null), json!("end")];
    let mut ids = Vec::new();
    for (index, value) in sent.iter().enumerate() {
        ids.push(publish(&server, value.clone()));
        match index {
            0 => cut(&server, "cut"),
            2 => cut(&server, "reset"),
            3 => cut(&server, "clean"),
            _ => {}
        }
    }
    let recorded = recording.finish();
    let expected: Vec<_> = sent.iter().map(ToString::to_string).collect();
    assert_eq!(recorded.all("data"), expected, "{:#?}", recorded.lines);
    assert_eq!(recorded.all("id"), ids);
    let once = ["reconnect", "connected"];
    assert_eq!(recorded.all("notice"), [&["connected"][..], &once, &once, &once].concat());

    let other = Server::start(&[]);
    let mut stream = listener(&other);
    let (code, said) = replay(recorded.file(), &["--to", &url(&other), "--at-once"]);
    assert_eq!(code, Some(0), "{said}");
    let replayed: Vec<_> = sent.iter().map(|_| stream.next().data).collect();
    assert_eq!(replayed, expected);
}

#[test]
fn a_recording_outlives_the_server() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let quick = ["--retry-ms", "10", "--drain-seconds", "1"];
    let mut before = Server::start_on(&port, &quick);
    let recording = Recording::start(&before, &["--events", "2"]);
    publish(&before, 1);
    before.signal(Signal::TERM);
    before.wait();
    let after = before.start_again_on(&port, &quick);
    publish(&after, 2);
    let recorded = recording.finish();
    assert_eq!(recorded.all("data"), ["1", "2"], "{:#?}", recorded.lines);
    assert!(recorded.all("notice").contains(&"reconnect"));
}

#[test]
fn a_gap_stands_in_the_file_and_is_not_replayed_by_mistake() {
    let server = Server::start(&FAULTY);
    let recording = Recording::start(&server, &["--events", "2"]);
    let id = publish(&server, 1);
    recording.wait_for(&id);
    fault(&server, &json!({"type": "gap", "reason": "overflow"}));
    cut(&server, "cut");
    publish(&server, 2);
    let recorded = recording.finish();
    let gap = recorded.lines.iter().position(|line| line["notice"] == "gap").unwrap();
    assert_eq!(recorded.lines[gap]["reason"], "overflow");

    let other = Server::start(&[]);
    let (code, said) = replay(recorded.file(), &["--to", &url(&other), "--at-once"]);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("line {}: events are missing here", gap + 1)), "{said}");
    assert_eq!(other.status()["totals"]["events_published"], 0);
    let as_is = ["--to", &url(&other), "--at-once", "--as-is"];
    assert_eq!(replay(recorded.file(), &as_is).0, Some(0));
    assert_eq!(other.status()["totals"]["events_published"], 2);
}

#[test]
fn what_came_twice_is_recorded_twice_and_replayed_once() {
    let server = Server::start(&FAULTY);
    let recording = Recording::start(&server, &["--events", "2"]);
    fault(&server, &json!({"type": "duplicate"}));
    publish(&server, 1);
    let recorded = recording.finish();
    assert_eq!(recorded.all("data"), ["1", "1"]);
    let other = Server::start(&[]);
    let published = || other.status()["totals"]["events_published"].clone();
    replay(recorded.file(), &["--to", &url(&other), "--at-once"]);
    assert_eq!(published(), 1);
    replay(recorded.file(), &["--to", &url(&other), "--at-once", "--as-is"]);
    assert_eq!(published(), 3);
}

#[test]
fn a_recording_is_stopped_in_order_and_has_only_what_was_asked_for() {
    let server = Server::start(&[]);
    let recording = Recording::start(&server, &["--subscribe", "test,system"]);
    let mine = json!({"event_type": "system", "data": "mine", "session_filter": "me"});
    let other = json!({"event_type": "summary_progress", "data": "other"});
    for event in [other, mine] {
        assert_eq!(server.post("/events/broadcast", &event.to_string()).head.status, 200);
    }
    recording.wait_for("mine");
    kill_process(Pid::from_child(&recording.child), Signal::INT).unwrap();
    let recorded = recording.finish();
    assert_eq!((recorded.all("event"), recorded.all("data")), (vec!["system"], vec!["\"mine\""]));
}

#[test]
fn a_recording_ends_when_its_time_is_over() {
    let server = Server::start(&[]);
    assert_eq!(Recording::start(&server, &["--for", "1"]).finish().all("notice"), ["connected"]);
}

#[test]
fn who_has_read_enough_may_hang_up() {
    let server = Server::start(&[]);
    let mut recording = program(&["record", &url(&server), "--output", "-"]);
    let mut child = recording.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains(r#""notice":"connected""#));
    publish(&server, 1);
    assert!(lines.next().unwrap().unwrap().contains(r#""data":"1""#));
    drop(lines);
    publish(&server, 2);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_file_that_is_there_is_written_over_only_if_that_is_said() {
    let server = Server::start(&[]);
    let kept = file_with("what somebody has recorded\n");
    let path = kept.path().to_str().unwrap();
    let record = |more: &[&str]| {
        let arguments = ["record", &url(&server), "--output", path, "--for", "1"];
        let output = program(&[&arguments, more].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = record(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("it is there already; --force"), "{said}");
    assert_eq!(fs::read_to_string(path).unwrap(), "what somebody has recorded\n");
    assert_eq!(record(&["--force"]).0, Some(0));
    assert!(fs::read_to_string(path).unwrap().starts_with(r#"{"received_ms""#));
}

#[test]
fn what_cannot_be_recorded_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let server = Server::start(&[]);
    let server_url = url(&server);
    let status = format!("{server_url}/events/status");
    let check = |arguments: &[&str], code: i32, part: &str| {
        let output = program(&[&["record"], arguments].concat()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    };
    check(&[&address, "-o", "/dev/null"], 1, "cannot record: http://127.0.0.1");
    check(&[&server_url, "-o", "/dev/null", "--subscribe", "nope"], 1, "There is no event type");
    check(&[&status, "-o", "/dev/null"], 1, "no event stream but application/json");
    check(&[&server_url, "-o", "/nowhere/at/all"], 1, "/nowhere/at/all: No such file");
    check(&[&server_url], 2, "--output <FILE>");
    check(&["127.0.0.1:5001", "-o", "-"], 2, "an address looks like");
    check(&[&server_url, "-o", "-", "--session", "a b"], 2, "an id has 1 to 128");
    check(&[&server_url, "-o", "-", "--max-connections", "1"], 2, "unexpected argument");
}

#[test]
fn a_malformed_recording_publishes_nothing_and_names_the_line() {
    let server = Server::start(&[]);
    let good = r#"{"received_ms":1,"id":"1-0","event":"test","data":"1"}"#;
    let file = file_with(&format!("{good}\n\n{{\"received_ms\":2,\"id\":\"2-0\",\"ev"));
    let name = file.path().to_str().unwrap();
    let (code, said) = replay(name, &["--to", &url(&server)]);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("cannot replay: {name}, line 3: no entry: ")), "{said}");
    assert_eq!(server.status()["totals"]["events_published"], 0);
    let (code, said) = replay("/nowhere", &["--to", &url(&server)]);
    assert!(code == Some(1) && said.contains("/nowhere: No such file"), "{said}");
    assert_eq!(replay(name, &["--speed", "0"]).0, Some(2));
    assert_eq!(replay(name, &["--speed", "2", "--at-once"]).0, Some(2));
}

#[test]
fn what_the_server_does_not_take_is_told_with_its_line() {
    let server = Server::start(&[]);
    let file = file_with(
        "{\"received_ms\":1,\"event\":\"test\",\"data\":\"no JSON\"}\n\
         {\"received_ms\":2,\"event\":\"order\",\"data\":\"1\"}\n",
    );
    let mut stream = listener(&server);
    let (code, said) = replay(file.path().to_str().unwrap(), &["--to", &url(&server)]);
    assert_eq!(code, Some(1));
    assert!(said.contains("line 2: the server answered 422"), "{said}");
    assert!(said.contains("There is no event type"), "{said}");
    assert_eq!(stream.next().data, "\"no JSON\"");
}

#[test]
fn a_replay_keeps_the_pace_and_says_how_far_it_came() {
    let server = Server::start(&[]);
    let file = file_with(
        "{\"received_ms\":1000,\"event\":\"test\",\"data\":\"1\"}\n\
         {\"received_ms\":3601000,\"event\":\"test\",\"data\":\"2\"}\n",
    );
    let mut stream = server.stream("/events?session_id=you");
    let arguments = ["replay", file.path().to_str().unwrap(), "--to", &url(&server)];
    let mut child = program(&[&arguments[..], &["--session", "you"]].concat()).spawn().unwrap();
    assert_eq!(stream.next_named("test").data, "1");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(said.contains("cannot replay: stopped after 1 of 2 events"), "{said}");
    // An hour at this speed is 36 milliseconds.
    let fast = [&arguments[2..], &["--speed", "100000"]].concat();
    assert_eq!(replay(arguments[1], &fast).0, Some(0));
    assert_eq!([0; 2].map(|_| stream.next_named("test").data), ["1", "2"]);
}
