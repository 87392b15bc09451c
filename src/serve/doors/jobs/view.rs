//! Jobs as JSON, in the words of seed 000.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::events_path;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::publish::jobs::{Job, Step};
use crate::publish::queues::assignment::Assignment;
use crate::serve::doors::queues::view::BackoffView;

/// How a job is at one moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::serve::doors) struct State<'a> {
    job_id: &'a Identifier,
    status: JobStatus,
    #[serde(serialize_with = "number")]
    progress: f64,
    stage: &'a str,
    message: &'a str,
    timestamp: String,
    attempt: u32,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    retryable: bool,
    #[serde(skip_serializing_if = "is_false")]
    stalled: bool,
}

impl<'a> State<'a> {
    pub fn of(update: &'a JobUpdate) -> Self {
        Self {
            job_id: &update.job_id,
            status: update.status,
            progress: update.progress,
            stage: &update.stage,
            message: &update.message,
            timestamp: iso(update.time_ms),
            attempt: update.attempt,
            revision: update.revision,
            data: update.data.as_deref(),
            result: update.result.as_deref(),
            error: update.error.as_deref(),
            retryable: update.retryable,
            stalled: update.stalled,
        }
    }
}

/// A job in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::serve::doors) struct Listed<'a> {
    #[serde(flatten)]
    state: State<'a>,
    created_at: String,
    updated_at: String,
    /// How long nothing may be heard of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    sse_endpoint: String,
    #[serde(flatten)]
    queued: Option<Queued<'a>>,
}

/// What only a job in a queue has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Queued<'a> {
    queue_name: &'a Identifier,
    job_name: &'a str,
    priority: u32,
    attempts: u32,
    backoff: BackoffView,
    /// Before when it is not to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    /// Who outside has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_id: Option<&'a Identifier>,
    /// The job that tries it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retried_as: Option<&'a Identifier>,
}

impl<'a> Listed<'a> {
    pub fn of(job: &'a Job) -> Self {
        Self {
            state: State::of(&job.present),
            created_at: iso(job.created_ms),
            updated_at: iso(job.updated_ms),
            lease_seconds: (job.lease_ms > 0).then_some(job.lease_ms / 1_000),
            sse_endpoint: events_path(&job.present),
            queued: job.assignment.as_ref().map(|assignment| {
                let is_pending = job.present.status == JobStatus::Pending;
                Queued::of(assignment, is_pending)
            }),
        }
    }
}

impl<'a> Queued<'a> {
    fn of(assignment: &'a Assignment, is_pending: bool) -> Self {
        let is_delayed = is_pending && assignment.due_ms > 0;
        Self {
            queue_name: &assignment.queue,
            job_name: &assignment.job_name,
            priority: assignment.priority,
            attempts: assignment.attempts,
            backoff: assignment.backoff.into(),
            not_before: is_delayed.then(|| iso(assignment.due_ms)),
            worker_id: assignment.holder.as_ref().map(|holder| &holder.worker),
            retried_as: assignment.retried_as.as_ref(),
        }
    }
}

/// A job by itself.
#[derive(Debug, Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    /// What is to be done, as its maker sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a RawValue>,
    /// What it went through, the oldest first: of many steps the first and the latest.
    timeline: Vec<Passed<'a>>,
}

/// A step in a job's life.
#[derive(Debug, Serialize)]
struct Passed<'a> {
    time: String,
    status: JobStatus,
    #[serde(skip_serializing_if = "str::is_empty")]
    stage: &'a str,
    attempt: u32,
    #[serde(skip_serializing_if = "is_false")]
    stalled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> Passed<'a> {
    fn of(step: &'a Step) -> Self {
        Self {
            time: iso(step.time_ms),
            status: step.status,
            stage: &step.stage,
            attempt: step.attempt,
            stalled: step.stalled,
            error: step.error.as_deref(),
        }
    }
}

impl<'a> Whole<'a> {
    pub fn of(job: &'a Job) -> Self {
        Self {
            listed: Listed::of(job),
            request: job.payload.as_deref(),
            timeline: job.timeline.iter().map(Passed::of).collect(),
        }
    }
}

/// A whole number without a point.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
#[expect(clippy::cast_sign_loss, reason = "progress is from 0 to 100")]
pub(super) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 {
        serializer.serialize_u64(*value as u64)
    } else {
        serializer.serialize_f64(*value)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}
