//! The summarizer's requests: transcripts in, batches watched and cancelled, summaries read.
//!
//! Progress comes as events on the session's stream; these answers tell the same for those who ask.
//! Everything here belongs to a session: what another session asked for is not found.

use std::time::Duration;

use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::events::session;
use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::publish::summarizer::batch::BatchReport;
use crate::publish::summarizer::request::{InvalidRequest, SummaryRequest};
use crate::publish::summarizer::shelf::{KeptSummary, Source};
use crate::publish::summarizer::textrank::KeySentence;
use crate::publish::summarizer::{CancelError, SubmitError, Summarizer};
use crate::serve::conversation::Answer;
use crate::serve::http::Response;
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;

/// When a full queue is worth another try: an item takes a fraction of this.
const QUEUE_RETRY: Duration = Duration::from_secs(2);

/// `POST /api/v1/summaries`: takes transcripts, all or none.
pub fn submit(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let request: SummaryRequest = json_body(call.request, &call.body)?;
    let accepted = visit.summarizer.submit(visit.session.clone(), request).map_err(not_taken)?;
    let path = format!("/api/v1/summaries/batches/{}", accepted.batch_id);
    // Who named the session, and so has no cookie, must name it again.
    let location = match call.request.query("session_id") {
        Some(session) => format!("{path}?session_id={session}"),
        None => path,
    };
    let response = visit.respond(StatusCode::ACCEPTED, &accepted).header(LOCATION, location);
    Ok(response.into())
}

/// `GET /api/v1/summaries?limit=&after=`: the session's summaries, newest first, without sentences.
pub fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let summaries = visit.summarizer.summaries(&visit.session);
    let limit = limit(call)?;
    let after = call.request.query("after");
    let start = match &after {
        None => 0,
        Some(id) => {
            1 + summaries.iter().position(|s| s.id.as_str() == id).ok_or_else(|| {
                Problem::bad_request(
                    "invalid_parameter",
                    "`after` is the `next` of the page before.",
                )
            })?
        }
    };
    let shown: Vec<_> = summaries[start..].iter().take(limit).map(|s| Head::of(s)).collect();
    let has_more = start + shown.len() < summaries.len();
    let next = shown.last().filter(|_| has_more).map(|head| head.id);
    let answer = json!({"summaries": shown, "total": summaries.len(), "next": next});
    Ok(visit.respond(StatusCode::OK, &answer).into())
}

/// `GET /api/v1/summaries/{id}`: a summary with its sentences.
pub fn summary(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let found = visit.summarizer.summary(&visit.session, parameter(call));
    let summary = found.ok_or_else(|| Problem::not_found("There is no such summary."))?;
    Ok(visit.respond(StatusCode::OK, &Whole::of(&summary)).into())
}

/// `GET /api/v1/summaries/batches/{id}`: how far a batch is.
pub fn batch(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let found = visit.summarizer.batch(&visit.session, parameter(call));
    let report = found.ok_or_else(|| not_cancelled(&CancelError::NotFound))?;
    Ok(visit.respond(StatusCode::OK, &Batch::of(&report)).into())
}

/// `DELETE /api/v1/summaries/batches/{id}`: cancels what is not ended.
pub fn cancel(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let cancelled = visit.summarizer.cancel(&visit.session, parameter(call));
    let report = cancelled.map_err(|error| not_cancelled(&error))?;
    Ok(visit.respond(StatusCode::OK, &Batch::of(&report)).into())
}

/// Who asks, and whom.
struct Visit<'a> {
    summarizer: &'a Summarizer,
    session: Identifier,
    /// A cookie, if this is the first visit.
    headers: HeaderMap,
}

impl<'a> Visit<'a> {
    fn of(call: &Call<'a>) -> Result<Self, Problem> {
        let summarizer = call.app.summarizer.as_ref();
        let off = || Problem::not_found("This installation makes no summaries.");
        let (session, headers) = session(call)?;
        Ok(Self { summarizer: summarizer.ok_or_else(off)?, session, headers })
    }

