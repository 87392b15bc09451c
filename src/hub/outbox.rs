//! One stream's queue and sink, and whose turn it is to write.
//!
//! At any time exactly one thread may write to the sink:
//!
//! - the **dispatcher**, as long as the client keeps up: it writes straight through, without
//!   blocking ([`Outbox::deliver`]);
//! - the stream's own **writer** thread otherwise: the dispatcher then only queues, and the writer
//!   blocks on the slow client in its stead until the queue is empty ([`super::writer`]).
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
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;

use super::batch::{Batch, Unwritten};
use super::bell::Bell;
use super::stream::{EndReason, State};
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
pub(super) enum Item {
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
    pub bell: Bell,
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

impl Queue {
    /// Takes what there is, without waiting.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        self.0.try_iter()
    }
}

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
    /// Returns the events and bytes that were written.
    pub fn deliver(&self, batch: &Batch<'_>) -> (usize, usize) {
        if self.end_reason().is_some() {
            return (0, 0);
        }
        let mut turn = self.turn.lock();
        let bytes = match *turn {
            Turn::Writer => 0,
            Turn::Dispatcher => match self.write_through(batch) {
                Some(bytes) => bytes,
                None => return (0, 0),
            },
        };
        let rest = batch.unwritten(bytes);
        if !rest.is_empty() {
            *turn = Turn::Writer;
            self.queue_up(&rest, batch);
        }
        (batch.len() - rest.events(), bytes)
    }

    /// Makes it the writer's turn.
    pub fn take_turn(&self) {
        *self.turn.lock() = Turn::Writer;
    }

    /// Makes it the writer's turn unless something is queued: then false. It may be the rest of an
    /// event whose beginning the client has already.
    pub fn take_turn_if_empty(&self, queue: &Queue) -> bool {
        let mut turn = self.turn.lock();
        let is_empty = queue.0.is_empty();
        if is_empty {
            *turn = Turn::Writer;
        }
        is_empty
    }

    /// Makes it the dispatcher's turn, unless something has been queued meanwhile: then false. After
    /// the end it stays the writer's, so that it can say goodbye.
    pub fn hand_over(&self, queue: &Queue) -> Result<bool, EndReason> {
        let mut turn = self.turn.lock();
        if !queue.0.is_empty() {
            return Ok(false);
        }
        if let Some(reason) = self.end_reason() {
            return Err(reason);
        }
        *turn = Turn::Dispatcher;
        Ok(true)
    }

    /// Notes that so much of what was queued has been written.
    pub fn note_written(&self, events: usize, bytes: usize) {
        self.queued_events.fetch_sub(events, Ordering::Relaxed);
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
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
        let events = rest.events();
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

#[cfg(test)]
mod tests {
    use super::super::batch::Wire;
    use super::super::tests::memory::Memory;
    use super::*;
    use crate::event::dialect::{Dialect, Envelope};
    use crate::event::topic::Topic;
    use crate::event::{EventData, EventId, NewEvent};

    /// Delivers one event as the dispatcher does.
    fn deliver(outbox: &Outbox) -> (usize, usize) {
        let data = EventData::encode(&1, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "e".parse().unwrap(), data);
        let events = [Arc::new(Event::new(EventId { ms: 1, n: 0 }, 1, body))];
        let wire = Wire { dialect: Dialect::Events, envelope: Envelope::Bare };
        outbox.deliver(&Batch::new(&events, wire))
    }

    fn outbox(room: usize) -> (Outbox, Queue) {
        Outbox::new(Memory::with_room(room), Bound { events: 0, bytes: 0 })
    }

    // The windows in which these matter are too short for the randomized tests to hit them.

    #[test]
    fn the_dispatcher_gets_no_turn_while_something_waits() {
        let (outbox, queue) = outbox(usize::MAX);
        assert_eq!(deliver(&outbox), (0, 0), "a stream begins in the writer's turn");
        assert_eq!(outbox.hand_over(&queue), Ok(false));
        assert_eq!(queue.items().count(), 1);
        assert_eq!(outbox.hand_over(&queue), Ok(true));
        assert_eq!(deliver(&outbox).0, 1);
    }

    #[test]
    fn no_heartbeat_gets_between_the_parts_of_an_event() {
        let (outbox, queue) = outbox(5);
        assert_eq!(outbox.hand_over(&queue), Ok(true));
        assert_eq!(deliver(&outbox), (0, 5), "a part of the event is with the client");
        assert!(!outbox.take_turn_if_empty(&queue));
        assert_eq!(queue.items().count(), 1);
        assert!(outbox.take_turn_if_empty(&queue));
    }

    #[test]
    fn after_the_end_the_turn_stays_with_the_writer() {
        let (outbox, queue) = outbox(usize::MAX);
        outbox.end(EndReason::Shutdown);
        outbox.end(EndReason::ClientGone);
        assert_eq!(outbox.hand_over(&queue), Err(EndReason::Shutdown), "the first reason stands");
    }
}
