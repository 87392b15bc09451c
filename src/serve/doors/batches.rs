//! Batches: many jobs, made, watched, looked at and cancelled as one.
//!
//! A batch's job is a job of door B or of a queue like any other, and is watched and reported on there.

pub mod events;

mod create;

use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::jobs::view::Listed;
use super::jobs::{after, limit, overloaded, respond, sentence, statuses};
use crate::event::InvalidEvent;
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::batches::{CancelError, Part};
use crate::serve::conversation::Answer;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

pub use self::create::create;

/// The name under which this door's streams stand in status, logs and metrics.
pub(super) const DOOR: &str = "batches";

/// A batch, and where it is watched.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    #[serde(flatten)]
    present: &'a BatchUpdate,
    sse_endpoint: String,
}

impl<'a> View<'a> {
    fn of(present: &'a BatchUpdate) -> Self {
        Self { present, sse_endpoint: events_path(&present.batch_id) }
    }
}

/// A job as one of a batch.
#[derive(Debug, Serialize)]
struct PartView<'a> {
    weight: f64,
    #[serde(flatten)]
    job: JobView<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum JobView<'a> {
    Kept(Box<Listed<'a>>),
    /// The job is kept no longer: what its batch knows of it.
    #[serde(rename_all = "camelCase")]
    Gone {
        job_id: &'a Identifier,
        status: JobStatus,
        attempt: u32,
        gone: bool,
    },
}

impl<'a> PartView<'a> {
    fn of(part: &'a Part) -> Self {
        let Part { job_id, status, attempt, .. } = part;
        let job = match &part.job {
            Some(job) => JobView::Kept(Box::new(Listed::of(job))),
            None => JobView::Gone { job_id, status: *status, attempt: *attempt, gone: true },
        };
        Self { weight: part.weight.get(), job }
    }
}

/// `GET /api/v1/batches?limit=&after=`: batches, the newest first.
pub fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let before = call.request.query("after").map(|id| id.parse()).transpose();
    let before: Option<Identifier> = before
        .map_err(|_| Problem::bad_request("invalid_parameter", "`after` is the id of a batch."))?;
    let found = call.app.batches.list(before.as_ref(), limit(call)?);
    let (batches, has_more) = found.map_err(|_| {
        let detail = "The batch that `after` names is not there any more; begin again without it.";
        Problem::bad_request("invalid_parameter", detail)
    })?;
    let next = batches.last().filter(|_| has_more).map(|batch| &batch.batch_id);
    let batches: Vec<_> = batches.iter().map(View::of).collect();
    Ok(respond(StatusCode::OK, &json!({"batches": batches, "next": next})).into())
}

/// `GET /api/v1/batches/{id}`: how a batch is.
pub fn batch(call: &Call<'_>) -> Result<Answer, Problem> {
    let present = call.app.batches.get(&batch_id(call)?).ok_or_else(no_such_batch)?;
    Ok(respond(StatusCode::OK, &View::of(&present)).into())
}

/// `GET /api/v1/batches/{id}/jobs?status=a,b&limit=&after=`: a batch's jobs, in its maker's order.
pub fn jobs(call: &Call<'_>) -> Result<Answer, Problem> {
    let id = batch_id(call)?;
    call.app.batches.get(&id).ok_or_else(no_such_batch)?;
    let wanted = statuses(call)?;
    let is_wanted = |status| wanted.contains(&status);
    let found = call.app.batches.parts(&id, after(call)?.as_ref(), limit(call)?, is_wanted);
    let (parts, has_more) = found.map_err(|_| {
        let detail = "The job that `after` names is not in this batch.";
        Problem::bad_request("invalid_parameter", detail)
    })?;
    let next = parts.last().filter(|_| has_more).map(|part| &part.job_id);
    let parts: Vec<_> = parts.iter().map(PartView::of).collect();
    Ok(respond(StatusCode::OK, &json!({"batchId": id, "jobs": parts, "next": next})).into())
}

/// `POST /api/v1/batches/{id}/cancel`: nobody wants those of its jobs any more that have not ended.
pub fn cancel(call: &Call<'_>) -> Result<Answer, Problem> {
    let cancelled = call.app.batches.cancel(&batch_id(call)?);
    let present = cancelled.map_err(|error| match error {
        CancelError::Unknown => no_such_batch(),
        CancelError::Busy => overloaded(&sentence(&error.to_string())),
    })?;
    Ok(respond(StatusCode::OK, &View::of(&present)).into())
}

/// The id that stands in the path.
fn batch_id(call: &Call<'_>) -> Result<Identifier, Problem> {
    let id = call.parameters.first().map_or("", String::as_str);
    id.parse().map_err(|error: InvalidEvent| {
        Problem::bad_request("invalid_batch_id", format!("The path names no batch: {error}."))
    })
}

fn no_such_batch() -> Problem {
    Problem::not_found("There is no batch with this id.")
}

/// Where a batch is watched.
fn events_path(id: &Identifier) -> String {
    format!("/api/v1/batches/{id}/events")
}
