//! Who gets an event: order, history, queues, dispatch.
//!
//! ```text
//! publish ─▶ sequencer ─▶ history ─▶ inbox ─▶ shard ─▶ batch ─▶ outbox ─▶ sink
//!            gives ids    keeps      waits    matches  encodes  writes or queues
//! ```
//!
//! Deliberately absent: no protocol and no socket. A stream's bytes go through the small trait
//! [`Sink`], so the whole engine is tested in memory, with a clock that is passed in.

mod audience;
mod backlog;
mod batch;
mod bell;
mod explain;
mod gap;
mod history;
mod horizon;
mod inbox;
mod joined;
mod journal;
mod limits;
mod outbox;
mod pace;
mod reaper;
mod receipt;
mod registry;
mod replay;
mod sequencer;
mod shard;
mod snapshot;
mod standing;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod trace;
mod trail;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use uuid::Uuid;

pub use self::backlog::Due;
pub use self::explain::{
    Account, Explanation, Fate, How, Known, Lag, Missed, Rule, Step, Unknown, Untraced, Verdict,
    WaitsFor, What, Who,
};
pub use self::gap::{Gap, GapReason};
pub use self::joined::Joined;
pub use self::journal::{Asked, Gone, Journal, Past, Remains};
pub use self::limits::{Limits, MAX_SHARDS};
pub use self::outbox::Sink;
pub use self::receipt::{NotChanged, Receipt, Refused, Resubscribed};
pub use self::replay::{Page, Replay};
pub use self::snapshot::{Census, Counts, HistorySnapshot, Rates, Served, Snapshot};
pub use self::stream::{EndReason, Profile, Resume, State, Stream};

pub use self::writer::Writer;

use self::inbox::Inbox;
use self::outbox::{Bound, Outbox};
use self::pace::Pace;
use self::registry::Streams;
use self::sequencer::{Place, Sequencer};
use self::shard::Shard;
use self::snapshot::Totals;
use self::stream::Seat;
use self::trace::Trace;
use self::trail::Trail;
use crate::clock::Clock;
use crate::event::NewEvent;
use crate::event::subscription::Change;
use crate::event::topic::Topic;
use crate::readiness::Readiness;

/// Holds the streams and delivers events to them. Cheap to clone; stops when told to, or when the
/// last clone is dropped.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Shared>);

