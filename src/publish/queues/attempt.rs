//! One attempt at a queue's job: how it begins and how it ends, as changes of the job's record.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::assignment::{Assignment, Holder};
use super::processor::{Failure, Task};
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::jobs::{Altered, Conflict, Job, Jobs, LOST_WORKER, Report, UpdateError};

/// What may be tried again only after more than this has failed: nobody waits for it any more, and it is better said
/// than shown as pending.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Begins an attempt; fails if the job is not pending any more.
pub(super) fn begin(
    jobs: &Jobs,
    id: &Identifier,
    holder: Option<Holder>,
    lease_ms: u64,
) -> Result<Task, UpdateError> {
    let altered = jobs.alter(id, |job| {
        if job.present.status != JobStatus::Pending {
            return Err(conflict(job, Conflict::Ended));
        }
        job.lease_ms = lease_ms;
        assignment(job)?.holder = holder;
        // What was said while it waited is over.
        let (stage, message) = (Some(String::new()), Some(String::new()));
        Ok(vec![Report { stage, message, ..Report::of(JobStatus::Processing) }])
    })?;
    task(altered.job).ok_or(UpdateError::Unknown)
}

/// The job as its processor sees it.
fn task(job: Job) -> Option<Task> {
    let assignment = job.assignment?;
    let data = job.payload.map(|payload| serde_json::from_str(payload.get()));
    Some(Task {
        job_id: job.present.job_id,
        queue_name: assignment.queue,
        job_name: assignment.job_name,
        // It was read as JSON when it came.
        data: data.and_then(Result::ok).unwrap_or(Value::Null),
        attempt: job.present.attempt,
        attempts: assignment.attempts,
    })
}

/// Ends an attempt with a result.
pub(super) fn complete(
    jobs: &Jobs,
    id: &Identifier,
    attempt: u32,
    result: &Value,
) -> Result<Altered, UpdateError> {
    let result = serde_json::value::to_raw_value(result).ok().map(Arc::from);
    jobs.alter(id, |job| {
        let report = Report { result, attempt: Some(attempt), ..Report::of(JobStatus::Completed) };
        let_go(job)?;
        Ok(vec![report])
    })
}

/// Ends an attempt without one; if another may follow, the job is pending again.
pub(super) fn fail(
    jobs: &Jobs,
    id: &Identifier,
    attempt: u32,
    failure: &Failure,
    now_ms: u64,
) -> Result<Altered, UpdateError> {
    let wanted = failure.retry_after.filter(|_| failure.is_retryable);
    let too_long = wanted.filter(|pause| *pause > LONGEST_RETRY_AFTER);
    let message = match too_long {
        None => failure.message.clone(),
        Some(pause) => {
            let seconds = pause.as_secs();
            format!("{} (It may be tried again only in {seconds} s.)", failure.message)
        }
    };
    let report = Report {
        error: Some(message.clone()),
        message: Some(message),
        attempt: Some(attempt),
        retryable: failure.is_retryable && too_long.is_none(),
        ..Report::of(JobStatus::Failed)
    };
    jobs.alter(id, |job| failed_until(job, report, wanted.unwrap_or_default(), now_ms))
}

/// What a failure that was reported leads to: the end, or the next attempt after a pause.
pub(super) fn failed(
    job: &mut Job,
    report: Report,
    now_ms: u64,
) -> Result<Vec<Report>, UpdateError> {
    failed_until(job, report, Duration::ZERO, now_ms)
}

/// So long is an error that is told while the next attempt is waited for.
const MAX_REASON_BYTES: usize = 500;

/// The same with a pause that is not shorter than this.
fn failed_until(
    job: &mut Job,
    mut report: Report,
    at_least: Duration,
    now_ms: u64,
) -> Result<Vec<Report>, UpdateError> {
    let attempt = report.attempt.unwrap_or(job.present.attempt);
    let assignment = let_go(job)?;
    assignment.failures += 1;
    report.retryable &= assignment.failures < assignment.attempts;
    if !report.retryable {
        return Ok(vec![report]);
    }
    let pause = assignment.backoff.after(assignment.failures).max(at_least);
    assignment.due_ms = now_ms + pause.as_millis() as u64;
    let (next, of, seconds) = (assignment.failures + 1, assignment.attempts, pause.as_secs_f64());
    // Why, for those who come while it waits; an error may be as long as an event.
    let why = report.error.as_deref().filter(|error| error.len() <= MAX_REASON_BYTES);
    let why = why.map_or(".".to_owned(), |error| format!(": {error}"));
    let next = Report {
        attempt: Some(attempt + 1),
        stage: Some("waiting".into()),
        message: Some(format!("Attempt {next} of {of} begins in {seconds:.1} s{why}")),
        ..Report::of(JobStatus::Pending)
    };
    Ok(vec![report, next])
}

/// Takes an attempt back of which nobody knows what became; a job that is lost too often has failed.
pub(super) fn take_back(
    jobs: &Jobs,
    id: &Identifier,
    max_losses: u32,
) -> Result<Altered, UpdateError> {
    jobs.alter(id, |job| {
        // Its worker may have been heard of in the last moment.
        let is_held = job.assignment.as_ref().is_some_and(|place| place.holder.is_some());
        let is_heard = is_held && !job.present.stalled;
        if job.present.status == JobStatus::Pending || is_heard {
            return Ok(Vec::new());
        }
        let attempt = job.present.attempt;
        let was_failed = job.present.status == JobStatus::Failed;
        let assignment = let_go(job)?;
        assignment.losses += 1;
        let may_go_on = max_losses == 0 || assignment.losses <= max_losses;
        let lost = Report {
            error: Some(LOST_WORKER.into()),
            retryable: may_go_on,
            ..Report::of(JobStatus::Failed)
        };
        let again = Report {
            attempt: Some(attempt + 1),
            stage: Some("waiting".into()),
            message: Some("Its worker was lost; it waits for another.".into()),
            ..Report::of(JobStatus::Pending)
        };
        Ok(match (was_failed, may_go_on) {
            (true, _) => vec![again],
            (false, true) => vec![lost, again],
            (false, false) => vec![lost],
        })
    })
}

/// Gives an attempt back that was left off in good order: it does not count.
pub(super) fn give_back(
    jobs: &Jobs,
    id: &Identifier,
    attempt: u32,
) -> Result<Altered, UpdateError> {
    jobs.alter(id, |job| {
        let_go(job)?;
        let again = Report {
            attempt: Some(attempt + 1),
            stage: Some("waiting".into()),
            message: Some("It was given back and waits for another worker.".into()),
            ..Report::of(JobStatus::Pending)
        };
        Ok(vec![again])
    })
}

/// Cancels a job that nobody has begun.
pub(super) fn withdraw(jobs: &Jobs, id: &Identifier) -> Result<Altered, UpdateError> {
    jobs.alter(id, |job| {
        if job.present.status != JobStatus::Pending {
            return Err(conflict(job, Conflict::Begun));
        }
        let_go(job)?;
        Ok(vec![Report::of(JobStatus::Cancelled)])
    })
}

/// Nobody has the job any more.
pub(super) fn let_go(job: &mut Job) -> Result<&mut Assignment, UpdateError> {
    job.lease_ms = 0;
    let assignment = assignment(job)?;
    assignment.holder = None;
    Ok(assignment)
}

fn assignment(job: &mut Job) -> Result<&mut Assignment, UpdateError> {
    job.assignment.as_mut().ok_or(UpdateError::Unknown)
}

pub(super) fn conflict(job: &Job, conflict: Conflict) -> UpdateError {
    UpdateError::Conflict { conflict, present: Box::new(job.present.clone()) }
}
