//! How a stream ends, for both versions of HTTP; and its signs of life until then.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tidings::event::parser::{EventStreamParser, ReceivedEvent};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{connected, publish};
use crate::support::{EventStream, PATIENCE, Server, connect};

/// A stream for a client of HTTP/1.0.
fn old_fashioned(server: &Server) -> EventStream {
    let mut connection = connect(server.address, None);
    let request = "GET /events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    EventStream::answer(connection)
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let server = Server::start(&[]);
    let mut stream = old_fashioned(&server);
    assert_eq!(stream.head.header("transfer-encoding"), None);
    assert_eq!(stream.head.header("content-length"), None);
    assert_eq!(stream.head.header("connection"), Some("close"));
    // Chunk sizes would be fields without a value, and would not show: so they are looked for.
    let mut other = connect(server.address, None);
    other.write_all(b"GET /events?session_id=raw HTTP/1.0\r\n\r\n").unwrap();
    let id = {
        assert_eq!(stream.next().name, "connected");
        server.wait_for_status(|status| status["total_connections"] == 2);
        publish(&server, "last")
    };
    assert_eq!(stream.next().id, id);
    let end = format!("\n\nid: {id}\nevent: test\ndata: \"last\"\n\n");
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        other.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e} after {bytes:?}"));
        bytes.push(byte[0]);
    }
}

/// What a stream brings until its clean end; the reader fails if the end is not clean.
fn rest(stream: &mut EventStream) -> Vec<ReceivedEvent> {
    std::iter::from_fn(|| stream.next_or_end()).collect()
}

#[test]
fn a_stream_that_has_lived_long_enough_ends_cleanly() {
    let server = Server::start(&["--stream-lifetime-seconds", "1"]);
    let mut new = connected(&server, "/events");
    let mut old = old_fashioned(&server);
    let id = publish(&server, 1);
    for stream in [&mut new, &mut old] {
        let events = rest(stream);
        assert_eq!(events.last().unwrap().id, id, "nothing but the end follows");
    }
    server.wait_for_status(|status| status["totals"]["streams_ended"]["lifetime"] == 2);
    server.wait_until_quiet();
}

#[test]
fn a_chunked_stream_ends_with_the_last_chunk_and_nothing_else() {
    let server = Server::start(&["--stream-lifetime-seconds", "1"]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).unwrap();
    assert!(bytes.ends_with(b"\n\n\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn a_stop_tells_every_stream_when_to_come_back() {
    let mut server = Server::start(&["--retry-ms", "3000", "--drain-seconds", "7"]);
    let mut streams = [connected(&server, "/events?subscribe=test"), old_fashioned(&server)];
    let id = publish(&server, "before");
    server.signal(Signal::TERM);
    for stream in &mut streams {
        let events = rest(stream);
        let [.., before, last] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&before.id, &last.id), (&id, &id), "the last words move no resume point");
        assert_eq!(last.name, "system");
        let data: Value = serde_json::from_str(&last.data).unwrap();
        assert_eq!((&data["type"], &data["reason"]), (&"reconnect".into(), &"shutdown".into()));
        assert_eq!(data["retry_ms"].as_u64(), stream.retry_ms());
        assert!(stream.retry_ms().is_some_and(|retry| (3_000..=10_000).contains(&retry)));
        let time = |field: &str| OffsetDateTime::parse(data[field].as_str().unwrap(), &Rfc3339);
        let left = time("deadline").unwrap() - time("timestamp").unwrap();
        assert_eq!(left.whole_seconds(), 10, "by then all are back");
    }
    let report = server.wait_for_log("stopped in");
    for field in ["streams=2", "told=2", "ended_cleanly=2", "cut=0", "unwritten_events=0"] {
        assert!(report.contains(field), "{field} in {report}");
    }
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_silent_stream_shows_that_it_is_alive() {
    let server = Server::start(&["--heartbeat-ms", "50"]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /events HTTP/1.0\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let beat = b"\n\nevent: ping\ndata: keep-alive\n\n";
    while !bytes.ends_with(beat) {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e} after {bytes:?}"));
        bytes.push(byte[0]);
    }
    let mut stream = connected(&server, "/events");
    let id = publish(&server, 1);
    let beats: Vec<_> =
        std::iter::from_fn(|| Some(stream.next())).skip_while(|e| e.id != id).take(4).collect();
    assert!(beats[1..].iter().all(|beat| beat.name == "ping" && beat.id == id), "{beats:?}");
}

/// Publishes for a while, and returns whether it was never silent for as long as half a heartbeat, and
/// the names of what the stream brought meanwhile.
fn busy_for(server: &Server, heartbeat: Duration) -> (bool, Vec<String>) {
    let mut stream = connected(server, "/events");
    let (start, mut last, mut steady) = (Instant::now(), Instant::now(), true);
    let mut id = String::new();
    while start.elapsed() < heartbeat * 2 {
        id = publish(server, 1);
        steady &= last.elapsed() < heartbeat / 2;
        last = Instant::now();
    }
    let events = std::iter::from_fn(|| Some(stream.next()));
    let mut names = Vec::new();
    for event in events {
        names.push(event.name);
        // A heartbeat carries the last id on.
        if event.id == id {
            break;
        }
    }
    (steady, names)
}

#[test]
fn a_busy_stream_needs_no_sign_of_life() {
    const HEARTBEAT: Duration = Duration::from_millis(600);
    let server = Server::start(&["--heartbeat-ms", "600"]);
    let deadline = Instant::now() + PATIENCE;
    // On a machine that stands still for that long, silence is only right: it is tried again.
    loop {
        let (steady, names) = busy_for(&server, HEARTBEAT);
        if steady {
            assert!(names.iter().all(|name| name == "test"), "{names:?}");
            return;
        }
        assert!(Instant::now() < deadline, "the machine is too slow to tell");
    }
}

#[test]
fn the_retry_of_the_last_words_is_a_field_of_theirs() {
    let mut server = Server::start(&[]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /events HTTP/1.0\r\n\r\n").unwrap();
    server.wait_for_status(|status| status["total_connections"] == 1);
    server.signal(Signal::TERM);
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("retry: "), "{last}");
    assert_eq!(EventStreamParser::default().feed(format!("{last}\n\n").as_bytes()).len(), 1);
    assert_eq!(server.wait().code(), Some(0));
}
