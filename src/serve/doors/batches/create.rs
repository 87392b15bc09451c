//! `POST /api/v1/batches`: makes a batch of jobs that are there and of new ones.
//!
//! Each of its jobs has one of three forms: `{jobId}` for one that is there, `{request}` for one that somebody
//! does elsewhere, and `{queueName, jobName, …}` as for a queue. A maker that may have to say it twice names its
//! request by `Idempotency-Key`.

use std::collections::BTreeMap;

use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::events_path;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::batches::{MakeError, NewBatch, NewMember, Weight, Work};
use crate::publish::jobs::NewJob;
use crate::publish::queues::NewWork;
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::doors::jobs::{chosen_id, lease_ms, overloaded, respond, sentence};
use crate::serve::doors::queues::add::Wanted;
use crate::serve::doors::queues::not_added;
use crate::serve::doors::request_key;
use crate::serve::problem::{Problem, json_body, json_value};
use crate::serve::routes::Call;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    title: Option<String>,
    jobs: Vec<Members>,
}

/// A job's members, as they were written.
type Members = BTreeMap<String, Box<RawValue>>;

/// One that is there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Existing {
    job_id: String,
}

/// One that somebody does elsewhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    #[serde(rename = "jobId")]
    job_id: Option<String>,
    request: Box<RawValue>,
    lease_seconds: Option<u64>,
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    batch_id: &'a Identifier,
    total: usize,
    /// In the order in which they were asked for.
    job_ids: &'a [Identifier],
    status: JobStatus,
    sse_endpoint: String,
    /// It was made by an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
    /// Whether it is on disk; absent if nothing is kept there.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

/// The longest name for a batch, in bytes: it is in every event.
const MAX_TITLE: usize = 200;

/// Makes a batch; answers with its id, those of its jobs, and where it is watched.
pub fn create(call: &Call<'_>) -> Result<Answer, Problem> {
    let asked: Asked = json_body(call.request, &call.body)?;
    if !asked.title.as_ref().is_none_or(|title| (1..=MAX_TITLE).contains(&title.len())) {
        return Err(Problem::unprocessable("title", format!("1 to {MAX_TITLE} bytes.")));
    }
    let jobs = asked.jobs.into_iter().enumerate();
    let new = NewBatch {
        id: None,
        title: asked.title,
        jobs: jobs.map(|(index, job)| member(index, job)).collect::<Result<_, _>>()?,
        request: request_key::header(call)?.map(|key| request_key::named(call, key)),
    };
    let made = call.app.batches.make(new).map_err(|error| not_made(call.app, &error))?;
    let id = &made.present.batch_id;
    let answer = Made {
        batch_id: id,
        total: made.present.total,
        job_ids: &made.jobs,
        status: made.present.status,
        sse_endpoint: events_path(id),
        repeated: made.is_repeat,
        stored: call.app.publisher.keeps().then_some(made.stored.is_ok()),
    };
    let status = if made.is_repeat { StatusCode::OK } else { StatusCode::CREATED };
    Ok(respond(status, &answer).header(LOCATION, format!("/api/v1/batches/{id}")).into())
}

/// The job at this place of the request.
fn member(index: usize, mut members: Members) -> Result<NewMember, Problem> {
    let path = format!("jobs[{index}].");
    let weight = match members.remove("weight") {
        Some(weight) => read_weight(&weight, &path)?,
        None => Weight::default(),
    };
    let work = if members.contains_key("queueName") {
        if members.contains_key("durable") {
            let detail = "A batch is always answered when it is on disk; leave it out.";
            return Err(Problem::unprocessable(format!("{path}durable"), detail));
        }
        let wanted: Wanted = read(&members, &path)?;
        let (queue, task) = wanted.into_task(&path, None)?;
        Work::New(Box::new(NewWork::Task { queue, task }))
    } else if members.contains_key("request") {
        Work::New(Box::new(NewWork::Job(new_job(read(&members, &path)?, &path)?)))
    } else if members.contains_key("jobId") {
        let Existing { job_id } = read(&members, &path)?;
        Work::Existing(chosen_id(&format!("{path}jobId"), &job_id)?)
    } else {
        let detail = "A job of a batch is {\"jobId\": …} if it is there, {\"request\": {…}} for a new one, \
                      or {\"queueName\": …, \"jobName\": …} for a new one in a queue.";
        return Err(Problem::unprocessable(path.trim_end_matches('.'), detail));
    };
    Ok(NewMember { weight, work })
}

fn read_weight(weight: &RawValue, path: &str) -> Result<Weight, Problem> {
    let weight = serde_json::from_str(weight.get()).ok().and_then(Weight::new);
    weight.ok_or_else(|| {
        let detail = format!("A number above 0 and at most {}.", Weight::MAX);
        Problem::unprocessable(format!("{path}weight"), detail)
    })
}

/// Reads a job in one of its forms.
fn read<T: for<'a> Deserialize<'a>>(members: &Members, path: &str) -> Result<T, Problem> {
    // What was read as JSON can be written as such.
    let json = serde_json::to_vec(members).unwrap_or_default();
    json_value(&json).map_err(|problem| {
        let field = match &problem.field {
            Some(field) => format!("{path}{field}"),
            None => path.trim_end_matches('.').to_owned(),
        };
        problem.field(field)
    })
}

fn new_job(new: New, path: &str) -> Result<NewJob, Problem> {
    if !new.request.get().starts_with('{') {
        let detail = "A JSON object, with whatever the job's worker has to know.";
        return Err(Problem::unprocessable(format!("{path}request"), detail));
    }
    let id = new.job_id.map(|id| chosen_id(&format!("{path}jobId"), &id)).transpose()?;
    let lease_ms = lease_ms(&format!("{path}lease_seconds"), new.lease_seconds)?;
    Ok(NewJob { id, payload: Some(new.request.into()), lease_ms, ..NewJob::default() })
}

/// Why a batch was not made, for its maker.
fn not_made(app: &App, error: &MakeError) -> Problem {
    let detail = sentence(&error.to_string());
    let of_job = |index: &usize, code: &'static str, detail: String| Problem {
        code,
        ..Problem::unprocessable(format!("jobs[{index}].jobId"), detail)
    };
    match error {
        MakeError::Empty | MakeError::TooManyJobs(..) => Problem::unprocessable("jobs", detail),
        MakeError::Full => Problem { code: "too_many_batched_jobs", ..overloaded(&detail) },
        MakeError::KeyReused => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused").detail(detail)
        }
        MakeError::NoSuchJob(index, _) => of_job(index, "unknown_job", detail),
        MakeError::Twice(index, _) => of_job(index, "job_named_twice", detail),
        MakeError::Add(error) => not_added(app, error),
    }
}
