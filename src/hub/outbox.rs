//! One stream's backlog and sink, and whose turn it is to write.
//!
//! At any time exactly one thread may write to the sink:
//!
//! - the **dispatcher**, as long as the client keeps up: it writes straight through, without
//!   blocking ([`Outbox::deliver`]);
//! - the stream's own **writer** thread otherwise: the dispatcher then only queues, and the writer
//!   blocks on the slow client in its stead until nothing waits ([`super::writer`]).
//!
//! A stream begins in the writer's turn, so joining, replaying and lagging are one mechanism, with
//! neither a gap nor a repeat at the seam. The turn and the backlog are under one small lock. The
//! dispatcher holds it for one non-blocking write, the writer never while it writes or encodes; nobody
//! else waits for it.
//!
//! What "full" means: of the updates of one subject only the newest waits ([`super::backlog`]). When
//! more events or bytes than the limits allow wait nevertheless, the stream is ended as a slow consumer
//! and its client resumes from the history.
//!
//! With a ceiling on updates ([`super::pace`]), what comes too soon waits in the dispatcher's turn. What
//! comes behind it goes out behind it: an event that is no update takes all that waits along.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::backlog::{Backlog, Load};
use super::batch::{Batch, Wire};
use super::bell::Bell;
use super::pace::Period;
use super::stream::{EndReason, State};
use super::trail::Trail;
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

/// One stream's backlog and sink.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) sink: Arc<dyn Sink>,
    line: Mutex<Line>,
    /// Wakes the writer.
    pub bell: Bell,
    /// What becomes of its events, for those who ask.
    pub trail: Trail,
    bound: Bound,
    /// An [`EndReason`]'s number, or [`OPEN`].
    ended: AtomicU8,
}

const OPEN: u8 = u8::MAX;

/// What the lock protects.
#[derive(Debug)]
struct Line {
    turn: Turn,
    backlog: Backlog,
    /// What the writer has taken out of the backlog and not written yet.
    writing_events: usize,
    writing_bytes: usize,
    /// How many events newer ones have replaced.
    conflated: u64,
    /// The last period in which updates went out, if there is a ceiling on them.
    updated: Option<Period>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Events that the client's connection took.
    pub events: usize,
    /// Bytes that it took.
    pub bytes: usize,
    /// Events that newer ones have replaced.
    pub conflated: usize,
    /// So many of the batch's first events are with the connection now, be it in a newer one.
    pub of_batch: usize,
    /// Something waits for the period's end: then [`Outbox::release`] is due.
    pub holds_back: bool,
}

impl Outbox {
    /// An outbox in the writer's turn.
    pub fn new(sink: Arc<dyn Sink>, bound: Bound) -> Self {
        let line = Line {
            turn: Turn::Writer,
            backlog: Backlog::default(),
            writing_events: 0,
            writing_bytes: 0,
            conflated: 0,
            updated: None,
        };
        Self {
            sink,
            line: Mutex::new(line),
            bell: Bell::default(),
            trail: Trail::default(),
            bound,
            ended: AtomicU8::new(OPEN),
        }
    }

    /// How many events the client has not taken yet.
    pub fn queued_events(&self) -> usize {
        self.line.lock().events()
    }

    /// How many events newer ones have replaced.
    pub fn conflated(&self) -> u64 {
        self.line.lock().conflated
    }

    pub fn end_reason(&self) -> Option<EndReason> {
        EndReason::from_number(self.ended.load(Ordering::Acquire))
    }

    pub fn state(&self) -> State {
        if self.end_reason().is_some() {
            return State::Ending;
        }
        match self.line.lock().turn {
            Turn::Dispatcher => State::Direct,
            Turn::Writer => State::Lagging,
        }
    }

