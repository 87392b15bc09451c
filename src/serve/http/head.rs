//! A request's first lines, from bytes.
//!
//! `httparse` does the parsing. What it forgives is looked for on the raw bytes first: a bare
//! carriage return or line feed, control characters, empty lines.

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::preference::elements;
use super::target::Target;
use super::{Framing, Request, RequestError, Version};

/// How many header lines a request may have.
pub const MAX_HEADERS: usize = 100;

/// Finds the end of the head: the length with the empty line. Bytes before `from` were looked at
/// before. What can be no head is refused as soon as it is seen, not when the time is up.
pub fn find_end(data: &[u8], from: usize) -> Result<Option<usize>, RequestError> {
    for (at, &byte) in data.iter().enumerate().skip(from) {
        let follows_return = at > 0 && data[at - 1] == b'\r';
        match byte {
            b'\n' if !follows_return => return Err(malformed("a line feed stands alone")),
            b'\n' if at == 1 => return Err(malformed("empty lines instead of a request")),
            b'\n' if data[..at].ends_with(b"\r\n\r") => return Ok(Some(at + 1)),
            b'\n' => {}
            _ if follows_return => return Err(malformed("a carriage return stands alone")),
            b'\r' | b'\t' => {}
            0x00..=0x1f | 0x7f => return Err(malformed("a control character in the head")),
            _ => {}
        }
    }
    Ok(None)
}

/// Understands a whole head, including its empty line.
pub fn parse(head: &[u8]) -> Result<Request, RequestError> {
    // Three pieces more than headers: the first line, the empty line, what follows the last feed.
    let count = head.split(|&byte| byte == b'\n').count().saturating_sub(3);
    if count > MAX_HEADERS {
        return Err(RequestError::TooManyHeaders);
    }
    let mut lines = vec![httparse::EMPTY_HEADER; count];
    let mut parsed = httparse::Request::new(&mut lines);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => request(&parsed),
        Ok(httparse::Status::Partial) => Err(malformed("the head is not complete")),
        Err(error) => Err(refusal(error, head)),
    }
}

fn malformed(what: &'static str) -> RequestError {
    RequestError::Malformed(what)
}

fn refusal(error: httparse::Error, head: &[u8]) -> RequestError {
    match error {
        httparse::Error::Version if names_a_version(head) => RequestError::Version,
        httparse::Error::HeaderName => malformed("a header's name has a character it cannot have"),
        httparse::Error::HeaderValue => {
            malformed("a header's value has a character it cannot have")
        }
        httparse::Error::TooManyHeaders => RequestError::TooManyHeaders,
        _ => malformed("the first line is not: method, space, target, space, HTTP/1.1"),
    }
}

/// Whether the first line is that of a request in some version of HTTP.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    matches!(parts[..], [[_, ..], [_, ..], [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

fn request(parsed: &httparse::Request<'_, '_>) -> Result<Request, RequestError> {
    let method = method(parsed.method.unwrap_or_default())?;
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let mut headers = headers(parsed.headers)?;
    let target = Target::parse(parsed.path.unwrap_or_default(), &method)?;
    check_host(&headers, version)?;
    if let Some(authority) = target.authority() {
        // RFC 9112, section 3.2.2: the target's host wins over the header.
        headers.insert(HOST, authority.clone());
    }
    Ok(Request {
        framing: Framing::of(&headers, version)?,
        expects_continue: expects_continue(&headers, version)?,
        keep_alive: keep_alive(&headers, version),
        method,
        target,
        version,
        headers,
    })
}

fn method(name: &str) -> Result<Method, RequestError> {
    match Method::from_bytes(name.as_bytes()) {
        Ok(Method::CONNECT) => Err(RequestError::Connect),
        Ok(method) => Ok(method),
        Err(_) => Err(malformed("the method has a character it cannot have")),
    }
}

fn headers(lines: &[httparse::Header<'_>]) -> Result<HeaderMap, RequestError> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes())
            .map_err(|_| malformed("a header's name has a character it cannot have"))?;
        let value = HeaderValue::from_bytes(line.value)
            .map_err(|_| malformed("a header's value has a character it cannot have"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// RFC 9112, section 3.2: exactly one valid `Host`; only HTTP/1.0 may leave it out.
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), RequestError> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::Http10 => Ok(()),
        (None, _) => Err(malformed("HTTP/1.1 needs a Host header")),
        (Some(_), Some(_)) => Err(malformed("there is more than one Host header")),
        (Some(host), None) if is_host(host) => Ok(()),
        (Some(_), None) => Err(malformed("the Host header does not name a host")),
    }
}

fn is_host(value: &HeaderValue) -> bool {
    let valid = |text: &str| text.parse::<Authority>().is_ok_and(|a| !a.as_str().contains('@'));
    value.to_str().is_ok_and(|text| text.is_empty() || valid(text))
}

fn keep_alive(headers: &HeaderMap, version: Version) -> bool {
    let says = |option: &str| {
        let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| elements(line, ',')).any(|token| token.eq_ignore_ascii_case(option))
    };
    match version {
        Version::Http11 => !says("close"),
        Version::Http10 => says("keep-alive") && !says("close"),
    }
}

fn expects_continue(headers: &HeaderMap, version: Version) -> Result<bool, RequestError> {
    let mut lines = headers.get_all(EXPECT).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(false),
        // RFC 9110, section 10.1.1: HTTP/1.0 does not know it, so it is ignored there.
        _ if version == Version::Http10 => Ok(false),
        (Some(line), None) if line.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Ok(headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING))
        }
        _ => Err(RequestError::Expectation),
    }
}
