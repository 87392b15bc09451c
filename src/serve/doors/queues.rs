//! Queues (seed 001): jobs are put in, queues and workers are looked at, and those outside lease jobs.
//!
//! A queue's job is a job of door B like any other, and is watched, reported on and cancelled there.

pub mod add;
pub mod lease;

pub(super) mod view;

use http::StatusCode;
use serde_json::json;

use self::view::{QueueView, WorkerView};
use super::jobs::view::{Listed, State};
use super::jobs::{
    after, events_path, job_id, limit, no_such_job, not_made, overloaded, respond, sentence,
};
use super::summaries::refusal::not_read;
use crate::event::InvalidEvent;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::jobs::Job;
use crate::publish::queues::{AddError, RetryError};
use crate::publish::summarizer::RetryJobError;
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// `GET /api/v1/queues`: every queue, by name.
pub fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let queues = &call.app.queues;
    let reports = queues.reports();
    let described: Vec<_> =
        reports.iter().filter_map(|report| queues.describe(&report.queue_name)).collect();
    let views: Vec<_> = described.iter().map(QueueView::of).collect();
    Ok(respond(StatusCode::OK, &json!({ "queues": views })).into())
}

/// `GET /api/v1/queues/{name}`: how one queue works and how it is.
pub fn queue(call: &Call<'_>) -> Result<Answer, Problem> {
    show(call.app, &queue_name(call)?)
}

/// `POST /api/v1/queues/{name}/pause`: no job begins any more.
pub fn pause(call: &Call<'_>) -> Result<Answer, Problem> {
    set_paused(call, true)
}

/// `POST /api/v1/queues/{name}/resume`: jobs begin again.
pub fn resume(call: &Call<'_>) -> Result<Answer, Problem> {
    set_paused(call, false)
}

fn set_paused(call: &Call<'_>, is_paused: bool) -> Result<Answer, Problem> {
    let name = queue_name(call)?;
    call.app.queues.pause(&name, is_paused).ok_or_else(no_such_queue)?;
    show(call.app, &name)
}

fn show(app: &App, name: &Identifier) -> Result<Answer, Problem> {
    let described = app.queues.describe(name).ok_or_else(no_such_queue)?;
    Ok(respond(StatusCode::OK, &QueueView::of(&described)).into())
}

/// `GET /api/v1/workers`: whoever does jobs, in this process and outside.
pub fn workers(call: &Call<'_>) -> Result<Answer, Problem> {
    let reports = call.app.queues.workers();
    let workers: Vec<_> = reports.iter().map(WorkerView::of).collect();
    Ok(respond(StatusCode::OK, &json!({ "workers": workers })).into())
}

/// `GET /api/v1/queues/{name}/jobs?status=&limit=&after=`: a queue's jobs, the newest first.
pub fn jobs(call: &Call<'_>) -> Result<Answer, Problem> {
    let name = queue_name(call)?;
    call.app.queues.describe(&name).ok_or_else(no_such_queue)?;
    let wanted = wanted(call)?;
    let now_ms = call.app.clock.unix_ms();
    let is_wanted = |job: &Job| {
        let in_queue = job.assignment.as_ref().is_some_and(|place| place.queue == name);
        in_queue && wanted.iter().any(|wanted| wanted.takes(job, now_ms))
    };
    let found = call.app.jobs.list(after(call)?.as_ref(), limit(call)?, is_wanted);
    let (jobs, has_more) = found.map_err(|_| {
        let detail = "The job that `after` names is not there any more; begin again without it.";
        Problem::bad_request("invalid_parameter", detail)
    })?;
    let next = jobs.last().filter(|_| has_more).map(|job| &job.present.job_id);
    let jobs: Vec<_> = jobs.iter().map(Listed::of).collect();
    Ok(respond(StatusCode::OK, &json!({"jobs": jobs, "next": next})).into())
}

/// Which jobs of a queue somebody wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those in a state.
    In(JobStatus),
    /// Those that could begin now.
    Waiting,
    /// Those that wait for their time.
    Delayed,
}