    /// Ends the stream; the first reason stands. Wakes the writer, and frees it from a stuck write
    /// unless the end is a planned one. What is ending as planned can still be cut: it may be stuck
    /// on its way.
    pub fn end(&self, reason: EndReason) {
        let first =
            self.ended.compare_exchange(OPEN, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if !reason.is_planned() {
            self.sink.close();
        } else if first.is_err() {
            return;
        }
        self.bell.ring();
    }

    /// Writes a batch through, or queues what the client does not take. Never blocks.
    ///
    /// `period` is there if there is a ceiling on updates.
    pub fn deliver(&self, batch: &Batch<'_>, period: Option<Period>) -> Delivery {
        if self.end_reason().is_some() {
            self.trail.missed(batch.events()[0].id);
            return Delivery::default();
        }
        let mut line = self.line.lock();
        let delivery = match line.turn {
            Turn::Dispatcher if line.lets_through(batch, period) => {
                self.write_through(&mut line, batch)
            }
            Turn::Dispatcher => self.hold_back(&mut line, batch, period),
            Turn::Writer => {
                let conflated = self.queue_up(&mut line, batch.events(), batch);
                Delivery { conflated, ..Delivery::default() }
            }
        };
        if batch.updates() > 0 {
            line.updated = period;
        }
        if line.turn == Turn::Writer && !line.backlog.is_empty() {
            if self.is_full(&line) {
                self.end(EndReason::SlowConsumer);
            } else {
                self.bell.ring();
            }
        }
        delivery
    }

    /// Writes what was held back until this period; what the client does not take is left to the writer.
    pub fn release(&self, wire: Wire, period: Period) -> Delivery {
        let mut line = self.line.lock();
        if line.turn == Turn::Writer || line.backlog.is_empty() || self.end_reason().is_some() {
            return Delivery::default();
        }
        line.updated = Some(period);
        let delivery = self.flush(&mut line, wire);
        if line.turn == Turn::Writer {
            self.bell.ring();
        }
        delivery
    }

    /// Whether it is the writer's turn. After the end it is, for good, so that it can say goodbye.
    pub fn is_writers_turn(&self) -> bool {
        let mut line = self.line.lock();
        if self.end_reason().is_some() {
            line.turn = Turn::Writer;
        }
        line.turn == Turn::Writer
    }

    /// Makes it the writer's turn; returns whether nothing waits. What waits may be the rest of an
    /// event whose beginning the client has already.
    pub fn take_turn(&self) -> bool {
        let mut line = self.line.lock();
        line.turn = Turn::Writer;
        line.backlog.is_empty()
    }

    /// Takes what one write can carry, in the writer's turn.
    pub fn take(&self, max_bytes: usize) -> Load {
        let mut line = self.line.lock();
        let load = line.backlog.take(max_bytes);
        if let Some(last) = load.due.last() {
            self.trail.takes(last.event.id);
        }
        line.writing_events += load.events;
        line.writing_bytes += load.queued_bytes;
        load
    }

    /// Notes that what was taken has been written.
    pub fn note_written(&self, load: &Load) {
        self.trail.written();
        let mut line = self.line.lock();
        line.writing_events -= load.events;
        line.writing_bytes -= load.queued_bytes;
    }

    /// Makes it the dispatcher's turn, unless something has been queued meanwhile: then false. After
    /// the end it stays the writer's.
    pub fn hand_over(&self) -> Result<bool, EndReason> {
        let mut line = self.line.lock();
        if !line.backlog.is_empty() {
            return Ok(false);
        }
        if let Some(reason) = self.end_reason() {
            return Err(reason);
        }
        line.turn = Turn::Dispatcher;
        line.backlog.shrink();
        Ok(true)
    }

    fn write_through(&self, line: &mut Line, batch: &Batch<'_>) -> Delivery {
        let Some(bytes) = self.try_write(batch.bytes()) else {
            self.trail.missed(batch.events()[0].id);
            return Delivery::default();
        };
        let rest = batch.unwritten(bytes);
        let events = batch.len() - rest.events();
        let mut conflated = 0;
        if !rest.is_empty() {
            line.turn = Turn::Writer;
            if !rest.partial.is_empty() {
                let id = batch.events()[events].id;
                line.backlog.put_rest(rest.partial, 1);
                self.trail.waits(id, id);
                self.trail.takes(id);
            }
            conflated = self.queue_up(line, rest.whole, batch);
        }
        Delivery { events, bytes, conflated, of_batch: events, holds_back: false }
    }

    /// Queues a batch until the period's end, unless there is a reason to send all that waits now.
    fn hold_back(&self, line: &mut Line, batch: &Batch<'_>, period: Option<Period>) -> Delivery {
        let conflated = self.queue_up(line, batch.events(), batch);
        let is_only_updates = batch.updates() == batch.len();
        if is_only_updates && line.updated == period && !self.is_full(line) {
            return Delivery { conflated, holds_back: true, ..Delivery::default() };
        }
        let flushed = self.flush(line, batch.wire());
        let of_batch = if flushed.events > 0 { batch.len() } else { 0 };
        Delivery { conflated, of_batch, ..flushed }
    }

    /// Writes all that waits, without blocking. If the client does not take it all, it is the writer's
    /// turn.
    fn flush(&self, line: &mut Line, wire: Wire) -> Delivery {
        let load = line.backlog.take(usize::MAX);
        line.backlog.shrink();
        if let Some(last) = load.due.last() {
            self.trail.takes(last.event.id);
        }
        let bytes = load.encode(wire);
        let Some(written) = self.try_write(&bytes) else { return Delivery::default() };
        let mut delivery = Delivery { bytes: written, ..Delivery::default() };
        if written == bytes.len() {
            delivery.events = load.events;
            self.trail.written();
        } else {
            // The events count as delivered when their last byte is.
            line.backlog.put_rest(&bytes[written..], load.events);
            line.turn = Turn::Writer;
        }
        delivery
    }

    /// One non-blocking write: the number of bytes taken, or `None` if the client is gone.
    fn try_write(&self, bytes: &[u8]) -> Option<usize> {
        match self.sink.try_write(bytes) {
            Ok(bytes) => Some(bytes),
            Err(error) if is_retry(&error) => Some(0),
            Err(_) => {
                self.end(EndReason::ClientGone);
                None
            }
        }
    }

    /// Has these events of a batch wait; returns how many were replaced by newer ones.
    fn queue_up(&self, line: &mut Line, events: &[Arc<Event>], batch: &Batch<'_>) -> usize {
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            self.trail.waits(first.id, last.id);
        }
        line.queue_up(events, batch)
    }

    fn is_full(&self, line: &Line) -> bool {
        exceeds(line.events(), self.bound.events)
            || exceeds(line.backlog.bytes() + line.writing_bytes, self.bound.bytes)
    }
}

impl Line {
    fn events(&self) -> usize {
        self.backlog.events() + self.writing_events
    }

    /// Whether a batch goes out as it is: nothing waits, and no ceiling on updates is in the way.
    fn lets_through(&self, batch: &Batch<'_>, period: Option<Period>) -> bool {
        self.backlog.is_empty()
            && match batch.updates() {
                0 => true,
                1 => period.is_none() || self.updated != period,
                _ => period.is_none(),
            }
    }

    fn queue_up(&mut self, events: &[Arc<Event>], batch: &Batch<'_>) -> usize {
        let replaced = |event: &&Arc<Event>| self.backlog.push(event, batch.frame(event).len());
        let conflated = events.iter().filter(replaced).count();
        self.conflated += conflated as u64;
        conflated
    }
}

/// Whether a limit is on and exceeded.
fn exceeds(value: usize, limit: usize) -> bool {
    limit != 0 && value > limit
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