    fn respond(self, status: StatusCode, answer: &impl Serialize) -> Response {
        let mut response = Response::json(status, answer)
            .header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers.extend(self.headers);
        response
    }
}

/// What stands in the path for `{}`.
fn parameter<'a>(call: &'a Call<'_>) -> &'a str {
    call.parameters.first().map_or("", String::as_str)
}

const MAX_LIMIT: usize = 1_000;

fn limit(call: &Call<'_>) -> Result<usize, Problem> {
    let Some(text) = call.request.query("limit") else { return Ok(MAX_LIMIT) };
    let number = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    number.ok_or_else(|| {
        let detail = format!("`limit` is a number between 1 and {MAX_LIMIT}.");
        Problem::bad_request("invalid_parameter", detail)
    })
}

/// A summary in a list.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a Identifier,
    title: &'a str,
    source: Source,
    model_used: &'a str,
    created_at: String,
    sentence_count: usize,
    word_count: usize,
}

impl<'a> Head<'a> {
    fn of(summary: &'a KeptSummary) -> Self {
        Self {
            id: &summary.id,
            title: &summary.title,
            source: summary.source,
            model_used: summary.model_used,
            created_at: iso(summary.created_ms),
            sentence_count: summary.content.total_sentences,
            word_count: summary.content.total_words,
        }
    }
}

/// A summary by itself.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    sentences: Vec<Said<'a>>,
}

/// A key sentence.
#[derive(Serialize)]
struct Said<'a> {
    text: &'a str,
    /// From the talk's start; null if the transcript has no times.
    start_seconds: Option<f64>,
    /// Its place among all sentences, from 0.
    index: usize,
}

impl<'a> Whole<'a> {
    fn of(summary: &'a KeptSummary) -> Self {
        let said = |sentence: &'a KeySentence| Said {
            text: &sentence.text,
            start_seconds: sentence.start.map(|start| start.as_millis() as f64 / 1000.0),
            index: sentence.index,
        };
        let sentences = summary.content.sentences.iter().map(said).collect();
        Self { head: Head::of(summary), sentences }
    }
}

/// A batch, with its time for people.
#[derive(Serialize)]
struct Batch<'a> {
    #[serde(flatten)]
    report: &'a BatchReport,
    created_at: String,
}

impl<'a> Batch<'a> {
    fn of(report: &'a BatchReport) -> Self {
        Self { report, created_at: iso(report.created_ms) }
    }
}

/// Why a request was not taken, for the client.
fn not_taken(error: SubmitError) -> Problem {
    let detail = error.to_string();
    match error {
        SubmitError::Invalid(invalid) => {
            let (status, code) = kind(&invalid);
            Problem::new(status, code).field(invalid.field()).detail(detail)
        }
        SubmitError::Full { .. } => {
            Problem { code: "queue_full", ..Problem::unavailable(QUEUE_RETRY).detail(detail) }
        }
        SubmitError::Stopping => {
            Problem { code: "draining", ..Problem::unavailable(QUEUE_RETRY).detail(detail) }
        }
    }
}

fn kind(invalid: &InvalidRequest) -> (StatusCode, &'static str) {
    match invalid {
        InvalidRequest::NotAvailable { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not_available"),
        InvalidRequest::UnknownModel { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_model"),
        InvalidRequest::TooLarge { .. } | InvalidRequest::TooLargeTogether { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "transcript_too_large")
        }
        InvalidRequest::Nothing
        | InvalidRequest::TooMany { .. }
        | InvalidRequest::NotOneContent { .. }
        | InvalidRequest::Empty { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
    }
}

fn not_cancelled(error: &CancelError) -> Problem {
    match error {
        CancelError::NotFound => Problem::not_found("There is no such batch."),
        CancelError::Ended => Problem::conflict("batch_ended", "The batch has already ended."),
    }
}
