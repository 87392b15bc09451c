//! Door B: jobs that somebody does elsewhere and others watch (seed 000).

pub mod events;
pub mod report;

mod create;
pub(super) mod view;

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::view::{Listed, State, Whole};
use crate::event::InvalidEvent;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;
use crate::publish::PublishError;
use crate::publish::jobs::{Conflict, Job, RemoveError, Report, UpdateError};
use crate::publish::queues::LeaseError;
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::doors::events::broadcast;
use crate::serve::http::Response;
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;

pub use self::create::create;
pub(super) use self::create::{chosen_id, lease_ms, not_made};

/// The name under which this door's streams stand in status, logs and metrics.
pub(super) const DOOR: &str = "jobs";

/// When it makes sense to come back to a server that is behind.
const SHORTLY: Duration = Duration::from_secs(1);

/// `GET /api/v1/jobs/{id}`: how a job is.
pub fn job(call: &Call<'_>) -> Result<Answer, Problem> {
    let job = find(call.app, &job_id(call)?)?;
    Ok(respond(StatusCode::OK, &Whole::of(&job)).into())
}

/// `GET /api/v1/jobs?status=a,b&limit=&after=`: jobs, the newest first.
pub fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted = statuses(call)?;
    let is_wanted = |job: &Job| wanted.contains(&job.present.status);
    let found = call.app.jobs.list(after(call)?.as_ref(), limit(call)?, is_wanted);
    let (jobs, has_more) = found.map_err(|_| {
        let detail = "The job that `after` names is not there any more; begin again without it.";
        Problem::bad_request("invalid_parameter", detail)
    })?;
    let next = jobs.last().filter(|_| has_more).map(|job| &job.present.job_id);
    let jobs: Vec<_> = jobs.iter().map(Listed::of).collect();
    Ok(respond(StatusCode::OK, &json!({"jobs": jobs, "next": next})).into())
}

/// `POST /api/v1/jobs/{id}/cancel`: nobody wants the job any more.
pub fn cancel(call: &Call<'_>) -> Result<Answer, Problem> {
    let id = job_id(call)?;
    let outcome = call.app.queues.report(&id, &Report::of(JobStatus::Cancelled), None);
    let taken = match &outcome {
        // Whoever cancels twice wants nothing else.
        Err(LeaseError::Update(UpdateError::Conflict { present, .. }))
            if present.status == JobStatus::Cancelled =>
        {
            report::Taken::again(present)
        }
        Ok(updated) => report::Taken::of(call.app, updated),
        Err(error) => return Err(not_taken(error)),
    };
    Ok(respond(StatusCode::OK, &taken).into())
}

/// What a worker may say with its heartbeat.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Heartbeat {
    /// Proves that a job of a queue is leased to it.
    lease_token: Option<String>,
}

/// `POST /api/v1/jobs/{id}/heartbeat`: somebody works on the job. Tells whether that is still wanted.
pub fn heartbeat(call: &Call<'_>) -> Result<Answer, Problem> {
    let id = job_id(call)?;
    let said = match call.body.as_slice() {
        [] => Heartbeat::default(),
        body => json_body(call.request, body)?,
    };
    let present = call.app.queues.hear(&id, said.lease_token.as_deref());
    let present = present.map_err(|error| not_taken(&error))?;
    let answer = json!({
        "jobId": present.job_id,
        "status": present.status,
        "cancelled": present.status == JobStatus::Cancelled,
        "attempt": present.attempt,
    });
    Ok(respond(StatusCode::OK, &answer).into())
}

/// `DELETE /api/v1/jobs/{id}`: forgets a job that has ended, or that waits in a queue.
pub fn remove(call: &Call<'_>) -> Result<Answer, Problem> {
    match call.app.queues.remove(&job_id(call)?) {
        Ok(_) => Ok(Response::empty(StatusCode::NO_CONTENT).into()),
        Err(RemoveError::Unknown) => Err(no_such_job()),
        Err(error @ RemoveError::Open(_)) => {
            Err(Problem::conflict("job_open", sentence(&error.to_string())))
        }
    }
}

