//! `POST /api/v1/jobs`: makes a job of any JSON object.
//!
//! Two of its members are looked at, and stay in it: `jobId`, if its maker wants to choose that, and
//! `lease_seconds`. A maker that may have to say it twice names its request by `Idempotency-Key`.

use std::ops::RangeInclusive;

use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::view::{State, is_false};
use super::{events_path, overloaded, respond, sentence};
use crate::event::InvalidEvent;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::PublishError;
use crate::publish::jobs::{CreateError, NewJob};
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::doors::events::broadcast;
use crate::serve::doors::request_key;
use crate::serve::problem::{Problem, json_body, json_value};
use crate::serve::routes::Call;

/// What of the body is looked at.
#[derive(Debug, Deserialize)]
struct Wishes {
    #[serde(rename = "jobId")]
    job_id: Option<String>,
    lease_seconds: Option<u64>,
}

/// How long a lease may be.
const LEASES: RangeInclusive<u64> = 1..=86_400;

/// The answer, by seed 000, and more where there is more to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    job_id: &'a Identifier,
    status: JobStatus,
    sse_endpoint: String,
    /// It was made by an earlier request with the same key.
    #[serde(skip_serializing_if = "is_false")]
    repeated: bool,
    /// Whether it is on disk; absent if nothing is kept there.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

/// Makes a job; answers with its id and where it is watched.
pub fn create(call: &Call<'_>) -> Result<Answer, Problem> {
    let payload: Box<RawValue> = json_body(call.request, &call.body)?;
    if !payload.get().starts_with('{') {
        let detail = "A job is a JSON object, with whatever its worker has to know.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid").detail(detail));
    }
    let wishes: Wishes = json_value(&call.body)?;
    let key = request_key::header(call)?;
    let new = NewJob {
        id: wishes.job_id.as_deref().map(|id| chosen_id("jobId", id)).transpose()?,
        request: key.map(|key| request_key::named(call, key)),
        payload: Some(payload.into()),
        lease_ms: lease_ms("lease_seconds", wishes.lease_seconds)?,
        assignment: None,
    };
    let created = call.app.jobs.create(new).map_err(|error| not_made(call.app, &error))?;
    let made = Made {
        job_id: &created.present.job_id,
        status: created.present.status,
        sse_endpoint: events_path(&created.present),
        repeated: created.is_repeat,
        stored: call.app.publisher.keeps().then_some(created.stored.is_ok()),
    };
    let status = if created.is_repeat { StatusCode::OK } else { StatusCode::CREATED };
    let location = format!("/api/v1/jobs/{}", created.present.job_id);
    Ok(respond(status, &made).header(LOCATION, location).into())
}

/// An id that somebody has chosen, in this field.
pub(in crate::serve::doors) fn chosen_id(field: &str, text: &str) -> Result<Identifier, Problem> {
    let invalid = |detail: String| Problem::unprocessable(field, detail);
    let id = text.parse().map_err(|error: InvalidEvent| invalid(sentence(&error.to_string())))?;
    // No path leads to them.
    if text == "." || text == ".." {
        return Err(invalid(format!("Nothing can be called {text:?}.")));
    }
    Ok(id)
}

/// How long nothing may be heard of a job, by what stands in this field.
pub(in crate::serve::doors) fn lease_ms(field: &str, seconds: Option<u64>) -> Result<u64, Problem> {
    match seconds {
        None => Ok(0),
        Some(seconds) if LEASES.contains(&seconds) => Ok(seconds * 1_000),
        Some(_) => {
            let (least, most) = LEASES.into_inner();
            let detail = format!("A whole number of seconds from {least} to {most}.");
            Err(Problem::unprocessable(field, detail))
        }
    }
}

/// Why a job was not made, for its maker.
pub(in crate::serve::doors) fn not_made(app: &App, error: &CreateError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        CreateError::Exists(id) => {
            let problem = Problem::conflict("job_exists", detail);
            match app.jobs.get(id) {
                Some(job) => problem.member("job", &State::of(&job.present)),
                None => problem,
            }
        }
        CreateError::KeyReused => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused").detail(detail)
        }
        CreateError::Invalid(invalid) => {
            broadcast::problem(&PublishError::Invalid(invalid.clone()))
        }
        CreateError::Full(_) | CreateError::Heavy(_) => {
            Problem { code: "too_many_jobs", ..overloaded(&detail) }
        }
        CreateError::Busy => overloaded(&detail),
    }
}
