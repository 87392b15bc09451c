//! The stream's own thread, as far as the hub knows it.
//!
//! It writes whenever the dispatcher must not wait: the opening, the replay, what a slow client did
//! not take, heartbeats, and the last words. In between it sleeps.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backlog::Due;
use super::batch::Wire;
use super::bell::Bell;
use super::snapshot::Totals;
use super::stream::{EndReason, Stream};
use crate::clock::Clock;
use crate::event::Event;

/// Serves one stream.
#[derive(Debug)]
pub struct Writer {
    pub(super) stream: Arc<Stream>,
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
    pub(super) fn new(stream: Arc<Stream>, hub: &super::Shared) -> Self {
        let on = |limit: Duration| (!limit.is_zero()).then_some(limit);
        Self {
            stream,
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

    /// Writes the first bytes, which carry one event, and hands over to the dispatcher, all without
    /// waiting: so the stream is live before it has a thread. What cannot be done without waiting is
    /// left to [`Self::run`]; returns the bytes that are left.
    pub fn open(&mut self, opening: Vec<u8>) -> Vec<u8> {
        let outbox = &self.stream.outbox;
        match outbox.sink.try_write(&opening) {
            Ok(taken) if taken == opening.len() => {
                self.note_sent(1, taken);
                // Whatever has been queued meanwhile, or an end, is found when the thread runs.
                let _ = outbox.hand_over();
                Vec::new()
            }
            Ok(taken) => opening[taken..].to_vec(),
            // A client that is gone already is noticed when the thread runs.
            Err(_) => opening,
        }
    }

    /// Writes the last words of a stream that is to have no thread, if nothing waits before them and the
    /// client takes them at once. It stays the writer's turn.
    pub fn say_at_once(&mut self, last_words: &[u8]) {
        let outbox = &self.stream.outbox;
        if outbox.take_turn() {
            // Whether or not it is heard, the stream ends now.
            let _ = outbox.sink.try_write(last_words);
        }
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

    pub(super) fn beat_if_due(&self, heartbeat: &[u8]) -> Result<(), EndReason> {
        let is_due = self.heartbeat.is_some_and(|interval| self.silence() >= interval);
        // What waits is a sign of life as well, and is written next.
        if is_due && self.stream.outbox.take_turn() {
            self.send(heartbeat, 0)?;
        }
        Ok(())
    }

    /// In its turn: writes what waits until nothing is left, and hands over to the dispatcher.
    fn catch_up(&self) -> Result<(), EndReason> {
        let outbox = &self.stream.outbox;
        if !outbox.is_writers_turn() {
            return Ok(());
        }
        let wire = Wire::of(&self.stream.profile);
        loop {
            self.check_cut()?;
            let load = outbox.take(GATHER_BYTES);
            if load.events > 0 {
                self.send(&load.encode(wire), load.events)?;
                outbox.note_written(&load);
                let events = load.due.iter().map(|due| &due.event);
                self.totals.note_delays(events, self.clock.now(), 1);
            } else if outbox.hand_over()? {
                return Ok(());
            }
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
        let wire = Wire::of(&self.stream.profile);
        let (mut bytes, mut count) = (Vec::new(), 0);
        for event in events {
            bytes.extend_from_slice(event.frame(wire.dialect).bytes(wire.envelope));
            count += 1;
            if bytes.len() >= GATHER_BYTES {
                self.send(&bytes, count)?;
                (bytes, count) = (Vec::new(), 0);
            }
        }
        self.send(&bytes, count)
    }

    /// Waits for the next events instead of writing them: for clients that poll. Empty when nothing
    /// came in time.
    pub fn take_events(&mut self, at_most: Duration) -> Result<Vec<Due>, EndReason> {
        let outbox = &self.stream.outbox;
        outbox.bell.answer();
        let deadline = Instant::now() + at_most;
        let mut events = Vec::new();
        loop {
            if let Some(reason) = self.stream.end_reason() {
                return Err(reason);
            }
            let load = outbox.take(usize::MAX);
            outbox.note_written(&load);
            events.extend(load.due);
            let left = deadline.saturating_duration_since(Instant::now());
            if !events.is_empty() || left.is_zero() {
                break;
            }
            Bell::sleep(Some(left));
        }
        self.note_sent(events.len(), 0);
        Ok(events)
    }

    /// Writes bytes that carry `events` events, blocking as long as the client makes progress. Only
    /// before and after [`Self::run`]: in between it may be the dispatcher's turn.
    pub fn write(&mut self, bytes: &[u8], events: usize) -> Result<(), EndReason> {
        self.send(bytes, events)
    }

    fn send(&self, mut bytes: &[u8], events: usize) -> Result<(), EndReason> {
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

    /// Cuts the stream; returns why, which may be an earlier cut. Never a planned end: part of an
    /// event may be with the client, and a goodbye would become part of it.
    fn fail(&self, reason: EndReason) -> EndReason {
        self.stream.end(reason);
        self.stream.end_reason().filter(|standing| !standing.is_planned()).unwrap_or(reason)
    }

    /// Closes the connection, after the last words.
    pub fn close(&mut self) {
        self.stream.outbox.sink.close();
    }
}
