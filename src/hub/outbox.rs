//! One stream's queue and sink, and whose turn it is to write.
//!
//! At any time exactly one thread may write to the sink:
//!
//! - the **dispatcher**, as long as the client keeps up: it writes straight through, without
//!   blocking ([`Outbox::deliver`]);
//! - the stream's own **writer** thread otherwise: the dispatcher then only queues, and the writer
//!   blocks on the slow client in its stead until the queue is empty ([`Writer::catch_up`]).
//!
//! A stream begins in the writer's turn, so joining, replaying and lagging are one mechanism, with
//! neither a gap nor a repeat at the seam. The turn changes under a small lock. The dispatcher
//! holds it for one non-blocking write, the writer never while it writes; nobody else waits for it.
//!
//! What "full" means: when more events or bytes wait than the limits allow, the stream is ended as
//! a slow consumer and its client resumes from the history.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;

use super::batch::{Batch, Unwritten};
use super::bell::Bell;
use super::snapshot::Totals;
use super::stream::{EndReason, State, Stream};
use crate::clock::Clock;
use crate::event::Event;

/// Where a stream's bytes go: a socket, or a test's memory.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Takes as many bytes as it can without blocking; [`io::ErrorKind::WouldBlock`] if none.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until a write may succeed; false if that took longer than `at_most` (`None`: for ever).
    fn wait_writable(&self, at_most: Option<Duration>) -> io::Result<bool>;

    /// Cuts the connection at once, in both directions. A thread that waits in
    /// [`Self::wait_writable`] is freed.
    fn close(&self);

    /// Whether the peer has hung up. Called when the descriptor has something to read; consumes it.
    fn hung_up(&self) -> bool;

    /// The descriptor whose readiness to read may mean that the peer has hung up.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// What may wait in one outbox; `0` means no limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub events: usize,
    pub bytes: usize,
}

/// Whose turn it is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Dispatcher,
    Writer,
}

/// What waits for the writer.
#[derive(Debug)]
enum Item {
    /// An event none of whose bytes were written.
    Event(Arc<Event>),
    /// The rest of an event whose first bytes were written.
    Rest(Box<[u8]>),
}

/// One stream's queue and sink.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) sink: Arc<dyn Sink>,
    turn: Mutex<Turn>,
    queue: Sender<Item>,
    /// Wakes the writer.
    bell: Bell,
    queued_events: AtomicUsize,
    queued_bytes: AtomicUsize,
    bound: Bound,
    /// An [`EndReason`]'s number, or [`OPEN`].
    ended: AtomicU8,
}

const OPEN: u8 = u8::MAX;

/// The writer's end of an outbox's queue.
#[derive(Debug)]
pub(super) struct Queue(Receiver<Item>);

impl Outbox {
    /// An outbox in the writer's turn, and the writer's end of its queue.
    pub fn new(sink: Arc<dyn Sink>, bound: Bound) -> (Self, Queue) {
        // Unbounded, because a bounded channel allocates all its places up front: 40 KiB for 1,024.
        // The bound is kept by our own counts.
        let (queue, receiver) = crossbeam_channel::unbounded();
        let outbox = Self {
            sink,
            turn: Mutex::new(Turn::Writer),
            queue,
            bell: Bell::default(),
            queued_events: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            bound,
            ended: AtomicU8::new(OPEN),
        };
        (outbox, Queue(receiver))
    }

    pub fn queued_events(&self) -> usize {
        self.queued_events.load(Ordering::Relaxed)
    }

    pub fn end_reason(&self) -> Option<EndReason> {
        EndReason::from_number(self.ended.load(Ordering::Acquire))
    }

    pub fn state(&self) -> State {
        if self.end_reason().is_some() {
            return State::Ending;
        }
        match *self.turn.lock() {
            Turn::Dispatcher => State::Direct,
            Turn::Writer => State::Lagging,
        }
    }