/// What all threads of the hub share.
#[derive(Debug)]
struct Shared {
    limits: Limits,
    clock: Arc<dyn Clock>,
    sequencer: Arc<Sequencer>,
    totals: Arc<Totals>,
    /// Tells the reaper which clients may have hung up.
    readiness: Arc<Readiness>,
    trace: Trace,
    streams: Mutex<Streams>,
    next_number: AtomicU64,
    stopped: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Hub {
    /// Starts a hub that remembers nothing from before and leaves nothing behind.
    pub fn start(limits: Limits, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::start_after(Past::unknown(clock.unix_ms()), None, limits, clock)
    }

    /// Starts a hub, its dispatchers and its reaper, that goes on after `past` and gives the
    /// journal what is to be kept.
    pub fn start_after(
        past: Past,
        journal: Option<Arc<dyn Journal>>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let totals = Arc::new(Totals::default());
        let shards = limits.shards.clamp(1, MAX_SHARDS);
        let (inboxes, messages): (Vec<_>, Vec<_>) =
            (0..shards).map(|_| Inbox::new(&limits)).unzip();
        let sequencer = Sequencer::new(&limits, clock.clone(), inboxes.clone(), past, journal);
        let sequencer = Arc::new(sequencer);
        let trace = Trace::new(&limits, shards, clock.clone());
        let mut threads = Vec::new();
        for (number, (inbox, messages)) in inboxes.into_iter().zip(messages).enumerate() {
            let pace = Pace::new(limits.max_updates_per_second);
            let rounds = trace.rounds[number].clone();
            let shard = Shard::new(inbox, messages, pace, clock.clone(), totals.clone(), rounds);
            let sequencer = sequencer.clone();
            let run = move || shard.run(|| sequencer.made_room());
            threads.push(spawn(format!("dispatch-{number}"), run)?);
        }
        let readiness = Arc::new(Readiness::new()?);
        let shared = Arc::new(Shared {
            limits,
            clock,
            sequencer,
            totals,
            readiness: readiness.clone(),
            trace,
            streams: Mutex::new(Streams::new(shards)),
            next_number: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            threads: Mutex::new(threads),
        });
        let hub = Arc::downgrade(&shared);
        let reaper = spawn("reaper".to_owned(), move || reaper::run(&readiness, &hub))?;
        shared.threads.lock().push(reaper);
        Ok(Self(shared))
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Takes an event. Returns without waiting for any stream.
    pub fn publish(&self, event: NewEvent) -> Result<Receipt, Refused> {
        let begun = self.0.clock.now();
        let receipt = self.0.sequencer.publish(event);
        let took = self.0.clock.now().saturating_duration_since(begun);
        self.0.totals.note_publish(&receipt, took);
        receipt
    }

    /// Whether any stream that is open now wants something of this topic.
    pub fn is_heard(&self, topic: &Topic) -> bool {
        self.0.sequencer.is_heard(topic)
    }

    /// Takes a stream whose bytes go to `sink`. Its client gets [`Joined::replay`], then what
    /// [`Joined::writer`] brings.
    pub fn join(&self, profile: Profile, sink: Arc<dyn Sink>) -> Result<Joined, Refused> {
        self.join_as(Uuid::new_v4(), profile, sink)
    }

    /// Takes a stream whose public name is there before it, so that it can subscribe to what is said to
    /// it alone. Nobody has had that name.
    pub fn join_as(
        &self,
        id: Uuid,
        profile: Profile,
        sink: Arc<dyn Sink>,
    ) -> Result<Joined, Refused> {
        let hub = &self.0;
        let bound = Bound { events: hub.limits.outbox_events, bytes: hub.limits.outbox_bytes };
        let mut outbox = Outbox::new(sink, bound);
        outbox.trail = Trail::new(&hub.trace.recorder);
        let stream = Arc::new(Stream::new(hub.seat(id), profile, outbox));
        // Known before it is watched: the kernel reports a hang-up only once.
        hub.streams.lock().insert(&stream);
        let place = hub.admit(&stream).inspect_err(|_| hub.forget(&stream))?;
        let mut joined = Joined {
            writer: Writer::new(stream.clone(), hub),
            replay: place.replay(),
            after: place.after,
            hub: hub.clone(),
        };
        joined.replay.prepare(&hub.sequencer, &stream.profile.subscription);
        hub.note_joined(&stream, &joined.replay);
        Ok(joined)
    }

    /// Has an open stream join some topics and leave others, in one step. What was published before that
    /// comes by what it wanted then, what is published afterwards by what it wants now.
    ///
    /// A replay that is under way goes on by the subscription that the stream joined with: it is about
    /// what was before. Nothing from before comes for the topics that are added.
    pub fn resubscribe(
        &self,
        stream: &Arc<Stream>,
        change: &Change,
        max_topics: usize,
    ) -> Result<Resubscribed, NotChanged> {
        if stream.end_reason().is_some() {
            return Err(NotChanged::Gone);
        }
        let max_turns = self.0.limits.trace_notes;
        self.0.sequencer.change(stream, change, max_topics, max_turns)
    }

    /// The open streams, in the order of joining, after the one with this number.
    pub fn streams_after(&self, number: Option<u64>) -> Vec<Arc<Stream>> {
        let streams = self.0.streams.lock();
        let from = number.map_or(0, |number| number + 1);
        streams.by_number.range(from..).map(|(_, stream)| stream.clone()).collect()
    }

    /// An open stream by its public name.
    pub fn stream(&self, id: Uuid) -> Option<Arc<Stream>> {
        self.0.streams.lock().named(id)
    }

    /// How many streams are open.
    pub fn stream_count(&self) -> usize {
        self.0.streams.lock().by_number.len()
    }

    /// Lets no stream join any more and ends all there are. What was published before is delivered
    /// before.
    pub fn end_all(&self, reason: EndReason) {
        self.0.sequencer.close();
        self.0.sequencer.end(self.streams_after(None), reason);
    }

    /// Ends all streams at once, without waiting for what was published before.
    pub fn cut_all(&self, reason: EndReason) {
        for stream in self.streams_after(None) {
            stream.end(reason);
        }
    }

    /// What the hub leaves to its successor. After [`Self::stop`] it is final.
    pub fn remains(&self) -> Remains {
        self.0.sequencer.remains()
    }

    /// Takes nothing more, delivers what was taken, and joins the hub's threads.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.sequencer.stop();
        self.0.readiness.wake();
        let threads = std::mem::take(&mut *self.0.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                log::error!("a thread of the hub panicked");
            }
        }
    }
}

