//! How the server says no: `application/problem+json` (RFC 9457).
//!
//! `code` is stable and for programs; `title` and `detail` are for people, and the detail says what
//! was wrong and what would be right.

use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::http::{Body, Request, Response};

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The response's status.
    pub status: StatusCode,
    /// What kind of problem, in `snake_case`; never changes its meaning.
    pub code: &'static str,
    /// What was wrong with this request, and what would be right.
    pub detail: String,
    /// Where in the request's JSON the mistake is: `data.items[2].title`.
    pub field: Option<String>,
    /// When it makes sense to come back: a header, in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// What could be done instead: a header.
    pub allow: Vec<Method>,
}

/// A problem as it is written.
#[derive(Serialize)]
struct Document<'a> {
    status: u16,
    title: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// A problem of this kind, without details.
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code,
            detail: String::new(),
            field: None,
            retry_after: None,
            allow: Vec::new(),
        }
    }

    /// Says what was wrong and what would be right.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Says where in the request's JSON the mistake is.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.field = Some(path.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// 400: the request makes no sense.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code).detail(detail)
    }

    /// 401: nobody knows who asks.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized").detail(detail)
    }

    /// 403: who asks may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden").detail(detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found").detail(detail)
    }

    /// 405: the thing is there, but this cannot be done with it.
    pub fn method_not_allowed(allow: &[Method]) -> Self {
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
            .detail(format!("This path takes {}.", names(allow)));
        problem.allow = allow.to_vec();
        problem
    }

    /// 406: the client wants none of what there is.
    pub fn not_acceptable(offered: &str) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable")
            .detail(format!("This path answers with {offered}, which Accept rules out."))
    }

    /// 409: not in the present state.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code).detail(detail)
    }

    /// 415: the body is of a kind that is not understood.
    pub fn unsupported_media_type(wanted: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            .detail(format!("The body must be {wanted}, and Content-Type must say so."))
    }

    /// 422: well-formed, but `field` cannot be so.
    pub fn unprocessable(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid").detail(detail).field(field)
    }

    /// 429: this client asks too much.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests").retry_after(retry_after)
    }

    /// 503: not now.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").retry_after(retry_after)
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let document = Document {
            status: problem.status.as_u16(),
            title: problem.status.canonical_reason().unwrap_or("Error"),
            code: problem.code,
            detail: &problem.detail,
            field: problem.field.as_deref(),
        };
        // A struct of strings and numbers can always be written.
        let json = serde_json::to_vec(&document).unwrap_or_default();
        let body = Body::Bytes(json.into());
        let mut response = Self::new(problem.status, "application/problem+json", body);
        if let Some(wait) = problem.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            response = response.header(RETRY_AFTER, seconds.to_string());
        }
        if !problem.allow.is_empty() {
            response = response.header(ALLOW, names(&problem.allow));
        }
        response
    }
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// Reads a request's body as JSON: 415 if it does not say that it is JSON, 400 if it is not, 422
/// with the field if it is not what it should be.
pub fn json_body<T: DeserializeOwned>(request: &Request, body: &[u8]) -> Result<T, Problem> {
    match request.content_type() {
        Some((kind, None)) if kind == "application/json" => {}
        Some((kind, Some(set))) if kind == "application/json" && set == "utf-8" => {}
        _ => return Err(Problem::unsupported_media_type("application/json in UTF-8")),
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        json_problem(&error.into_inner(), &path)
    })?;
    json.end().map_err(|error| json_problem(&error, ""))?;
    Ok(value)
}

fn json_problem(error: &serde_json::Error, path: &str) -> Problem {
    match error.classify() {
        // `.` is how the path of the whole document is written.
        Category::Data if path == "." => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid").detail(error.to_string())
        }
        Category::Data => Problem::unprocessable(path, error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::bad_request("malformed_json", format!("The body is not JSON: {error}."))
        }
    }
}
