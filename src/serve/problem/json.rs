//! A request's JSON, and what is wrong with it.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{Problem, plain};
use crate::serve::http::Request;
use crate::serve::http::request::JSON;

/// Reads a request's body as JSON: 415 if it does not say that it is JSON, 400 if it is not, 422
/// with the field if it is not what it should be.
pub fn json_body<T: DeserializeOwned>(request: &Request, body: &[u8]) -> Result<T, Problem> {
    if !request.has_json() {
        return Err(Problem::unsupported_media_type(JSON));
    }
    json_value(body)
}

/// Reads JSON: 400 if it is none, 422 with the field if it is not what it should be.
pub fn json_value<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
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
    use serde_json::Value;

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
}
