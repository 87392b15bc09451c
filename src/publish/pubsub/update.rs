//! What a message says: a status update in the words of seed 000, as the message's data, its attributes, or
//! both.
//!
//! Attributes fill in what the data leaves out, so that a service may name the job beside its data, or send
//! no data at all.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{Delivery, Malformed, Mistake, unix_ms};
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::jobs::Report;

/// A service's word on a job.
#[derive(Debug, Clone)]
pub struct StatusUpdate {
    /// The job.
    pub job_id: Identifier,
    /// What is said of it.
    pub report: Report,
}

/// The data as it is written. Members that nobody knows are passed over: services may be newer than
/// this server.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    job_id: Option<String>,
    status: Option<String>,
    progress: Option<f64>,
    stage: Option<String>,
    message: Option<String>,
    timestamp: Option<Timestamp>,
    data: Option<Arc<RawValue>>,
    result: Option<Arc<RawValue>>,
    error: Option<String>,
    attempt: Option<u32>,
    #[serde(default)]
    retryable: bool,
    update_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Timestamp {
    /// ISO 8601, as in seed 000.
    Text(String),
    /// Milliseconds since 1970, as in seed 001.
    Milliseconds(u64),
}

impl StatusUpdate {
    /// The attributes that are looked at.
    pub const ATTRIBUTES: [&str; 8] =
        ["jobId", "updateId", "status", "progress", "stage", "message", "timestamp", "attempt"];

    /// What a message says.
    pub(super) fn of(delivery: &Delivery) -> Result<Self, Malformed> {
        let mut said = Said::default();
        if !delivery.data.is_empty() {
            said = serde_json::from_slice(&delivery.data)
                .map_err(|error| mistake(format!("the data is no status update: {error}")))?;
        }
        said.fill_in(&delivery.attributes)?;
        let job_id = said.job_id.ok_or_else(|| mistake("`jobId` says which job it is about"))?;
        let job_id = job_id.parse().map_err(|error| mistake(format!("`jobId`: {error}")))?;
        let report = Report {
            progress: said.progress,
            stage: said.stage,
            message: said.message,
            // When it was published is nearer to when it was so than when it came here.
            time_ms: said.timestamp.map(Timestamp::unix_ms).transpose()?.or(delivery.published_ms),
            data: said.data,
            result: said.result,
            error: said.error,
            attempt: said.attempt,
            retryable: said.retryable,
            // What the job remembers of it outlives this process's memory of messages.
            update_id: Some(
                said.update_id.unwrap_or_else(|| format!("pubsub:{}", delivery.message_id)),
            ),
            ..Report::of(status(said.status.as_deref())?)
        };
        let check = report.check();
        check.map_err(|error| mistake(format!("`{}`: {error}", error.field())))?;
        Ok(Self { job_id, report })
    }
}

/// A status in the words of seed 000, or of seed 001, which has two for one.
fn status(word: Option<&str>) -> Result<JobStatus, Malformed> {
    let word = word.ok_or_else(|| mistake("`status` says how the job is"))?;
    JobStatus::from_word(word).ok_or_else(|| {
        mistake(format!("`status` is {}", JobStatus::ALL.map(JobStatus::as_str).join(", ")))
    })
}

fn mistake(detail: impl Into<String>) -> Malformed {
    Malformed::new(Mistake::Update, detail)
}

impl Said {
    fn fill_in(&mut self, attributes: &BTreeMap<String, String>) -> Result<(), Malformed> {
        let texts = [
            (&mut self.job_id, "jobId"),
            (&mut self.status, "status"),
            (&mut self.update_id, "updateId"),
            (&mut self.stage, "stage"),
            (&mut self.message, "message"),
        ];
        for (member, name) in texts {
            if member.is_none() {
                *member = attributes.get(name).cloned();
            }
        }
        if self.timestamp.is_none() {
            self.timestamp = attributes.get("timestamp").cloned().map(Timestamp::Text);
        }
        number(&mut self.progress, "progress", attributes)?;
        number(&mut self.attempt, "attempt", attributes)
    }
}

fn number<N: FromStr<Err: Display>>(
    member: &mut Option<N>,
    name: &str,
    attributes: &BTreeMap<String, String>,
) -> Result<(), Malformed> {
    if member.is_none()
        && let Some(text) = attributes.get(name)
    {
        let number = text.parse().map_err(|error| mistake(format!("`{name}`: {error}")))?;
        *member = Some(number);
    }
    Ok(())
}

