//! What travels.
//!
//! A publisher builds a [`NewEvent`]; the hub's sequencer gives it an [`EventId`] and a time and
//! makes it an [`Event`]. Both consist of parts that can only be built valid, so nobody later has
//! to remember to check. What an event looks like on the wire is [`dialect`]'s business.

// Event to bytes, for each family of clients.
pub mod dialect;

// Bytes to events: the client's side of the wire.
pub mod parser;

// An event's place in the one order.
mod id;

// How a group of jobs is at one moment.
pub mod batch_update;

// How a job is at one moment.
pub mod job_update;

// Which events a stream wants.
pub mod subscription;

// Times as people and browsers read them.
pub mod time;

// Whom an event is for.
pub mod topic;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use serde::Serialize;
use serde_json::value::RawValue;

pub use self::id::EventId;

use self::dialect::{Dialect, Frame};
use self::topic::Topic;

/// An event with its place in the one order: what history keeps and streams carry.
#[derive(Debug)]
pub struct Event {
    /// Its place in the order.
    pub id: EventId,
    /// When it was published: milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// When this process took it from its publisher, on the steady clock; `None` if an earlier one did.
    pub taken: Option<Instant>,
    /// What the publisher said.
    pub body: NewEvent,
    /// What became of it on its way to the disk: a [`Fate`] as a number. Set by the journal.
    fate: AtomicU8,
    /// The encoded forms, each made when the first stream of its dialect needs it.
    frames: [OnceLock<Frame>; Dialect::COUNT],
}

impl Event {
    /// Gives `body` its place in the order.
    pub fn new(id: EventId, time_ms: u64, body: NewEvent) -> Self {
        let fate = AtomicU8::new(Fate::Open as u8);
        let frames = std::array::from_fn(|_| OnceLock::new());
        Self { id, time_ms, taken: None, body, fate, frames }
    }

    /// The same event, taken from its publisher at `now`.
    #[must_use]
    pub fn taken_at(self, now: Instant) -> Self {
        Self { taken: Some(now), ..self }
    }

    /// Notes that the event is on disk.
    pub fn note_stored(&self) {
        self.fate.store(Fate::Stored as u8, Ordering::Release);
    }

    /// Notes that the event will not be on disk, though it was to be.
    pub fn note_given_up(&self) {
        self.fate.store(Fate::GivenUp as u8, Ordering::Release);
    }

    /// Whether the event is on disk.
    pub fn is_stored(&self) -> bool {
        self.fate.load(Ordering::Acquire) == Fate::Stored as u8
    }

    /// Whether it is on its way to the disk, if there is one.
    pub fn is_underway(&self) -> bool {
        self.body.keeping > Keeping::Passing
            && self.fate.load(Ordering::Acquire) == Fate::Open as u8
    }

    /// The event's bytes in `dialect`, encoded on first use and shared by all streams from then on.
    pub fn frame(&self, dialect: Dialect) -> &Frame {
        self.frames[dialect as usize].get_or_init(|| dialect.encode(self))
    }

    /// What the event weighs in a history or a queue, in bytes.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.body.data.as_str().len() * 2
    }
}

/// What became of an event on its way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is not there yet, and need not ever be.
    Open,
    Stored,
    GivenUp,
}

/// An event as its publisher made it: valid, but not yet in any order.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whom it is for.
    pub target: Topic,
    /// The event type.
    pub name: EventName,
    /// What it says.
    pub data: EventData,
    /// If set, subscriptions are matched against this type instead of `name`: seed 004's
    /// `subscription_filter`.
    pub matched_as: Option<EventName>,
    /// Of several events with one key that wait in a slow client's queue, only the newest matters.
    pub key: Option<EventKey>,
    /// The last word about its subject: never conflated away.
    pub terminal: bool,
    /// How much is done so that it is not lost.
    pub keeping: Keeping,
    /// By what its publisher will name it when it tries again.
    pub request: Option<Box<RequestKey>>,
}

/// How much is done so that an event is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeping {
    /// It goes to those who listen now and is not even in the history: it tells of a present state that
    /// whoever comes later is told anyway. Nobody resumes on a topic with such events.
    Momentary,
    /// It is in memory only: a sign of life, or progress that a newer word replaces.
    Passing,
    /// It goes to the journal, if there is one; nobody waits for it.
    Kept,
    /// The publisher is answered when it is on disk.
    Awaited,
}

/// A publisher's own name for a request, so that a second try is not a second event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// What the publisher calls it.
    pub key: String,
    /// SHA-256 of what it asked for: the same key for something else is a mistake.
    pub digest: [u8; 32],
}

impl NewEvent {
    /// An event without a key that is neither terminal nor kept.
    ///
    /// ```
    /// use tidings::event::{EventData, EventName, NewEvent, topic::Topic};
    ///
    /// let data = EventData::encode(&serde_json::json!({"message": "Hello"}), 1024)?;
    /// let event = NewEvent::new(Topic::events(), "system".parse()?, data);
    /// assert_eq!(event.data.as_str(), r#"{"message":"Hello"}"#);
    /// # Ok::<(), tidings::event::InvalidEvent>(())
    /// ```
    pub fn new(target: Topic, name: EventName, data: EventData) -> Self {
        Self {
            target,
            name,
            data,
            matched_as: None,
            key: None,
            terminal: false,
            keeping: Keeping::Passing,
            request: None,
        }
    }

