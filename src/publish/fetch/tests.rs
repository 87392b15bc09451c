//! The fetcher against servers on this machine that are not what they should be.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::clock::SystemClock;

/// A server that answers each connection by `answer`, and tells what it was asked.
struct Server {
    address: SocketAddr,
    heads: Receiver<String>,
}

type Answer = fn(&mut TcpStream, &str) -> io::Result<()>;

fn serve_at(ip: [u8; 4], answer: Answer) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::from(ip), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, heads) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let head = head.join("\n");
            if asked.send(head.clone()).is_err() {
                return;
            }
            // The fetcher hanging up is what half of the tests are about.
            let _ = answer(&mut stream, &head);
        }
    });
    Server { address, heads }
}

fn serve(answer: Answer) -> Server {
    serve_at([127, 0, 0, 1], answer)
}

fn hello(stream: &mut TcpStream, _: &str) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nSet-Cookie: a=b\r\n\
          Content-Length: 5\r\n\r\nhello",
    )
}

impl Server {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn was_asked(&self) -> bool {
        self.heads.try_recv().is_ok()
    }
}

/// Limits under which a server on this machine may be asked.
fn open() -> Limits {
    Limits { private_addresses: true, ..Limits::default() }
}

fn fetch(limits: Limits, url: &str) -> Result<Fetched, FetchError> {
    Fetcher::new(limits, Arc::new(SystemClock)).fetch(url, &|| false)
}

#[test]
fn a_document_comes_with_its_type() {
    let server = serve(hello);
    let url = server.url("/x");
    let expected = Fetched {
        bytes: b"hello".into(),
        content_type: Some("text/plain".into()),
        url: url.clone(),
    };
    assert_eq!(fetch(open(), &url).unwrap(), expected);
}

#[test]
fn nothing_secret_is_sent_along() {
    let server = serve(hello);
    let fetcher = Fetcher::new(open(), Arc::new(SystemClock));
    for _ in 0..2 {
        fetcher.fetch(&server.url("/x"), &|| false).unwrap();
        let head = server.heads.recv().unwrap().to_lowercase();
        assert!(head.starts_with("get /x http/1.1"), "{head}");
        for name in ["cookie", "authorization", "referer"] {
            assert!(!head.contains(name), "{head}");
        }
    }
}

#[test]
fn private_addresses_are_never_connected_to() {
    let server = serve(hello);
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"] {
        let url = format!("http://{host}:{port}/x");
        let error = fetch(Limits::default(), &url).unwrap_err();
        assert!(matches!(error, FetchError::Private(_)), "{host}: {error}");
        assert!(!error.is_retryable());
    }
    assert!(!server.was_asked());
}

#[test]
fn names_and_mapped_addresses_are_no_hindrance_where_it_is_allowed() {
    let server = serve(hello);
    let port = server.address.port();
    for host in ["localhost", "[::ffff:127.0.0.1]"] {
        let fetched = fetch(open(), &format!("http://{host}:{port}/x")).unwrap();
        assert_eq!(fetched.bytes, b"hello");
    }
}

/// Stands for the internet in these tests.
const PUBLIC: [u8; 4] = [127, 0, 0, 2];

fn fetch_from_public(limits: Limits, url: &str) -> Result<Fetched, FetchError> {
    let is_public = |ip: IpAddr| ip == IpAddr::from(PUBLIC);
    Fetcher::judging(limits, Arc::new(SystemClock), is_public).fetch(url, &|| false)
}

/// A server that redirects to whatever stands behind the question mark.
fn redirector(ip: [u8; 4]) -> Server {
    serve_at(ip, |stream, head| {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let location = target.split_once('?').map_or("", |(_, location)| location);
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
    })
}

#[test]
fn a_redirect_is_followed_and_named() {
    let (first, last) = (redirector(PUBLIC), serve_at(PUBLIC, hello));
    let fetched = fetch_from_public(open(), &first.url(&format!("/?{}", last.url("/y")))).unwrap();
    assert_eq!((fetched.bytes.as_slice(), fetched.url), (&b"hello"[..], last.url("/y")));
}

#[test]
fn a_redirect_to_a_private_address_is_refused() {
    let (first, inside) = (redirector(PUBLIC), serve(hello));
    let port = inside.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let error =
            fetch_from_public(open(), &first.url(&format!("/?http://{host}:{port}/"))).unwrap_err();
        assert!(matches!(error, FetchError::Private(_)), "{host}: {error}");
    }
    assert!(!inside.was_asked());
}

#[test]
fn a_redirect_to_another_kind_of_address_is_refused() {
    let first = redirector([127, 0, 0, 1]);
    for target in ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/"] {
        let error = fetch(open(), &first.url(&format!("/?{target}"))).unwrap_err();
        assert!(matches!(error, FetchError::NoAddress(_)), "{target}: {error}");
    }
    let error = fetch(open(), &first.url("/?http://u:p@127.0.0.1/")).unwrap_err();
    assert!(matches!(error, FetchError::Credentials), "{error}");
}

