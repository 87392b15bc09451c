//! What a request is aimed at: path and query (RFC 9112, section 3.2).
//!
//! Nothing is repaired in silence: a path with `..`, a broken escape, an escaped control character
//! or bytes that are not UTF-8 is refused, so that what a route sees is what the client meant.

use std::borrow::Cow;

use http::uri::Authority;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;

use super::RequestError;

/// A request's target, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    path: String,
    segments: Vec<String>,
    query: String,
    authority: Option<HeaderValue>,
}

impl Target {
    /// Understands the target of the request's first line.
    pub fn parse(text: &str, method: &Method) -> Result<Self, RequestError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(malformed("the target has a character that must be escaped"));
        }
        match text {
            "*" if method == Method::OPTIONS => Ok(Self::whole_server(None)),
            _ if text.starts_with('/') => Self::origin(text, None),
            _ => Self::absolute(text, method),
        }
    }

    /// The path as it was sent, or `*` for the whole server.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path's segments, unescaped: `/a/b%2Fc` has `a` and `b/c`, `/a/` has `a` and an empty one,
    /// and so `/` has one that is empty.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The query as it was sent, without its question mark; empty if there is none.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The query's names and values, unescaped, in the order they were sent.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }

    /// The host, if the target named one: as a proxy would be asked.
    pub fn authority(&self) -> Option<&HeaderValue> {
        self.authority.as_ref()
    }

    fn whole_server(authority: Option<HeaderValue>) -> Self {
        Self { path: "*".to_owned(), segments: Vec::new(), query: String::new(), authority }
    }

    fn absolute(text: &str, method: &Method) -> Result<Self, RequestError> {
        let rest = strip_scheme(text).ok_or(malformed("the target is not a path"))?;
        let (host, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let authority = host.parse::<Authority>().ok().filter(|a| !a.as_str().contains('@'));
        let authority = authority.and_then(|a| HeaderValue::from_str(a.as_str()).ok());
        let authority = Some(authority.ok_or(malformed("the target does not name a host"))?);
        match rest {
            "" if method == Method::OPTIONS => Ok(Self::whole_server(authority)),
            _ if rest.starts_with('/') => Self::origin(rest, authority),
            _ => Self::origin(&format!("/{rest}"), authority),
        }
    }

    fn origin(text: &str, authority: Option<HeaderValue>) -> Result<Self, RequestError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let segments = match path.strip_prefix('/') {
            None => Vec::new(),
            Some(rest) => rest.split('/').map(unescape).collect::<Result<_, _>>()?,
        };
        Ok(Self { path: path.to_owned(), segments, query: query.to_owned(), authority })
    }
}

fn malformed(what: &'static str) -> RequestError {
    RequestError::Malformed(what)
}

fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    known.then_some(rest)
}

fn unescape(segment: &str) -> Result<String, RequestError> {
    let escapes = segment.split('%').skip(1);
    for escape in escapes {
        let digits = escape.as_bytes().iter().take(2).filter(|byte| byte.is_ascii_hexdigit());
        if digits.count() != 2 {
            return Err(malformed("the path has a % without two hexadecimal digits"));
        }
    }
    let text = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| malformed("the path is not UTF-8"))?
        .into_owned();
    if text.contains(char::is_control) {
        return Err(malformed("the path has a control character"));
    }
    if text == "." || text == ".." {
        return Err(malformed("the path has a segment . or .."));
    }
    Ok(text)
}
