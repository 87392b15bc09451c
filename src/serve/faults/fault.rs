//! What can go wrong on purpose, and for whom: plain data, as the API reads and shows it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::topic::Identifier;
use crate::hub::GapReason;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection ends, now.
    Drop {
        /// In which way.
        #[serde(default)]
        how: HowDropped,
    },
    /// Every write waits this long first; what comes meanwhile goes with the next.
    Delay {
        /// Milliseconds, 1 to [`MAX_DELAY_MS`].
        ms: u64,
    },
    /// The client takes no more than this.
    Throttle {
        /// 0 is nothing at all: the stream hangs, and is ended as stuck if that lasts.
        bytes_per_second: u64,
    },
    /// The next resume begins with `gap`, and what it was owed is withheld.
    Gap {
        /// What `gap` says.
        #[serde(default = "expired")]
        reason: GapReason,
        /// Also drops the open streams, so that the resume comes at once.
        #[serde(default)]
        at_once: bool,
    },
    /// Events come twice.
    Duplicate {
        /// How many of them.
        #[serde(default = "one")]
        events: u32,
        /// Only every so many-th.
        #[serde(default = "one")]
        every: u32,
    },
    /// No signs of life when there are no events.
    NoHeartbeats,
    /// The next streams are refused.
    Refuse {
        /// In which way.
        #[serde(default)]
        how: HowRefused,
        /// How many of them.
        #[serde(default = "one")]
        times: u32,
    },
}

/// The longest delay: longer than any client should wait.
pub const MAX_DELAY_MS: u64 = 60_000;

fn one() -> u32 {
    1
}

fn expired() -> GapReason {
    GapReason::Expired
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HowDropped {
    /// By a reset, as when a middlebox forgets it.
    Reset,
    /// By its end, in the middle of the answer, as when a proxy gives up.
    #[default]
    Cut,
    /// As planned ends are, with all that the protocol asks for.
    Clean,
}

impl HowDropped {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Clean => "clean",
        }
    }
}

/// How a stream is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HowRefused {
    /// As an overloaded server does it: by a `system` event with status 200.
    #[default]
    Event,
    /// By status 503.
    Status,
}

impl Fault {
    /// How often it strikes, if that is bounded.
    pub fn strikes(self) -> Option<u32> {
        match self {
            Self::Gap { .. } => Some(1),
            Self::Duplicate { events, .. } => Some(events),
            Self::Refuse { times, .. } => Some(times),
            Self::Drop { .. } | Self::Delay { .. } | Self::Throttle { .. } | Self::NoHeartbeats => {
                None
            }
        }
    }

    /// Whether it only ever hits streams that are yet to come: then it needs a session to name them.
    pub fn is_for_the_next_stream(self) -> bool {
        matches!(self, Self::Gap { .. } | Self::Refuse { .. })
    }

    /// What is wrong with its numbers: the field, and a sentence.
    pub fn mistake(self) -> Option<(&'static str, String)> {
        let zero = |field| Some((field, "It must be at least 1.".to_owned()));
        match self {
            Self::Delay { ms } if ms == 0 || ms > MAX_DELAY_MS => {
                Some(("ms", format!("A delay is 1 to {MAX_DELAY_MS} milliseconds.")))
            }
            Self::Duplicate { events: 0, .. } => zero("events"),
            Self::Duplicate { every: 0, .. } => zero("every"),
            Self::Refuse { times: 0, .. } => zero("times"),
            _ => None,
        }
    }
}

/// Which streams a fault hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One stream, as long as it lives.
    Connection(Uuid),
    /// All streams of a session, also those that are yet to come.
    Session(Identifier),
}

impl Scope {
    /// Whether it hits a stream of this name and session.
    pub fn hits(&self, connection: Option<Uuid>, session: Option<&Identifier>) -> bool {
        match self {
            Self::Connection(id) => connection == Some(*id),
            Self::Session(id) => session == Some(id),
        }
    }
}
