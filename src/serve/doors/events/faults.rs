//! `/events/faults`: what is to go wrong on purpose. Only with `faults = on`, and then for anyone.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::serve::conversation::Answer;
use crate::serve::faults::{Fault, Faults, HowDropped, HowRefused, InForce, Scope};
use crate::serve::http::Response;
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;
use crate::serve::stream::RefusedForNow;

/// How long a fault lasts if nothing is said.
const DEFAULT_SECONDS: u64 = 60;

/// The longest a fault may last: what is forgotten must not haunt the next day.
const MAX_SECONDS: u64 = 3_600;

/// What is to go wrong, for whom, and how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    connection_id: Option<Uuid>,
    session_id: Option<String>,
    fault: Fault,
    #[serde(default = "default_seconds")]
    seconds: u64,
}

fn default_seconds() -> u64 {
    DEFAULT_SECONDS
}

/// `GET`: what is in force.
pub fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(answer(faults(call)?, None))
}

/// `POST`: one more fault.
pub fn put(call: &Call<'_>) -> Result<Answer, Problem> {
    let faults = faults(call)?;
    let order: Order = json_body(call.request, &call.body)?;
    let scope = scope(call, &order)?;
    check(&order)?;
    let how = match order.fault {
        Fault::Drop { how } => Some(how),
        Fault::Gap { at_once: true, .. } => Some(HowDropped::default()),
        _ => None,
    };
    if !matches!(order.fault, Fault::Drop { .. }) {
        let lasts = Duration::from_secs(order.seconds);
        let put = faults.put(scope.clone(), order.fault, lasts);
        put.map_err(|many| Problem::conflict("too_many_faults", many.to_string()))?;
    }
    Ok(answer(faults, how.map(|how| faults.drop_streams(call.app, &scope, how))))
}

/// `DELETE`: lifts all faults, or those of one connection or session.
pub fn lift(call: &Call<'_>) -> Result<Answer, Problem> {
    let faults = faults(call)?;
    let wrong = |name: &str, detail: String| {
        Problem::bad_request("invalid_parameter", format!("`{name}`: {detail}"))
    };
    let scope = match (call.request.query("connection_id"), call.request.query("session_id")) {
        (None, None) => None,
        (Some(id), None) => Some(Scope::Connection(
            id.parse().map_err(|error: uuid::Error| wrong("connection_id", error.to_string()))?,
        )),
        (None, Some(id)) => {
            Some(Scope::Session(id.parse().map_err(|error: crate::event::InvalidEvent| {
                wrong("session_id", error.to_string())
            })?))
        }
        (Some(_), Some(_)) => return Err(wrong("session_id", ONE_OF_TWO.to_owned())),
    };
    faults.lift(scope.as_ref());
    Ok(answer(faults, None))
}

/// What a new stream of this session is told instead, if it is to be refused on purpose.
pub fn refusal(call: &Call<'_>, session: &Identifier) -> Option<Result<Answer, Problem>> {
    let how = call.app.faults.as_ref()?.refusal(session)?;
    log::info!(session = session.as_str(); "a fault refuses a stream");
    Some(match how {
        HowRefused::Event => Ok(Answer::Refuse(RefusedForNow::Overloaded)),
        HowRefused::Status => Err(Problem::unavailable(Duration::from_secs(1))
            .detail("The stream is refused on purpose, by a fault.")),
    })
}

fn faults<'a>(call: &'a Call<'_>) -> Result<&'a Faults, Problem> {
    call.app.faults.as_ref().ok_or_else(|| {
        Problem::not_found(
            "Faults are off; a server for development is started with `--faults on`.",
        )
    })
}

const ONE_OF_TWO: &str = "name either a connection or a session.";

fn scope(call: &Call<'_>, order: &Order) -> Result<Scope, Problem> {
    match (order.connection_id, order.session_id.as_deref()) {
        (Some(_), None) if order.fault.is_for_the_next_stream() => {
            let detail = "This fault hits the stream that comes next, so name the session_id.";
            Err(Problem::unprocessable("connection_id", detail))
        }
        (Some(id), None) => {
            let gone = || Problem::not_found(format!("The connection {id} is gone."));
            call.app.hub.stream(id).ok_or_else(gone)?;
            Ok(Scope::Connection(id))
        }
        (None, Some(id)) => {
            let invalid = |error: crate::event::InvalidEvent| {
                Problem::unprocessable("session_id", error.to_string())
            };
            Ok(Scope::Session(id.parse().map_err(invalid)?))
        }
        _ => Err(Problem::unprocessable("session_id", format!("Please {ONE_OF_TWO}"))),
    }
}

fn check(order: &Order) -> Result<(), Problem> {
    if order.seconds == 0 || order.seconds > MAX_SECONDS {
        let detail = format!("A fault lasts 1 to {MAX_SECONDS} seconds.");
        return Err(Problem::unprocessable("seconds", detail));
    }
    match order.fault.mistake() {
        Some((field, detail)) => Err(Problem::unprocessable(format!("fault.{field}"), detail)),
        None => Ok(()),
    }
}

/// One fault as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Identifier>,
    fault: Fault,
    /// How often it may still strike, if that is bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u32>,
    until: String,
}

impl From<&InForce> for Shown {
    fn from(fault: &InForce) -> Self {
        let (connection_id, session_id) = match &fault.scope {
            Scope::Connection(id) => (Some(*id), None),
            Scope::Session(id) => (None, Some(id.clone())),
        };
        Self {
            id: fault.id,
            connection_id,
            session_id,
            fault: fault.fault,
            left: fault.left(),
            until: iso(fault.until_ms),
        }
    }
}

/// What is in force, and how many streams were dropped just now.
fn answer(faults: &Faults, dropped: Option<usize>) -> Answer {
    let in_force = faults.in_force();
    let shown: Vec<Shown> = in_force.iter().map(|fault| Shown::from(&**fault)).collect();
    let mut body = json!({"faults": shown});
    if let Some(dropped) = dropped {
        body["dropped"] = dropped.into();
    }
    Response::json(StatusCode::OK, &body)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .into()
}
