//! The numbers that status shows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::gap::GapReason;
use super::stream::EndReason;
use crate::event::EventId;

/// What has happened since the server started. Counted by whoever does it.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub published: AtomicU64,
    pub refused: AtomicU64,
    delivered: AtomicU64,
    bytes: AtomicU64,
    pub conflated: AtomicU64,
    pub opened: AtomicU64,
    pub resumed: AtomicU64,
    ended: [AtomicU64; EndReason::ALL.len()],
    gaps: [AtomicU64; 3],
    samples: Mutex<VecDeque<Sample>>,
}

/// The totals at one moment, for rates.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    published: u64,
    delivered: u64,
}

/// How far back rates look.
const RATE_WINDOW: Duration = Duration::from_secs(10);

impl Totals {
    pub fn note_delivered(&self, events: u64, bytes: u64) {
        self.delivered.fetch_add(events, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn note_end(&self, reason: EndReason) {
        self.ended[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_gap(&self, reason: GapReason) {
        self.gaps[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Remembers the totals of this moment. Called about once a second.
    pub fn sample(&self, now: Instant) {
        let mut samples = self.samples.lock();
        samples.push_back(Sample {
            at: now,
            published: read(&self.published),
            delivered: read(&self.delivered),
        });
        while samples.front().is_some_and(|s| now.saturating_duration_since(s.at) > RATE_WINDOW) {
            samples.pop_front();
        }
    }

    /// Events published and delivered per second, of late.
    fn rates(&self) -> Rates {
        let samples = self.samples.lock();
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else {
            return Rates::default();
        };
        let window = last.at.saturating_duration_since(first.at);
        let per_second = |from: u64, to: u64| {
            if window.is_zero() { 0.0 } else { (to - from) as f64 / window.as_secs_f64() }
        };
        Rates {
            published_per_second: per_second(first.published, last.published),
            delivered_per_second: per_second(first.delivered, last.delivered),
            window,
        }
    }

    pub fn snapshot(&self) -> Counts {
        Counts {
            published: read(&self.published),
            refused: read(&self.refused),
            delivered: read(&self.delivered),
            bytes: read(&self.bytes),
            conflated: read(&self.conflated),
            opened: read(&self.opened),
            resumed: read(&self.resumed),
            ended: EndReason::ALL.map(|reason| (reason, read(&self.ended[reason as usize]))),
            gaps: [GapReason::Expired, GapReason::Overflow, GapReason::Restart]
                .map(|reason| (reason, read(&self.gaps[reason as usize]))),
            rates: self.rates(),
        }
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// The hub at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Open streams.
    pub streams: usize,
    /// Events that no dispatcher has taken yet.
    pub waiting_events: usize,
    /// What has happened since the start.
    pub counts: Counts,
    /// What the history holds.
    pub history: HistorySnapshot,
}

/// What has happened since the server started.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Events taken from publishers.
    pub published: u64,
    /// Events not taken because the dispatchers were behind.
    pub refused: u64,
    /// Events handed to connections: one event to ten streams counts ten.
    pub delivered: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events that were replaced by newer ones about the same before they could be handed over: one
    /// event to ten slow streams counts ten.
    pub conflated: u64,
    /// Streams that joined.
    pub opened: u64,
    /// Streams that joined with the id of the last event they had.
    pub resumed: u64,
    /// Streams that ended, by reason.
    pub ended: [(EndReason, u64); EndReason::ALL.len()],
    /// Streams that resumed with a gap, by reason.
    pub gaps: [(GapReason, u64); 3],
    /// Events per second, of late.
    pub rates: Rates,
}

/// Events per second over a window that ends now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Taken from publishers.
    pub published_per_second: f64,
    /// Handed to connections.
    pub delivered_per_second: f64,
    /// How long the window is.
    pub window: Duration,
}

/// What the history holds.
#[derive(Debug, Clone, Copy)]
pub struct HistorySnapshot {
    /// Events.
    pub events: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The oldest of them.
    pub oldest: Option<EventId>,
    /// The newest id there is, kept or not.
    pub newest: EventId,
}
