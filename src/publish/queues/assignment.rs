//! A job's place in a queue: what survives a restart of it.

use serde::{Deserialize, Serialize};

use super::config::Backoff;
use crate::event::topic::Identifier;

/// What a queue knows of one of its jobs, kept in the job's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The queue.
    pub queue: Identifier,
    /// What the job's maker calls this kind of job; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job_name: String,
    /// Jobs with a smaller number come first; among equals, those that were made first.
    #[serde(default)]
    pub priority: u32,
    /// It is not to begin before this time, in milliseconds since 1970.
    #[serde(default)]
    pub due_ms: u64,
    /// How often it is tried before it has failed.
    pub attempts: u32,
    /// The pause before another attempt.
    pub backoff: Backoff,
    /// Attempts that have failed.
    #[serde(default)]
    pub failures: u32,
    /// Attempts that ended without a word: their worker, or this server, was gone.
    #[serde(default)]
    pub losses: u32,
    /// The worker outside that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// The job that was made to try this one again, after it had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_as: Option<Identifier>,
}

/// A worker outside that has a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What it calls itself.
    pub worker: Identifier,
    /// What it proves with that the job is still its own.
    pub token: String,
}
