//! Who gets an event. (Being written.)

use std::time::Duration;

use crate::event::{EventId, NewEvent};

/// The hub's limits; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Dispatcher threads, each with its share of the streams; at least 1.
    pub shards: usize,
    /// Events that may wait for a dispatcher before publishers are held back.
    pub inbox_events: usize,
    /// How long a publisher is held back before it is told to come again.
    pub publish_wait: Duration,
    /// Events that may wait for one slow stream.
    pub outbox_events: usize,
    /// Bytes that may wait for one slow stream.
    pub outbox_bytes: usize,
    /// How long an event stays in the history.
    pub history_age: Duration,
    /// How many events the history holds.
    pub history_events: usize,
    /// How many bytes the history holds.
    pub history_bytes: usize,
    /// The pause after which a stream that sent nothing sends a heartbeat.
    pub heartbeat: Duration,
    /// How long a stream may take nothing, not even a heartbeat, before it is ended.
    pub idle: Duration,
    /// How long a stream may live; each ends up to a tenth earlier, by chance.
    pub lifetime: Duration,
    /// How long one write to a stuck stream may make no progress.
    pub write_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shards: 2,
            inbox_events: 16_384,
            publish_wait: Duration::from_secs(1),
            outbox_events: 4_096,
            outbox_bytes: 4 << 20,
            history_age: Duration::from_secs(300),
            history_events: 100_000,
            history_bytes: 64 << 20,
            heartbeat: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            lifetime: Duration::from_secs(3600),
            write_deadline: Duration::from_secs(30),
        }
    }
}

/// What a publisher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The event's place in the order.
    pub id: EventId,
    /// How many open streams it is for.
    pub matched: usize,
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The dispatchers are behind; the same event is welcome a moment later.
    #[error("the server is behind with delivering; try again in a moment")]
    Busy,
    /// The hub is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Holds the streams and delivers events to them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub;

impl Hub {
    /// Takes an event; returns without waiting for any stream.
    pub fn publish(&self, _event: NewEvent) -> Result<Receipt, Refused> {
        Err(Refused::Stopping)
    }
}
