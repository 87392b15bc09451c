//! The summarizer's requests: talks go in, batches are watched and cancelled, summaries are read.
//!
//! Progress comes as events on the session's stream; these answers tell the same for those who ask. A batch
//! belongs to a session, and so does what was sent along; summaries of videos are everyone's.

// A summary as a document for people.
pub mod markdown;

// Why a request was not taken.
pub(in crate::serve::doors) mod refusal;

// Summaries as they are written.
mod view;

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use self::refusal::{not_cancelled, not_read, not_taken};
use self::view::{Batch, Cues, Head, Whole};
use super::events::session;
use crate::event::topic::Identifier;
use crate::publish::summarizer::library::{Query, WholeSummary};
use crate::publish::summarizer::request::SummaryRequest;
use crate::publish::summarizer::{Accepted, CancelError, Summarizer};
use crate::serve::conversation::Answer;
use crate::serve::http::{Body, Response};
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;

/// So many batches of a session are listed.
const LISTED_BATCHES: usize = 20;

/// `POST /api/v1/summaries`: takes videos, a playlist and transcripts, all or none.
pub fn submit(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let request: SummaryRequest = json_body(call.request, &call.body)?;
    let is_unwanted = || call.socket.peer_is_done();
    let taken = visit.summarizer.submit(visit.session.clone(), request, &is_unwanted);
    visit.accepted(call, &taken.map_err(not_taken)?)
}

/// `POST /api/v1/summaries/{id}/refresh`: makes the summary of a video anew.
pub fn refresh(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    visit.find(call)?;
    let taken = visit.summarizer.refresh(&visit.session, parameter(call, 0));
    visit.accepted(call, &taken.map_err(not_taken)?)
}

/// `POST /api/v1/summaries/batches/{id}/items/{item}/retry`: tries a video again, as a batch of its own.
pub fn retry(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let (batch, item) = (parameter(call, 0), parameter(call, 1));
    let found = visit.summarizer.batch(&visit.session, batch);
    let found = found.ok_or_else(|| not_cancelled(&CancelError::NotFound))?;
    if !found.items.iter().any(|known| known.id.as_str() == item) {
        return Err(Problem::not_found("There is no such item in the batch."));
    }
    let taken = visit.summarizer.retry(&visit.session, batch, item);
    visit.accepted(call, &taken.map_err(not_taken)?)
}

/// `GET /api/v1/summaries/options`: what can be asked for here.
pub fn options(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let (summarizer, limits) = (visit.summarizer, visit.summarizer.limits());
    let answer = json!({
        "models": summarizer.models(),
        "videos": summarizer.videos().are_on(),
        "max_items": limits.max_items,
        "max_transcripts": limits.max_transcripts,
        "max_transcript_bytes": limits.max_transcript_bytes,
        "max_playlist_videos": summarizer.videos().limits().max_playlist_videos,
    });
    Ok(visit.respond(StatusCode::OK, &answer).into())
}

/// `GET /api/v1/summaries?q=&playlist=&limit=&after=`: what the session sees of the library, without what it
/// says.
pub fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let query = query(call, MAX_LIMIT)?;
    let page = visit.summarizer.summaries(&visit.session, &query).map_err(|e| not_read(&e))?;
    let playlists = visit.summarizer.library().playlists(&visit.session);
    let playlists = playlists.map_err(|e| not_read(&e))?.into_iter();
    let playlists: Vec<_> =
        playlists.map(|(name, count)| json!({"name": name, "count": count})).collect();
    let shown: Vec<_> = page.summaries.iter().map(Head::listed).collect();
    let next = page.next.map(|next| next.to_string());
    let answer = json!({
        "summaries": shown, "total": page.total, "next": next, "playlists": playlists,
    });
    Ok(visit.respond(StatusCode::OK, &answer).into())
}

/// `GET /api/v1/summaries/{id}`: a summary with what it says.
pub fn summary(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let summary = visit.find(call)?;
    Ok(visit.respond(StatusCode::OK, &Whole::of(&summary)).into())
}

/// `GET /api/v1/summaries/{id}/transcript`: what it was made from.
pub fn transcript(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let summary = visit.find(call)?;
    let transcript = visit.summarizer.transcript(&summary).map_err(|e| not_read(&e))?;
    let gone = || Problem::not_found("The transcript is not kept any more.");
    let transcript = transcript.ok_or_else(gone)?;
    Ok(visit.respond(StatusCode::OK, &Cues::of(&transcript)).into())
}

/// `GET /api/v1/summaries/{id}/markdown`: a summary as a document to keep.
pub fn as_markdown(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let summary = visit.find(call)?;
    let body = Body::Bytes(markdown::document(&summary).into_bytes().into());
    let mut response = Response::new(StatusCode::OK, "text/markdown; charset=utf-8", body)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(CONTENT_DISPOSITION, markdown::disposition(&summary.kept.title));
    response.headers.extend(visit.headers);
    Ok(response.into())
}

