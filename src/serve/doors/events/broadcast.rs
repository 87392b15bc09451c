//! `POST /events/broadcast`: an event for everyone, for one session, or for a type's subscribers.
//!
//! A publisher that may have to say it twice names its request, by `event_id` or by the header
//! `Idempotency-Key`; then it is one event however often it comes.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::topic::Topic;
use crate::event::{EventData, EventId, EventName, InvalidEvent, Keeping, NewEvent, RequestKey};
use crate::hub::Refused;
use crate::publish::{KeyRefused, NotStored, PublishError, Published};
use crate::serve::conversation::Answer;
use crate::serve::doors::{EventTypes, request_key};
use crate::serve::http::Response;
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;

/// The body, by seed 004.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Broadcast {
    event_type: String,
    data: Box<RawValue>,
    /// Only for this session.
    session_filter: Option<String>,
    /// For the streams that subscribed to this type, whatever the event's own type is.
    subscription_filter: Option<String>,
    /// Answer only when the event is on disk.
    #[serde(default)]
    durable: bool,
    /// What it is a newer word about: for a slow client only the newest word with this key waits.
    key: Option<String>,
    /// The last word about it: never left out.
    #[serde(default)]
    terminal: bool,
    /// The publisher's own name for this request: a second try is not a second event.
    event_id: Option<String>,
}

/// The answer, by seed 004, and more where there is more to say.
#[derive(Debug, Serialize)]
struct Taken {
    event_id: EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<usize>,
    /// Whether it is on disk; absent if nobody waited for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
    /// It was published by an earlier request with the same key.
    #[serde(skip_serializing_if = "is_false")]
    repeated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Publishes what the body says; answers with the event's id and the number of streams it is for.
pub fn broadcast(call: &Call<'_>) -> Result<Answer, Problem> {
    let body: Broadcast = json_body(call.request, &call.body)?;
    if body.durable && !call.app.publisher.keeps() {
        return Err(Problem::unprocessable(
            "durable",
            "This server keeps events in memory only; leave `durable` out.",
        ));
    }
    let mut event = event(&body, &call.app.event_types, call.app.publish_limits.max_event_bytes)?;
    event.request = request_key(call, body.event_id.as_deref())?.map(Box::new);
    let at_least = if body.durable { Keeping::Awaited } else { Keeping::Passing };
    let published = call.app.publisher.publish_as(event, at_least);
    let published = published.map_err(|error| problem(&error))?;
    if let (true, Some(Err(why))) = (body.durable, &published.stored) {
        return Err(not_stored(&published, why));
    }
    let taken = Taken {
        event_id: published.id,
        matched: published.matched,
        stored: published.stored.map(|stored| stored.is_ok()),
        repeated: published.is_repeat,
    };
    Ok(Response::json(StatusCode::OK, &taken).into())
}

/// Asked to be on disk and is not known to be: the publisher is to try again, under the same key. If it
/// never will be, trying on is no use: whoever wants it kept has to publish it as another event.
fn not_stored(published: &Published, why: &NotStored) -> Problem {
    let (code, advice, retry_after) = match why {
        NotStored::NotYet(_) => {
            let advice = "Send it again with the same Idempotency-Key until it is stored.";
            ("not_stored", advice, Some(Duration::from_secs(1)))
        }
        NotStored::Never => {
            let advice = "With the same Idempotency-Key this stays so; with a new one it is published, \
                          and delivered, as a new event.";
            ("not_kept", advice, None)
        }
    };
    let detail = format!("The event {} was delivered, but {why}. {advice}", published.id);
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code).detail(detail);
    match retry_after {
        Some(delay) => problem.retry_after(delay),
        None => problem,
    }
}

/// What the publisher calls this request: `event_id`, or the header `Idempotency-Key`.
fn request_key(call: &Call<'_>, event_id: Option<&str>) -> Result<Option<RequestKey>, Problem> {
    let header = request_key::header(call)?;
    if event_id.is_some_and(|key| !request_key::is_good(key)) {
        return Err(Problem::unprocessable("event_id", "1 to 255 printable ASCII characters."));
    }
    if let (Some(header), Some(field)) = (header, event_id)
        && header != field
    {
        let detail = "`event_id` and the header Idempotency-Key differ; one of them is enough.";
        return Err(Problem::unprocessable("event_id", detail));
    }
    Ok(header.or(event_id).map(|key| request_key::named(call, key)))
}

fn event(
    body: &Broadcast,
    types: &EventTypes,
    max_event_bytes: usize,
) -> Result<NewEvent, Problem> {
    let name = known_type("event_type", &body.event_type, types)?;
    let matched_as = body
        .subscription_filter
        .as_deref()
        .map(|name| known_type("subscription_filter", name, types));
    let target = match &body.session_filter {
        None => Topic::events(),
        Some(session) => {
            let session = session.parse();
            Topic::session(session.map_err(|error: InvalidEvent| {
                Problem::unprocessable("session_filter", error.to_string())
            })?)
        }
    };
    let data =
        EventData::from_raw(&body.data, max_event_bytes).map_err(|error| problem(&error.into()))?;
    let key = body.key.as_deref().map(|key| {
        let invalid = |error: InvalidEvent| Problem::unprocessable("key", error.to_string());
        key.parse().map_err(invalid)
    });
    Ok(NewEvent {
        matched_as: matched_as.transpose()?,
        key: key.transpose()?,
        terminal: body.terminal,
        ..NewEvent::new(target, name, data)
    })
}

fn known_type(field: &str, name: &str, types: &EventTypes) -> Result<EventName, Problem> {
    types.allowed(name).ok_or_else(|| Problem::unprocessable(field, types.unknown(name)))
}

/// Why an event was not published, for the client.
pub fn problem(error: &PublishError) -> Problem {
    match error {
        PublishError::Invalid(InvalidEvent::TooLarge { .. }) => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "event_too_large").detail(error.to_string())
        }
        PublishError::Key(KeyRefused::Reused) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused")
                .detail(error.to_string())
        }
        PublishError::Key(KeyRefused::UnderWay) => {
            let problem = Problem::conflict("idempotency_key_under_way", error.to_string());
            problem.retry_after(Duration::from_secs(1))
        }
        PublishError::Invalid(_) => Problem::unprocessable("data", error.to_string()),
        PublishError::Refused(refused) => {
            let code = if *refused == Refused::Stopping { "draining" } else { "overloaded" };
            let problem = Problem::unavailable(Duration::from_secs(1)).detail(error.to_string());
            Problem { code, ..problem }
        }
    }
}
