//! `POST /events/broadcast`: an event for everyone, for one session, or for a type's subscribers.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::event::topic::Topic;
use crate::event::{EventData, EventName, InvalidEvent, NewEvent};
use crate::hub::Refused;
use crate::publish::PublishError;
use crate::serve::conversation::Answer;
use crate::serve::doors::EventTypes;
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
}

/// Publishes what the body says; answers with the event's id and the number of streams it is for.
pub fn broadcast(call: &Call<'_>) -> Result<Answer, Problem> {
    let body: Broadcast = json_body(call.request, &call.body)?;
    let event = event(&body, &call.app.event_types, call.app.publish_limits.max_event_bytes)?;
    let receipt = call.app.publisher.publish(event).map_err(|error| problem(&error))?;
    Ok(Response::json(
        StatusCode::OK,
        &json!({"event_id": receipt.id(), "matched": receipt.matched}),
    )
    .into())
}

fn event(
    body: &Broadcast,
    types: &EventTypes,
    max_event_bytes: usize,
) -> Result<NewEvent, Problem> {
    if body.durable {
        return Err(Problem::unprocessable(
            "durable",
            "This server keeps events in memory only; leave `durable` out.",
        ));
    }
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
    Ok(NewEvent { matched_as: matched_as.transpose()?, ..NewEvent::new(target, name, data) })
}

fn known_type(field: &str, name: &str, types: &EventTypes) -> Result<EventName, Problem> {
    types.allowed(name).ok_or_else(|| {
        let name: String = name.chars().take(80).collect();
        let allowed = types.names().join(", ");
        Problem::unprocessable(
            field,
            format!("There is no event type {name:?}; there are: {allowed}."),
        )
    })
}

/// Why an event was not published, for the client.
pub fn problem(error: &PublishError) -> Problem {
    match error {
        PublishError::Invalid(InvalidEvent::TooLarge { .. }) => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "event_too_large").detail(error.to_string())
        }
        PublishError::Invalid(_) => Problem::unprocessable("data", error.to_string()),
        PublishError::Refused(refused) => {
            let code = if *refused == Refused::Stopping { "draining" } else { "overloaded" };
            let problem = Problem::unavailable(Duration::from_secs(1)).detail(error.to_string());
            Problem { code, ..problem }
        }
    }
}
