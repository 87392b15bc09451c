//! `GET /events/poll?since=&subscribe=`: the same events for clients whose streams keep failing.
//!
//! A poll is a stream that takes its events instead of having them written: it joins, waits for the
//! first, and leaves with the answer. Ids and filters are the stream's own, and so is a gap.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Visit, resume};
use crate::event::time::iso;
use crate::event::{Event, EventId};
use crate::hub::{Due, EndReason, Joined, Sink};
use crate::serve::conversation::Answer;
use crate::serve::doors::gate;
use crate::serve::http::Response;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;
use crate::serve::socket::Socket;
use crate::serve::stream::{RefusedForNow, deadline, gap_data};

/// How long a poll waits for an event.
const PATIENCE: Duration = Duration::from_secs(25);

/// The most events of one answer; the next poll brings the rest.
const MAX_EVENTS: usize = 1_000;

/// Answers with what there is since `since`; waits if there is nothing. Without `since` it answers
/// at once, with the id to go on from.
pub fn poll(call: &Call<'_>) -> Result<Answer, Problem> {
    let visit = Visit::of(call)?;
    let _claim = match gate::claim(call) {
        Ok(claim) => claim,
        Err(full) => return Ok(Answer::Refuse(RefusedForNow::Full(full))),
    };
    let since = call.request.query("since").filter(|id| !id.is_empty());
    let mut profile = visit.profile(call);
    profile.resume = resume(since.as_deref());
    let mut joined = match call.app.hub.join(profile, Arc::new(Watched(call.socket.clone()))) {
        Ok(joined) => joined,
        Err(refused) => return Ok(Answer::Refuse(RefusedForNow::from(refused))),
    };
    let (mut events, mut last) = entries(&mut joined, since.as_deref());
    if since.is_some() && events.is_empty() && !call.app.is_draining() {
        // What ends the poll, a stop say, is no failure: the client just asks again. If it has hung
        // up, it may still read the answer; it has only said that it will ask nothing more.
        let arrived = joined.writer.take_events(PATIENCE).unwrap_or_default();
        events.extend(arrived.iter().take(MAX_EVENTS).map(Entry::from));
        last = events.last().map_or(last, |entry| entry.id);
    }
    joined.note_answered(last);
    joined.writer.stream().end(EndReason::Finished);
    let pace = &call.app.pace;
    let mut answer = json!({
        "events": events,
        "last_event_id": last,
        "session_id": visit.session,
        "subscriptions": visit.wanted,
        "retry_ms": pace.alone().as_millis() as u64,
    });
    if call.app.is_draining() {
        // What a stream is told by its last event.
        answer["retry_ms"] = json!(pace.among_many().as_millis() as u64);
        answer["reconnect"] = json!({"reason": EndReason::Shutdown.as_str(), "deadline": deadline(call.app, call.app.clock.unix_ms())});
    }
    let mut response = Response::json(http::StatusCode::OK, &answer)
        .header(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers.extend(visit.headers);
    Ok(response.into())
}

/// One event as a poll's answer has it.
#[derive(Debug, Serialize)]
struct Entry {
    id: EventId,
    event: String,
    data: Box<RawValue>,
    time: String,
    /// How many events it stands for, if more than itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflated: Option<u32>,
}

impl From<&Arc<Event>> for Entry {
    fn from(event: &Arc<Event>) -> Self {
        Self {
            id: event.id,
            event: event.body.name.to_string(),
            data: raw(event.body.data.as_str().to_owned()),
            time: iso(event.time_ms),
            conflated: None,
        }
    }
}

impl From<&Due> for Entry {
    fn from(due: &Due) -> Self {
        Self {
            data: raw(due.data().into_owned()),
            conflated: Some(due.stands_for).filter(|&events| events > 1),
            ..Self::from(&due.event)
        }
    }
}

fn raw(json: String) -> Box<RawValue> {
    // An event's data is JSON by construction.
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// What the client is owed from before, its gap first; and the id from which it goes on.
fn entries(joined: &mut Joined, since: Option<&str>) -> (Vec<Entry>, EventId) {
    let gap = joined.replay.gap.map(|gap| Entry {
        id: gap.to,
        event: "gap".to_owned(),
        data: raw(gap_data(&gap, since)),
        time: iso(gap.to.ms),
        conflated: None,
    });
    let mut entries: Vec<Entry> = gap.into_iter().collect();
    while let Ok(Some(events)) = joined.next_piece() {
        let room = MAX_EVENTS.saturating_sub(entries.len());
        entries.extend(events.iter().take(room).map(Entry::from));
        if let Some(cut_off) = entries.last().filter(|_| events.len() > room) {
            let id = cut_off.id;
            return (entries, id);
        }
    }
    // If a piece was let go on the way, the next poll is told.
    let last = joined.replay.position();
    (entries, last)
}

/// The connection of a client that polls, as far as the hub needs it: to notice that the client is
/// gone. Events are taken, never written; the connection goes on after the answer, so that nothing
/// is read from it (there may be the next request), and it is never closed.
#[derive(Debug)]
struct Watched(Socket);

impl Sink for Watched {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn wait_writable(&self, _: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }

    fn close(&self) {}

    fn hung_up(&self) -> bool {
        self.0.peer_is_done()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.tcp().as_fd())
    }
}
