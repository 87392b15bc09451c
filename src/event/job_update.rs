//! How a job is at one moment: what its watchers are told.
//!
//! Its encoded form is the data of a `job_update` event. Each family of clients is shown it in the words
//! of its own seed ([`super::dialect`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::topic::Identifier;
use super::{EventData, InvalidEvent};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Nobody works on it yet.
    Pending,
    /// Somebody does.
    Processing,
    /// It has come to its result.
    Completed,
    /// It came to nothing; for good unless another attempt may follow.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

impl JobStatus {
    /// All there are, in the order of a job's life.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Processing, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word for it, seed 000's where that has one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// What services say: a word of [`JobStatus::as_str`], or one of the two that seed 001 has for processing.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "started" | "in_progress" => Some(Self::Processing),
            word => Self::ALL.into_iter().find(|status| status.as_str() == word),
        }
    }
}

/// How a job is at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobUpdate {
    /// The job.
    pub job_id: Identifier,
    /// Which of the job's states this is, from 1. It survives a restart, unlike the event's id, and so it is
    /// what a watcher resumes by.
    pub revision: u64,
    /// Where it is in its life.
    pub status: JobStatus,
    /// From 0 to 100; `50` on the wire, not `50.0`.
    #[serde(serialize_with = "write_number")]
    pub progress: f64,
    /// The step it is at, in a word; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stage: String,
    /// The same for people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When this was so: milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Whatever else watchers want to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Arc<RawValue>>,
    /// What came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Arc<RawValue>>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It has failed, and another attempt may follow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retryable: bool,
    /// Nothing was heard of it for longer than was agreed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stalled: bool,
    /// The attempt has just begun.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first: bool,
}

/// Writes a number that is a whole one as such.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn write_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = *number as i64;
    // Exactly: what is not the same number is not whole.
    #[expect(clippy::float_cmp, reason = "see above")]
    if whole as f64 == *number {
        serializer.serialize_i64(whole)
    } else {
        serializer.serialize_f64(*number)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl JobUpdate {
    /// The type of the events that tell of it.
    pub const EVENT: &str = "job_update";

    /// A job that was just made, and of which nothing has been done.
    pub fn pending(job_id: Identifier, time_ms: u64) -> Self {
        Self {
            job_id,
            revision: 1,
            status: JobStatus::Pending,
            progress: 0.0,
            stage: String::new(),
            message: String::new(),
            time_ms,
            attempt: 1,
            data: None,
            result: None,
            error: None,
            retryable: false,
            stalled: false,
            first: false,
        }
    }

    /// Whether it is the job's last state.
    pub fn is_terminal(&self) -> bool {
        match self.status {
            JobStatus::Completed | JobStatus::Cancelled => true,
            JobStatus::Failed => !self.retryable,
            JobStatus::Pending | JobStatus::Processing => false,
        }
    }

    /// The data of the event that tells of it.
    pub fn encode(&self, max_bytes: usize) -> Result<EventData, InvalidEvent> {
        EventData::encode(self, max_bytes)
    }

    /// Reads it from the data of such an event; none if it is not one.
    pub fn decode(data: &str) -> Option<Self> {
        serde_json::from_str(data).ok()
    }
}

impl PartialEq for JobUpdate {
    /// Two states of one job are the same if they are the same one of its states.
    fn eq(&self, other: &Self) -> bool {
        (&self.job_id, self.revision) == (&other.job_id, other.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_can_be_read_again() {
        let job = JobUpdate {
            progress: 12.5,
            result: Some(serde_json::from_str(r#"{"n": 1.10}"#).unwrap()),
            ..JobUpdate::pending("a-1".parse().unwrap(), 1_700_000_000_123)
        };
        let data = job.encode(0).unwrap();
        let again = JobUpdate::decode(data.as_str()).unwrap();
        assert_eq!(again.encode(0), Ok(data));
        assert_eq!(again.result.unwrap().get(), r#"{"n": 1.10}"#);
        assert!(JobUpdate::decode(r#"{"jobId": "not valid"}"#).is_none());
    }

    #[test]
    fn only_a_failure_that_may_be_tried_again_is_no_end() {
        let job = |status, retryable| JobUpdate {
            status,
            retryable,
            ..JobUpdate::pending("a".parse().unwrap(), 0)
        };
        for status in JobStatus::ALL {
            let is_end = !matches!(status, JobStatus::Pending | JobStatus::Processing);
            assert_eq!(job(status, false).is_terminal(), is_end, "{status:?}");
        }
        assert!(!job(JobStatus::Failed, true).is_terminal());
    }
}
