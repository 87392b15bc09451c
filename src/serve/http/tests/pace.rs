//! Slow bytes, silence, and ends: every wait has a limit, and the last answer arrives.

use std::time::Duration;

use http::StatusCode;

use super::{LIMITS, Step, connect, converse, text};
use crate::serve::http::{Limits, Persistence, Response};

#[test]
fn what_is_no_http_is_refused_at_its_first_byte() {
    let hello =
        [Step::Send(b"\x16\x03\x01\x02\x00".to_vec()), Step::Wait(Duration::from_secs(3600))];
    let (mut connection, wire) = connect(hello, LIMITS);
    assert_eq!(converse(&mut connection), "400");
    assert!(wire.lock().read_timeout <= Some(LIMITS.keep_alive));
}

#[test]
fn a_reset_is_a_way_to_hang_up() {
    let (mut connection, _) = connect([Step::Reset], LIMITS);
    assert_eq!(converse(&mut connection), "end");
    let (mut connection, _) = connect([Step::Send(b"GET /".to_vec()), Step::Reset], LIMITS);
    assert_eq!(converse(&mut connection), "gone");
}

/// A client that sends `bytes` one by one with a pause before each.
fn slowly(bytes: &str, pause: Duration) -> impl Iterator<Item = Step> {
    bytes.bytes().flat_map(move |byte| [Step::Wait(pause), Step::Send(vec![byte])])
}

#[test]
fn a_slow_head_is_given_up_in_time() {
    let second = Duration::from_secs(1);
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let (mut connection, _) = connect(slowly(get, second), LIMITS);
    assert_eq!(converse(&mut connection), "408");
    let (mut connection, _) = connect(slowly(get, second / 10), LIMITS);
    assert_eq!(converse(&mut connection), "GET / [], end");
}

#[test]
fn a_slow_body_is_given_up_in_time() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\n";
    let two_seconds = Duration::from_secs(2);
    for (framing, body) in [
        ("Content-Length: 20", "01234567890123456789"),
        ("Transfer-Encoding: chunked", "1\r\na\r\n1\r\na\r\n1\r\na\r\n0\r\n\r\n"),
    ] {
        let head = [Step::Send(format!("{head}{framing}\r\n\r\n").into_bytes())];
        let slow = head.clone().into_iter().chain(slowly(body, two_seconds));
        let (mut connection, _) = connect(slow, LIMITS);
        assert_eq!(converse(&mut connection), "408", "{framing}");
        let quick = head.into_iter().chain(slowly(body, two_seconds / 20));
        let (mut connection, _) = connect(quick, LIMITS);
        assert!(converse(&mut connection).ends_with("], end"), "{framing}");
    }
}

#[test]
fn silence_between_requests_is_no_mistake() {
    let get = Step::Send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    let wait = |seconds| Step::Wait(Duration::from_secs(seconds));
    let (mut connection, wire) =
        connect([wait(59), get.clone(), wait(59), get.clone(), wait(61)], LIMITS);
    assert_eq!(converse(&mut connection), "GET / [], GET / [], end");
    assert_eq!(text(&wire.lock().written).matches("HTTP/1.1").count(), 2);
    // Empty lines do not keep it open.
    let crlf = Step::Send(b"\r\n".to_vec());
    let (mut connection, _) = connect([wait(40), crlf, wait(40), get], LIMITS);
    assert_eq!(converse(&mut connection), "end");
}

#[test]
fn without_limits_everything_may_take_its_time() {
    let no_limits = Limits {
        head_bytes: 0,
        head_timeout: Duration::ZERO,
        body_bytes: 0,
        body_timeout: Duration::ZERO,
        keep_alive: Duration::ZERO,
        write_timeout: Duration::ZERO,
    };
    let hour = Duration::from_secs(3600);
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    let (mut connection, _) = connect(slowly(post, hour), no_limits);
    assert_eq!(converse(&mut connection), "POST / [ab], end");
}

#[test]
fn an_early_answer_waits_for_what_is_still_coming() {
    let post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n".to_vec();
    let rest = std::iter::repeat_n(Step::Send(vec![b'x'; 10_000]), 50);
    let (mut connection, wire) = connect([Step::Send(post)].into_iter().chain(rest), LIMITS);
    let request = connection.next_request().unwrap().unwrap();
    let error = connection.read_body(&request).unwrap_err();
    assert!(wire.lock().written.is_empty());
    connection.refuse(&error);
    let wire = wire.lock();
    assert!(text(&wire.written).starts_with("HTTP/1.1 413 Payload Too Large\r\n"));
    assert!(text(&wire.written).contains("\r\nconnection: close\r\n"));
    assert!(wire.shut && wire.hung_up, "all that came was read before closing");
}

#[test]
fn lingering_has_an_end() {
    let post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n".to_vec();
    let drip = [Step::Wait(Duration::from_millis(900)), Step::Send(vec![b'x'])];
    let drips = std::iter::repeat_n(drip, 100).flatten();
    let (mut connection, wire) = connect([Step::Send(post)].into_iter().chain(drips), LIMITS);
    let request = connection.next_request().unwrap().unwrap();
    let response = Response::empty(StatusCode::NOT_FOUND);
    assert_eq!(connection.respond(&request, &response).unwrap(), Persistence::Close);
    assert!(!wire.lock().hung_up, "it did not wait for the last drip");
}