impl Wanted {
    /// The words of door B, and those of seed 001's counts.
    const WORDS: [(&str, Self); 8] = [
        ("pending", Self::In(JobStatus::Pending)),
        ("waiting", Self::Waiting),
        ("delayed", Self::Delayed),
        ("processing", Self::In(JobStatus::Processing)),
        ("active", Self::In(JobStatus::Processing)),
        ("completed", Self::In(JobStatus::Completed)),
        ("failed", Self::In(JobStatus::Failed)),
        ("cancelled", Self::In(JobStatus::Cancelled)),
    ];

    fn takes(self, job: &Job, now_ms: u64) -> bool {
        let is_pending = job.present.status == JobStatus::Pending;
        let is_due = job.assignment.as_ref().is_none_or(|place| place.due_ms <= now_ms);
        match self {
            Self::In(status) => job.present.status == status,
            Self::Waiting => is_pending && is_due,
            Self::Delayed => is_pending && !is_due,
        }
    }
}

fn wanted(call: &Call<'_>) -> Result<Vec<Wanted>, Problem> {
    let Some(named) = call.request.query("status") else {
        return Ok(JobStatus::ALL.map(Wanted::In).to_vec());
    };
    let wanted = |word: &str| {
        let found = Wanted::WORDS.into_iter().find(|(known, _)| *known == word);
        found.map(|(_, wanted)| wanted).ok_or_else(|| {
            let word: String = word.chars().take(80).collect();
            let all = Wanted::WORDS.map(|(word, _)| word).join(", ");
            let detail = format!("There is no status {word:?}; there are: {all}.");
            Problem::bad_request("unknown_status", detail)
        })
    };
    named.split(',').map(|word| wanted(word.trim())).collect()
}

/// `POST /api/v1/jobs/{id}/retry`: tries a failed job again, as a new job.
pub fn retry(call: &Call<'_>) -> Result<Answer, Problem> {
    let id = job_id(call)?;
    let (app, queues) = (call.app, &call.app.queues);
    // Who waits for a summary is told of it by more than its job.
    let ours = app.summarizer.as_ref().and_then(|s| s.retry_job(queues, &app.jobs, &id));
    let again = match ours {
        Some(Ok(again)) => app.jobs.get(&again).ok_or_else(no_such_job)?.present,
        Some(Err(RetryJobError::Queue(error))) => return Err(not_retried(app, &error)),
        Some(Err(RetryJobError::Library(error))) => return Err(not_read(&error)),
        Some(Err(error @ RetryJobError::NotAgain)) => {
            return Err(Problem::conflict("not_again", sentence(&error.to_string())));
        }
        None => queues.retry(&id).map_err(|error| not_retried(app, &error))?.present,
    };
    let answer = json!({
        "jobId": again.job_id,
        "retryOf": id,
        "status": again.status,
        "sseEndpoint": events_path(&again),
    });
    Ok(respond(StatusCode::ACCEPTED, &answer).into())
}

fn not_retried(app: &App, error: &RetryError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        RetryError::Add(error) => not_added(app, error),
        RetryError::Unknown => no_such_job(),
        RetryError::NotFailed(present) => {
            Problem::conflict("not_failed", detail).member("job", &State::of(present))
        }
        RetryError::Already(again) => {
            Problem::conflict("already_retried", detail).member("retriedAs", again)
        }
    }
}

/// Why jobs were not put in a queue, for their maker.
pub(super) fn not_added(app: &App, error: &AddError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        AddError::Create(error) => not_made(app, error),
        AddError::QueueFull(_) => Problem { code: "queue_full", ..overloaded(&detail) },
        AddError::TooManyQueues(_) => {
            let problem = Problem::unprocessable("queueName", detail);
            Problem { code: "too_many_queues", ..problem }
        }
    }
}

/// The queue that stands in the path.
fn queue_name(call: &Call<'_>) -> Result<Identifier, Problem> {
    let name = call.parameters.first().map_or("", String::as_str);
    name.parse().map_err(|error: InvalidEvent| {
        Problem::bad_request("invalid_queue_name", format!("The path names no queue: {error}."))
    })
}

fn no_such_queue() -> Problem {
    Problem::not_found("There is no queue of this name.")
}
