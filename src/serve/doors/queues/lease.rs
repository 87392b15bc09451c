//! `POST /api/v1/queues/{name}/lease`: a worker outside takes the queue's next job.
//!
//! The request waits for a job if it is asked to. A worker that has hung up meanwhile gets none: what was
//! leased for it in that moment is given back, for the next.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{not_added, queue_name};
use crate::event::topic::Identifier;
use crate::publish::queues::Leased;
use crate::publish::queues::processor::Task;
use crate::serve::conversation::Answer;
use crate::serve::doors::gate;
use crate::serve::doors::jobs::{chosen_id, respond};
use crate::serve::http::Response;
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;
use crate::serve::stream::RefusedForNow;

/// Who wants a job.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    worker_id: String,
    /// How long it may say nothing of the job; the server's own time if absent.
    lease_seconds: Option<u64>,
    /// How long it waits for one; not at all if absent.
    #[serde(default)]
    wait_seconds: u64,
}

/// A job and the lease on it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Given<'a> {
    #[serde(flatten)]
    task: &'a Task,
    lease_token: &'a str,
    lease_seconds: u64,
}

/// How long a request waits before it looks whether anyone still waits for its answer.
const LOOK: Duration = Duration::from_millis(250);

/// Gives a worker the queue's next job; 204 if there is none.
pub fn lease(call: &Call<'_>) -> Result<Answer, Problem> {
    let queue = queue_name(call)?;
    let wish: Wish = json_body(call.request, &call.body)?;
    let worker = chosen_id("workerId", &wish.worker_id)?;
    let lease = lease_time(call, wish.lease_seconds)?;
    let max_wait = call.app.queues.limits().max_lease_wait;
    if Duration::from_secs(wish.wait_seconds) > max_wait {
        let detail = format!("A whole number of seconds from 0 to {}.", max_wait.as_secs());
        return Err(Problem::unprocessable("waitSeconds", detail));
    }
    // One that waits lasts, and is counted as a stream is.
    let _claim = match gate::claim(call) {
        Ok(claim) => claim,
        Err(full) => return Ok(Answer::Refuse(RefusedForNow::Full(full))),
    };
    let deadline = call.app.clock.now() + Duration::from_secs(wish.wait_seconds);
    match take(call, &queue, &worker, lease, deadline)? {
        Some(leased) => {
            let (task, lease_token) = (&leased.task, leased.token.as_str());
            let given = Given { task, lease_token, lease_seconds: leased.lease.as_secs() };
            Ok(respond(StatusCode::OK, &given).into())
        }
        None => Ok(Response::empty(StatusCode::NO_CONTENT).into()),
    }
}

fn lease_time(call: &Call<'_>, seconds: Option<u64>) -> Result<Duration, Problem> {
    let limits = call.app.queues.limits();
    let most = limits.max_lease.as_secs();
    match seconds {
        None => Ok(limits.lease),
        Some(seconds) if (1..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => {
            let detail = format!("A whole number of seconds from 1 to {most}.");
            Err(Problem::unprocessable("leaseSeconds", detail))
        }
    }
}

/// Waits for a job, and for as long as the worker does.
fn take(
    call: &Call<'_>,
    queue: &Identifier,
    worker: &Identifier,
    lease: Duration,
    deadline: Instant,
) -> Result<Option<Leased>, Problem> {
    let queues = &call.app.queues;
    loop {
        if call.app.is_draining() {
            let problem = Problem::unavailable(call.app.pace.among_many());
            let problem = problem.detail("The server is stopping; lease from its successor.");
            return Err(Problem { code: "draining", ..problem });
        }
        let until = deadline.min(call.app.clock.now() + LOOK);
        let leased = queues.lease(queue, worker, lease, until);
        let leased = leased.map_err(|error| not_added(call.app, &error))?;
        let is_gone = call.socket.peer_is_done();
        if let Some(leased) = leased.as_ref().filter(|_| is_gone) {
            queues.give_back(leased);
            return Ok(None);
        }
        let is_over = is_gone || call.app.clock.now() >= deadline;
        if leased.is_some() || (is_over && !call.app.is_draining()) {
            return Ok(leased);
        }
    }
}
