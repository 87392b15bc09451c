//! What the hub knows of one open stream. No socket: that is behind the [`Outbox`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::outbox::Outbox;
use super::standing::Standing;
use crate::event::EventId;
use crate::event::dialect::{Dialect, Envelope};
use crate::event::subscription::Subscription;
use crate::event::topic::Identifier;

/// Who wants a stream, and what of.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The family of clients it belongs to, for status and logs.
    pub door: &'static str,
    /// The tenant.
    pub project: Identifier,
    /// The browser session.
    pub session: Option<Identifier>,
    /// The user.
    pub user: Option<Identifier>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Which events it wants as long as it does not [change its mind](super::Hub::resubscribe), and which
    /// of those from before it joined.
    pub subscription: Subscription,
    /// How events look for it.
    pub dialect: Dialect,
    /// How its transport delimits them.
    pub envelope: Envelope,
    /// Where it left off.
    pub resume: Resume,
}

/// Where a client left off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// It comes for the first time, or does not care.
    FromNow,
    /// It has everything up to this event.
    After(EventId),
    /// It named an event id that this server never gave.
    Unknown,
}

/// One open stream.
#[derive(Debug)]
pub struct Stream {
    /// Its public name.
    pub id: Uuid,
    /// Its place in the order of joining.
    pub number: u64,
    /// Who it is and what it wants.
    pub profile: Profile,
    /// The dispatcher that serves it.
    pub(super) shard: usize,
    /// When it joined.
    pub created: Instant,
    /// When it joined: milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// How long it may live; zero means for ever.
    pub lifetime: Duration,
    /// Where it stands in the order, and what it wants from there on.
    pub(super) standing: Standing,
    /// Milliseconds after `created` when the client last took something.
    last_activity_ms: AtomicU64,
    /// What it has been sent.
    pub(super) sent: Sent,
    /// What waits to be sent, and how.
    pub(super) outbox: Outbox,
}

/// Running totals of one stream.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub events: AtomicU64,
    pub bytes: AtomicU64,
}

impl Stream {
    pub(super) fn new(seat: Seat, profile: Profile, outbox: Outbox) -> Self {
        Self {
            id: seat.id,
            number: seat.number,
            shard: seat.shard,
            profile,
            created: seat.now,
            created_ms: seat.unix_ms,
            lifetime: seat.lifetime,
            standing: Standing::default(),
            last_activity_ms: AtomicU64::new(0),
            sent: Sent::default(),
            outbox,
        }
    }

    /// Looks at what it wants now.
    pub fn with_subscription<T>(&self, look: impl FnOnce(&Subscription) -> T) -> T {
        let changed: Option<Arc<Subscription>> = self.standing.subscription();
        look(changed.as_deref().unwrap_or(&self.profile.subscription))
    }

    /// Notes that the client took `events` events in `bytes` bytes.
    pub(super) fn note_sent(&self, now: Instant, events: usize, bytes: usize) {
        self.sent.events.fetch_add(events as u64, Ordering::Relaxed);
        self.sent.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let since = now.saturating_duration_since(self.created).as_millis();
        self.last_activity_ms.store(since as u64, Ordering::Relaxed);
    }

    /// When the client last took something, after `created`.
    pub fn last_activity(&self) -> Duration {
        Duration::from_millis(self.last_activity_ms.load(Ordering::Relaxed))
    }

    /// Events handed to the client's connection.
    pub fn events_sent(&self) -> u64 {
        self.sent.events.load(Ordering::Relaxed)
    }

    /// Bytes handed to the client's connection.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.bytes.load(Ordering::Relaxed)
    }

    /// Events that were replaced by newer ones about the same before they could be sent.
    pub fn events_conflated(&self) -> u64 {
        self.outbox.conflated()
    }

    /// Events that wait because the client is slow.
    pub fn queue_size(&self) -> usize {
        self.outbox.queued_events()
    }

    /// How the stream is being served.
    pub fn state(&self) -> State {
        self.outbox.state()
    }

    /// Why the stream has ended, if it has.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.outbox.end_reason()
    }

    /// Ends the stream. The first reason stands.
    pub fn end(&self, reason: EndReason) {
        self.outbox.end(reason);
    }
}

/// What the hub decides about a stream that joins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub id: Uuid,
    pub number: u64,
    pub shard: usize,
    pub now: Instant,
    pub unix_ms: u64,
    pub lifetime: Duration,
}

/// How a stream is being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The dispatcher writes straight to the connection.
    Direct,
    /// Its own thread writes: it has just joined, or the client is slower than the events.
    Lagging,
    /// It has ended and is about to be gone.
    Ending,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Lagging, Self::Ending];

    /// The word that status and metrics show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Lagging => "lagging",
            Self::Ending => "ending",
        }
    }
}

/// Why a stream ended. The list is closed: every end has one of these reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EndReason {
    /// The client hung up.
    ClientGone,
    /// More waited for the client than its queue may hold.
    SlowConsumer,
    /// The client took nothing at all for the write deadline.
    Stuck,
    /// Nothing could be delivered, not even a heartbeat, for the idle limit.
    Idle,
    /// It lived as long as a stream may; the client resumes with a new one.
    Lifetime,
    /// The server stops.
    Shutdown,
    /// All that there was to say had been said: a poll was answered, a job had ended.
    Finished,
    /// There was no thread for it.
    Overloaded,
    /// It was broken on purpose, by who tries how a client bears it.
    Fault,
}

impl EndReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::ClientGone,
        Self::SlowConsumer,
        Self::Stuck,
        Self::Idle,
        Self::Lifetime,
        Self::Shutdown,
        Self::Finished,
        Self::Overloaded,
        Self::Fault,
    ];

    /// The word that status, logs and metrics show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientGone => "client_gone",
            Self::SlowConsumer => "slow_consumer",
            Self::Stuck => "stuck",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Shutdown => "shutdown",
            Self::Finished => "finished",
            Self::Overloaded => "overloaded",
            Self::Fault => "fault",
        }
    }

    /// Whether the client can still be told: then what is queued is written first and the end is
    /// clean. Otherwise the connection is cut at once.
    pub fn is_planned(self) -> bool {
        matches!(self, Self::Lifetime | Self::Shutdown | Self::Finished | Self::Fault)
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
