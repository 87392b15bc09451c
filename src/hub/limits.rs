//! How much the hub may hold, and for how long.

use std::time::Duration;

/// The hub's limits; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Dispatcher threads, each with its share of the streams; 1 to 64.
    pub shards: usize,
    /// Up to so many streams one dispatcher serves them all: a second one would only take turns with
    /// it on the processors. `0`: they are spread from the first.
    pub lone_shard_streams: usize,
    /// Events that may wait for one dispatcher before publishers are held back.
    pub inbox_events: usize,
    /// Bytes that may wait for one dispatcher before publishers are held back.
    pub inbox_bytes: usize,
    /// How long a publisher is held back before it is told to come again; zero: not at all.
    pub publish_wait: Duration,
    /// Events that may wait for one slow stream.
    pub outbox_events: usize,
    /// Bytes that may wait for one slow stream.
    pub outbox_bytes: usize,
    /// How often a second a stream is sent updates: events with a key that are not terminal.
    pub max_updates_per_second: usize,
    /// How long an event stays in the history; zero: nothing is kept.
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
    /// How many rounds of each dispatcher are remembered, to explain what became of an event.
    pub trace_rounds: usize,
    /// How many notes of each kind are remembered of one stream that lags or resumes.
    pub trace_notes: usize,
    /// How many streams are remembered that have ended.
    pub trace_ended_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shards: 2,
            lone_shard_streams: 2_000,
            inbox_events: 1_024,
            inbox_bytes: 64 << 20,
            publish_wait: Duration::from_secs(1),
            outbox_events: 4_096,
            outbox_bytes: 4 << 20,
            max_updates_per_second: 0,
            history_age: Duration::from_secs(300),
            history_events: 100_000,
            history_bytes: 64 << 20,
            heartbeat: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            lifetime: Duration::from_secs(3600),
            write_deadline: Duration::from_secs(30),
            trace_rounds: 16_384,
            trace_notes: 16,
            trace_ended_streams: 1_000,
        }
    }
}

/// The most dispatchers there can be: an event's reach is a set of 64 bits.
pub const MAX_SHARDS: usize = 64;
