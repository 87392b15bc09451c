//! A job that is to be put in a queue, and why it was not.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use super::assignment::Assignment;
use super::config::Backoff;
use super::queue::Queue;
use crate::event::RequestKey;
use crate::event::job_update::JobUpdate;
use crate::event::topic::Identifier;
use crate::publish::jobs::{CreateError, NewJob, UpdateError};

/// A job that is to be put in a queue.
#[derive(Debug, Clone, Default)]
pub struct NewTask {
    /// Its id, if its maker chose one.
    pub id: Option<Identifier>,
    /// What its maker calls this kind of job.
    pub job_name: String,
    /// What is to be done.
    pub data: Option<Arc<RawValue>>,
    /// How long it is not to begin.
    pub delay: Duration,
    /// Jobs with a smaller number come first.
    pub priority: u32,
    /// How often it is tried; the queue's own number if absent.
    pub attempts: Option<u32>,
    /// The pause before another attempt; the queue's own if absent.
    pub backoff: Option<Backoff>,
    /// By what its maker will name the request when it tries again.
    pub request: Option<RequestKey>,
}

/// Why jobs were not put in a queue. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// They cannot be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// So many wait as may; later there will be room.
    #[error("the queue {0} is full")]
    QueueFull(Identifier),
    /// There are as many queues as there may be.
    #[error("there is no queue {0}, and no more queues can be made")]
    TooManyQueues(Identifier),
}

/// Why a failed job was not tried again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RetryError {
    /// It cannot be put in its queue.
    #[error(transparent)]
    Add(#[from] AddError),
    /// It is not there, or not in a queue.
    #[error("there is no job with this id in a queue")]
    Unknown,
    /// It has not failed.
    #[error("only a failed job can be tried again")]
    NotFailed(Box<JobUpdate>),
    /// It was already.
    #[error("the job was tried again already, as {0}")]
    Already(Identifier),
}

impl From<UpdateError> for RetryError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Busy => Self::Add(CreateError::Busy.into()),
            _ => Self::Unknown,
        }
    }
}

impl NewTask {
    pub(super) fn into_job(self, queue: &Queue, now_ms: u64) -> NewJob {
        let assignment = Assignment {
            queue: queue.config.name.clone(),
            job_name: self.job_name,
            priority: self.priority,
            due_ms: if self.delay.is_zero() { 0 } else { now_ms + self.delay.as_millis() as u64 },
            attempts: self.attempts.unwrap_or(queue.config.attempts).max(1),
            backoff: self.backoff.unwrap_or(queue.config.backoff),
            failures: 0,
            losses: 0,
            holder: None,
            retried_as: None,
        };
        NewJob {
            id: self.id,
            request: self.request,
            payload: self.data,
            lease_ms: 0,
            assignment: Some(assignment),
        }
    }
}
