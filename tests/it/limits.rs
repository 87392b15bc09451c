//! At its limits: connections, descriptors, threads. The server says so, and it recovers by itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Signal};
use serde_json::{Value, json};
use tidings::settings::machine::raise_open_files;

use crate::support::{EventStream, PATIENCE, Response, Server, connect};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: t\r\n\r\n";

/// The answer to a request on a connection that stays open.
fn ask(connection: &mut TcpStream, request: &str) -> Response {
    connection.write_all(request.as_bytes()).unwrap();
    Response::read(connection)
}

/// A connection that has been served and waits for its next request.
fn idle(server: &Server) -> TcpStream {
    let mut connection = connect(server.address, None);
    assert_eq!(ask(&mut connection, HEALTH).head.status, 200);
    connection
}

/// Waits until a new connection is served.
fn wait_for_room(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while server.get("/health").head.status != 200 {
        assert!(Instant::now() < deadline, "there is no room again");
    }
}

/// Checks that a request is refused by status for now.
fn check_refused(answer: &Response, status: u16, code: &str) {
    assert_eq!((answer.head.status, &answer.json()["code"]), (status, &json!(code)));
    let seconds = answer.head.header("retry-after").unwrap().parse::<u64>().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(answer.head.header("connection"), Some("close"));
}

/// Checks that a stream is one that only says why there is none, and when to come back.
fn check_refusal(mut stream: EventStream, reason: &str) {
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    let event = stream.next();
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((event.name.as_str(), event.id.as_str()), ("system", ""));
    assert_eq!((&data["type"], &data["reason"]), (&json!("refused"), &json!(reason)));
    assert!(stream.retry_ms().is_some_and(|retry| retry >= 2_000));
    assert_eq!(data["retry_ms"].as_u64(), stream.retry_ms());
    assert_eq!(stream.next_or_end(), None);
}

