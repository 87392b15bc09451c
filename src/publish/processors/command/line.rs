//! What a line of standard output says.
//!
//! A JSON object says what its members say; what is anything else is a message for people, so that a
//! program which merely prints what it does shows that as it runs.

use serde_json::{Map, Value};

use crate::publish::queues::processor::Progress;

/// A message may have so many characters; the rest is cut off.
const MAX_MESSAGE: usize = 500;

/// And a stage so many.
const MAX_STAGE: usize = 64;

/// The members that mean something.
const MEMBERS: [&str; 7] = ["progress", "stage", "message", "data", "result", "error", "retryable"];

/// What one line says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// How far it is, as it was said: any number, forward or back.
    pub(super) progress: Progress,
    /// What comes of the job, so far.
    pub(super) result: Option<Value>,
    /// Why the attempt has failed.
    pub(super) error: Option<String>,
    /// Whether another attempt may do better.
    pub(super) is_retryable: Option<bool>,
    /// What is to be told to whoever wrote the program.
    pub(super) oddity: Option<String>,
}

impl Said {
    /// Reads a line. A blank one says nothing.
    pub(super) fn in_line(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return None;
        }
        if let Ok(Value::Object(members)) = serde_json::from_slice(line) {
            return Some(Self::in_object(members));
        }
        let message = Some(shortened(&String::from_utf8_lossy(line), MAX_MESSAGE));
        Some(Self { progress: Progress { message, ..Progress::default() }, ..Self::default() })
    }

    fn in_object(mut members: Map<String, Value>) -> Self {
        if !MEMBERS.iter().any(|member| members.contains_key(*member)) {
            let oddity = format!("a line has none of {}", MEMBERS.join(", "));
            return Self { oddity: Some(oddity), ..Self::default() };
        }
        let mut oddity = None;
        let mut odd = |name: &str, expected: &str, found: &Value| {
            let found = shortened(&found.to_string(), MAX_STAGE);
            oddity.get_or_insert(format!("{name} must be {expected}, not {found}"));
        };
        let mut text = |name: &str, max| match members.remove(name)? {
            Value::String(text) => Some(shortened(&text, max)),
            Value::Null => None,
            other => {
                odd(name, "a text", &other);
                None
            }
        };
        let (stage, message) = (text("stage", MAX_STAGE), text("message", MAX_MESSAGE));
        let percent = members.remove("progress").filter(|value| !value.is_null());
        let percent = percent.and_then(|value| {
            let number = value.as_f64();
            if number.is_none() {
                odd("progress", "a number from 0 to 100", &value);
            }
            number
        });
        let is_retryable = members.remove("retryable").filter(|value| !value.is_null());
        let is_retryable = is_retryable.and_then(|value| {
            if !value.is_boolean() {
                odd("retryable", "true or false", &value);
            }
            value.as_bool()
        });
        let data = members.remove("data").filter(|value| !value.is_null());
        Self {
            progress: Progress { percent, stage, message, data },
            // A result of null is one.
            result: members.remove("result"),
            error: members.remove("error").and_then(sentence),
            is_retryable,
            oddity,
        }
    }
}

/// What an `error` says; one that is no text is a failure all the same.
fn sentence(error: Value) -> Option<String> {
    match error {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(shortened(&text, MAX_MESSAGE * 4)),
        other => Some(shortened(&other.to_string(), MAX_MESSAGE * 4)),
    }
}

fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(line: &str) -> Said {
        Said::in_line(line.as_bytes()).unwrap_or_default()
    }

    fn message(text: &str) -> Said {
        let message = Some(text.to_owned());
        Said { progress: Progress { message, ..Progress::default() }, ..Said::default() }
    }

    #[test]
    fn each_member_is_taken() {
        let found = said(
            r#"{"progress": 12.5, "stage": "parsing", "message": "Page 3", "data": {"page": 3},
                "result": [1], "error": "no", "retryable": false, "other": 1}"#,
        );
        let progress = Progress {
            percent: Some(12.5),
            stage: Some("parsing".into()),
            message: Some("Page 3".into()),
            data: Some(json!({"page": 3})),
        };
        let expected = Said {
            progress,
            result: Some(json!([1])),
            error: Some("no".into()),
            is_retryable: Some(false),
            oddity: None,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_object_is_a_message() {
        for line in
            ["Reading a.txt", "42", "[1]", "\"x\"", "{\"progress\": 5", "{'progress': 5}", "null"]
        {
            assert_eq!(said(line), message(line));
        }
        assert_eq!(said("  spaced\t\r"), message("spaced"));
        assert_eq!(Said::in_line(b" \r"), None);
        assert_eq!(Said::in_line(b"a\xffb"), Some(message("a\u{fffd}b")));
        let long = "ä".repeat(MAX_MESSAGE);
        assert_eq!(said(&long), message(&long));
        assert_eq!(said(&format!("{long}x")), message(&format!("{long}…")));
        // Deeper than the parser goes.
        let deep = "[".repeat(200);
        assert_eq!(said(&deep), message(&deep));
    }

    #[test]
    fn null_says_nothing_but_as_a_result() {
        let line = r#"{"progress":null,"stage":null,"message":null,"data":null,"error":null,"retryable":null}"#;
        assert_eq!(said(line), Said::default());
        assert_eq!(
            said(r#"{"result":null}"#),
            Said { result: Some(Value::Null), ..Said::default() }
        );
        assert_eq!(said(r#"{"error":{"code":5}}"#).error.as_deref(), Some(r#"{"code":5}"#));
    }

    #[test]
    fn a_member_of_the_wrong_kind_is_told_to_whoever_wrote_it_and_the_rest_counts() {
        let check = |line: &str, expected: &str| {
            let found = said(line);
            assert_eq!(found.oddity.as_deref(), Some(expected), "{line}");
            found
        };
        let found = check(
            r#"{"progress":"50%","message":"half"}"#,
            "progress must be a number from 0 to 100, not \"50%\"",
        );
        assert_eq!(found.progress.percent, None);
        assert_eq!(found.progress.message.as_deref(), Some("half"));
        check(r#"{"stage":5}"#, "stage must be a text, not 5");
        check(r#"{"retryable":"no"}"#, "retryable must be true or false, not \"no\"");
        let members = "progress, stage, message, data, result, error, retryable";
        check(r#"{"percent":50}"#, &format!("a line has none of {members}"));
    }
}
