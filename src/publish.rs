//! Who puts events in: the one door into the hub. The ways that lead to it are the submodules.

// When to look at what.
mod alarms;

// Many jobs, looked at as one.
pub mod batches;

// Which events survive a restart.
mod durability;

// Documents that a publisher only names.
pub mod fetch;

// Second tries of one request.
mod requests;

// What becomes of jobs: who watches one misses neither its state nor its end.
pub mod jobs;

// What Google Cloud Pub/Sub pushes: status updates of services.
pub mod pubsub;

// Jobs that wait for somebody to do them.
pub mod queues;

// What does them.
pub mod processors;

// A child process, and whatever it starts.
mod process_group;

// Summaries of talks: takes transcripts, tells the session that asked how far it is.
pub mod summarizer;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use self::durability::TOPIC_KINDS;
pub use self::requests::KeyRefused;

use self::durability::Policy;
use self::requests::{Begun, Requests, Taken};
use crate::clock::Clock;
use crate::event::topic::Topic;
use crate::event::{Event, EventData, EventId, EventName, InvalidEvent, Keeping, NewEvent};
use crate::hub::{Asked, Hub, Journal, Receipt, Refused};

/// What may be published, and what is kept of it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The size of one event's data, encoded, in bytes.
    pub max_event_bytes: usize,
    /// The event types that may be broadcast and subscribed to besides the built-in ones; `*` allows
    /// every valid name.
    pub event_types: Vec<String>,
    /// The kinds of topics whose events survive a restart: some of [`TOPIC_KINDS`].
    pub kept_topics: Vec<String>,
    /// Types of events that do not survive a restart, whatever their topic.
    pub passing_types: Vec<String>,
    /// Whether progress that a newer word replaces survives a restart.
    pub keep_updates: bool,
    /// Types of events whose publisher is answered when they are on disk, as it always is for the last
    /// word about something.
    pub awaited_types: Vec<String>,
    /// How long a publisher waits for the disk before it is told that it is not known; zero: for ever.
    pub store_wait: Duration,
    /// How long a second try with the same key is known as one; zero: keys mean nothing.
    pub request_key_age: Duration,
    /// How many keys are remembered; beyond that the oldest are forgotten early. Zero: no limit.
    pub request_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            max_event_bytes: 256 << 10,
            event_types: Vec::new(),
            kept_topics: list(&durability::KEPT_BY_DEFAULT),
            passing_types: list(&["ping", "heartbeat"]),
            keep_updates: false,
            awaited_types: list(&["notification"]),
            store_wait: Duration::from_secs(5),
            request_key_age: Duration::from_secs(300),
            request_keys: 250_000,
        }
    }
}

/// The one door by which events enter the hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hub: Hub,
    journal: Option<Arc<dyn Journal>>,
    policy: Policy,
    requests: Requests,
    clock: Arc<dyn Clock>,
    max_event_bytes: usize,
    store_wait: Duration,
}

/// What a publisher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The event's place in the order.
    pub id: EventId,
    /// How many open streams it is for; not known for a second try after a restart.
    pub matched: Option<usize>,
    /// Whether it is on disk. `None` if nobody waited for it.
    pub stored: Option<Result<(), NotStored>>,
    /// It had been published before, by a request with the same key.
    pub is_repeat: bool,
}

/// Why an event that was published is not known to be on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// It may be later, for the reason given; a second try with the same key learns it.
    #[error("{0}")]
    NotYet(String),
    /// It is not on disk and never will be, however often it is asked for.
    #[error("the disk does not have it and will not: it was given up or is kept no longer")]
    Never,
}

/// Why something was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It is no valid event; sending it again will not help.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// It was not taken now; sending it again will.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its key says that it is not what it seems.
    #[error(transparent)]
    Key(#[from] KeyRefused),
}