#[test]
fn a_full_server_tells_browsers_by_an_event_and_others_by_a_status() {
    let server = Server::start(&["--max-connections", "2"]);
    let held = [idle(&server), idle(&server)];
    check_refused(&server.get("/health"), 503, "too_many_connections");
    check_refused(&server.get("/events"), 503, "too_many_connections");
    check_refused(&server.post("/events/broadcast", "{}"), 503, "too_many_connections");
    check_refusal(server.stream("/events"), "too_many_connections");
    let mut old = connect(server.address, None);
    old.write_all(b"GET /events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    check_refusal(EventStream::answer(old), "too_many_connections");
    drop(held);
    wait_for_room(&server);
    server.wait_until_quiet();
}

#[test]
fn a_server_can_be_told_to_refuse_streams_by_status() {
    let server = Server::start(&["--max-connections", "1", "--refuse-streams", "status"]);
    let held = idle(&server);
    let accept = "GET /events HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\r\n";
    check_refused(&server.send(accept), 503, "too_many_connections");
    drop(held);
    wait_for_room(&server);
}

#[test]
fn an_address_that_holds_too_many_leaves_room_for_others() {
    let server = Server::start(&["--max-connections-per-address", "2"]);
    let held = [idle(&server), idle(&server)];
    check_refused(&server.get("/health"), 429, "too_many_connections_from_address");
    check_refusal(server.stream("/events"), "too_many_connections_from_address");
    // Nobody who is no trusted proxy can pass for someone else.
    let forged = "GET /health HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n";
    check_refused(&server.send(forged), 429, "too_many_connections_from_address");
    let mut other = connect(server.address, Some(Ipv4Addr::new(127, 0, 0, 2)));
    assert_eq!(ask(&mut other, HEALTH).head.status, 200);
    drop(held);
    wait_for_room(&server);
}

#[test]
fn behind_a_proxy_each_client_has_its_own_limit() {
    let server =
        Server::start(&["--trusted-proxies", "127.0.0.1", "--max-connections-per-address", "2"]);
    let open = |client: &str| {
        let header = format!("X-Forwarded-For: {client}");
        EventStream::open(connect(server.address, None), "/events", &[&header])
    };
    let greeted = |client: &str| {
        let mut stream = open(client);
        assert_eq!(stream.next().name, "connected", "{client}");
        stream
    };
    let first = greeted("192.0.2.1");
    // What stands on the left is the client's own word, and counts for nothing.
    let _second = greeted("203.0.113.7, 192.0.2.1");
    check_refusal(open("192.0.2.1"), "too_many_connections_from_address");
    let poll = "GET /events/poll HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    check_refused(&server.send(poll), 429, "too_many_connections_from_address");
    let short = "GET /health HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    assert_eq!(server.send(short).head.status, 200, "what does not last is not counted");
    let _other = greeted("192.0.2.2");
    let shown = server.status()["connections"].clone();
    let ips: Vec<_> = shown.as_array().unwrap().iter().map(|c| c["user_ip"].clone()).collect();
    assert_eq!(ips, ["192.0.2.1", "192.0.2.1", "192.0.2.2"]);
    drop(first);
    server.wait_for_status(|status| status["total_connections"] == 2);
    greeted("192.0.2.1");
}

#[test]
fn who_finds_no_descriptor_left_is_told_and_the_next_is_served() {
    let server = Server::start(&[]);
    server.limit(Resource::Nofile, 40);
    // All of them are there, with their requests, before the first is accepted.
    server.signal(Signal::STOP);
    let mut clients: Vec<_> = (0..50).map(|_| connect(server.address, None)).collect();
    for client in &mut clients {
        client.write_all(HEALTH.as_bytes()).unwrap();
    }
    server.signal(Signal::CONT);
    let mut told = 0;
    // Those who are served keep their connections, so that the rest finds no descriptor.
    for client in &mut clients {
        let answer = Response::read(client);
        if answer.head.status != 200 {
            check_refused(&answer, 503, "overloaded");
            // A reset behind the answer would take it back from a client that reads more slowly.
            assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
            assert!(client.take_error().unwrap().is_none());
            told += 1;
        }
    }
    assert!((10..45).contains(&told), "{told} were told to come back");
    drop(clients);
    wait_for_room(&server);
    server.wait_until_quiet();
}

#[test]
fn who_finds_no_thread_left_is_told_and_the_next_is_served() {
    const STACK: u64 = 1 << 30;
    let server = Server::start(&["--thread-stack-bytes", &STACK.to_string()]);
    let mut busy = connect(server.address, None);
    let body = r#"{"event_type":"test","data":1}"#;
    let head = "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Type: application/json";
    let rest = format!("Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", body.len());
    busy.write_all(format!("{head}\r\n{rest}").as_bytes()).unwrap();
    let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    busy.read_exact(&mut go_on).unwrap();
    // It has the one worker, and there is memory for everything but another one's stack.
    server.limit(Resource::As, (server.measure("VmSize") << 10) + STACK / 2);
    check_refused(&server.get("/health"), 503, "overloaded");
    assert_eq!(ask(&mut busy, body).head.status, 200);
    wait_for_room(&server);
}

#[test]
fn a_connection_that_asks_nothing_more_is_closed() {
    let server = Server::start(&["--keep-alive-seconds", "1"]);
    let mut connection = idle(&server);
    assert_eq!(ask(&mut connection, HEALTH).head.status, 200);
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    server.wait_until_quiet();
}

#[test]
fn five_thousand_connections_that_wait_cost_no_threads() {
    raise_open_files();
    let server = Server::start(&["--max-connections-per-address", "0"]);
    let mut waiting: Vec<_> = (0..5_000).map(|_| idle(&server)).collect();
    assert_eq!(server.status()["server"]["http_connections"], 5_001);
    let deadline = Instant::now() + PATIENCE;
    while server.measure("Threads") > 30 {
        assert!(Instant::now() < deadline, "{} threads", server.measure("Threads"));
        std::thread::sleep(Duration::from_millis(20));
    }
    for connection in waiting.iter_mut().step_by(100) {
        assert_eq!(ask(connection, HEALTH).head.status, 200);
    }
    drop(waiting);
    server.wait_until_quiet();
}
