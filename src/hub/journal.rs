//! What outlives the process: the hub's side of it.
//!
//! The hub knows no disk. A [`Journal`] takes the events that are to be kept, in their order, and
//! gives back what the history has let go. When a hub starts, it is told the [`Past`]; when it
//! stops, it leaves its [`Remains`]. Together they decide what a client that comes back is told:
//! what is kept is replayed, and a gap is announced only where something may really be missing.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::gap::GapReason;
use super::replay::Page;
use crate::event::subscription::Subscription;
use crate::event::topic::Topic;
use crate::event::{Event, EventId, EventName, RequestKey};

/// Keeps events beyond the life of this process.
pub trait Journal: Send + Sync + fmt::Debug {
    /// Whether one more event is welcome; publishers are held back until it is.
    fn has_room(&self) -> bool;

    /// Takes the next event that is to be kept. Called in the order of the ids, under the lock that
    /// publishers wait for: it must not wait.
    fn append(&self, event: &Arc<Event>);

    /// No id may be later than this millisecond: the journal remembers that ids up to there may have
    /// been given, so that none is given twice, whatever the clock shows after a crash.
    fn latest_ms(&self) -> u64;

    /// Waits until an event is on disk; zero: as long as it takes. Fails, with a sentence for the
    /// publisher, when the disk does not take it.
    fn await_stored(&self, event: &Event, at_most: Duration) -> Result<(), String>;

    /// Notes, before such an event is published for the first time, that events of this type are
    /// published without waiting for the disk: after a crash some of them may be missing.
    fn note_unsure(&self, matched_name: &EventName);

    /// Everything that was kept and has a later id than this is kept still; and why not earlier. Called
    /// under the same lock.
    fn begins_after(&self) -> (EventId, GapReason);

    /// The kept events after one id up to another (that one included) that match, the oldest first; at
    /// most `limit`, and fewer if they are large.
    fn read(
        &self,
        after: EventId,
        up_to: EventId,
        subscription: &Subscription,
        limit: usize,
    ) -> io::Result<Page>;

    /// The kept event with this id.
    fn find(&self, id: EventId) -> io::Result<Option<Arc<Event>>>;

    /// How long an event is kept, if it is not pushed out; zero: for ever.
    fn age(&self) -> Duration;

    /// Requests of an earlier process that are known only since the disk could be read, once.
    fn asked_before(&self) -> Vec<Asked> {
        Vec::new()
    }
}

/// What a hub is told of the time before it.
#[derive(Debug, Default)]
pub struct Past {
    /// Every id that was given before is at most this one.
    pub last: EventId,
    /// Of what was up to this id nothing is known, not even whether there was anything.
    pub unknown_up_to: EventId,
    /// Why not.
    pub unknown_because: GapReason,
    /// The newest kept events, the oldest first: they fill the history.
    pub recent: Vec<Arc<Event>>,
    /// What was kept and is not among `recent` has an id up to this one.
    pub recent_after: EventId,
    /// The newest event of each topic and type that is gone for good.
    pub gone: Vec<Gone>,
    /// Types of which events up to this id may have been lost in a crash: those that were published
    /// without waiting for the disk.
    pub lost: Vec<(EventName, EventId)>,
    /// The requests of late, the oldest first: for those who may ask again, and not for the hub.
    pub asked: Vec<Asked>,
}

impl Past {
    /// Nothing is known of the time up to now.
    pub fn unknown(unix_ms: u64) -> Self {
        let started = EventId { ms: unix_ms, n: 0 };
        Self {
            last: started,
            unknown_up_to: started,
            unknown_because: GapReason::Restart,
            recent_after: started,
            ..Self::default()
        }
    }
}

/// What a publisher has named, so that a second try is not a second event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its name for it.
    pub request: RequestKey,
    /// The event that it became.
    pub id: EventId,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
}

/// The newest event of a topic and type that is gone for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Whom it was for.
    pub topic: Topic,
    /// The type that subscriptions were matched against.
    pub name: EventName,
    /// Its place in the order.
    pub id: EventId,
    /// Why it is gone.
    pub reason: GapReason,
}

/// What a hub leaves that stops in order, so that its successor need not guess.
#[derive(Debug, Default)]
pub struct Remains {
    /// The newest id that was given.
    pub last: EventId,
    /// Events of the history that are not on disk, the oldest first.
    pub unstored: Vec<Arc<Event>>,
    /// What was gone for good already.
    pub gone: Vec<Gone>,
    /// What is gone and not listed has an id up to this one.
    pub gone_up_to: Option<(EventId, GapReason)>,
}
