//! Requests as they should be: what a handler sees and what the client gets.

use http::header::{ACCEPT, ALLOW, HOST};
use http::{Method, StatusCode};

use super::{LIMITS, Step, connect, converse, outcome, sends, text};
use crate::serve::http::{Framing, Limits, Persistence, Request, Response, Version, head};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn parse(text: &str) -> Request {
    head::parse(text.as_bytes()).unwrap()
}

/// The answer to `request` on the wire, without its date.
fn answer(request: &str, response: &Response) -> String {
    let (mut connection, wire) = sends(request.as_bytes());
    let request = connection.next_request().unwrap().unwrap();
    connection.respond(&request, response).unwrap();
    text(&wire.lock().written).replace("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "")
}

#[test]
fn an_answer_has_a_date_a_length_and_its_content_in_one_write() {
    let (mut connection, wire) = sends(GET.as_bytes());
    let request = connection.next_request().unwrap().unwrap();
    let response = Response::text(StatusCode::OK, "hello");
    assert_eq!(connection.respond(&request, &response).unwrap(), Persistence::KeepAlive);
    assert_eq!(
        text(&wire.lock().written),
        "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         content-type: text/plain; charset=utf-8\r\ncontent-length: 5\r\n\r\nhello"
    );
    assert_eq!(wire.lock().writes, 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let requests = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n\
        POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
        POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n\
        DELETE /4 HTTP/1.1\r\nHost: x\r\n\r\n\
        GET /5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n\
        GET /never HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(
        outcome(requests.as_bytes()),
        "GET /1 [], POST /2 [abc], POST /3 [de], DELETE /4 [], GET /5 [], closed"
    );
}

#[test]
fn a_body_larger_than_any_buffer_arrives_whole() {
    let body: String = ('a'..='z').cycle().take(100_000).collect();
    let head = "POST / HTTP/1.1\r\nHost: x\r\n";
    let sized = format!("{head}Content-Length: {}\r\n\r\n{body}{GET}", body.len());
    let chunks: String = body.as_bytes().chunks(999).fold(String::new(), |chunks, chunk| {
        format!("{chunks}{:x}\r\n{}\r\n", chunk.len(), text(chunk))
    });
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n{GET}");
    for request in [sized, chunked] {
        assert_eq!(outcome(request.as_bytes()), format!("POST / [{body}], GET / [], end"));
    }
}

#[test]
fn the_version_decides_whether_the_connection_stays() {
    let check = |version: &str, header: &str, stays: bool| {
        let request = format!("GET / HTTP/{version}\r\nHost: x\r\n{header}\r\n");
        let (mut connection, wire) = sends(request.as_bytes());
        assert_eq!(
            converse(&mut connection),
            if stays { "GET / [], end" } else { "GET / [], closed" }
        );
        let says = |option: &str| {
            text(&wire.lock().written).contains(&format!("\r\nconnection: {option}\r\n"))
        };
        assert_eq!(says("close"), !stays, "{version} {header}");
        assert_eq!(says("keep-alive"), stays && version == "1.0", "{version} {header}");
        assert_eq!(wire.lock().shut, !stays);
    };
    check("1.1", "", true);
    check("1.1", "Connection: close\r\n", false);
    check("1.1", "Connection: Upgrade, CLOSE\r\n", false);
    check("1.1", "Connection: x\r\nConnection: close\r\n", false);
    check("1.1", "Connection: closed\r\n", true);
    check("1.0", "", false);
    check("1.0", "Connection: Keep-Alive\r\n", true);
    check("1.0", "Connection: keep-alive, close\r\n", false);
}

#[test]
fn some_answers_have_no_content() {
    let text = Response::text(StatusCode::OK, "hello");
    let plain = "content-type: text/plain; charset=utf-8\r\n";
    assert_eq!(
        answer("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", &text),
        format!("HTTP/1.1 200 OK\r\n{plain}content-length: 5\r\n\r\n")
    );
    let empty = |status| answer(GET, &Response::empty(status));
    assert_eq!(empty(StatusCode::NO_CONTENT), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(empty(StatusCode::NOT_MODIFIED), "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_eq!(empty(StatusCode::NOT_FOUND), "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let stream = Response::stream("text/event-stream");
    assert_eq!(
        answer("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", &stream),
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    );
}

#[test]
fn a_last_answer_to_head_has_no_content_either() {
    let (mut connection, wire) = sends(b"HEAD / HTTP/1.0\r\n\r\n");
    connection.next_request().unwrap().unwrap();
    connection.close_with(&Response::text(StatusCode::OK, "hello"));
    assert!(text(&wire.lock().written).ends_with("content-length: 5\r\nconnection: close\r\n\r\n"));
}

#[test]
fn no_header_can_add_another() {
    let response = Response::empty(StatusCode::OK)
        .header(ALLOW, "GET\r\nX: y")
        .add_header(ALLOW, "a\0b")
        .header(ACCEPT, "fine");
    assert_eq!(
        answer(GET, &response),
        "HTTP/1.1 200 OK\r\naccept: fine\r\ncontent-length: 0\r\n\r\n"
    );
}

#[test]
fn what_the_connection_decides_no_handler_can() {
    let response = Response::text(StatusCode::OK, "hello")
        .header(http::header::CONTENT_LENGTH, "99")
        .header(http::header::TRANSFER_ENCODING, "chunked")
        .header(http::header::CONNECTION, "close");
    assert!(answer(GET, &response).ends_with("utf-8\r\ncontent-length: 5\r\n\r\nhello"));
}

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn who_waits_to_send_is_told_to() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let steps = [Step::Send(head.into()), Step::Send(b"ab".to_vec())];
    let (mut connection, wire) = connect(steps, LIMITS);
    let request = connection.next_request().unwrap().unwrap();
    assert!(wire.lock().written.is_empty(), "not before the body is wanted");
    assert_eq!(connection.read_body(&request).unwrap(), b"ab");
    assert_eq!(text(&wire.lock().written), CONTINUE);
}

#[test]
fn who_did_not_wait_is_not_told() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab";
    let (mut connection, wire) = sends(head.as_bytes());
    assert_eq!(converse(&mut connection), "POST / [ab], end");
    assert!(!text(&wire.lock().written).contains("100 Continue"));
    // HTTP/1.0 does not know interim answers.
    let head = head.replace("1.1", "1.0");
    let (mut connection, wire) = connect([Step::Send(head.into_bytes())], LIMITS);
    assert_eq!(converse(&mut connection), "POST / [ab], closed");
    assert!(!text(&wire.lock().written).contains("100 Continue"));
}

#[test]
fn who_would_send_too_much_is_not_told_to() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n";
    let limits = Limits { body_bytes: 10, ..LIMITS };
    let (mut connection, wire) = connect([Step::Send(head.into())], limits);
    assert_eq!(converse(&mut connection), "413");
    assert!(!text(&wire.lock().written).contains("100 Continue"));
}

#[test]
fn a_body_nobody_wanted_is_passed_over_if_it_is_small() {
    let check = |framing: &str, body: &str, stays: bool| {
        let requests = format!("POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}{GET}");
        let (mut connection, _) = sends(requests.as_bytes());
        let request = connection.next_request().unwrap().unwrap();
        let persistence =
            connection.respond(&request, &Response::empty(StatusCode::NOT_FOUND)).unwrap();
        if stays {
            assert_eq!(persistence, Persistence::KeepAlive, "{framing}");
            assert_eq!(connection.next_request().unwrap().unwrap().method, Method::GET);
        } else {
            assert_eq!(persistence, Persistence::Close, "{framing}");
        }
    };
    let long = "x".repeat(70_000);
    check("Content-Length: 3", "abc", true);
    check("Content-Length: 70000", &long, false);
    check("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", true);
    check("Transfer-Encoding: chunked", &format!("11170\r\n{long}\r\n0\r\n\r\n"), false);
    check("Transfer-Encoding: chunked", "oops\r\n", false);
    // It may come or not: nobody can tell it from a request.
    check("Expect: 100-continue\r\nContent-Length: 3", "abc", false);
}

#[test]
fn a_body_is_read_once() {
    let (mut connection, _) = sends(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    let request = connection.next_request().unwrap().unwrap();
    assert_eq!(connection.read_body(&request).unwrap(), b"abc");
    assert_eq!(connection.read_body(&request).unwrap(), b"");
}

#[test]
fn a_connection_is_handed_over_with_what_was_read() {
    let (mut connection, _) = sends(format!("{GET}\x01frames").as_bytes());
    connection.next_request().unwrap().unwrap();
    assert_eq!(connection.into_parts().1, b"\x01frames");
}

#[test]
fn targets_have_four_forms() {
    let check = |line: &str, path: &str, host: &str| {
        let request = parse(&format!("{line} HTTP/1.1\r\nHost: header\r\n\r\n"));
        assert_eq!((request.path(), request.host()), (path, host), "{line}");
    };
    check("GET /a/b?c", "/a/b", "header");
    check("GET http://target/a?b", "/a", "target");
    check("GET HTTPS://target:80", "/", "target:80");
    check("GET http://target?a", "/", "target");
    check("OPTIONS *", "*", "header");
    check("OPTIONS http://target", "*", "target");
    check("OPTIONS /a", "/a", "header");
}

#[test]
fn paths_fall_into_segments() {
    let check = |path: &str, expected: &[&str]| {
        let request = parse(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(request.segments(), expected, "{path}");
        assert_eq!(request.path(), path);
    };
    check("/", &[""]);
    check("/a", &["a"]);
    check("/a/", &["a", ""]);
    check("//a", &["", "a"]);
    check("/a/b%2Fc/%c3%a9+", &["a", "b/c", "\u{e9}+"]);
}

#[test]
fn queries_are_pairs() {
    let request = parse("GET /?a=1&b=x+y%26&a=2&c&=d&%61=%ff HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(request.query("a").as_deref(), Some("1"));
    assert_eq!(request.query_all("a").collect::<Vec<_>>(), ["1", "2", "\u{fffd}"]);
    assert_eq!(request.query("b").as_deref(), Some("x y&"));
    assert_eq!(request.query("c").as_deref(), Some(""));
    assert_eq!(request.query("d"), None);
    assert_eq!(parse(GET).query("a"), None);
}

#[test]
fn cookies_are_found_in_all_lines() {
    let request = parse(
        "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=1; sid=one; broken; sid=two\r\nCookie: b=\"2\"; =x\r\n\r\n",
    );
    assert_eq!(request.cookie("a"), Some("1"));
    assert_eq!(request.cookie("sid"), Some("one"));
    assert_eq!(request.cookie("b"), Some("\"2\""));
    assert_eq!(request.cookie("broken"), None);
    assert_eq!(parse(GET).cookie("a"), None);
}

#[test]
fn heads_say_how_the_body_comes() {
    let check = |header: &str, expected: Framing| {
        let request = parse(&format!("PUT / HTTP/1.1\r\nHost: x\r\n{header}\r\n"));
        assert_eq!(request.framing, expected, "{header}");
    };
    check("", Framing::None);
    check("Content-Length: 0\r\n", Framing::None);
    check("Content-Length: 7\r\n", Framing::Length(7));
    check("Transfer-Encoding: Chunked\r\n", Framing::Chunked);
}

#[test]
fn repeated_headers_are_kept_apart() {
    let request = parse("GET / HTTP/1.0\r\nA: 1\r\na:2\r\nhOST: x\r\n\r\n");
    assert_eq!(request.version, Version::Http10);
    assert_eq!(request.headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(request.header(&HOST), Some("x"));
}
