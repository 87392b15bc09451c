//! What does a queue's jobs: the trait behind which built-in code and outside commands stand.
//!
//! A processor is handed one [`Task`] at a time on a thread of its worker, tells a [`Desk`] how far it is,
//! and ends with a result or a [`Failure`]. It knows neither the queue nor the job's record.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::event::topic::Identifier;

/// Does jobs of one kind.
pub trait Processor: Send + Sync + fmt::Debug {
    /// Does one job; returns its result. Several threads may call it at the same time.
    ///
    /// It looks at [`Desk::is_cancelled`] now and then and ends early if so; what it returns then
    /// does not matter.
    fn process(&self, task: &Task, desk: &dyn Desk) -> Result<Value, Failure>;
}

/// One attempt at one job, as its processor sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The job.
    pub job_id: Identifier,
    /// The queue that it came from.
    pub queue_name: Identifier,
    /// What its publisher calls this kind of job; empty if it said nothing.
    pub job_name: String,
    /// What is to be done, in the publisher's own words.
    pub data: Value,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many attempts there may be.
    pub attempts: u32,
}

/// Where a processor says how far it is.
pub trait Desk {
    /// Tells the job's watchers. Never waits for them; may be called as often as something moves.
    fn report(&self, progress: Progress);

    /// Whether nobody wants the result any more: the job was cancelled, its time is over, or the
    /// server stops.
    fn is_cancelled(&self) -> bool;
}

/// How far a job is. What is absent stays as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// From 0 to 100; never backwards within an attempt.
    pub percent: Option<f64>,
    /// The step it is at, in a word: `parsing`.
    pub stage: Option<String>,
    /// The same for people, in a sentence.
    pub message: Option<String>,
    /// Whatever else watchers want to know.
    pub data: Option<Value>,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What went wrong, for people.
    pub message: String,
    /// Whether another attempt may do better.
    pub is_retryable: bool,
    /// How long another attempt must wait at least, if somebody who was asked has said so.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// An attempt that may or may not be followed by another.
    pub fn new(message: impl Into<String>, is_retryable: bool) -> Self {
        Self { message: message.into(), is_retryable, retry_after: None }
    }

    /// Another attempt may do better.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(message, true)
    }

    /// However often it is tried, it will fail.
    pub fn for_good(message: impl Into<String>) -> Self {
        Self::new(message, false)
    }

    /// The same, if another attempt must wait for so long.
    #[must_use]
    pub fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }
}