impl Timestamp {
    fn unix_ms(self) -> Result<u64, Malformed> {
        match self {
            Self::Milliseconds(ms) => Ok(ms),
            Self::Text(text) => unix_ms(&text)
                .ok_or_else(|| mistake("`timestamp` looks like 2024-01-15T10:30:00.000Z")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn delivery(data: &str, attributes: &[(&str, &str)]) -> Delivery {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Delivery {
            message_id: "42".into(),
            published_ms: Some(5),
            attributes: attributes.iter().map(own).collect(),
            data: data.into(),
            ..Delivery::default()
        }
    }

    /// Checks what is understood, as `job status progress stage message time attempt update`.
    fn check(data: &Value, attributes: &[(&str, &str)], expected: &str) {
        let data = if data.is_null() { String::new() } else { data.to_string() };
        let StatusUpdate { job_id, report } =
            StatusUpdate::of(&delivery(&data, attributes)).unwrap();
        let seen = format!(
            "{job_id} {} {:?} {:?} {:?} {:?} {:?} {:?}",
            report.status.as_str(),
            report.progress,
            report.stage,
            report.message,
            report.time_ms,
            report.attempt,
            report.update_id.unwrap(),
        );
        assert_eq!(seen, expected, "{data} {attributes:?}");
    }

    #[test]
    fn an_update_is_in_the_words_of_the_seed() {
        let seed = json!({
            "jobId": "job-1",
            "status": "processing",
            "progress": 40,
            "stage": "processing-articles",
            "message": "12 of 30",
            "timestamp": "1970-01-01T00:00:01.000Z",
            "data": {"articles": 12},
            "future": [1],
        });
        let expected = "job-1 processing Some(40.0) Some(\"processing-articles\") Some(\"12 of 30\") \
                        Some(1000) None \"pubsub:42\"";
        check(&seed, &[], expected);
        let update = StatusUpdate::of(&delivery(&seed.to_string(), &[])).unwrap();
        assert_eq!(update.report.data.unwrap().get(), r#"{"articles":12}"#);
    }

    #[test]
    fn what_is_left_out_is_not_said() {
        let data = json!({"jobId": "a", "status": "completed", "updateId": "u", "attempt": 2});
        check(&data, &[], "a completed None None None Some(5) Some(2) \"u\"");
        let data = json!({"jobId": "a", "status": "in_progress", "updateId": "u"});
        check(&data, &[], "a processing None None None Some(5) None \"u\"");
        let data = json!({"jobId": "a", "status": "failed", "timestamp": 9, "stage": null});
        check(&data, &[], "a failed None None None Some(9) None \"pubsub:42\"");
    }

    #[test]
    fn attributes_fill_in_what_the_data_leaves_out() {
        let data = json!({"status": "processing", "progress": 1, "stage": "s"});
        let attributes = [("jobId", "a"), ("updateId", "u"), ("stage", "t"), ("other", "x")];
        check(&data, &attributes, "a processing Some(1.0) Some(\"s\") None Some(5) None \"u\"");
    }

    #[test]
    fn attributes_alone_can_say_it() {
        let attributes = [
            ("jobId", "a"),
            ("status", "processing"),
            ("progress", "12.5"),
            ("message", "m"),
            ("timestamp", "1970-01-01T00:00:00.002Z"),
            ("attempt", "3"),
        ];
        let expected = "a processing Some(12.5) None Some(\"m\") Some(2) Some(3) \"pubsub:42\"";
        check(&Value::Null, &attributes, expected);
    }

    fn check_refused(data: &str, attributes: &[(&str, &str)]) {
        let malformed = StatusUpdate::of(&delivery(data, attributes)).expect_err(data);
        assert_eq!(malformed.mistake, Mistake::Update);
        assert!(malformed.detail.len() > 10, "{malformed}");
    }

    #[test]
    fn what_is_no_update_is_refused() {
        for data in [
            "",
            " ",
            "{",
            "[]",
            "null",
            "\"text\"",
            "{}",
            r#"{"jobId": "a"}"#,
            r#"{"status": "processing"}"#,
            r#"{"jobId": "a b", "status": "processing"}"#,
            r#"{"jobId": "", "status": "processing"}"#,
            r#"{"jobId": 1, "status": "processing"}"#,
            r#"{"jobId": "a", "status": "stopped"}"#,
            r#"{"jobId": "a", "status": "Processing"}"#,
            r#"{"jobId": "a", "status": "processing", "progress": 100.5}"#,
            r#"{"jobId": "a", "status": "processing", "progress": -1}"#,
            r#"{"jobId": "a", "status": "processing", "progress": "40"}"#,
            r#"{"jobId": "a", "status": "processing", "progress": 1e999}"#,
            r#"{"jobId": "a", "status": "processing", "timestamp": "now"}"#,
            r#"{"jobId": "a", "status": "processing", "timestamp": -1}"#,
            r#"{"jobId": "a", "status": "processing", "attempt": 0}"#,
            r#"{"jobId": "a", "status": "processing", "updateId": ""}"#,
            r#"{"jobId": "a", "status": "processing", "message": {}}"#,
            r#"{"jobId": "a", "status": "processing"} x"#,
        ] {
            check_refused(data, &[]);
        }
        let long = json!({"jobId": "a", "status": "failed", "updateId": "u".repeat(256)});
        check_refused(&long.to_string(), &[]);
    }

    #[test]
    fn attributes_are_looked_at_as_closely() {
        let good = r#"{"jobId": "a", "status": "processing"}"#;
        for (name, value) in [
            ("progress", "x"),
            ("progress", "NaN"),
            ("progress", "101"),
            ("attempt", "-1"),
            ("timestamp", "x"),
        ] {
            check_refused(good, &[(name, value)]);
        }
        check_refused("", &[("jobId", "a"), ("status", "done")]);
        check_refused("", &[("jobId", "a/b"), ("status", "failed")]);
    }
}
