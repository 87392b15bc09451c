//! The numbers that status and metrics show of the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::EventId;

/// The upper bounds of the buckets for how long a commit took, in seconds; the last bucket has none.
pub const LATENCY_BOUNDS_SECONDS: [f64; 10] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

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
    /// Batches that were written.
    pub commits: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Events that were given up because too many waited for a disk that failed.
    pub given_up: u64,
    /// How many commits took how long, by [`LATENCY_BOUNDS_SECONDS`].
    pub latency_buckets: [u64; LATENCY_BOUNDS_SECONDS.len() + 1],
    /// How long all commits took together.
    pub latency_sum: Duration,
}

/// What the writer counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub failures: AtomicU64,
    pub given_up: AtomicU64,
    buckets: [AtomicU64; LATENCY_BOUNDS_SECONDS.len() + 1],
    micros: AtomicU64,
}

impl Counters {
    pub fn note_commit(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = LATENCY_BOUNDS_SECONDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// Puts the counts into `figures`.
    pub fn fill(&self, figures: &mut Figures) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        figures.failures = read(&self.failures);
        figures.given_up = read(&self.given_up);
        figures.latency_buckets = self.buckets.each_ref().map(read);
        figures.commits = figures.latency_buckets.iter().sum();
        figures.latency_sum = Duration::from_micros(read(&self.micros));
    }
}
