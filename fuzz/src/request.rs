//! Requests: a whole connection, from the client's bytes to the server's answers.
//!
//! The first byte is the size of the pieces in which the rest arrives. Promises: no panic; what the
//! server understands does not depend on the pieces; what it accepts is framed in one way only; a
//! body is within its limit; every request and every refusal has one answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use tidings::clock::ManualClock;
use tidings::serve::address;
use tidings::serve::http::{
    Connection, Framing, Limits, Persistence, Request, RequestError, Response, Version,
};

use super::split_size;
use super::wire::Wire;

/// Small, so that an input can exceed them.
const LIMITS: Limits = Limits {
    head_bytes: 1024,
    head_timeout: Duration::from_secs(10),
    body_bytes: 256,
    body_timeout: Duration::from_secs(10),
    keep_alive: Duration::from_secs(10),
    write_timeout: Duration::from_secs(10),
};

/// Runs a connection.
pub fn check(data: &[u8]) {
    let Some((piece, bytes)) = split_size(data) else { return };
    let whole = converse(bytes, usize::MAX);
    assert_eq!(converse(bytes, piece), whole, "the pieces make a difference");
}

/// What the server understood, as text, and what it answered.
fn converse(bytes: &[u8], piece: usize) -> (Vec<String>, Vec<u8>) {
    let wire = Wire::new(bytes, piece);
    let clock = Arc::new(ManualClock::at(0));
    let mut connection = Connection::new(wire.clone(), LIMITS, clock);
    let mut understood = Vec::new();
    let mut answers = 0;
    loop {
        match serve_one(&mut connection) {
            Ok(None) => break,
            Ok(Some((request, persistence))) => {
                answers += 1;
                understood.push(request);
                if persistence == Persistence::Close {
                    break;
                }
            }
            Err(error) => {
                understood.push(error.to_string());
                answers += usize::from(error.response().is_some());
                connection.refuse(&error);
                break;
            }
        }
    }
    let written = without_interim(&wire.written());
    assert_eq!(answers_in(&written), answers, "each request has one answer");
    (understood, written)
}

fn serve_one(
    connection: &mut Connection<Wire>,
) -> Result<Option<(String, Persistence)>, RequestError> {
    let Some(request) = connection.next_request()? else { return Ok(None) };
    check_framing(&request);
    // Some bodies are read, others passed over.
    let body = match request.method.as_str().len() % 2 {
        0 => connection.read_body(&request)?,
        _ => Vec::new(),
    };
    assert!(body.len() <= LIMITS.body_bytes);
    let seen = format!("{request:?} {} {body:?}", look_at(&request));
    let persistence = connection.respond(&request, &Response::text(StatusCode::OK, "ok"))?;
    Ok(Some((seen, persistence)))
}

/// What was accepted can be understood in one way only.
fn check_framing(request: &Request) {
    let lengths: Vec<_> = request.headers.get_all(CONTENT_LENGTH).iter().collect();
    let codings: Vec<_> = request.headers.get_all(TRANSFER_ENCODING).iter().collect();
    match request.framing {
        Framing::None => {
            assert!(codings.is_empty() && lengths.len() <= 1);
            assert!(lengths.iter().all(|length| length.as_bytes().iter().all(|&b| b == b'0')));
        }
        Framing::Length(length) => {
            assert!(codings.is_empty() && lengths.len() == 1);
            let digits = lengths[0].to_str().expect("digits are text");
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(digits.parse(), Ok(length));
        }
        Framing::Chunked => {
            assert!(lengths.is_empty() && codings.len() == 1 && request.version == Version::Http11);
            assert!(codings[0].as_bytes().eq_ignore_ascii_case(b"chunked"));
        }
    }
    let hosts = request.headers.get_all(HOST).iter().count();
    assert!(hosts == 1 || (hosts == 0 && request.version == Version::Http10));
}

/// Everything a handler might ask.
fn look_at(request: &Request) -> String {
    let segments = request.segments();
    for segment in &segments {
        assert!(!segment.contains(char::is_control) && *segment != ".." && *segment != ".");
    }
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let trusted = ["127.0.0.0/8".parse().expect("a network")];
    format!(
        "{segments:?} {:?} {:?} {:?} {} {} {:?} {}",
        request.query("a"),
        request.query_all("b").collect::<Vec<_>>(),
        request.cookie("sid"),
        request.accepts("text/event-stream"),
        request.names_event_stream(),
        request.content_type(),
        address::client_address(proxy, &request.headers, &trusted),
    )
}

/// Whether `100 Continue` is sent depends on what has arrived by then, and so on the pieces.
fn without_interim(written: &[u8]) -> Vec<u8> {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut rest = written;
    let mut kept = Vec::new();
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(interim) {
            rest = after;
        } else {
            kept.push(first);
            rest = tail;
        }
    }
    kept
}

/// How many first lines of answers there are.
fn answers_in(written: &[u8]) -> usize {
    let is_first_line =
        |text: &&[u8]| text.starts_with(b"HTTP/1.1 ") && text[9..12].iter().all(u8::is_ascii_digit);
    written.windows(12).filter(is_first_line).count()
}
