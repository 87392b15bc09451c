//! `GET /api/v1/jobs/{id}/events`: a job's states, from the present one to the last.
//!
//! The first event is the job's present state, looked at in the very moment in which the stream joins: so
//! nobody misses the end, whenever they come. After the last state the stream ends. A browser comes back
//! from every end by itself; it names the last state then, and is told by a 204 that there is no more.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{DOOR, job_id, no_such_job};
use crate::event::dialect::Dialect;
use crate::event::job_update::JobUpdate;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::topic::{Identifier, Topic};
use crate::hub::{Profile, Resume};
use crate::serve::conversation::Answer;
use crate::serve::doors::events::known_session;
use crate::serve::doors::gate;
use crate::serve::http::Response;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;
use crate::serve::stream::{self, Open, Opening};

/// The stream of a job, from its present state on.
pub fn stream(call: &Call<'_>) -> Result<Answer, Problem> {
    gate::check_accept(call)?;
    let id = job_id(call)?;
    let (waits, session) = (waits(call)?, known_session(call)?);
    let jobs = &call.app.jobs;
    let last = jobs.watch(&id, |present| present.filter(|job| job.is_terminal()).cloned());
    if last.is_some_and(|last| Some(last.revision) == last_revision(call)) {
        return Ok(no_more());
    }
    if !waits && !jobs.is_known(&id) {
        return Err(no_such_job());
    }
    let open = open(call, id, session.clone());
    gate::pass(call, session.as_ref(), HeaderMap::new(), open)
}

/// Whether the job may be made later.
fn waits(call: &Call<'_>) -> Result<bool, Problem> {
    match call.request.query("wait").as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => {
            let detail = "`wait` is 1 for a job that may be made later, or left out.";
            Err(Problem::bad_request("invalid_parameter", detail))
        }
    }
}

/// Nothing will be said any more; a browser does not come back after that.
pub(in crate::serve::doors) fn no_more() -> Answer {
    let no_store = HeaderValue::from_static("no-store");
    Response::empty(StatusCode::NO_CONTENT).header(CACHE_CONTROL, no_store).into()
}

/// Which state the client had last. What is none is no reason to refuse it.
pub(in crate::serve::doors) fn last_revision(call: &Call<'_>) -> Option<u64> {
    gate::last_event_id(call.request)?.parse().ok()
}

fn open(call: &Call<'_>, id: Identifier, session: Option<Identifier>) -> Open {
    let jobs = call.app.jobs.clone();
    let (retry, now_ms) = (Some(call.app.pace.alone()), call.app.clock.unix_ms());
    let profile = profile(call, DOOR, Topic::job(id.clone()), session);
    let envelope = profile.envelope;
    Box::new(move |entrance| {
        jobs.watch(&id, |present| {
            let state = present.cloned().unwrap_or_else(|| not_there_yet(id.clone(), now_ms));
            let first = Dialect::Jobs.encode_job(&state, retry).bytes(envelope).to_vec();
            if state.is_terminal() {
                return Ok(Opening::Over(first));
            }
            Ok(Opening::Live(Box::new(entrance.join(profile)?), first))
        })
    })
}

/// A stream about one thing that has a present state.
pub(in crate::serve::doors) fn profile(
    call: &Call<'_>,
    door: &'static str,
    topic: Topic,
    session: Option<Identifier>,
) -> Profile {
    Profile {
        door,
        project: Identifier::default_project(),
        session,
        user: None,
        address: Some(call.client.address),
        subscription: Subscription::new([topic], NameFilter::All),
        dialect: Dialect::Jobs,
        envelope: stream::envelope(call.request.version),
        // The present state is all that it could be owed.
        resume: Resume::FromNow,
    }
}

/// What is shown of a job that is not made yet, or still on its way to the disk.
fn not_there_yet(id: Identifier, now_ms: u64) -> JobUpdate {
    JobUpdate { revision: 0, stage: "waiting".into(), ..JobUpdate::pending(id, now_ms) }
}
