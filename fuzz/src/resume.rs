//! Résumés: whatever a document holds, it is read or refused.
//!
//! Promises: no panic, not even of the thread that reads PDF files; the same document gives the same
//! result; what a text is said to hold stands in it, and nothing is made up.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings::clock::SystemClock;
use tidings::publish::fetch::{self, Fetcher};
use tidings::publish::processors::resume::{Limits, ResumeAnalysis};
use tidings::publish::queues::processor::{Desk, Failure, Processor, Progress, Task};

/// Analyzes the bytes twice.
pub fn check(data: &[u8]) {
    let outcome = analyze(data);
    assert_eq!(outcome, analyze(data), "the same document gives another result");
    match outcome {
        Ok(result) if !data.starts_with(b"%PDF-") => check_found(data, &result),
        Ok(_) => {}
        Err(failure) => {
            let is_ours = ["reader failed", "could not be read within", "too many take too long"];
            let is_ours = is_ours.iter().any(|words| failure.message.contains(words));
            assert!(!is_ours && !failure.is_retryable, "{failure}");
        }
    }
}

/// Nobody watches.
struct NoDesk;

impl Desk for NoDesk {
    fn report(&self, _progress: Progress) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

fn analyze(data: &[u8]) -> Result<Value, Failure> {
    let fetcher = Fetcher::new(fetch::Limits::default(), Arc::new(SystemClock));
    let task = Task {
        job_id: "job".parse().unwrap(),
        queue_name: "queue".parse().unwrap(),
        job_name: String::new(),
        data: json!({"fileBase64": STANDARD.encode(data)}),
        attempt: 1,
        attempts: 1,
    };
    ResumeAnalysis::new(Limits::default(), fetcher).process(&task, &NoDesk)
}

fn check_found(data: &[u8], result: &Value) {
    // What is read as something other than UTF-8 has other letters.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let all = letters(text);
    let fields = ["name", "headline", "location", "emails", "phones", "links", "skills"];
    let entries = ["title", "organisation", "degree", "institution"];
    let found = fields.iter().map(|field| &result[*field]);
    let in_entries = ["experience", "education"].into_iter().flat_map(|list| {
        let list = result[list].as_array().into_iter().flatten();
        list.flat_map(|entry| entries.iter().map(|field| &entry[*field]))
    });
    for value in found.chain(in_entries) {
        let list = value.as_array().map_or(vec![value], |list| list.iter().collect());
        for said in list.into_iter().filter_map(Value::as_str) {
            assert!(all.contains(&letters(said)), "{said:?} does not stand in the document");
        }
    }
}

/// A text's letters and digits.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
