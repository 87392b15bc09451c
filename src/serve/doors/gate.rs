//! What every door's stream has to pass before it begins, and what a client says about where it left off.

use http::{HeaderMap, Method};

use super::events::faults;
use crate::event::topic::Identifier;
use crate::serve::admission::{AddressClaim, Full};
use crate::serve::conversation::Answer;
use crate::serve::http::Request;
use crate::serve::http::request::EVENT_STREAM;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;
use crate::serve::stream::{self, Open, RefusedForNow, StreamPlan};

/// Fails if the client rules out what a stream is.
pub(super) fn check_accept(call: &Call<'_>) -> Result<(), Problem> {
    if call.request.accepts(EVENT_STREAM) {
        Ok(())
    } else {
        Err(Problem::not_acceptable(EVENT_STREAM))
    }
}

/// The stream that a request is to become, unless only its head is wanted or it cannot be had now.
pub(super) fn pass(
    call: &Call<'_>,
    session: Option<&Identifier>,
    headers: HeaderMap,
    open: Open,
) -> Result<Answer, Problem> {
    if call.request.method == Method::HEAD {
        return Ok(stream::response(headers).into());
    }
    if call.app.is_draining() {
        return Ok(Answer::Refuse(RefusedForNow::Draining));
    }
    if let Some(refused) = session.and_then(|session| faults::refusal(call, session)) {
        return refused;
    }
    match claim(call) {
        Ok(claim) => Ok(Answer::Stream(Box::new(StreamPlan { headers, claim, open }))),
        Err(full) => Ok(Answer::Refuse(RefusedForNow::Full(full))),
    }
}

/// What is counted by its own address because it lasts and came through a trusted proxy: streams and
/// polls. Other clients are counted by their connections.
pub(super) fn claim(call: &Call<'_>) -> Result<Option<AddressClaim>, Full> {
    let is_proxied = call.client.is_proxied;
    is_proxied.then(|| call.app.admission.claim(call.client.address)).transpose()
}

/// What the client had last: the header that a browser sends by itself, else the query. What is
/// empty names nothing.
pub(super) fn last_event_id(request: &Request) -> Option<String> {
    let header = request
        .headers
        .get("last-event-id")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let query = || request.query("last_event_id").map(std::borrow::Cow::into_owned);
    header.filter(|id| !id.is_empty()).or_else(query).filter(|id| !id.is_empty())
}
