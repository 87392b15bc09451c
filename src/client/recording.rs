//! A stream in a file: one JSON object to a line, in the order in which things came.
//!
//! An event is `{"received_ms", "id", "event", "data"}`, where `data` is the text that a script would see.
//! What happened to the stream itself is a notice: `{"received_ms", "notice": "connected" | "gap" |
//! "reconnect" | …}` with what there is to know of it, so that the file says what it misses.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Failure;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it came: milliseconds since 1970-01-01 UTC.
    pub received_ms: u64,
    /// What came.
    pub what: What,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A published event.
    Event {
        /// Its id; empty if the stream gave none.
        id: String,
        /// Its type.
        name: String,
        /// Its data, as text.
        data: String,
    },
    /// Something that happened to the stream.
    Notice {
        /// What, in a word.
        notice: String,
        /// What there is to know of it.
        details: Map<String, Value>,
    },
}

/// A line as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    received_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// Text for an event; a notice may have a field of this name too.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl Entry {
    /// Writes it as one line and lets nothing wait in a buffer.
    pub fn write(self, to: &mut dyn Write) -> io::Result<()> {
        let line = match self.what {
            What::Event { id, name, data } => Line {
                received_ms: self.received_ms,
                id: Some(id),
                event: Some(name),
                data: Some(data.into()),
                ..Line::default()
            },
            What::Notice { notice, details } => Line {
                received_ms: self.received_ms,
                notice: Some(notice),
                details,
                ..Line::default()
            },
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        // In one call, so that a recording that is cut off has whole lines.
        to.write_all(&bytes)?;
        to.flush()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let line: Line =
            serde_json::from_str(text).map_err(|error| format!("no entry: {error}"))?;
        let what = match (line.notice, line.event, line.data) {
            (Some(notice), ..) => What::Notice { notice, details: line.details },
            (None, Some(name), Some(Value::String(data))) => {
                What::Event { id: line.id.unwrap_or_default(), name, data }
            }
            (None, Some(_), _) => return Err("an event's `data` is a text".to_owned()),
            (None, None, _) => return Err("it has neither an `event` nor a `notice`".to_owned()),
        };
        Ok(Self { received_ms: line.received_ms, what })
    }
}

/// Reads a recording called `name`: its entries with the numbers of their lines. Empty lines are skipped.
pub fn read(name: &str, from: impl BufRead) -> Result<Vec<(usize, Entry)>, Failure> {
    let mut entries = Vec::new();
    for (index, text) in from.lines().enumerate() {
        let text = text.map_err(|source| Failure::File { name: name.to_owned(), source })?;
        if text.trim().is_empty() {
            continue;
        }
        let line = index + 1;
        let entry = Entry::parse(&text).map_err(|why| Failure::Line {
            name: name.to_owned(),
            line,
            why,
        })?;
        entries.push((line, entry));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let event =
            What::Event { id: "1-0".into(), name: "test".into(), data: "{\"a\":\n1}".into() };
        let details = json!({"from": null, "to": "2-0", "reason": "restart"});
        let notice =
            What::Notice { notice: "gap".into(), details: details.as_object().unwrap().clone() };
        let entries = [event, notice].map(|what| Entry { received_ms: 7, what });
        let mut file = Vec::new();
        for entry in &entries {
            entry.clone().write(&mut file).unwrap();
        }
        let text = String::from_utf8(file).unwrap();
        assert_eq!(
            text,
            "{\"received_ms\":7,\"id\":\"1-0\",\"event\":\"test\",\"data\":\"{\\\"a\\\":\\n1}\"}\n\
             {\"received_ms\":7,\"notice\":\"gap\",\"from\":null,\"to\":\"2-0\",\"reason\":\"restart\"}\n"
        );
        let read = read("r", text.as_bytes()).unwrap();
        assert_eq!(read, [(1, entries[0].clone()), (2, entries[1].clone())]);
    }

    fn check_refused(text: &str, expected: &str) {
        let error = read("r.jsonl", text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let good = "{\"received_ms\":1,\"notice\":\"connected\"}\n\n";
        check_refused(&format!("{good}{{\"received_ms\":1,\"ev"), "r.jsonl, line 3: no entry: ");
        check_refused("[]", "r.jsonl, line 1: no entry: ");
        check_refused("{\"event\":\"a\",\"data\":\"1\"}", "r.jsonl, line 1: no entry: missing");
        check_refused("{\"received_ms\":1}", "r.jsonl, line 1: it has neither");
        check_refused(
            "{\"received_ms\":1,\"event\":\"a\",\"data\":1}",
            "r.jsonl, line 1: an event's",
        );
        check_refused(
            "{\"received_ms\":-1,\"event\":\"a\",\"data\":\"\"}",
            "r.jsonl, line 1: no entry",
        );
    }
}
