//! `POST /api/v1/jobs/{id}/status` and `POST /api/v1/jobs/status`: what services say of jobs, one or many.

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::view::{is_false, number};
use super::{job_id, not_taken, respond, sentence};
use crate::event::InvalidEvent;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::time;
use crate::event::topic::Identifier;
use crate::publish::jobs::{Report, Updated};
use crate::publish::queues::LeaseError;
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::problem::{Problem, json_body, json_value};
use crate::serve::routes::Call;

/// A report, in the words of seed 000.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Said {
    job_id: Option<String>,
    status: Option<String>,
    progress: Option<f64>,
    stage: Option<String>,
    message: Option<String>,
    /// ISO 8601 as in seed 000, or milliseconds since 1970 as in seed 001.
    timestamp: Option<Value>,
    data: Option<Arc<RawValue>>,
    result: Option<Arc<RawValue>>,
    error: Option<String>,
    attempt: Option<u32>,
    #[serde(default)]
    retryable: bool,
    update_id: Option<String>,
    /// Proves that a job of a queue is leased to whoever reports.
    lease_token: Option<String>,
}

/// The answer to a report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Taken<'a> {
    job_id: &'a Identifier,
    status: JobStatus,
    #[serde(serialize_with = "number")]
    progress: f64,
    attempt: u32,
    revision: u64,
    /// It had been said before.
    #[serde(skip_serializing_if = "is_false")]
    repeated: bool,
    /// Whether it is on disk; absent if nobody waited for that, or nothing is kept there.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

impl<'a> Taken<'a> {
    pub fn of(app: &App, updated: &'a Updated) -> Self {
        let stored = app.publisher.keeps().then_some(updated.stored.is_ok());
        let repeated = updated.is_repeat;
        Self { repeated, stored, ..Self::again(&updated.present) }
    }

    /// The answer to what need not be said again.
    pub fn again(present: &'a JobUpdate) -> Self {
        Self {
            job_id: &present.job_id,
            status: present.status,
            progress: present.progress,
            attempt: present.attempt,
            revision: present.revision,
            repeated: true,
            stored: None,
        }
    }
}

/// `POST /api/v1/jobs/{id}/status`: takes one report.
pub fn report(call: &Call<'_>) -> Result<Answer, Problem> {
    let id = job_id(call)?;
    let said: Said = json_body(call.request, &call.body)?;
    if said.job_id.as_deref().is_some_and(|said| said != id.as_str()) {
        let detail = "It is not the job that the path names; leave it out.";
        return Err(Problem::unprocessable("jobId", detail));
    }
    let token = said.lease_token.clone();
    let updated = call.app.queues.report(&id, &said.into_report()?, token.as_deref());
    let updated = updated.map_err(|error| not_taken(&error))?;
    Ok(respond(StatusCode::OK, &Taken::of(call.app, &updated)).into())
}

/// Many reports at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    updates: Vec<Box<RawValue>>,
}

/// How many reports may come at once.
const MAX_UPDATES: usize = 1_000;

/// What became of one of many reports.
#[derive(Debug, Serialize)]
struct Told<'a> {
    status_code: u16,
    #[serde(flatten)]
    taken: Option<Taken<'a>>,
    #[serde(rename = "jobId", skip_serializing_if = "Option::is_none")]
    not_taken: Option<&'a Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<RawValue>>,
}

/// `POST /api/v1/jobs/status`: takes many reports, in their order and each by itself. The answer has one
/// result for each.
pub fn reports(call: &Call<'_>) -> Result<Answer, Problem> {
    let batch: Batch = json_body(call.request, &call.body)?;
    if batch.updates.len() > MAX_UPDATES {
        let detail = format!("At most {MAX_UPDATES} at once.");
        return Err(Problem::unprocessable("updates", detail));
    }
    let read: Vec<_> = batch.updates.iter().map(|said| read_one(said)).collect();
    let reports = read.iter().flatten().map(|(id, report, token)| (id, report, token.as_deref()));
    let outcomes = call.app.queues.report_all(reports);
    let mut taken = outcomes.iter();
    let results = read.iter().map(|read| match read {
        // There are as many outcomes as reports.
        Ok((id, ..)) => taken.next().map(|outcome| Told::of(call.app, id, outcome)),
        Err(problem) => Some(Told::problem(None, problem)),
    });
    let results: Vec<_> = results.flatten().collect();
    Ok(respond(StatusCode::OK, &json!({"results": results})).into())
}

/// The job, what is said of it, and the token of the lease on it.
type Read = (Identifier, Report, Option<String>);

fn read_one(said: &RawValue) -> Result<Read, Problem> {
    let said: Said = json_value(said.get().as_bytes())?;
    let id = said.job_id.as_deref().unwrap_or_default();
    let id = id.parse().map_err(|error: InvalidEvent| {
        Problem::unprocessable("jobId", sentence(&error.to_string()))
    })?;
    let token = said.lease_token.clone();
    Ok((id, said.into_report()?, token))
}

impl<'a> Told<'a> {
    fn of(app: &App, id: &'a Identifier, outcome: &'a Result<Updated, LeaseError>) -> Self {
        match outcome {
            Ok(updated) => {
                let (status_code, taken) = (200, Some(Taken::of(app, updated)));
                Self { status_code, taken, not_taken: None, problem: None }
            }
            Err(error) => Self::problem(Some(id), &not_taken(error)),
        }
    }

    fn problem(id: Option<&'a Identifier>, problem: &Problem) -> Self {
        let status_code = problem.status.as_u16();
        // A problem's document is JSON.
        let problem = RawValue::from_string(problem.document()).ok();
        Self { status_code, taken: None, not_taken: id, problem }
    }
}

impl Said {
    fn into_report(self) -> Result<Report, Problem> {
        let status = self.status.as_deref().and_then(JobStatus::from_word);
        let status = status.ok_or_else(|| {
            let all = JobStatus::ALL.map(JobStatus::as_str).join(", ");
            Problem::unprocessable("status", format!("How the job is: one of {all}."))
        })?;
        if self.retryable && status != JobStatus::Failed {
            return Err(Problem::unprocessable("retryable", "Only a failure can be retryable."));
        }
        let report = Report {
            progress: self.progress,
            stage: self.stage,
            message: self.message,
            time_ms: self.timestamp.as_ref().map(unix_ms).transpose()?,
            data: self.data,
            result: self.result,
            error: self.error,
            attempt: self.attempt,
            retryable: self.retryable,
            update_id: self.update_id,
            ..Report::of(status)
        };
        report
            .check()
            .map_err(|error| Problem::unprocessable(error.field(), sentence(&error.to_string())))?;
        Ok(report)
    }
}

/// When that was so, in either form.
fn unix_ms(timestamp: &Value) -> Result<u64, Problem> {
    let ms = match timestamp {
        Value::String(text) => time::parse(text),
        other => other.as_u64().filter(|ms| !time::iso(*ms).is_empty()),
    };
    ms.ok_or_else(|| {
        let detail = "A time such as 2024-01-15T10:30:00.000Z, or milliseconds since 1970.";
        Problem::unprocessable("timestamp", detail)
    })
}
