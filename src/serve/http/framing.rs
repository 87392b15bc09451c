//! Where a body ends.
//!
//! RFC 9112, section 6.3, at its strictest: whatever two programs could read in two ways is
//! refused, for that is how one request is smuggled inside another.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{RequestError, Version};

/// How the end of a request's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body. A request without any length has none, whatever its method.
    None,
    /// After this many bytes.
    Length(u64),
    /// By the chunk that says it is the last.
    Chunked,
}

impl Framing {
    /// What the headers say.
    pub fn of(headers: &HeaderMap, version: Version) -> Result<Self, RequestError> {
        let coding =
            single(headers, &TRANSFER_ENCODING, "there are two Transfer-Encoding headers")?;
        let length = single(headers, &CONTENT_LENGTH, "there are two Content-Length headers")?;
        match (coding, length) {
            (None, None) => Ok(Self::None),
            (None, Some(length)) => length_of(length),
            (Some(_), Some(_)) => Err(RequestError::Malformed(
                "Transfer-Encoding and Content-Length exclude each other",
            )),
            (Some(_), None) if version == Version::Http10 => {
                Err(RequestError::Malformed("HTTP/1.0 has no Transfer-Encoding"))
            }
            (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
                Ok(Self::Chunked)
            }
            (Some(_), None) => {
                Err(RequestError::Malformed("the only Transfer-Encoding known here is chunked"))
            }
        }
    }
}

/// The only line of a header, if there is one.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    complaint: &'static str,
) -> Result<Option<&'a HeaderValue>, RequestError> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next();
    if lines.next().is_some() { Err(RequestError::Malformed(complaint)) } else { Ok(first) }
}

fn length_of(value: &HeaderValue) -> Result<Framing, RequestError> {
    let bad = RequestError::Malformed("Content-Length is not a number of bytes");
    // `parse` alone would take a leading plus sign.
    let digits = value.as_bytes();
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    match value.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(0) => Ok(Framing::None),
        Some(length) => Ok(Framing::Length(length)),
        None => Err(bad),
    }
}
