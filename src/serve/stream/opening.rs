//! How a stream begins: what a door plans, and what its client is sent before everything else.

use http::HeaderMap;
use serde_json::json;
use uuid::Uuid;

use crate::event::EventId;
use crate::event::dialect::Block;
use crate::hub::{Gap, Joined, Profile, Refused, Resume};
use crate::serve::admission::AddressClaim;
use crate::serve::socket::Socket;
use crate::serve::{App, faults};

/// What a door wants done with a connection that is to become a stream.
pub struct StreamPlan {
    /// Headers besides those of every stream.
    pub headers: HeaderMap,
    /// What a client behind a proxy is counted by.
    pub claim: Option<AddressClaim>,
    /// How it begins.
    pub open: Open,
}

/// Joins the hub, and says what the client is sent before everything else. So a door can join and look
/// at something in the same moment.
pub type Open = Box<dyn FnOnce(&Entrance<'_>) -> Result<Opening, Refused> + Send>;

/// How a stream begins.
pub enum Opening {
    /// It has joined. Its first bytes carry at least one event.
    Live(Box<Joined>, Vec<u8>),
    /// There is nothing to wait for: these events are all there is.
    Over(Vec<u8>),
}

/// Where a stream joins.
pub struct Entrance<'a> {
    pub(super) app: &'a App,
    pub(super) socket: &'a Socket,
}

impl Entrance<'_> {
    /// Takes the stream's place in the hub.
    pub fn join(&self, profile: Profile) -> Result<Joined, Refused> {
        self.join_as(Uuid::new_v4(), profile)
    }

    /// Takes the place of a stream whose public name is there before it.
    pub fn join_as(&self, id: Uuid, profile: Profile) -> Result<Joined, Refused> {
        faults::join(self.app, self.socket, id, profile)
    }
}

/// A stream that begins with `connected`, whose data is made from the stream's public name. What the
/// client named as the last event it had, in its own words, is for `gap`.
pub fn connected(
    profile: Profile,
    last_event_id: Option<String>,
    data: impl FnOnce(Uuid) -> String + Send + 'static,
) -> Open {
    Box::new(move |entrance| {
        let joined = entrance.join(profile)?;
        let data = data(joined.writer.stream().id);
        let first = first_events(entrance.app, &joined, &data, last_event_id.as_deref());
        Ok(Opening::Live(Box::new(joined), first))
    })
}

/// `connected`, which carries the id from which the client resumes if it gets nothing else; and
/// `gap`, if what the client is owed is not to be had.
pub(in crate::serve) fn first_events(
    app: &App,
    joined: &Joined,
    connected: &str,
    last_event_id: Option<&str>,
) -> Vec<u8> {
    let stream = joined.writer.stream();
    let (dialect, envelope) = (stream.profile.dialect, stream.profile.envelope);
    let left_off = match stream.profile.resume {
        Resume::FromNow => joined.after,
        Resume::After(id) => id,
        // Until it is told of the gap, it has nothing: this id comes before all others.
        Resume::Unknown => EventId::default(),
    };
    let resume_point = joined.replay.resume_point(left_off);
    let retry = app.pace.alone();
    let block =
        Block { id: Some(resume_point), retry: Some(retry), name: "connected", data: connected };
    let mut bytes = dialect.encode_block(&block).bytes(envelope).to_vec();
    if let Some(gap) = joined.replay.gap {
        let data = gap_data(&gap, last_event_id);
        let block = Block { id: joined.replay.gap_id(), retry: None, name: "gap", data: &data };
        bytes.extend_from_slice(dialect.encode_block(&block).bytes(envelope));
    }
    bytes
}

/// What `gap` says: `from` is what the client named, `to` where the stream is complete again.
pub(in crate::serve) fn gap_data(gap: &Gap, last_event_id: Option<&str>) -> String {
    let from = gap.from.map(|id| id.to_string()).or_else(|| last_event_id.map(str::to_owned));
    json!({"from": from, "to": gap.to, "reason": gap.reason}).to_string()
}