impl Publisher {
    /// A door into `hub`, which gives `journal` what is kept.
    pub fn new(
        hub: Hub,
        journal: Option<Arc<dyn Journal>>,
        limits: &Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Shared {
            hub,
            journal,
            policy: Policy::new(limits),
            requests: Requests::new(limits.request_key_age, limits.request_keys),
            clock,
            max_event_bytes: limits.max_event_bytes,
            store_wait: limits.store_wait,
        }))
    }

    /// Whether events can be kept at all.
    pub fn keeps(&self) -> bool {
        self.0.journal.is_some()
    }

    /// Takes over the keys of requests that an earlier process was asked, the oldest first.
    pub fn recall(&self, asked: impl IntoIterator<Item = Asked>) {
        let (now, unix_ms) = (self.0.clock.now(), self.0.clock.unix_ms());
        for asked in asked {
            let age = Duration::from_millis(unix_ms.saturating_sub(asked.time_ms));
            self.0.requests.recall(asked, now, age);
        }
    }

    /// Publishes a valid event, and keeps it as its type and topic demand.
    pub fn publish(&self, event: NewEvent) -> Result<Published, PublishError> {
        self.publish_as(event, Keeping::Passing)
    }

    /// Publishes a valid event, and keeps it at least as this says.
    pub fn publish_as(
        &self,
        mut event: NewEvent,
        at_least: Keeping,
    ) -> Result<Published, PublishError> {
        // A key is known after a restart by its event.
        let at_least = if event.request.is_some() { at_least.max(Keeping::Kept) } else { at_least };
        let keeping = self.0.policy.keeping(&event).max(at_least);
        event.keeping = keeping;
        let Some(request) = event.request.clone() else {
            let taken = self.take(event)?;
            return Ok(self.answer(&taken, keeping));
        };
        if let Some(journal) = &self.0.journal {
            self.recall(journal.asked_before());
        }
        let (taken, is_repeat) = match self.0.requests.begin(&request, self.0.clock.now())? {
            Begun::First(ticket) => {
                let taken = self.take(event)?;
                ticket.done(taken.clone());
                (taken, false)
            }
            Begun::Again(taken) => (taken, true),
        };
        let published = Published { is_repeat, ..self.answer(&taken, keeping) };
        if published.stored == Some(Ok(())) {
            self.0.requests.note_stored(&request, taken.id);
        }
        Ok(published)
    }

    /// Tells those who listen now, and nobody later: of a state that whoever comes is told anyway
    /// ([`Keeping::Momentary`]). Returns how many streams it is for.
    pub fn show(&self, event: NewEvent) -> Result<usize, Refused> {
        let event = NewEvent { keeping: Keeping::Momentary, ..event };
        self.0.hub.publish(event).map(|receipt| receipt.matched)
    }

    /// Whether anyone listens to this topic now. If not, what is only shown need not be made.
    pub fn is_heard(&self, topic: &Topic) -> bool {
        self.0.hub.is_heard(topic)
    }

    fn take(&self, event: NewEvent) -> Result<Taken, PublishError> {
        if let Some(journal) = self.0.journal.as_ref().filter(|_| event.keeping < Keeping::Awaited)
        {
            // Before it is published: a crash right after it must find the note.
            journal.note_unsure(event.matched_name());
        }
        let Receipt { event, matched } = self.0.hub.publish(event)?;
        let matched = Some(matched);
        Ok(Taken { id: event.id, event: Arc::downgrade(&event), matched, is_stored: false })
    }

    /// What the publisher is told, after waiting for the disk if need be.
    fn answer(&self, taken: &Taken, keeping: Keeping) -> Published {
        let journal = self.0.journal.as_deref().filter(|_| keeping == Keeping::Awaited);
        let stored = journal.map(|journal| match taken.event.upgrade() {
            _ if taken.is_stored => Ok(()),
            Some(event) => await_stored(journal, &event, self.0.store_wait),
            None => look_up(journal, taken.id),
        });
        Published { id: taken.id, matched: taken.matched, stored, is_repeat: false }
    }

    /// Builds an event from a value of our own and publishes it.
    pub fn send(
        &self,
        target: Topic,
        name: &EventName,
        data: &impl Serialize,
    ) -> Result<Published, PublishError> {
        let data = EventData::encode(data, self.0.max_event_bytes)?;
        self.publish(NewEvent::new(target, name.clone(), data))
    }
}

/// Waits for an event that somebody holds, the journal or the history.
fn await_stored(journal: &dyn Journal, event: &Event, at_most: Duration) -> Result<(), NotStored> {
    match journal.await_stored(event, at_most) {
        Ok(()) => Ok(()),
        // Asked in this order: it may be stored in between.
        Err(why) if event.is_underway() => Err(NotStored::NotYet(why)),
        Err(_) if event.is_stored() => Ok(()),
        Err(_) => Err(NotStored::Never),
    }
}

/// What became of an event that nobody holds any more. The journal holds what it is still to write, so
/// this one's fate is settled.
fn look_up(journal: &dyn Journal, id: EventId) -> Result<(), NotStored> {
    match journal.find(id) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(NotStored::Never),
        Err(error) => Err(NotStored::NotYet(format!("the disk cannot be read ({error})"))),
    }
}