#[test]
fn redirects_end() {
    let circle = serve(|stream, _| {
        stream.write_all(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
    });
    let error = fetch(open(), &circle.url("/x")).unwrap_err();
    assert!(matches!(error, FetchError::Redirects), "{error}");
    assert_eq!(circle.heads.try_iter().count(), MAX_REDIRECTS + 1);
}

#[test]
fn only_listed_hosts_are_asked_also_after_a_redirect() {
    let (first, last) = (redirector(PUBLIC), serve(hello));
    let listed = Limits { hosts: vec!["127.0.0.2".into()], ..open() };
    let error = fetch(listed.clone(), &last.url("/")).unwrap_err();
    assert!(matches!(error, FetchError::Host(_)), "{error}");
    let error = fetch(listed, &first.url(&format!("/?{}", last.url("/")))).unwrap_err();
    assert!(matches!(&error, FetchError::Host(host) if host == "127.0.0.1"), "{error}");
    let none = Limits { hosts: Vec::new(), ..open() };
    assert!(matches!(fetch(none, &last.url("/")), Err(FetchError::Off)));
    assert!(!last.was_asked());
}

#[test]
fn patterns_match_hosts() {
    let check = |pattern: &str, host: &str, expected| {
        assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
    };
    check("*", "a.example", true);
    check("A.example", "a.example", true);
    check("a.example", "b.a.example", false);
    check("*.example", "a.b.example", true);
    check("*.example", "example", false);
    check("*.example", "badexample", false);
    check("*.a.example", "a.example.evil", false);
    for good in ["*", "a.example", "*.a.example", "127.0.0.1", "[::1]", "localhost"] {
        assert!(is_host_pattern(good), "{good}");
    }
    for bad in ["", "*.", "a.*", "http://a", "a/b", "a b", "**"] {
        assert!(!is_host_pattern(bad), "{bad}");
    }
}

#[test]
fn a_document_that_is_too_large_is_left_before_it_comes() {
    let announced =
        serve(|stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"));
    let small = Limits { max_bytes: 1_000, ..open() };
    let error = fetch(small, &announced.url("/")).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(1_000)), "{error}");
}

fn endless(stream: &mut TcpStream, _: &str) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    loop {
        stream.write_all(b"4\r\nabcd\r\n")?;
    }
}

#[test]
fn an_endless_document_is_cut() {
    let small = Limits { max_bytes: 100_000, ..open() };
    let error = fetch(small, &serve(endless).url("/")).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(100_000)), "{error}");
}

#[test]
fn a_fetch_that_nobody_wants_any_more_ends() {
    let looks = std::cell::Cell::new(0);
    let is_cancelled = || {
        looks.set(looks.get() + 1);
        looks.get() > 3
    };
    let unlimited = Limits { max_bytes: 0, timeout: Duration::ZERO, ..open() };
    let fetcher = Fetcher::new(unlimited, Arc::new(SystemClock));
    let error = fetcher.fetch(&serve(endless).url("/"), &is_cancelled).unwrap_err();
    assert!(matches!(error, FetchError::Cancelled), "{error}");
}

fn hasty() -> Limits {
    Limits { timeout: Duration::from_millis(200), ..open() }
}

fn check_timeout(answer: Answer) {
    let error = fetch(hasty(), &serve(answer).url("/")).unwrap_err();
    assert!(matches!(error, FetchError::Timeout(_)) && error.is_retryable(), "{error}");
}

/// As long as anybody listens.
fn drip(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        stream.write_all(b"1\r\nx\r\n")?;
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn time_is_bounded_whatever_the_server_does() {
    // Silent, before and within the document; and dripping, so that no single wait is long.
    check_timeout(|stream, _| stream.peek(&mut [0]).map(drop));
    check_timeout(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")?;
        stream.peek(&mut [0]).map(drop)
    });
    check_timeout(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        drip(stream)
    });
}

#[test]
fn time_is_bounded_over_all_redirects() {
    let slow = serve(|stream, _| {
        thread::sleep(Duration::from_millis(90));
        stream.write_all(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
    });
    let error = fetch(hasty(), &slow.url("/")).unwrap_err();
    assert!(matches!(error, FetchError::Timeout(_)), "{error}");
}

fn check_status(answer: Answer, status: u16, is_retryable: bool) {
    let error = fetch(open(), &serve(answer).url("/")).unwrap_err();
    assert!(matches!(&error, FetchError::Status(found) if *found == status), "{error}");
    assert_eq!(error.is_retryable(), is_retryable);
}

#[test]
fn a_refusal_says_whether_to_come_again() {
    check_status(|s, _| s.write_all(b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"), 404, false);
    check_status(|s, _| s.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), 503, true);
    check_status(|s, _| s.write_all(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"), 429, true);
    // A redirect that leads nowhere.
    check_status(
        |s, _| s.write_all(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
        302,
        false,
    );
}

#[test]
fn a_server_that_is_not_there_or_breaks_off_may_come_back() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let broken =
        serve(|stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
    for url in [format!("http://{closed}/"), broken.url("/")] {
        let error = fetch(open(), &url).unwrap_err();
        assert!(matches!(error, FetchError::Network(_)) && error.is_retryable(), "{error}");
    }
}

#[test]
fn a_compressed_document_is_refused_since_it_may_be_a_bomb() {
    let server = serve(|stream, _| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
        )
    });
    let error = fetch(open(), &server.url("/")).unwrap_err();
    assert!(matches!(&error, FetchError::Encoding(name) if name == "gzip"), "{error}");
}
