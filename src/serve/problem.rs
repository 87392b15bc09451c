//! How the server says no: `application/problem+json` (RFC 9457).
//!
//! `code` is stable and for programs; `title` and `detail` are for people, and the detail says what
//! was wrong and what would be right.

// A request's JSON.
mod json;

// What is wrong with JSON, in plain words.
mod plain;

use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::Serialize;

pub use self::json::{TOO_DEEP, is_too_deep, json_body, json_value};

use super::http::{Body, Response};

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
    /// What else there is to know, as a member of its own.
    pub member: Option<Box<Member>>,
    /// When it makes sense to come back: a header, in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// What could be done instead: a header.
    pub allow: Vec<Method>,
}

/// A member that only some problems have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    name: &'static str,
    json: String,
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
            member: None,
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

    /// Says what else there is to know, as a member of its own.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: &impl Serialize) -> Self {
        let json = serde_json::to_string(value).ok();
        self.member = json.map(|json| Box::new(Member { name, json }));
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

impl Problem {
    /// The problem as it is written.
    pub fn document(&self) -> String {
        let document = Document {
            status: self.status.as_u16(),
            title: self.status.canonical_reason().unwrap_or("Error"),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
        };
        // A struct of strings and numbers can always be written.
        let mut json = serde_json::to_string(&document).unwrap_or_default();
        if let Some(member) = &self.member {
            json.truncate(json.len() - 1);
            json.extend([",\"", member.name, "\":", &member.json, "}"]);
        }
        json
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let body = Body::Bytes(problem.document().into_bytes().into());
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_problem_is_a_document() {
        let response = Response::from(Problem::unprocessable("items[0]", "It must be a \"word\"."));
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(
            serde_json::from_slice::<Value>(response.body.as_slice()).unwrap(),
            json!({
                "status": 422,
                "title": "Unprocessable Entity",
                "code": "invalid",
                "detail": "It must be a \"word\".",
                "field": "items[0]",
            })
        );
        let bare = Response::from(Problem::new(StatusCode::CONFLICT, "taken"));
        assert_eq!(
            serde_json::from_slice::<Value>(bare.body.as_slice()).unwrap(),
            json!({"status": 409, "title": "Conflict", "code": "taken"})
        );
        let more = Problem::conflict("taken", "").member("holder", &json!({"id": 1}));
        assert_eq!(
            more.document(),
            r#"{"status":409,"title":"Conflict","code":"taken","holder":{"id":1}}"#
        );
    }

    #[test]
    fn some_problems_say_what_to_do_in_a_header() {
        let wait = |time| Response::from(Problem::unavailable(time)).headers["retry-after"].clone();
        assert_eq!(wait(Duration::from_millis(1)), "1");
        assert_eq!(wait(Duration::from_millis(2001)), "3");
        assert_eq!(wait(Duration::ZERO), "1");
        let response = Response::from(Problem::method_not_allowed(&[Method::GET, Method::HEAD]));
        assert_eq!(response.headers["allow"], "GET, HEAD");
    }
}
