//! How the server says no: `application/problem+json` (RFC 9457).
//!
//! `code` is stable and for programs; `title` and `detail` are for people, and the detail says what
//! was wrong and what would be right.

// What is wrong with JSON, in plain words.
mod plain;

use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::http::request::JSON;
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
    if !request.has_json() {
        return Err(Problem::unsupported_media_type(JSON));
    }
    if is_too_deep(body) {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid").detail(TOO_DEEP));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        json_problem(&error.into_inner(), &path)
    })?;
    json.end().map_err(|error| json_problem(&error, ""))?;
    Ok(value)
}

/// What is said of JSON that [`is_too_deep`].
pub const TOO_DEEP: &str = "The JSON is nested more than 64 levels deep.";

/// Whether this is no JSON to read where little stack is left.
pub fn is_too_deep(json: &[u8]) -> bool {
    is_nested_deeper(json, MAX_DEPTH)
}

/// How deep a request's JSON may be nested. Each level takes more than a kilobyte of the thread's
/// stack where JSON is read as it comes, and a stack that overflows ends the whole server.
const MAX_DEPTH: usize = 64;

/// Whether the brackets outside of strings go deeper than this, whatever else the text is.
fn is_nested_deeper(json: &[u8], limit: usize) -> bool {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        let after_backslash = std::mem::take(&mut escaped);
        match byte {
            b'\\' if in_string => escaped = !after_backslash,
            b'"' if !after_backslash => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

fn json_problem(error: &serde_json::Error, path: &str) -> Problem {
    let said = error.to_string();
    match error.classify() {
        // `.` is how the path of the whole document is written.
        Category::Data if path == "." => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid").detail(plain::plain(&said))
        }
        Category::Data => Problem::unprocessable(path, plain::plain(&said)),
        Category::Syntax | Category::Eof | Category::Io => {
            let detail = format!("The body is not JSON: {}.", plain::malformed(&said));
            Problem::bad_request("malformed_json", detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http::head;
    use serde::Deserialize;
    use serde_json::{Value, json};

    fn request(content_type: &str) -> Request {
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{content_type}\r\n");
        head::parse(head.as_bytes()).unwrap()
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        count: u8,
    }

    /// Checks the status, the code and the field with which a body is refused.
    fn check(body: &[u8], expected: (u16, &str, Option<&str>)) {
        let json = request("Content-Type: application/json\r\n");
        let problem = json_body::<Order>(&json, body).unwrap_err();
        let seen = (problem.status.as_u16(), problem.code, problem.field.as_deref());
        assert_eq!(seen, expected, "{}: {}", String::from_utf8_lossy(body), problem.detail);
        assert!(!problem.detail.is_empty());
    }

    #[test]
    fn a_body_becomes_a_value() {
        let json = request("Content-Type: application/json\r\n");
        let order = json_body::<Order>(&json, br#" {"items": [{"count": 3, "x": 1}]} "#);
        assert_eq!(order, Ok(Order { items: vec![Item { count: 3 }] }));
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let malformed = (400, "malformed_json", None);
        for body in [
            "",
            " ",
            "{",
            "nope",
            r#"{"items": [}"#,
            r#"{"items": []} x"#,
            r#"{"items": [],}"#,
            "\u{feff}{}",
            "{'items': []}",
            "{\"items\": [\u{1}]}",
            "[NaN]",
        ] {
            check(body.as_bytes(), malformed);
        }
        check(b"{\"items\": \"\xff\"}", malformed);
        check("[".repeat(100_000).as_bytes(), (422, "invalid", None));
    }

    #[test]
    fn what_is_malformed_is_said_with_its_place() {
        let json = request("Content-Type: application/json\r\n");
        let problem = json_body::<Order>(&json, b"{\n  \"items\": [}").unwrap_err();
        assert!(problem.detail.contains("line 2 column 13"), "{}", problem.detail);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_field() {
        check(b"[]", (422, "invalid", None));
        check(b"{}", (422, "invalid", None));
        check(br#"{"items": 3}"#, (422, "invalid", Some("items")));
        check(
            br#"{"items": [{"count": 1}, {"count": 256}]}"#,
            (422, "invalid", Some("items[1].count")),
        );
        check(br#"{"items": [{}]}"#, (422, "invalid", Some("items[0]")));
        check(br#"{"items": [], "extra": 1}"#, (422, "invalid", Some("extra")));
        check(br#"{"items": [], "items": []}"#, (422, "invalid", None));
    }

    #[test]
    fn only_what_says_it_is_json_is_read() {
        let status = |content_type: &str| {
            json_body::<Value>(&request(content_type), b"{}")
                .err()
                .map(|problem| problem.status.as_u16())
        };
        assert_eq!(status("Content-Type: application/json\r\n"), None);
        assert_eq!(status("Content-Type: Application/JSON ; charset=\"UTF-8\"\r\n"), None);
        assert_eq!(status("Content-Type: application/json;charset=latin1\r\n"), Some(415));
        assert_eq!(status("Content-Type: application/jsonp\r\n"), Some(415));
        assert_eq!(status("Content-Type: text/plain\r\n"), Some(415));
        assert_eq!(status("Content-Type: application/x-www-form-urlencoded\r\n"), Some(415));
        assert_eq!(status("Content-Type:\r\n"), Some(415));
        assert_eq!(status(""), Some(415));
        let twice = "Content-Type: application/json\r\nContent-Type: text/plain\r\n";
        assert_eq!(status(twice), Some(415));
    }

    fn nested(depth: usize) -> Vec<u8> {
        [vec![b'['; depth], vec![b']'; depth]].concat()
    }

    #[test]
    fn json_may_be_nested_so_deep_and_no_deeper() {
        let json = request("Content-Type: application/json\r\n");
        let brackets_in_a_string = format!("\"\\\"{}\"", "[".repeat(1000));
        assert!(json_body::<Value>(&json, brackets_in_a_string.as_bytes()).is_ok());
        assert!(json_body::<Value>(&json, &b"[[]],".repeat(100)[..5 * 100 - 1]).is_err());
        let list = [b"[", &b"[[]],".repeat(100)[..], b"1]"].concat();
        assert!(json_body::<Value>(&json, &list).is_ok());
        for body in [nested(MAX_DEPTH + 1), vec![b'{'; 100_000], nested(100_000)] {
            let problem = json_body::<Value>(&json, &body).unwrap_err();
            assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
    }

    #[test]
    fn the_deepest_json_fits_a_connections_stack() {
        let read = || {
            let json = request("Content-Type: application/json\r\n");
            json_body::<Value>(&json, &nested(MAX_DEPTH)).is_ok()
        };
        // Without optimisation each call takes several times as much.
        let factor = if cfg!(debug_assertions) { 4 } else { 1 };
        let stack = crate::serve::Limits::default().thread_stack_bytes * factor;
        let thread = std::thread::Builder::new().stack_size(stack).spawn(read).unwrap();
        assert!(thread.join().unwrap());
    }

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