impl Shared {
    fn seat(&self, id: Uuid) -> Seat {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let lifetime = self.limits.lifetime;
        Seat {
            id,
            number,
            shard: self.streams.lock().choose_shard(self.limits.lone_shard_streams),
            now: self.clock.now(),
            unix_ms: self.clock.unix_ms(),
            // Streams that joined together must not all return together.
            lifetime: lifetime.mul_f64(1.0 - fastrand::f64() / 10.0),
        }
    }

    fn admit(&self, stream: &Arc<Stream>) -> Result<Place, Refused> {
        self.watch(stream).map_err(|error| {
            log::warn!("cannot watch a stream for hang-ups: {error}");
            Refused::Exhausted
        })?;
        self.sequencer.join(stream)
    }

    /// Has the reaper told at once when the client hangs up. [`Self::forget`] undoes it, always: by
    /// the guard that holds the sink, which owns the descriptor.
    fn watch(&self, stream: &Stream) -> io::Result<()> {
        match stream.outbox.sink.descriptor() {
            Some(descriptor) => self.readiness.add(descriptor, stream.number),
            None => Ok(()),
        }
    }

    /// Undoes what makes a stream known, whether it was admitted or not.
    fn forget(&self, stream: &Stream) {
        if let Some(descriptor) = stream.outbox.sink.descriptor() {
            self.readiness.remove(descriptor);
        }
        self.streams.lock().remove(stream);
    }

    fn note_joined(&self, stream: &Stream, replay: &Replay) {
        self.totals.opened.fetch_add(1, Ordering::Relaxed);
        if stream.profile.resume != Resume::FromNow {
            self.totals.resumed.fetch_add(1, Ordering::Relaxed);
        }
        if replay.gap.is_some() || !replay.is_done() {
            stream.outbox.trail.owes(replay.begin(), replay.gap);
        }
        if let Some(gap) = replay.gap {
            self.totals.note_gap(gap.reason);
        }
    }

    fn leave(&self, stream: &Arc<Stream>) {
        let left_after = self.sequencer.leave(stream);
        // Remembered before it is forgotten: who asks in between finds it.
        self.trace.note_ended(stream, left_after);
        self.forget(stream);
        self.totals.note_end(stream.end_reason().unwrap_or(EndReason::ClientGone));
    }

    fn stream_numbered(&self, number: u64) -> Option<Arc<Stream>> {
        self.streams.lock().by_number.get(&number).cloned()
    }

    fn dead_threads(&self) -> usize {
        if self.is_stopped() {
            return 0;
        }
        self.threads.lock().iter().filter(|thread| thread.is_finished()).count()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The reaper's round: collects under the lock, ends outside of it.
    fn sweep(&self) {
        let now = self.clock.now();
        let overdue: Vec<(Arc<Stream>, EndReason)> = {
            let streams = self.streams.lock();
            let reason = |stream: &Arc<Stream>| reaper::overdue(stream, now, self.limits.idle);
            streams.by_number.values().filter_map(|s| Some((s.clone(), reason(s)?))).collect()
        };
        for (stream, reason) in overdue {
            stream.end(reason);
        }
        self.sequencer.sweep();
        self.totals.sample(now);
    }
}

impl Drop for Shared {
    /// Lets the threads of a hub that was not stopped end by themselves.
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.sequencer.stop();
        self.readiness.wake();
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(run)
}
