//! `GET /api/v1/batches/{id}/events`: how a batch is, from now to its end.
//!
//! As on a job's stream, the first event is the present state, after the last one the stream ends, and whoever
//! comes back and has seen that is told by a 204 that there is no more.

use http::HeaderMap;

use super::{DOOR, batch_id, no_such_batch};
use crate::event::batch_update::BatchUpdate;
use crate::event::dialect::Dialect;
use crate::event::topic::{Identifier, Topic};
use crate::serve::conversation::Answer;
use crate::serve::doors::events::known_session;
use crate::serve::doors::gate;
use crate::serve::doors::jobs::events::{last_revision, no_more, profile};
use crate::serve::problem::Problem;
use crate::serve::routes::Call;
use crate::serve::stream::{Open, Opening};

/// The stream of a batch.
pub fn stream(call: &Call<'_>) -> Result<Answer, Problem> {
    gate::check_accept(call)?;
    let id = batch_id(call)?;
    let session = known_session(call)?;
    let present = call.app.batches.get(&id).ok_or_else(no_such_batch)?;
    if present.is_terminal() && Some(present.revision) == last_revision(call) {
        return Ok(no_more());
    }
    let open = open(call, id, present, session.clone());
    gate::pass(call, session.as_ref(), HeaderMap::new(), open)
}

fn open(call: &Call<'_>, id: Identifier, known: BatchUpdate, session: Option<Identifier>) -> Open {
    let batches = call.app.batches.clone();
    let retry = Some(call.app.pace.alone());
    let profile = profile(call, DOOR, Topic::batch(id.clone()), session);
    let envelope = profile.envelope;
    Box::new(move |entrance| {
        batches.watch(&id, |present| {
            let first = Dialect::encode_batch(present.unwrap_or(&known), retry);
            let first = first.bytes(envelope).to_vec();
            // One that is let go of in this very moment has ended before.
            if present.is_none_or(BatchUpdate::is_terminal) {
                return Ok(Opening::Over(first));
            }
            Ok(Opening::Live(Box::new(entrance.join(profile)?), first))
        })
    })
}
