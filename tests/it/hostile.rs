//! Clients that mean harm or know no better. Whatever they do, the server answers the next one, and
//! nothing of them is left behind.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use socket2::SockRef;
use tidings::event::parser::{EventStreamParser, ReceivedEvent};
use tidings::settings::machine::raise_open_files;

use crate::support::{EventStream, PATIENCE, Response, Server, connect};

/// Checks that the server is as it was before anyone came.
fn check_unharmed(server: &Server) {
    server.wait_until_quiet();
    assert_eq!(server.get("/health").head.status, 200);
}

/// Sends bytes and reads whatever comes back until the end, which a reset is as well.
fn say(server: &Server, bytes: &[u8]) -> String {
    let mut connection = connect(server.address, None);
    // The server may hang up before it has heard everything.
    let _ = connection.write_all(bytes);
    read_out(&mut connection)
}

fn read_out(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match connection.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}: {answer:?}"),
        _ => String::from_utf8(answer).unwrap(),
    }
}

/// Hangs up without a word: the peer sees a reset, not an end.
fn vanish(connection: TcpStream) {
    SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
    drop(connection);
}

#[test]
fn a_head_that_comes_byte_by_byte_runs_out_of_time() {
    let server = Server::start(&["--head-timeout-seconds", "1"]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (deadline, mut first) = (Instant::now() + PATIENCE, [0]);
    // Each byte comes in good time; the head does not.
    while let Err(error) = connection.read_exact(&mut first) {
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        assert!(Instant::now() < deadline, "it may go on for ever");
        connection.write_all(b"x").unwrap();
    }
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = read_out(&mut connection);
    assert!(answer.starts_with("TTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
    check_unharmed(&server);
}

#[test]
fn a_body_that_does_not_come_runs_out_of_time() {
    let server = Server::start(&["--body-timeout-seconds", "1"]);
    for framing in ["Content-Length: 10\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{"] {
        let head =
            "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
        let answer = say(&server, format!("{head}{framing}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 408 "), "{framing}: {answer}");
    }
    check_unharmed(&server);
}

#[test]
fn a_connection_that_never_says_anything_is_closed() {
    let server = Server::start(&["--head-timeout-seconds", "1"]);
    assert_eq!(say(&server, b""), "");
    check_unharmed(&server);
}

#[test]
fn what_is_too_large_is_told_so_and_hears_it() {
    let server = Server::start(&[]);
    let check = |request: &str, status: u16, code: &str| {
        let answer = server.send(request);
        let problem = answer.json();
        assert_eq!((answer.head.status, &problem["code"]), (status, &json!(code)));
        assert_eq!(answer.head.header("connection"), Some("close"));
    };
    let head = |lines: &str| format!("GET /health HTTP/1.1\r\nHost: t\r\n{lines}\r\n");
    check(&head(&format!("X: {}\r\n", "x".repeat(20_000))), 431, "head_too_large");
    check(&head(&"X: x\r\n".repeat(1_000)), 431, "head_too_large");
    check(
        &format!("GET /{} HTTP/1.1\r\nHost: t\r\n\r\n", "x".repeat(20_000)),
        414,
        "target_too_long",
    );
    check(&"x".repeat(20_000), 414, "target_too_long");

    // The client has sent it all before it reads: a reset would take the answer from it.
    let post = "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
    let body = "x".repeat(3 << 20);
    let sized = format!("{post}Content-Length: {}\r\n\r\n{body}", body.len());
    check(&sized, 413, "body_too_large");
    let chunked =
        format!("{post}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    check(&chunked, 413, "body_too_large");
    check_unharmed(&server);
}

#[test]
fn a_request_hidden_in_another_is_never_answered() {
    let server = Server::start(&[]);
    let hidden = "GET /events/status HTTP/1.1\r\nHost: t\r\n\r\n";
    let check = |lines: &str, body: &str| {
        let head = format!("POST /events/broadcast HTTP/1.1\r\nHost: t\r\n{lines}\r\n\r\n");
        let answer = say(&server, format!("{head}{body}{hidden}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lines:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lines:?}: {answer}");
    };
    check("Content-Length: 0\r\nTransfer-Encoding: chunked", "0\r\n\r\n");
    check("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n");
    check("Content-Length: 5\r\nContent-Length: 0", "0\r\n\r\n");
    check("Content-Length: 0\r\nContent-Length: 0", "");
    check("Content-Length: 0, 5", "");
    check("Content-Length: +0", "");
    check("Content-Length: 0x0", "");
    check("Content-Length : 0", "");
    check("Transfer-Encoding: xchunked", "0\r\n\r\n");
    check("Transfer-Encoding: chunked, identity", "0\r\n\r\n");
    check("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n");
    check("Transfer-Encoding:\x0bchunked", "0\r\n\r\n");
    check("Transfer-Encoding: chunked", "0_0\r\n\r\n");
    check("Transfer-Encoding: chunked", "-1\r\n\r\n");
    check("Transfer-Encoding: chunked", "2\r\n{}x\r\n0\r\n\r\n");
    check("X: x\r\n Content-Length: 5", "");
    check("X: x\rContent-Length: 5", "");
    check("X: \0", "");
    check_unharmed(&server);
}

#[test]
fn who_only_says_no_more_still_gets_the_answer() {
    let server = Server::start(&[]);
    let check = |request: &str, expected: &str| {
        let mut connection = connect(server.address, None);
        connection.write_all(request.as_bytes()).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let answer = read_out(&mut connection);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(expected), "{answer}");
    };
    let body = r#"{"event_type":"test","data":1}"#;
    check("GET /health HTTP/1.1\r\nHost: t\r\n\r\n", "");
    check("GET /health HTTP/1.0\r\n\r\n", "");
    check(
        &format!(
            "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        "event_id",
    );
    check_unharmed(&server);
}

#[test]
fn a_stream_whose_client_says_no_more_counts_as_left() {
    let server = Server::start(&[]);
    let connection = connect(server.address, None);
    let other_half = connection.try_clone().unwrap();
    let mut stream = EventStream::open(connection, "/events", &[]);
    assert_eq!(stream.next().name, "connected");
    other_half.shutdown(Shutdown::Write).unwrap();
    check_unharmed(&server);
    assert_eq!(server.status()["totals"]["streams_ended"]["client_gone"], 1);
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let server = Server::start(&[]);
    for said in [
        "",
        "G",
        "GET /health HT",
        "GET /health HTTP/1.1\r\nHost: t\r\n",
        "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{",
        "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{",
        "GET /health HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /events/poll?since=0 HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: t\r\n\r\n",
    ] {
        for hang_up in [drop, vanish] {
            let mut connection = connect(server.address, None);
            connection.write_all(said.as_bytes()).unwrap();
            hang_up(connection);
        }
    }
    check_unharmed(&server);
    assert_eq!(server.status()["totals"]["events_published"], 0);
}

#[test]
fn requests_sent_all_at_once_are_answered_in_their_order() {
    let server = Server::start(&[]);
    let mut connection = connect(server.address, None);
    let paths: Vec<_> = (0..300).map(|n| if n % 3 == 0 { "/health" } else { "/nothing" }).collect();
    let ask = |path| format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n");
    let requests: Vec<_> = paths.iter().map(ask).collect();
    connection.write_all(requests.concat().as_bytes()).unwrap();
    for (n, path) in paths.iter().enumerate() {
        let status = Response::read(&mut connection).head.status;
        assert_eq!(status, if *path == "/health" { 200 } else { 404 }, "request {n}");
    }
    drop(connection);
    check_unharmed(&server);
}

#[test]
fn what_is_no_http_is_answered_and_closed() {
    let server = Server::start(&[]);
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(10_000).collect();
    let cases: [(&[u8], &str); 9] = [
        // A TLS client's first words to the plain port.
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400 "),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 "),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 400 "),
        (b"\0\0\0\0\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /health HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /health HTTP/9.9\r\nHost: t\r\n\r\n", "HTTP/1.1 505 "),
        (b"CONNECT t:80 HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 501 "),
        (b"\n\n\n\n\n\n\n\n\n\n\r\n\r\n", "HTTP/1.1 400 "),
    ];
    for (bytes, expected) in cases {
        let answer = say(&server, bytes);
        assert!(answer.starts_with(expected), "{}: {answer}", bytes.escape_ascii());
    }
    // Whether noise looks like the beginning of a request is chance.
    let mut connection = connect(server.address, None);
    let _ = connection.write_all(&noise);
    drop(connection);
    check_unharmed(&server);
}

#[test]
fn a_stream_does_not_mind_a_client_that_goes_on_talking() {
    let server = Server::start(&[]);
    let connection = connect(server.address, None);
    let mut talk = connection.try_clone().unwrap();
    let mut stream = EventStream::open(connection, "/events", &[]);
    stream.next();
    for n in 0..50 {
        talk.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
        server.post("/events/broadcast", &format!(r#"{{"event_type":"test","data":{n}}}"#));
        assert_eq!(stream.next().data, n.to_string());
    }
    drop((stream, talk));
    check_unharmed(&server);
}

#[test]
fn a_stream_client_that_floods_the_server_is_no_burden() {
    let server = Server::start(&[]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let flood = vec![b'x'; 1 << 20];
    // It may be cut off in the middle of it, or not be listened to.
    connection.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let written = (0..16).map_while(|_| connection.write_all(&flood).ok()).count();
    let mut others = server.stream("/events");
    assert_eq!(others.next().name, "connected", "after {written} MiB");
    drop((connection, others));
    check_unharmed(&server);
}

#[test]
fn two_thousand_connections_come_and_go() {
    raise_open_files();
    let server = Server::start(&["--max-connections-per-address", "0"]);
    let heads = [
        "",
        "GET /hea",
        "GET /health HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: t\r\n\r\n",
    ];
    let open: Vec<_> = (0..2_000)
        .map(|n| {
            let mut connection = connect(server.address, None);
            connection.write_all(heads[n % heads.len()].as_bytes()).unwrap();
            connection
        })
        .collect();
    server.wait_for_status(|status| {
        status["server"]["http_connections"] == 2_001 && status["total_connections"] == 500
    });
    for (n, connection) in open.into_iter().enumerate() {
        if n % 8 < 4 { vanish(connection) } else { drop(connection) }
    }
    for _ in 0..2_000 {
        drop(connect(server.address, None));
    }
    check_unharmed(&server);
    let mut stream = server.stream("/events");
    assert_eq!(stream.next().name, "connected");
}

#[test]
fn data_cannot_pretend_to_be_more_than_data() {
    let server = Server::start(&[]);
    let mut connection = connect(server.address, None);
    connection.write_all(b"GET /events HTTP/1.0\r\n\r\n").unwrap();
    server.wait_for_status(|status| status["total_connections"] == 1);
    // Line ends between JSON's tokens are the publisher's to choose; what follows them is not.
    for line_end in ["\n", "\r", "\r\n", "\n\n", "\r\r\n"] {
        let data = format!("[1,{line_end}{line_end}\"id: 0-0\",{line_end}\"event: evil\"]");
        let body = format!(r#"{{"event_type":"test","data":{data}}}"#);
        assert_eq!(server.post("/events/broadcast", &body).head.status, 200);
    }
    server.post("/events/broadcast", r#"{"event_type":"test","data":"end"}"#);
    let (mut parser, mut events, mut buffer) =
        (EventStreamParser::default(), Vec::new(), [0; 4096]);
    while !events.iter().any(|event: &ReceivedEvent| event.data == r#""end""#) {
        let count = connection.read(&mut buffer).unwrap();
        events.extend(parser.feed(&buffer[..count]));
    }
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["connected", "test", "test", "test", "test", "test", "test"]);
    assert!(events.iter().all(|event| event.id != "0-0"));
}
