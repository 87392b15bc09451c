//! Clients that are slow, stop reading, or vanish without a word: they are sent the newest, or found
//! out and cut; they lose nothing that counts; and the others notice nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use socket2::{Domain, SockFilter, SockRef, Socket, Type};
use tidings::event::parser::{EventStreamParser, ReceivedEvent};

use crate::support::{EventStream, PATIENCE, Server, connect};

/// A connection that takes little unread.
fn narrow(to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&to.into()).unwrap();
    let connection = TcpStream::from(socket);
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// A stream whose client reads nothing for now.
pub(crate) fn unread_stream(server: &Server) -> TcpStream {
    let mut connection = narrow(server.address);
    let request = "GET /events?session_id=slow HTTP/1.0\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    server.wait_for_status(|status| status["connections"][0]["session_id"] == "slow");
    connection
}

/// A stream of a client that reads all along.
fn reader(server: &Server) -> EventStream {
    let mut reader = server.stream("/events?session_id=reader");
    assert_eq!(reader.next().name, "connected");
    reader
}

/// What the client of an unread stream finds when it reads at last, up to the end.
fn read_late(connection: &mut TcpStream) -> Vec<ReceivedEvent> {
    let mut bytes = Vec::new();
    if let Err(error) = connection.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let mut events = EventStreamParser::default().feed(&bytes[head..]);
    assert_eq!(events.remove(0).name, "connected");
    events
}

