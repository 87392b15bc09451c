//! Why there is no request, and what the client is told.

use std::io;

use http::StatusCode;

use super::Response;
use crate::serve::problem::Problem;

/// Why a request could not be read. After any of these the connection must be closed: nobody knows
/// any more where the next request would begin.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The client hung up in the middle of a request. Nobody is left to be told.
    #[error("the client hung up in the middle of a request")]
    Disconnected,
    /// The head or the body did not arrive within its time limit (`head_timeout`, `body_timeout`).
    #[error("the request did not arrive in time")]
    Timeout,
    /// The bytes are not a request as RFC 9112 defines it; the text says where.
    #[error("{0}")]
    Malformed(&'static str),
    /// The body is larger than `body_bytes`.
    #[error("the request's body is larger than {max_bytes} bytes")]
    BodyTooLarge {
        /// The limit in force.
        max_bytes: usize,
    },
    /// The first line alone is larger than `head_bytes`.
    #[error("the request's target is too long; a head may have {max_bytes} bytes")]
    TargetTooLong {
        /// The limit in force.
        max_bytes: usize,
    },
    /// The head is larger than `head_bytes`.
    #[error("the request's head is larger than {max_bytes} bytes")]
    HeadTooLarge {
        /// The limit in force.
        max_bytes: usize,
    },
    /// The head has more lines than [`super::head::MAX_HEADERS`].
    #[error("the request has more than {} header lines", super::head::MAX_HEADERS)]
    TooManyHeaders,
    /// The client expects something else than `100-continue`.
    #[error("the only expectation that can be met is 100-continue")]
    Expectation,
    /// The method is CONNECT, which only a proxy can serve.
    #[error("this server is no proxy: there is no CONNECT")]
    Connect,
    /// The version is neither HTTP/1.1 nor HTTP/1.0.
    #[error("this server speaks HTTP/1.1 and HTTP/1.0")]
    Version,
    /// The connection failed below HTTP.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

impl RequestError {
    /// The answer to send before closing; `None` when nobody is there to read it.
    pub fn response(&self) -> Option<Response> {
        let (status, code) = self.status_and_code()?;
        Some(Problem::new(status, code).detail(self.sentence()).into())
    }

    /// What happened, as a sentence.
    fn sentence(&self) -> String {
        let mut text = self.to_string();
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text + "."
    }

    fn status_and_code(&self) -> Option<(StatusCode, &'static str)> {
        Some(match self {
            Self::Disconnected | Self::Io(_) => return None,
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed_request"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::TargetTooLong { .. } => (StatusCode::URI_TOO_LONG, "target_too_long"),
            Self::HeadTooLarge { .. } | Self::TooManyHeaders => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large")
            }
            Self::Expectation => (StatusCode::EXPECTATION_FAILED, "expectation_failed"),
            Self::Connect => (StatusCode::NOT_IMPLEMENTED, "method_not_implemented"),
            Self::Version => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "version_not_supported"),
        })
    }
}
