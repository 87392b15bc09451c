//! `GET /events/explain?event=ID&connection=ID`: why a client got an event, or did not.
//!
//! The hub tells what it knows; here it becomes JSON for programs and [`words`] for people. What the
//! event says is not shown: who may ask for its way need not be who may read it.

mod words;

use http::HeaderValue;
use serde::Serialize;
use serde_json::{Value, json};

use super::subscriptions;
use crate::event::EventId;
use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::hub::{Account, Explanation, Known, Lag, Who};
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::http::{Request, Response};
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// What became of an event for one connection, or for all those of a session.
pub fn explain(call: &Call<'_>) -> Result<Answer, Problem> {
    let question = Question::of(call.request)?;
    let who = match &question.client {
        Client::Connection(id) => Who::Connection(*id),
        Client::Session(id) => Who::Session(id),
    };
    let explanation = call.app.hub.explain(question.event, who);
    if explanation.event.is_err() && explanation.accounts.is_empty() {
        let detail = words::nothing_known(&question, &explanation, call.app);
        return Err(Problem::not_found(detail));
    }
    let answer = document(&question, &explanation, call.app);
    Ok(Response::json(http::StatusCode::OK, &answer)
        .header(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .into())
}

/// What is asked.
struct Question {
    event: EventId,
    client: Client,
}

/// For whom.
enum Client {
    Connection(uuid::Uuid),
    Session(Identifier),
}

impl Question {
    fn of(request: &Request) -> Result<Self, Problem> {
        let event = request.query("event").ok_or_else(|| {
            Problem::unprocessable("event", "`event` is missing: the id of the event in question.")
        })?;
        let event = event.parse().map_err(|error| {
            Problem::bad_request("invalid_event_id", format!("`event`: {error}."))
        })?;
        Ok(Self { event, client: Client::of(request)? })
    }
}

impl Client {
    fn of(request: &Request) -> Result<Self, Problem> {
        match (request.query("connection"), request.query("session")) {
            (Some(id), None) => id.parse().map(Self::Connection).map_err(|_| {
                let detail = "`connection` is a connection_id as `connected` and /events/status show it, \
                              such as 67e55044-10b1-426f-9247-bb680e5fe0c8.";
                Problem::bad_request("invalid_connection_id", detail)
            }),
            (None, Some(id)) => id.parse().map(Self::Session).map_err(|error| {
                Problem::bad_request("invalid_session_id", format!("`session`: {error}."))
            }),
            (None, None) => Err(Problem::unprocessable(
                "connection",
                "Say for whom: `connection`, a connection's id, or `session`, for all of a session's.",
            )),
            (Some(_), Some(_)) => Err(Problem::unprocessable(
                "connection",
                "Ask for a `connection` or for a `session`, not for both.",
            )),
        }
    }
}

fn document(question: &Question, explanation: &Explanation, app: &App) -> Value {
    let known = explanation.event.as_ref().ok();
    let mut answer = json!({
        "verdict": explanation.verdict.as_str(),
        "because": words::because(question, explanation, app),
        "event": known.map_or_else(|| json!({ "id": question.event }), event),
        "replayable_until": known.and_then(|known| known.replayable_until_ms).map(iso),
    });
    let view = |account| {
        let known = explanation.event.as_ref();
        view(account, &words::for_connection(account, known.map_err(|unknown| *unknown), app), app)
    };
    match &question.client {
        Client::Connection(_) => {
            let none =
                || json!({ "connection": null, "steps": [], "lag_ms": null, "lag_clock": null });
            let mut view = explanation.accounts.first().map_or_else(none, view);
            for field in ["connection", "steps", "lag_ms", "lag_clock"] {
                answer[field] = view[field].take();
            }
        }
        Client::Session(_) => {
            answer["connections"] = explanation.accounts.iter().map(view).collect();
        }
    }
    answer
}

/// The event without what it says.
fn event(known: &Known) -> Value {
    let event = &known.event;
    json!({
        "id": event.id,
        "type": event.body.name,
        "counts_as": event.body.matched_name(),
        "topic": event.body.target.to_string(),
        "time": iso(event.time_ms),
        "size_bytes": event.body.data.as_str().len(),
    })
}

/// One connection's part of the answer.
fn view(account: &Account, because: &str, app: &App) -> Value {
    let profile = &account.profile;
    let subscriptions = subscriptions(app, profile.door, &profile.subscription);
    let step = |step: &crate::hub::Step| StepView {
        at: iso(step.at_ms),
        what: step.what.as_str(),
        detail: words::of_step(step.what),
    };
    json!({
        "verdict": account.verdict().map(crate::hub::Verdict::as_str),
        "because": because,
        "connection": {
            "id": account.id,
            "session_id": account.profile.session,
            "state": if account.ended_ms.is_some() { "ended" } else { account.state.as_str() },
            "subscriptions": subscriptions,
            "opened": iso(account.opened_ms),
            "ended": account.ended_ms.map(iso),
            "reason": account.reason.map(crate::hub::EndReason::as_str),
        },
        "steps": account.steps.iter().map(step).collect::<Vec<_>>(),
        "lag_ms": account.lag.map(|lag| lag.time.as_micros() as f64 / 1_000.0),
        "lag_clock": account.lag.map(clock),
    })
}

/// One step as the answer has it.
#[derive(Debug, Serialize)]
struct StepView {
    at: String,
    what: &'static str,
    detail: String,
}

/// The clock by which a delay was measured.
fn clock(lag: Lag) -> &'static str {
    if lag.is_steady { "steady" } else { "wall" }
}
