//! `POST /api/v1/queue/add` and `/api/v1/queue/add-bulk`: jobs are put in queues, with what `BullMQ` calls
//! a job's options.
//!
//! A maker that may have to say it twice names its request by `Idempotency-Key`.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::not_added;
use crate::event::RequestKey;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::jobs::Created;
use crate::publish::queues::NewTask;
use crate::publish::queues::config::{Backoff, BackoffKind};
use crate::serve::conversation::Answer;
use crate::serve::doors::jobs::{chosen_id, events_path, respond};
use crate::serve::doors::request_key;
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;

/// A job for a queue, by seed 001 and `BullMQ`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::serve::doors) struct Wanted {
    queue_name: Option<String>,
    job_name: String,
    data: Option<Arc<RawValue>>,
    /// In milliseconds.
    delay: Option<u64>,
    attempts: Option<u32>,
    /// A pause in milliseconds that is always the same, or `{type, delay}`.
    backoff: Option<Value>,
    priority: Option<u32>,
    job_id: Option<String>,
    /// Answer only when it is on disk.
    durable: Option<bool>,
}

/// Many of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bulk {
    /// The queue of those that name none.
    queue_name: Option<String>,
    jobs: Vec<Wanted>,
    durable: Option<bool>,
}

/// The answer to one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Added<'a> {
    job_id: &'a Identifier,
    queue_name: &'a Identifier,
    status: JobStatus,
    sse_endpoint: String,
    #[serde(flatten)]
    fate: Fate,
}

/// The answer to many.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AllAdded<'a> {
    job_ids: Vec<&'a Identifier>,
    #[serde(flatten)]
    fate: Fate,
}

