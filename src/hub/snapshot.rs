//! The numbers that status and metrics show.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::gap::GapReason;
use super::stream::{EndReason, State, Stream};
use super::{Hub, Refused};
use crate::event::{Event, EventId};
use crate::histogram::{Distribution, Histogram, micros};

/// What has happened since the server started. Counted by whoever does it.
#[derive(Debug)]
pub(super) struct Totals {
    published: AtomicU64,
    refused_busy: AtomicU64,
    refused_stopping: AtomicU64,
    delivered: AtomicU64,
    bytes: AtomicU64,
    pub conflated: AtomicU64,
    pub opened: AtomicU64,
    pub resumed: AtomicU64,
    ended: [AtomicU64; EndReason::ALL.len()],
    gaps: [AtomicU64; 3],
    /// How long publishers were in [`super::Hub::publish`], in microseconds.
    publish_times: Histogram,
    /// How long events took to their clients, in microseconds.
    delays: Histogram,
    /// The events of each round of a dispatcher.
    pub rounds: Histogram,
    samples: Mutex<VecDeque<Sample>>,
}

/// Microseconds: publishing waits for nobody, unless it is held back (up to `publish_wait`).
const PUBLISH_BOUNDS: &[u64] =
    &[10, 25, 50, 100, 250, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

/// Microseconds: a write to one client takes ten, to ten thousand a hundred thousand.
const DELAY_BOUNDS: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Events, up to the most that one round takes.
const ROUND_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

impl Default for Totals {
    fn default() -> Self {
        Self {
            published: AtomicU64::default(),
            refused_busy: AtomicU64::default(),
            refused_stopping: AtomicU64::default(),
            delivered: AtomicU64::default(),
            bytes: AtomicU64::default(),
            conflated: AtomicU64::default(),
            opened: AtomicU64::default(),
            resumed: AtomicU64::default(),
            ended: Default::default(),
            gaps: Default::default(),
            publish_times: Histogram::new(PUBLISH_BOUNDS),
            delays: Histogram::new(DELAY_BOUNDS),
            rounds: Histogram::new(ROUND_BOUNDS),
            samples: Mutex::default(),
        }
    }
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

    /// Notes how a publisher fared, and how long it took.
    pub fn note_publish<T>(&self, outcome: &Result<T, Refused>, took: Duration) {
        let counter = match outcome {
            Ok(_) => &self.published,
            Err(Refused::Stopping) => &self.refused_stopping,
            Err(_) => &self.refused_busy,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.publish_times.note(micros(took));
    }

    /// Notes that so many streams were handed each of these events at `now`.
    pub fn note_delays<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Arc<Event>>,
        now: Instant,
        streams: u64,
    ) {
        if streams > 0 {
            let delay = |event: &Arc<Event>| {
                event.taken.map(|taken| micros(now.saturating_duration_since(taken)))
            };
            self.delays.note_all(events.into_iter().filter_map(delay), streams);
        }
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
            refused_busy: read(&self.refused_busy),
            refused_stopping: read(&self.refused_stopping),
            delivered: read(&self.delivered),
            bytes: read(&self.bytes),
            conflated: read(&self.conflated),
            opened: read(&self.opened),
            resumed: read(&self.resumed),
            ended: EndReason::ALL.map(|reason| (reason, read(&self.ended[reason as usize]))),
            gaps: [GapReason::Expired, GapReason::Overflow, GapReason::Restart]
                .map(|reason| (reason, read(&self.gaps[reason as usize]))),
            publish_times: self.publish_times.read(),
            delays: self.delays.read(),
            rounds: self.rounds.read(),
            rates: self.rates(),
        }
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Hub {
    /// The numbers of this moment.
    pub fn snapshot(&self) -> Snapshot {
        let (waiting_events, dropped_events) = self.0.sequencer.waiting_and_dropped_events();
        let now = self.0.clock.now();
        let age = |since| now.saturating_duration_since(since);
        Snapshot {
            streams: self.stream_count(),
            waiting_events,
            dropped_events,
            dead_threads: self.0.dead_threads(),
            counts: self.0.totals.snapshot(),
            history: self.0.sequencer.with_history(|history| HistorySnapshot {
                events: history.len(),
                bytes: history.bytes(),
                oldest: history.oldest(),
                oldest_age: history.oldest_since().map(age),
                newest: history.last(),
            }),
        }
    }

    /// The open streams, counted. Looks at each; takes no lock that outlasts a look.
    pub fn census(&self) -> Census {
        Census::of(&self.streams_after(None))
    }
}

/// The hub at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Open streams.
    pub streams: usize,
    /// Events that no dispatcher has taken yet.
    pub waiting_events: usize,
    /// Events that were taken from publishers and then lost: their streams stay open, do not get them
    /// and are not told. There must be none; there are when a dispatcher has died.
    pub dropped_events: u64,
    /// Threads of the hub that have ended though nobody told them to.
    pub dead_threads: usize,
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
    /// Events not taken because the dispatchers or the journal were behind.
    pub refused_busy: u64,
    /// Events not taken because the hub was stopping.
    pub refused_stopping: u64,
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
    /// How long publishers were held, in microseconds.
    pub publish_times: Distribution,
    /// From taking an event to handing it to a stream's connection, in microseconds: one for each
    /// stream it was handed to, be it in a newer one. Without what is replayed, what polls take, what is
    /// held back for the ceiling on updates, and what a slow client took a part of.
    pub delays: Distribution,
    /// The events of each round of a dispatcher.
    pub rounds: Distribution,
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
    /// How long ago that was published.
    pub oldest_age: Option<Duration>,
    /// The newest id there is, kept or not.
    pub newest: EventId,
}

/// The open streams at one moment, counted.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// How many there are by door, and how they are being served.
    pub by_door: BTreeMap<&'static str, Served>,
    /// Events that wait because their clients are slow, of all streams.
    pub waiting_events: usize,
}

/// How many streams are served in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served([usize; State::ALL.len()]);

impl Census {
    pub(super) fn of(streams: &[Arc<Stream>]) -> Self {
        let mut census = Self::default();
        for stream in streams {
            let served = census.by_door.entry(stream.profile.door).or_default();
            served.0[stream.state() as usize] += 1;
            census.waiting_events += stream.queue_size();
        }
        census
    }
}

impl Served {
    /// How many are served in this way.
    pub fn count(&self, state: State) -> usize {
        self.0[state as usize]
    }
}