    /// Ends the stream; the first reason stands. Wakes the writer, and frees it from a stuck write
    /// unless the end is a planned one.
    pub fn end(&self, reason: EndReason) {
        let first =
            self.ended.compare_exchange(OPEN, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err() {
            return;
        }
        if !reason.is_planned() {
            self.sink.close();
        }
        self.bell.ring();
    }

    /// Writes a batch through, or queues what the client does not take. Never blocks.
    ///
    /// Returns the events and bytes that were written.
    pub fn deliver(&self, batch: &Batch<'_>) -> (usize, usize) {
        if self.end_reason().is_some() {
            return (0, 0);
        }
        let mut turn = self.turn.lock();
        let (written, rest) = match *turn {
            Turn::Writer => ((0, 0), batch.unwritten(0)),
            Turn::Dispatcher => match self.write_through(batch) {
                Some(bytes) => {
                    let rest = batch.unwritten(bytes);
                    (
                        (
                            batch.len() - rest.whole.len() - usize::from(!rest.partial.is_empty()),
                            bytes,
                        ),
                        rest,
                    )
                }
                None => return (0, 0),
            },
        };
        if !rest.is_empty() {
            *turn = Turn::Writer;
            self.queue_up(&rest, batch);
        }
        written
    }

    /// One non-blocking write: the number of bytes taken, or `None` if the client is gone.
    fn write_through(&self, batch: &Batch<'_>) -> Option<usize> {
        match self.sink.try_write(batch.bytes()) {
            Ok(bytes) => Some(bytes),
            Err(error) if is_retry(&error) => Some(0),
            Err(_) => {
                self.end(EndReason::ClientGone);
                None
            }
        }
    }

    fn queue_up(&self, rest: &Unwritten<'_>, batch: &Batch<'_>) {
        let bytes = rest.partial.len()
            + rest.whole.iter().map(|event| batch.frame(event).len()).sum::<usize>();
        let events = rest.whole.len() + usize::from(!rest.partial.is_empty());
        let waiting_events = self.queued_events.fetch_add(events, Ordering::Relaxed) + events;
        let waiting_bytes = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if exceeds(waiting_events, self.bound.events) || exceeds(waiting_bytes, self.bound.bytes) {
            self.end(EndReason::SlowConsumer);
            return;
        }
        if !rest.partial.is_empty() {
            let _ = self.queue.send(Item::Rest(rest.partial.into()));
        }
        for event in rest.whole {
            // Fails only when the writer is gone, and then the stream is as well.
            let _ = self.queue.send(Item::Event(event.clone()));
        }
        self.bell.ring();
    }
}

/// Whether a limit is on and exceeded.
fn exceeds(value: usize, limit: usize) -> bool {
    limit != 0 && value > limit
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The stream's own thread, as far as the hub knows it: writes whenever the dispatcher must not.
#[derive(Debug)]
pub struct Writer {
    pub(super) stream: Arc<Stream>,
    queue: Queue,
    clock: Arc<dyn Clock>,
    totals: Arc<Totals>,
    /// How long a write may make no progress; `None` means for ever.
    write_deadline: Option<Duration>,
    /// The longest silence; `None` means no heartbeat.
    heartbeat: Option<Duration>,
}

/// How much the writer gathers for one write.
const GATHER_BYTES: usize = 128 << 10;

impl Writer {
    pub(super) fn new(stream: Arc<Stream>, queue: Queue, hub: &super::Shared) -> Self {
        let on = |limit: Duration| (!limit.is_zero()).then_some(limit);
        Self {
            stream,
            queue,
            clock: hub.clock.clone(),
            totals: hub.totals.clone(),
            write_deadline: on(hub.limits.write_deadline),
            heartbeat: on(hub.limits.heartbeat),
        }
    }

    /// The stream it writes for.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Serves the stream until it ends: catches up, hands over to the dispatcher, sleeps, and sends
    /// `heartbeat` when nothing else was sent for that long. Afterwards it is the writer's turn for
    /// good, so that a planned end can be written.
    pub fn run(&mut self, heartbeat: &[u8]) -> EndReason {
        self.stream.outbox.bell.answer();
        loop {
            if let Err(reason) = self.catch_up() {
                return reason;
            }
            Bell::sleep(self.heartbeat.map(|interval| interval.saturating_sub(self.silence())));
            if let Err(reason) = self.beat_if_due(heartbeat) {
                return reason;
            }
        }
    }

    /// How long the client has been sent nothing.
    fn silence(&self) -> Duration {
        let alive = self.clock.now().saturating_duration_since(self.stream.created);
        alive.saturating_sub(self.stream.last_activity())
    }

    pub(super) fn beat_if_due(&mut self, heartbeat: &[u8]) -> Result<(), EndReason> {
        if self.heartbeat.is_some_and(|interval| self.silence() >= interval) {
            self.take_turn();
            self.write(heartbeat, 0)?;
        }
        Ok(())
    }

    fn take_turn(&self) {
        *self.stream.outbox.turn.lock() = Turn::Writer;
    }

    /// Writes what is queued until nothing is left, and hands over to the dispatcher.
    fn catch_up(&mut self) -> Result<(), EndReason> {
        self.take_turn();
        loop {
            self.check_cut()?;
            let load = self.gather(&mut self.queue.0.try_iter());
            if !load.bytes.is_empty() {
                self.write(&load.bytes, load.events)?;
                self.stream.outbox.queued_events.fetch_sub(load.events, Ordering::Relaxed);
                self.stream.outbox.queued_bytes.fetch_sub(load.bytes.len(), Ordering::Relaxed);
                continue;
            }
            let mut turn = self.stream.outbox.turn.lock();
            if !self.queue.0.is_empty() {
                continue;
            }
            if let Some(reason) = self.stream.end_reason() {
                return Err(reason);
            }
            *turn = Turn::Dispatcher;
            return Ok(());
        }
    }

    /// Fails if the stream was ended in a way that leaves nothing to write.
    fn check_cut(&self) -> Result<(), EndReason> {
        match self.stream.end_reason() {
            Some(reason) if !reason.is_planned() => Err(reason),
            _ => Ok(()),
        }
    }

    /// Writes events from before the stream joined, a good deal at a time.
    pub fn replay(&mut self, events: Vec<Arc<Event>>) -> Result<(), EndReason> {
        let mut items = events.into_iter().map(Item::Event);
        loop {
            let load = self.gather(&mut items);
            if load.bytes.is_empty() {
                return Ok(());
            }
            self.write(&load.bytes, load.events)?;
        }
    }

    /// Takes what one write can carry.
    fn gather(&self, items: &mut dyn Iterator<Item = Item>) -> Load {
        let mut load = Load { bytes: Vec::new(), events: 0 };
        let profile = &self.stream.profile;
        for item in items {
            match item {
                Item::Event(event) => {
                    load.bytes
                        .extend_from_slice(event.frame(profile.dialect).bytes(profile.envelope));
                    load.events += 1;
                }
                Item::Rest(rest) => {
                    load.bytes.extend_from_slice(&rest);
                    load.events += 1;
                }
            }
            if load.bytes.len() >= GATHER_BYTES {
                break;
            }
        }
        load
    }

    /// Waits for the next events instead of writing them: for clients that poll. Empty when nothing
    /// came in time.
    pub fn take_events(&mut self, at_most: Duration) -> Result<Vec<Arc<Event>>, EndReason> {
        self.stream.outbox.bell.answer();
        let deadline = Instant::now() + at_most;
        let mut events = Vec::new();
        loop {
            if let Some(reason) = self.stream.end_reason() {
                return Err(reason);
            }
            events.extend(self.queue.0.try_iter().filter_map(|item| match item {
                Item::Event(event) => Some(event),
                Item::Rest(_) => None,
            }));
            let left = deadline.saturating_duration_since(Instant::now());
            if !events.is_empty() || left.is_zero() {
                break;
            }
            Bell::sleep(Some(left));
        }
        self.note_sent(events.len(), 0);
        Ok(events)
    }

    /// Writes bytes that carry `events` events, blocking as long as the client makes progress.
    pub fn write(&mut self, mut bytes: &[u8], events: usize) -> Result<(), EndReason> {
        let total = bytes.len();
        while !bytes.is_empty() {
            self.check_cut()?;
            match self.stream.outbox.sink.try_write(bytes) {
                Ok(0) => return Err(self.fail(EndReason::ClientGone)),
                Ok(taken) => bytes = &bytes[taken..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_writable()?,
                Err(_) => return Err(self.fail(EndReason::ClientGone)),
            }
        }
        self.note_sent(events, total);
        Ok(())
    }

    fn wait_writable(&self) -> Result<(), EndReason> {
        match self.stream.outbox.sink.wait_writable(self.write_deadline) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.fail(EndReason::Stuck)),
            Err(_) => Err(self.fail(EndReason::ClientGone)),
        }
    }

    fn note_sent(&self, events: usize, bytes: usize) {
        self.stream.note_sent(self.clock.now(), events, bytes);
        self.totals.note_delivered(events as u64, bytes as u64);
    }

    /// Ends the stream; returns the reason that stands, which may be an earlier one.
    fn fail(&self, reason: EndReason) -> EndReason {
        self.stream.end(reason);
        self.stream.end_reason().unwrap_or(reason)
    }
}

/// What one write carries.
struct Load {
    bytes: Vec<u8>,
    events: usize,
}
