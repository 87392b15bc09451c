//! A sink in memory that can be slow, stuck, or gone.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::event::parser::{EventStreamParser, ReceivedEvent};
use crate::hub::Sink;

/// How long a test waits for what must happen before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Memory {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// How many bytes it takes before it would block.
    room: usize,
    closed: bool,
    parser: EventStreamParser,
    events: Vec<ReceivedEvent>,
}

impl Memory {
    /// A sink that takes everything.
    pub fn endless() -> Arc<Self> {
        Self::with_room(usize::MAX)
    }

    /// A sink that takes `room` bytes, then nothing until [`Self::make_room`].
    pub fn with_room(room: usize) -> Arc<Self> {
        let state =
            State { room, closed: false, parser: EventStreamParser::default(), events: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    pub fn make_room(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.room = state.room.saturating_add(bytes);
        self.changed.notify_all();
    }

    /// Waits until so many events have come.
    pub fn wait_for(&self, count: usize) {
        self.wait_until(|events| events.len() >= count);
    }

    /// Waits until the event with this id has come, or the sink was closed; true if it came.
    pub fn wait_for_id(&self, id: &str) -> bool {
        self.wait_until(|events| events.iter().any(|event| event.id == id))
    }

    fn wait_until(&self, arrived: impl Fn(&[ReceivedEvent]) -> bool) -> bool {
        let mut state = self.state.lock();
        while !arrived(&state.events) && !state.closed {
            let waited = self.changed.wait_for(&mut state, PATIENCE);
            assert!(
                !waited.timed_out(),
                "what must come has not come; so far {} events",
                state.events.len()
            );
        }
        arrived(&state.events)
    }

    pub fn events(&self) -> Vec<ReceivedEvent> {
        self.state.lock().events.clone()
    }

    /// The events since this was called last.
    pub fn take_events(&self) -> Vec<ReceivedEvent> {
        std::mem::take(&mut self.state.lock().events)
    }

    pub fn ids(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.id).collect()
    }

    pub fn data(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.data).collect()
    }

    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}

impl Sink for Memory {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(state.room);
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.room -= taken;
        let events = state.parser.feed(&bytes[..taken]);
        state.events.extend(events);
        self.changed.notify_all();
        Ok(taken)
    }

    fn wait_writable(&self, at_most: Option<Duration>) -> io::Result<bool> {
        let mut state = self.state.lock();
        while state.room == 0 && !state.closed {
            let waited = self.changed.wait_for(&mut state, at_most.unwrap_or(PATIENCE));
            if waited.timed_out() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    fn hung_up(&self) -> bool {
        self.is_closed()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
