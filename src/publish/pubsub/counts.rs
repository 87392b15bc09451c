//! What has been pushed, counted: for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::envelope::Mistake;
use super::{Done, Refused};
use crate::histogram::{Distribution, Histogram};

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its update was taken.
    Taken,
    /// It had been taken before.
    Repeated,
    /// It was acknowledged without effect: the job was further.
    Stale,
    /// It will be delivered again, when there is room for it.
    Deferred,
    /// There was a mistake in it.
    Malformed,
    /// It was from a subscription that is not taken.
    OtherSubscription,
    /// Its sender was not let in.
    Denied,
}

impl Outcome {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Taken,
        Self::Repeated,
        Self::Stale,
        Self::Deferred,
        Self::Malformed,
        Self::OtherSubscription,
        Self::Denied,
    ];

    /// The outcome in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Repeated => "repeated",
            Self::Stale => "stale",
            Self::Deferred => "deferred",
            Self::Malformed => "malformed",
            Self::OtherSubscription => "other_subscription",
            Self::Denied => "denied",
        }
    }

    pub(super) fn of(seen: &Result<Done, Refused>) -> Self {
        match seen {
            Ok(Done::Taken) => Self::Taken,
            Ok(Done::Repeated) => Self::Repeated,
            Ok(Done::Stale(_)) => Self::Stale,
            Err(Refused::ForNow(..)) => Self::Deferred,
            Err(Refused::Malformed(_)) => Self::Malformed,
            Err(Refused::OtherSubscription(_)) => Self::OtherSubscription,
        }
    }
}

/// Milliseconds: a push takes some tens of them; what was held back for hours is beyond the last.
const LATENCY_BOUNDS: [u64; 12] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000, 300_000, 3_600_000];

/// Counts pushes.
#[derive(Debug)]
pub(super) struct Counts {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    mistakes: [AtomicU64; Mistake::ALL.len()],
    latency: Histogram,
}

/// The counts of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Pushes by what became of them.
    pub outcomes: [(Outcome, u64); Outcome::ALL.len()],
    /// Malformed ones by what was wrong.
    pub mistakes: [(Mistake, u64); Mistake::ALL.len()],
    /// From publishing a message to taking it, in milliseconds, by the clocks of Pub/Sub and of this
    /// machine.
    pub latency: Distribution,
}

impl Default for Counts {
    fn default() -> Self {
        let latency = Histogram::new(&LATENCY_BOUNDS);
        Self { outcomes: Default::default(), mistakes: Default::default(), latency }
    }
}

impl Counts {
    pub fn note(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_mistake(&self, mistake: Mistake) {
        self.mistakes[mistake as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_latency(&self, ms: u64) {
        self.latency.note(ms);
    }

    pub fn read(&self) -> Figures {
        let count = |counts: &[AtomicU64], at: usize| counts[at].load(Ordering::Relaxed);
        Figures {
            outcomes: Outcome::ALL
                .map(|outcome| (outcome, count(&self.outcomes, outcome as usize))),
            mistakes: Mistake::ALL
                .map(|mistake| (mistake, count(&self.mistakes, mistake as usize))),
            latency: self.latency.read(),
        }
    }
}