/// The id that stands in the path.
pub(super) fn job_id(call: &Call<'_>) -> Result<Identifier, Problem> {
    let id = call.parameters.first().map_or("", String::as_str);
    id.parse().map_err(|error: InvalidEvent| {
        Problem::bad_request("invalid_job_id", format!("The path names no job: {error}."))
    })
}

/// A job that can be shown.
fn find(app: &App, id: &Identifier) -> Result<Job, Problem> {
    match app.jobs.get(id) {
        Some(job) => Ok(job),
        None if app.jobs.is_known(id) => {
            Err(overloaded("The job is still on its way to the disk."))
        }
        None => Err(no_such_job()),
    }
}

pub(super) fn statuses(call: &Call<'_>) -> Result<Vec<JobStatus>, Problem> {
    let Some(named) = call.request.query("status") else { return Ok(JobStatus::ALL.to_vec()) };
    let status = |word: &str| {
        let found = JobStatus::ALL.into_iter().find(|status| status.as_str() == word);
        found.ok_or_else(|| {
            let word: String = word.chars().take(80).collect();
            let all = JobStatus::ALL.map(JobStatus::as_str).join(", ");
            let detail = format!("There is no status {word:?}; there are: {all}.");
            Problem::bad_request("unknown_status", detail)
        })
    };
    named.split(',').map(|word| status(word.trim())).collect()
}

/// The last job of the page before.
pub(super) fn after(call: &Call<'_>) -> Result<Option<Identifier>, Problem> {
    let after = call.request.query("after").map(|id| id.parse()).transpose();
    after.map_err(|_| Problem::bad_request("invalid_parameter", "`after` is the id of a job."))
}

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

pub(super) fn limit(call: &Call<'_>) -> Result<usize, Problem> {
    let Some(text) = call.request.query("limit") else { return Ok(DEFAULT_LIMIT) };
    let number = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    number.ok_or_else(|| {
        let detail = format!("`limit` is a number between 1 and {MAX_LIMIT}.");
        Problem::bad_request("invalid_parameter", detail)
    })
}

pub(super) fn respond(status: StatusCode, answer: &impl Serialize) -> Response {
    Response::json(status, answer).header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

pub(super) fn no_such_job() -> Problem {
    Problem::not_found("There is no job with this id.")
}

pub(super) fn overloaded(detail: &str) -> Problem {
    Problem { code: "overloaded", ..Problem::unavailable(SHORTLY).detail(detail) }
}

/// Why a report was not taken, for the service.
fn not_taken(error: &LeaseError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        LeaseError::NotYours(present) => {
            Problem::conflict("lease_lost", detail).member("job", &State::of(present))
        }
        LeaseError::Update(UpdateError::Unknown) => no_such_job(),
        LeaseError::Update(UpdateError::Conflict { conflict, present }) => {
            Problem::conflict(code(conflict), detail).member("job", &State::of(present))
        }
        LeaseError::Update(UpdateError::Invalid(invalid)) => {
            broadcast::problem(&PublishError::Invalid(invalid.clone()))
        }
        LeaseError::Update(UpdateError::Busy) => overloaded(&detail),
    }
}

fn code(conflict: &Conflict) -> &'static str {
    match conflict {
        Conflict::Ended => "job_ended",
        Conflict::OldAttempt { .. } => "old_attempt",
        Conflict::AttemptFailed { .. } => "attempt_failed",
        Conflict::Begun => "already_processing",
        Conflict::Backwards { .. } => "progress_backwards",
    }
}

/// An error's words as a sentence.
pub(super) fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).chain(['.']).collect()
}

/// Where a job is watched.
pub(super) fn events_path(job: &JobUpdate) -> String {
    format!("/api/v1/jobs/{}/events", job.job_id)
}
