//! The numbers that status and metrics show of the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::EventId;
use crate::histogram::{Distribution, Histogram, micros};

/// Microseconds: most of a commit is the disk's own time to make it safe.
pub(super) const COMMIT_BOUNDS: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// The store at one moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Kept events.
    pub events: u64,
    /// Their bytes, about.
    pub bytes: u64,
    /// The log begins after this id.
    pub begins_after: EventId,
    /// Events that wait for the disk.
    pub pending_events: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Events that were given up because too many waited for a disk that failed.
    pub given_up: u64,
    /// How long each batch took to be written, in microseconds.
    pub commits: Distribution,
}

/// What the writer counts.
#[derive(Debug)]
pub(super) struct Counters {
    pub failures: AtomicU64,
    pub given_up: AtomicU64,
    commits: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        let commits = Histogram::new(COMMIT_BOUNDS);
        Self { failures: AtomicU64::default(), given_up: AtomicU64::default(), commits }
    }
}

impl Counters {
    pub fn note_commit(&self, took: Duration) {
        self.commits.note(micros(took));
    }

    /// Puts the counts into `figures`.
    pub fn fill(&self, figures: &mut Figures) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        figures.failures = read(&self.failures);
        figures.given_up = read(&self.given_up);
        figures.commits = self.commits.read();
    }
}