/// What there is to say of a request's jobs together.
#[derive(Debug, Clone, Copy, Serialize)]
struct Fate {
    /// They were made by an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
    /// Whether they are on disk; absent if nobody waited for that, or nothing is kept there.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

/// The most jobs of one request.
const MAX_BULK: usize = 10_000;

/// The longest delay and pause: ten years.
const MAX_DELAY_MS: u64 = 315_576_000_000;

/// How often a job can be tried.
const MAX_ATTEMPTS: u32 = 1_000;

/// The greatest number for a job's priority, which is `BullMQ`'s.
const MAX_PRIORITY: u32 = 2_097_152;

/// The longest name for a kind of job, in bytes.
const MAX_JOB_NAME: usize = 255;

/// Puts a job in a queue; answers with its id and where it is watched.
pub fn add(call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted: Wanted = json_body(call.request, &call.body)?;
    let is_durable = wanted.durable.unwrap_or(true);
    let (queue, mut task) = wanted.into_task("", None)?;
    task.request = request_key::header(call)?.map(|key| request_key::named(call, key));
    let added = call.app.queues.add(&queue, vec![task], is_durable);
    let added = added.map_err(|error| not_added(call.app, &error))?;
    let fate = Fate::of(call, &added, is_durable);
    // There is one answer for one job.
    let answer = added.first().map(|job| Added {
        job_id: &job.present.job_id,
        queue_name: &queue,
        status: job.present.status,
        sse_endpoint: events_path(&job.present),
        fate,
    });
    let location = answer.as_ref().map(|answer| format!("/api/v1/jobs/{}", answer.job_id));
    let response = respond(StatusCode::ACCEPTED, &answer);
    Ok(response.header(LOCATION, location.unwrap_or_default()).into())
}

/// Puts many jobs in queues, all or none; answers with their ids in the order of the jobs.
pub fn add_bulk(call: &Call<'_>) -> Result<Answer, Problem> {
    let bulk: Bulk = json_body(call.request, &call.body)?;
    let is_durable = bulk.durable.unwrap_or(true);
    if bulk.jobs.is_empty() || bulk.jobs.len() > MAX_BULK {
        let detail = format!("1 to {MAX_BULK} jobs.");
        return Err(Problem::unprocessable("jobs", detail));
    }
    let queue = bulk.queue_name.as_deref();
    let queue = queue.map(|name| chosen_id("queueName", name)).transpose()?;
    let request = request_key::header(call)?.map(|key| request_key::named(call, key));
    let tasks = bulk.jobs.into_iter().enumerate().map(|(index, wanted)| {
        let path = format!("jobs[{index}].");
        if wanted.durable.is_some() {
            let detail = "It is said of all together, beside `jobs`.";
            return Err(Problem::unprocessable(format!("{path}durable"), detail));
        }
        let (queue, task) = wanted.into_task(&path, queue.as_ref())?;
        let request = request.as_ref().map(|request| numbered(request, index));
        Ok((queue, NewTask { request, ..task }))
    });
    let tasks = tasks.collect::<Result<_, _>>()?;
    let added = call.app.queues.add_all(tasks, is_durable);
    let added = added.map_err(|error| not_added(call.app, &error))?;
    let job_ids = added.iter().map(|job| &job.present.job_id).collect();
    let answer = AllAdded { job_ids, fate: Fate::of(call, &added, is_durable) };
    Ok(respond(StatusCode::ACCEPTED, &answer).into())
}

/// One of the jobs of a request that has a name.
fn numbered(request: &RequestKey, index: usize) -> RequestKey {
    RequestKey { key: format!("{}#{index}", request.key), digest: request.digest }
}

impl Fate {
    fn of(call: &Call<'_>, added: &[Created], is_durable: bool) -> Self {
        let is_stored = || added.iter().all(|job| job.stored.is_ok());
        let is_asked = is_durable && call.app.publisher.keeps();
        Self { repeated: added.iter().all(|job| job.is_repeat), stored: is_asked.then(is_stored) }
    }
}

impl Wanted {
    /// The job and its queue, which is `queue` if it names none. `path` is where it stands in the body.
    pub fn into_task(
        self,
        path: &str,
        queue: Option<&Identifier>,
    ) -> Result<(Identifier, NewTask), Problem> {
        let field = |name: &str| format!("{path}{name}");
        let queue = match (self.queue_name, queue) {
            (Some(name), _) => chosen_id(&field("queueName"), &name)?,
            (None, Some(queue)) => queue.clone(),
            (None, None) => {
                let detail = "The name of the queue is missing.";
                return Err(Problem::unprocessable(field("queueName"), detail));
            }
        };
        if !(1..=MAX_JOB_NAME).contains(&self.job_name.len()) {
            let detail = format!("1 to {MAX_JOB_NAME} bytes.");
            return Err(Problem::unprocessable(field("jobName"), detail));
        }
        let backoff = self.backoff.map(|backoff| read_backoff(&backoff, &field("backoff")));
        let attempts = self.attempts.map(u64::from);
        let attempts = attempts.map(|n| within(n, 1..=MAX_ATTEMPTS.into(), &field("attempts")));
        let priority = self.priority.unwrap_or(0).into();
        let delay_ms = within(self.delay.unwrap_or(0), 0..=MAX_DELAY_MS, &field("delay"))?;
        let task = NewTask {
            id: self.job_id.map(|id| chosen_id(&field("jobId"), &id)).transpose()?,
            job_name: self.job_name,
            data: self.data,
            delay: Duration::from_millis(delay_ms),
            priority: within(priority, 0..=MAX_PRIORITY.into(), &field("priority"))? as u32,
            attempts: attempts.transpose()?.map(|attempts| attempts as u32),
            backoff: backoff.transpose()?,
            request: None,
        };
        Ok((queue, task))
    }
}

fn within(number: u64, range: std::ops::RangeInclusive<u64>, field: &str) -> Result<u64, Problem> {
    if range.contains(&number) {
        return Ok(number);
    }
    let detail = format!("A whole number from {} to {}.", range.start(), range.end());
    Err(Problem::unprocessable(field, detail))
}

/// `{type, delay}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pauses {
    r#type: BackoffKind,
    delay: u64,
}

fn read_backoff(value: &Value, field: &str) -> Result<Backoff, Problem> {
    let pauses = match value {
        Value::Number(number) => {
            number.as_u64().map(|delay| Pauses { r#type: BackoffKind::Fixed, delay })
        }
        value => Pauses::deserialize(value).ok(),
    };
    let Some(Pauses { r#type, delay }) = pauses else {
        let detail = "A pause in milliseconds, or {\"type\": \"fixed\" or \"exponential\", \
                      \"delay\": milliseconds}.";
        return Err(Problem::unprocessable(field, detail));
    };
    let first_ms = within(delay, 0..=MAX_DELAY_MS, field)?;
    Ok(Backoff { kind: r#type, first: Duration::from_millis(first_ms) })
}
