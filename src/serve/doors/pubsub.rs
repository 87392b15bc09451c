//! `POST /pubsub/push`: what Google Cloud Pub/Sub pushes.
//!
//! Pub/Sub reads nothing of an answer but its status: 204 is an acknowledgement, everything else has the
//! message delivered again. So what has no effect because it comes twice or too late is 204 as well, and what
//! cannot be taken now is 503. A message with a mistake in it is 400 and comes back until the subscription
//! gives it up, which is for its dead-letter topic to catch. For people, the reason is in the log.

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};

use crate::access::oidc::Refused as NotAdmitted;
use crate::publish::pubsub::{self, Delivery, Done, Malformed, Mistake, Refused, StatusUpdate};
use crate::serve::conversation::Answer;
use crate::serve::http::Response;
use crate::serve::http::request::JSON;
use crate::serve::problem::{Problem, TOO_DEEP, is_too_deep};
use crate::serve::routes::Call;

/// Takes a message.
pub fn push(call: &Call<'_>) -> Result<Answer, Problem> {
    if let Some(pushers) = &call.app.pushers
        && let Err(refused) = pushers.check(call.request.header(&AUTHORIZATION))
    {
        call.app.pubsub.note_denied();
        log::info!(why:% = refused; "a push of Pub/Sub's was not let in");
        return not_admitted(refused);
    }
    let put = |update: &StatusUpdate| pubsub::put(&call.app.jobs, &call.app.queues, update);
    match call.app.pubsub.take(delivery(call), put) {
        Ok(done) => {
            if let Done::Stale(why) = done {
                log::debug!(why; "a message of Pub/Sub's came too late");
            }
            Ok(Response::empty(StatusCode::NO_CONTENT).into())
        }
        Err(refused) => {
            log::info!(why:? = refused.to_string(); "a message of Pub/Sub's was not taken");
            Err(problem(&refused))
        }
    }
}

/// The message, in whichever of its two forms.
fn delivery(call: &Call<'_>) -> Result<Delivery, Malformed> {
    let header = |name: &str| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        call.request.header(&name)
    };
    let unwrapped = Delivery::unwrapped(header, &StatusUpdate::ATTRIBUTES, &call.body);
    let delivery = match unwrapped {
        Some(unwrapped) => unwrapped?,
        None if !call.request.has_json() => {
            let detail = format!("the body must be {JSON}, and Content-Type must say so");
            return Err(Malformed::new(Mistake::ContentType, detail));
        }
        None => Delivery::wrapped(&call.body)?,
    };
    if is_too_deep(&delivery.data) {
        return Err(Malformed::new(Mistake::Update, TOO_DEEP));
    }
    Ok(delivery)
}

/// Who pushes is not let in: for now, until it has a better token, or for good.
fn not_admitted(refused: NotAdmitted) -> Result<Answer, Problem> {
    let detail = format!("{refused}.");
    match refused {
        NotAdmitted::Unknown(_) => {
            let response = Response::from(Problem::unauthorized(detail));
            Ok(response.header(WWW_AUTHENTICATE, "Bearer").into())
        }
        NotAdmitted::Forbidden => Err(Problem::forbidden(detail)),
        NotAdmitted::ForNow(wait) => {
            let problem = Problem::unavailable(wait).detail(detail);
            Err(Problem { code: "no_keys", ..problem })
        }
    }
}

fn problem(refused: &Refused) -> Problem {
    let detail = format!("The message was not taken: {refused}.");
    match refused {
        Refused::Malformed(malformed) if malformed.mistake == Mistake::ContentType => {
            Problem::unsupported_media_type(JSON)
        }
        Refused::Malformed(_) => Problem::bad_request("malformed_message", detail),
        Refused::OtherSubscription(_) => Problem::forbidden(detail),
        Refused::ForNow(_, wait) => {
            let problem = Problem::unavailable(*wait).detail(detail);
            Problem { code: "overloaded", ..problem }
        }
    }
}