/// Broadcasts something large, which `reader` receives at once; its id.
pub(crate) fn publish_large(server: &Server, reader: &mut EventStream) -> String {
    let body = format!(r#"{{"event_type":"test","data":"{}"}}"#, "x".repeat(200_000));
    let id = server.post("/events/broadcast", &body).json()["event_id"].clone();
    let event = reader.next();
    assert_eq!(json!(event.id), id);
    event.id
}

/// Broadcasts until something waits for the slow stream, or it is gone already; the ids.
fn publish_until_one_waits(server: &Server, reader: &mut EventStream) -> Vec<String> {
    let mut ids = Vec::new();
    let waits_for_none =
        |connection: &Value| connection["session_id"] == "slow" && connection["queue_size"] == 0;
    while server.status()["connections"].as_array().unwrap().iter().any(waits_for_none) {
        assert!(ids.len() < 500, "nothing ever waits");
        ids.push(publish_large(server, reader));
    }
    ids
}

/// Publishes an update, or the last word with this key, or something without a key.
fn publish(server: &Server, data: &Value, key: Option<&str>, terminal: bool) {
    let event = json!({"event_type": "test", "data": data, "key": key, "terminal": terminal});
    let answer = server.post("/events/broadcast", &event.to_string());
    assert_eq!(answer.head.status, 200, "{}", answer.body);
}

#[test]
fn a_slow_client_is_sent_the_newest_of_each_key_and_everything_else() {
    let mut server = Server::start(&["--stream-queue-events", "10", "--stream-queue-bytes", "0"]);
    let mut slow = unread_stream(&server);
    let mut reader = reader(&server);
    let filling = publish_until_one_waits(&server, &mut reader);
    for n in 1..=100 {
        publish(&server, &json!({"percent": n}), Some("job:1"), false);
        publish(&server, &json!(n), Some("plain"), false);
        if n % 50 == 0 {
            publish(&server, &json!({"note": n}), None, false);
        }
    }
    publish(&server, &json!({"done": true}), Some("job:1"), true);
    let seen: Vec<String> = (0..203).map(|_| reader.next().data).collect();
    let conflated = seen.iter().filter(|data| data.contains("conflated")).count();
    server.wait_for_status(|status| status["totals"]["events_conflated"] == 99 + 100);
    let status = server.status();
    let by_stream: Vec<_> = (0..2).map(|n| &status["connections"][n]["events_conflated"]).collect();
    assert_eq!((by_stream, conflated), (vec![&json!(199), &json!(0)], 0));

    server.signal(rustix::process::Signal::TERM);
    let mut late = read_late(&mut slow);
    late.retain(|event| !filling.contains(&event.id));
    let late: Vec<&str> = late.iter().map(|event| event.data.as_str()).collect();
    let (goodbye, late) = late.split_last().unwrap();
    assert!(goodbye.contains("reconnect"));
    let expected =
        [r#"{"note":50}"#, "100", r#"{"note":100}"#, r#"{"done":true, "conflated": 101}"#];
    assert_eq!(late, expected);
    assert!(server.wait().success());
}

#[test]
fn a_ceiling_on_updates_lets_through_the_first_at_once_and_always_the_last() {
    let server = Server::start(&["--stream-max-updates-per-second", "1"]);
    let mut reader = reader(&server);
    publish(&server, &json!({"n": 1}), Some("k"), false);
    assert_eq!(reader.next().data, r#"{"n":1}"#);
    for n in 2..=50 {
        publish(&server, &json!({"n": n}), Some("k"), false);
    }
    let (mut stands_for, mut seen) = (1, Vec::new());
    while stands_for < 50 {
        let data: Value = serde_json::from_str(&reader.next().data).unwrap();
        stands_for += data["conflated"].as_u64().unwrap_or(1);
        seen.push(data["n"].to_string());
    }
    assert_eq!((stands_for, seen.last().unwrap().as_str()), (50, "50"));
    assert!(seen.len() < 49, "{seen:?}");
    assert_eq!(server.status()["limits"]["max_updates_per_second"], 1);
}

#[test]
fn a_client_for_whom_too_much_waits_is_cut_and_loses_nothing_and_the_others_notice_nothing() {
    let server = Server::start(&["--stream-queue-bytes", "1000000"]);
    let mut slow = unread_stream(&server);
    let mut reader = reader(&server);
    let mut ids = Vec::new();
    while server.status()["totals"]["streams_ended"]["slow_consumer"] == 0 {
        assert!(ids.len() < 500, "it may queue for ever");
        ids.push(publish_large(&server, &mut reader));
    }
    ids.push(publish_large(&server, &mut reader));

    let mut got = read_late(&mut slow);
    let last = got.last().map_or(String::new(), |event| event.id.clone());
    assert!(got.len() < ids.len(), "it was cut before the end");
    let header = format!("Last-Event-ID: {last}");
    let path = "/events?session_id=slow";
    let mut again = EventStream::open(connect(server.address, None), path, &[&header]);
    assert_eq!(again.next().name, "connected");
    while got.len() < ids.len() {
        got.push(again.next());
    }
    assert_eq!(got.into_iter().map(|event| event.id).collect::<Vec<_>>(), ids);
}

/// Flags of a server on which nothing but the write deadline ends a slow stream.
const ONLY_STUCK: &[&str] = &[
    "--stream-queue-bytes",
    "0",
    "--stream-queue-events",
    "0",
    "--stream-write-timeout-seconds",
    "2",
];

/// By its own writer, or by the kernel: on a machine that is slow to fill the socket's buffer the kernel's
/// time, which begins when the client's window closes, can be over first.
const FOUND_OUT: &[&str] = &["stuck", "client_gone"];

#[test]
fn a_client_that_stops_reading_is_ended() {
    let server = Server::start(ONLY_STUCK);
    let _slow = unread_stream(&server);
    let mut reader = reader(&server);
    publish_until_one_waits(&server, &mut reader);
    wait_for_one_left(&server, FOUND_OUT);
    publish_large(&server, &mut reader);
}

/// A byte now and then opens no room in the client's window: to the server it is one that stands still.
#[test]
fn a_client_that_reads_byte_by_byte_is_ended_as_well() {
    let server = Server::start(ONLY_STUCK);
    let slow = unread_stream(&server);
    let mut reader = reader(&server);
    publish_until_one_waits(&server, &mut reader);
    server.wait_for_status(|status| {
        // Once it is cut, there may be nothing left to read.
        let _ = (&slow).read(&mut [0]);
        status["total_connections"] == 1
    });
    wait_for_one_left(&server, FOUND_OUT);
    publish_large(&server, &mut reader);
}

/// From now on nothing reaches the client, so that it answers nothing: neither data nor probes nor an end.
/// As if its cable was cut; the other side sees no FIN and no RST.
fn vanish(connection: &TcpStream) {
    /// The filter's one instruction: keep zero bytes of every segment (`BPF_RET | BPF_K`).
    const DROP: SockFilter = SockFilter::new(0x06, 0, 0, 0);
    SockRef::from(connection).attach_filter(&[DROP]).unwrap();
}

/// Two streams, of which the second vanishes; the first is there to the end.
fn one_vanishes(flags: &[&str]) -> (Server, EventStream, TcpStream) {
    let server = Server::start(flags);
    let reader = reader(&server);
    let connection = narrow(server.address);
    let mut stream = EventStream::open(connection.try_clone().unwrap(), "/events", &[]);
    assert_eq!(stream.next().name, "connected");
    server.wait_for_status(|status| status["total_connections"] == 2);
    vanish(&connection);
    (server, reader, connection)
}

fn wait_for_one_left(server: &Server, reasons: &[&str]) {
    server.wait_for_status(|status| status["total_connections"] == 1);
    let status = server.status();
    assert_eq!(status["connections"][0]["session_id"], "reader");
    let ended = &status["totals"]["streams_ended"];
    assert!(reasons.iter().any(|reason| ended[reason] == 1), "{ended}");
}

#[test]
fn an_idle_client_that_vanishes_is_found_out_by_its_heartbeats() {
    let flags = &["--heartbeat-ms", "200", "--stream-write-timeout-seconds", "1"];
    let (server, _reader, _vanished) = one_vanishes(flags);
    wait_for_one_left(&server, &["client_gone"]);
}

#[test]
fn without_heartbeats_it_is_found_out_by_the_kernels_own_probes() {
    let flags = &["--heartbeat-ms", "0", "--stream-write-timeout-seconds", "1"];
    let (server, _reader, _vanished) = one_vanishes(flags);
    wait_for_one_left(&server, &["client_gone"]);
}

#[test]
fn a_client_that_vanishes_while_little_is_sent_is_found_out_by_the_kernel() {
    let flags = &["--heartbeat-ms", "0", "--stream-write-timeout-seconds", "1"];
    let (server, mut reader, _vanished) = one_vanishes(flags);
    publish(&server, &json!(1), None, false);
    assert_eq!(reader.next().data, "1");
    wait_for_one_left(&server, &["client_gone"]);
}

#[test]
fn a_client_that_vanishes_while_much_is_sent_is_found_out() {
    let (server, mut reader, _vanished) = one_vanishes(ONLY_STUCK);
    // More than Linux holds for one connection, so that the server has to keep the rest.
    for _ in 0..40 {
        publish_large(&server, &mut reader);
    }
    wait_for_one_left(&server, FOUND_OUT);
    publish_large(&server, &mut reader);
}
