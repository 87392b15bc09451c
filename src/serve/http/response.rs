//! What a handler answers, and its bytes.
//!
//! A response knows its content. What the connection decides (`Content-Length`, `Connection`,
//! `Date`, whether there is a body at all) is added when it is written.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;

use super::{Request, Version};
use crate::event::dialect::Envelope;

/// A response before it is bytes.
#[derive(Debug, Clone)]
pub struct Response {
    /// How it went.
    pub status: StatusCode,
    /// Headers, without those the connection adds.
    pub headers: HeaderMap,
    /// The content.
    pub body: Body,
}

/// What of a request decides the form of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Only the head is wanted.
    pub head_only: bool,
    /// What the client understands.
    pub version: Version,
}

impl Asked {
    /// What this request decides.
    pub fn by(request: &Request) -> Self {
        Self { head_only: request.method == Method::HEAD, version: request.version }
    }
}

impl Default for Asked {
    /// The form of an answer to nothing in particular.
    fn default() -> Self {
        Self { head_only: false, version: Version::Http11 }
    }
}

/// What a response carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Bytes of its own, or from the program itself.
    Bytes(Cow<'static, [u8]>),
    /// Bytes shared by many responses.
    Shared(Arc<[u8]>),
    /// No bytes here: others write a stream of unknown length after the head.
    Stream,
}

impl Body {
    /// What there is to send at once.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Stream => &[],
        }
    }
}

impl Response {
    /// A response without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Bytes(Cow::Borrowed(&[])) }
    }

    /// A response with a body of this media type.
    pub fn new(status: StatusCode, content_type: &'static str, body: Body) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        Self { status, headers, body }
    }

    /// A value of our own as JSON. A value that cannot be JSON is our mistake: it is logged, and
    /// the client gets status 500.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => Self::new(status, "application/json", Body::Bytes(json.into())),
            Err(error) => {
                log::error!("an answer could not be written as JSON: {error}");
                Self::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Plain text.
    pub fn text(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text_body(text.into()))
    }

    /// A page.
    pub fn html(status: StatusCode, page: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "text/html; charset=utf-8", text_body(page.into()))
    }

    /// The head of a stream that others will write: see [`Response::stream_head`].
    pub fn stream(content_type: &'static str) -> Self {
        Self::new(StatusCode::OK, content_type, Body::Stream)
    }

    /// Sets a header. A value that a header cannot hold (it has a line break, say) is our mistake:
    /// it is logged and left out, so that nothing can slip into the head.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Some(value) = header_value(&name, value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a header beside others of its name, such as one more `Set-Cookie`.
    #[must_use]
    pub fn add_header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Some(value) = header_value(&name, value) {
            self.headers.append(name, value);
        }
        self
    }

    /// The head of a stream for a client of this version, and how its frames are delimited from then on:
    /// by size for HTTP/1.1; for HTTP/1.0 by the end of the connection. `unix_ms` is the time now.
    pub fn stream_head(&self, version: Version, unix_ms: u64) -> (Vec<u8>, Envelope) {
        let mut head = self.head_start(unix_ms);
        let envelope = match version {
            Version::Http11 => {
                head.extend_from_slice(b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
                Envelope::Sized
            }
            Version::Http10 => {
                head.extend_from_slice(b"connection: close\r\n\r\n");
                Envelope::Bare
            }
        };
        (head, envelope)
    }

    /// The head of a whole response; `keep` says whether
    /// the connection stays open after it.
    pub fn head(&self, to: Asked, keep: bool, unix_ms: u64) -> Vec<u8> {
        let mut head = self.head_start(unix_ms);
        if self.has_length(to) {
            // Writing to a Vec cannot fail.
            let _ = write!(head, "content-length: {}\r\n", self.body.as_slice().len());
        }
        match (keep, to.version) {
            (false, _) => head.extend_from_slice(b"connection: close\r\n"),
            (true, Version::Http10) => head.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, Version::Http11) => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The bytes that follow the head.
    pub fn content(&self, to: Asked) -> &[u8] {
        if to.head_only || self.forbids_content() { &[] } else { self.body.as_slice() }
    }

    fn head_start(&self, unix_ms: u64) -> Vec<u8> {
        let mut head = Vec::with_capacity(512);
        let reason = self.status.canonical_reason().unwrap_or_default();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(unix_ms));
        let _ = write!(head, "HTTP/1.1 {} {reason}\r\ndate: {date}\r\n", self.status.as_u16());
        for (name, value) in &self.headers {
            if ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, DATE].contains(name) {
                head.extend_from_slice(name.as_ref());
                head.extend_from_slice(b": ");
                head.extend_from_slice(value.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
        }
        head
    }

    /// RFC 9110, section 8.6: no length where there can be no content, nor where a HEAD asks for
    /// something whose length nobody knows.
    fn has_length(&self, to: Asked) -> bool {
        let unknown = to.head_only && matches!(self.body, Body::Stream);
        !unknown && !self.forbids_content()
    }

    fn forbids_content(&self) -> bool {
        self.status.is_informational()
            || self.status == StatusCode::NO_CONTENT
            || self.status == StatusCode::NOT_MODIFIED
    }
}

fn text_body(text: Cow<'static, str>) -> Body {
    Body::Bytes(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

fn header_value(name: &HeaderName, value: impl TryInto<HeaderValue>) -> Option<HeaderValue> {
    let value = value.try_into().ok();
    if value.is_none() {
        log::error!("the header {name} was left out: its value cannot stand in a header");
    }
    value
}