    /// Whether a newer event about the same may take its place before it is delivered.
    pub fn is_update(&self) -> bool {
        self.key.is_some() && !self.terminal
    }

    /// The type that subscriptions are matched against.
    pub fn matched_name(&self) -> &EventName {
        self.matched_as.as_ref().unwrap_or(&self.name)
    }
}

/// Why something could not become part of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// The type has a character that is not allowed, or is too long or empty.
    #[error(
        "an event type starts with a letter and has at most 64 of A-Z a-z 0-9 _ . : -, not {0:?}"
    )]
    Name(String),
    /// A session, user, job, queue … id has a character that is not allowed, or is too long or empty.
    #[error("an id has 1 to 128 of A-Z a-z 0-9 _ . : @ -, not {0:?}")]
    Identifier(String),
    /// An event id does not look like `1700000000000-0`.
    #[error("an event id looks like 1700000000000-0, not {0:?}")]
    Id(String),
    /// The data is not JSON.
    #[error("the data is not JSON: {0}")]
    Data(String),
    /// The data is larger than the limit (`max_event_bytes`).
    #[error("the data is {actual_bytes} bytes encoded, the limit is {max_bytes}")]
    TooLarge {
        /// Its size.
        actual_bytes: usize,
        /// The limit in force.
        max_bytes: usize,
    },
}

/// Shortens what a peer sent to what an error message can hold.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

/// An event type: a letter, then at most 63 of `A-Z a-z 0-9 _ . : -`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EventName(Arc<str>);

impl EventName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = InvalidEvent;

    fn from_str(text: &str) -> Result<Self, InvalidEvent> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
        let valid = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(allowed);
        if valid { Ok(Self(text.into())) } else { Err(InvalidEvent::Name(excerpt(text))) }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an event says: JSON text within the size limit. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventData(Arc<str>);

impl EventData {
    /// Takes JSON text as it is, so that numbers keep every digit the publisher wrote.
    pub fn from_json(text: &str, max_bytes: usize) -> Result<Self, InvalidEvent> {
        Self::check_size(text.len(), max_bytes)?;
        serde_json::from_str::<&RawValue>(text).map_err(|e| InvalidEvent::Data(e.to_string()))?;
        Ok(Self(text.into()))
    }

    /// Takes JSON that was already parsed without being interpreted.
    pub fn from_raw(raw: &RawValue, max_bytes: usize) -> Result<Self, InvalidEvent> {
        Self::check_size(raw.get().len(), max_bytes)?;
        Ok(Self(raw.get().into()))
    }

    /// Encodes a value of our own.
    pub fn encode(value: &impl Serialize, max_bytes: usize) -> Result<Self, InvalidEvent> {
        let text = serde_json::to_string(value).map_err(|e| InvalidEvent::Data(e.to_string()))?;
        Self::check_size(text.len(), max_bytes)?;
        Ok(Self(text.into()))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check_size(actual_bytes: usize, max_bytes: usize) -> Result<(), InvalidEvent> {
        if max_bytes != 0 && actual_bytes > max_bytes {
            return Err(InvalidEvent::TooLarge { actual_bytes, max_bytes });
        }
        Ok(())
    }
}

/// What an event is a newer word about: a job's progress, a queue's counts. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventKey(Arc<str>);

impl EventKey {
    /// A key of our own; any text will do, no client sees it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventKey {
    type Err = InvalidEvent;

    /// A key from outside is what an id may be.
    fn from_str(text: &str) -> Result<Self, InvalidEvent> {
        Ok(Self::new(text.parse::<topic::Identifier>()?.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_what_the_wire_can_carry() {
        for good in ["a", "summary_progress", "A.b:c-9", &"x".repeat(64)] {
            assert!(good.parse::<EventName>().is_ok(), "{good}");
        }
        for bad in ["", "1a", "_a", "a b", "a\nb", "a\r", "é", "a\0", &"x".repeat(65)] {
            assert!(bad.parse::<EventName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn data_is_json_within_the_limit() {
        assert_eq!(
            EventData::from_json("[1, 2]", 6).map(|d| d.as_str().to_owned()),
            Ok("[1, 2]".into())
        );
        assert!(matches!(EventData::from_json("[1, 2]", 5), Err(InvalidEvent::TooLarge { .. })));
        assert!(matches!(EventData::from_json("[1, ", 0), Err(InvalidEvent::Data(_))));
        assert!(matches!(EventData::from_json("1 2", 0), Err(InvalidEvent::Data(_))));
    }

    #[test]
    fn numbers_keep_every_digit() {
        let text = "123456789012345678901234567890.10";
        assert_eq!(EventData::from_json(text, 0).unwrap().as_str(), text);
    }
}
