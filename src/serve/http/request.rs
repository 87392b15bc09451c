//! What a request is for a handler. The body is still on its way: see
//! [`super::Connection::read_body`].

use std::borrow::Cow;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST};
use http::{HeaderMap, HeaderName, Method};

use super::Framing;
use super::preference::{accepts, choices, elements};
use super::target::Target;

/// The media type of an event stream.
pub const EVENT_STREAM: &str = "text/event-stream";

/// What a body must be that is read as JSON.
pub const JSON: &str = "application/json in UTF-8";

/// A request without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// With what.
    pub target: Target,
    /// Which version the client speaks.
    pub version: Version,
    /// All headers, in lower case; repeated ones are kept apart.
    pub headers: HeaderMap,
    /// Where the body ends.
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The client wants to use the connection again.
    pub keep_alive: bool,
}

/// The versions of HTTP that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks; the connection ends after the answer unless asked otherwise.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Request {
    /// The path as it was sent.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The path's segments, unescaped, for matching: `match request.segments().as_slice()`. See
    /// [`Target::segments`].
    pub fn segments(&self) -> Vec<&str> {
        self.target.segments().iter().map(String::as_str).collect()
    }

    /// The first value of a query parameter.
    pub fn query<'a>(&'a self, name: &str) -> Option<Cow<'a, str>> {
        self.target.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Every value of a query parameter.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.target.query_pairs().filter(move |(key, _)| key == name).map(|(_, value)| value)
    }

    /// The first line of a header, if it is plain text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The host and port the client thinks it talks to; empty if it does not say.
    pub fn host(&self) -> &str {
        self.header(&HOST).unwrap_or_default()
    }

    /// The first cookie of this name; broken ones are skipped.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(cookie::Cookie::split_parse)
            .filter_map(Result::ok)
            .find(|cookie| cookie.name() == name)
            .and_then(|cookie| cookie.value_raw())
    }

    /// Whether an answer of this media type is welcome.
    pub fn accepts(&self, media_type: &str) -> bool {
        accepts(self.headers.get_all(ACCEPT), media_type)
    }

    /// Whether the client asks for an event stream by its name, as a browser's EventSource does.
    pub fn names_event_stream(&self) -> bool {
        choices(self.headers.get_all(ACCEPT))
            .any(|choice| choice.value.eq_ignore_ascii_case(EVENT_STREAM) && choice.weight > 0)
    }

    /// The body's media type in lower case and without parameters, and its `charset` if it has one;
    /// nothing if it says two things.
    pub fn content_type(&self) -> Option<(String, Option<String>)> {
        let mut lines = self.headers.get_all(CONTENT_TYPE).iter();
        let (Some(only), None) = (lines.next(), lines.next()) else { return None };
        let mut parts = elements(only.to_str().ok()?, ';');
        let media_type = parts.next()?.to_ascii_lowercase();
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let is_charset = name.trim().eq_ignore_ascii_case("charset");
            is_charset.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
        });
        Some((media_type, charset))
    }

    /// Whether the body says that it is [`JSON`].
    pub fn has_json(&self) -> bool {
        self.content_type().is_some_and(|(media_type, charset)| {
            media_type == "application/json" && charset.is_none_or(|charset| charset == "utf-8")
        })
    }
}