/// `DELETE /api/v1/summaries/{id}`: takes a summary away.
pub fn remove(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let removed = visit.summarizer.remove(&visit.session, parameter(call, 0));
    removed.map_err(|e| not_read(&e))?.ok_or_else(no_summary)?;
    Ok(Response::empty(StatusCode::NO_CONTENT).into())
}

/// `GET /api/v1/summaries/batches`: the session's latest batches.
pub fn batches(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let batches = visit.summarizer.batches(&visit.session, LISTED_BATCHES);
    let batches: Vec<_> = batches.iter().map(Batch::of).collect();
    Ok(visit.respond(StatusCode::OK, &json!({"batches": batches})).into())
}

/// `GET /api/v1/summaries/batches/{id}`: how far a batch is.
pub fn batch(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let found = visit.summarizer.batch(&visit.session, parameter(call, 0));
    let report = found.ok_or_else(|| not_cancelled(&CancelError::NotFound))?;
    Ok(visit.respond(StatusCode::OK, &Batch::of(&report)).into())
}

/// `DELETE /api/v1/summaries/batches/{id}`: cancels what is not ended.
pub fn cancel(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let cancelled = visit.summarizer.cancel(&visit.session, parameter(call, 0));
    let report = cancelled.map_err(|error| not_cancelled(&error))?;
    Ok(visit.respond(StatusCode::OK, &Batch::of(&report)).into())
}

/// Who asks, and whom.
pub(super) struct Visit<'a> {
    pub(super) summarizer: &'a Summarizer,
    pub(super) session: Identifier,
    /// A cookie, if this is the first visit.
    pub(super) headers: HeaderMap,
}

impl<'a> Visit<'a> {
    pub(super) fn of(call: &Call<'a>) -> Result<Self, Problem> {
        let summarizer = call.app.summarizer.as_ref();
        let off = || Problem::not_found("This installation makes no summaries.");
        let (session, headers) = session(call)?;
        Ok(Self { summarizer: summarizer.ok_or_else(off)?, session, headers })
    }

    /// The summary that the path names.
    pub(super) fn find(&self, call: &Call<'_>) -> Result<WholeSummary, Problem> {
        let found = self.summarizer.summary(&self.session, parameter(call, 0));
        found.map_err(|e| not_read(&e))?.ok_or_else(no_summary)
    }

    fn accepted(self, call: &Call<'_>, accepted: &Accepted) -> Result<Answer, Problem> {
        let path = format!("/api/v1/summaries/batches/{}", accepted.batch_id);
        // Who named the session, and so has no cookie, must name it again.
        let location = match call.request.query("session_id") {
            Some(session) => format!("{path}?session_id={session}"),
            None => path,
        };
        Ok(self.respond(StatusCode::ACCEPTED, accepted).header(LOCATION, location).into())
    }

    fn respond(self, status: StatusCode, answer: &impl Serialize) -> Response {
        let mut response = Response::json(status, answer)
            .header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers.extend(self.headers);
        response
    }
}

fn no_summary() -> Problem {
    Problem::not_found("There is no such summary.")
}

/// What stands in the path for the `{}` at this place.
fn parameter<'a>(call: &'a Call<'_>, index: usize) -> &'a str {
    call.parameters.get(index).map_or("", String::as_str)
}

const MAX_LIMIT: usize = 1_000;
/// Nobody types more to look for.
const MAX_SEARCH_BYTES: usize = 1_000;

fn wrong(detail: &str) -> Problem {
    Problem::bad_request("invalid_parameter", detail)
}

/// What is asked of the library.
pub(super) fn query(call: &Call<'_>, default_limit: usize) -> Result<Query, Problem> {
    let given = |name: &str| {
        let value = call.request.query(name).filter(|value| !value.trim().is_empty());
        value.map(std::borrow::Cow::into_owned)
    };
    let limit = match call.request.query("limit") {
        None => default_limit,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit
                .ok_or_else(|| wrong(&format!("`limit` is a number between 1 and {MAX_LIMIT}.")))?
        }
    };
    let after = match call.request.query("after") {
        None => None,
        Some(text) => {
            let is_place = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
            let place = Some(&text).filter(|_| is_place).and_then(|text| text.parse().ok());
            Some(place.ok_or_else(|| wrong("`after` is the `next` of the page before."))?)
        }
    };
    let words = given("q");
    if words.as_ref().is_some_and(|words| words.len() > MAX_SEARCH_BYTES) {
        return Err(wrong(&format!("`q` has at most {MAX_SEARCH_BYTES} bytes.")));
    }
    Ok(Query { words, playlist: given("playlist"), after, limit })
}
