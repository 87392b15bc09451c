//! What is remembered beyond the moment: the dispatchers' rounds, and the streams that have ended.
//!
//! Deliveries run at millions a second, so none is recorded. A round of a dispatcher is: what it
//! brought its streams, and when. All of it is bounded, and what does not fit any more is forgotten
//! and said to be.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use uuid::Uuid;

use super::Limits;
use super::standing::Changed;
use super::stream::{EndReason, Profile, Stream};
use super::trail::{Notes, Recorder};
use crate::clock::Clock;
use crate::event::EventId;
use crate::event::topic::Identifier;

/// What a hub remembers.
#[derive(Debug)]
pub(super) struct Trace {
    /// For the streams' own notes.
    pub recorder: Arc<Recorder>,
    /// Of each dispatcher.
    pub rounds: Vec<Arc<Rounds>>,
    max_ended: usize,
    ended: Mutex<VecDeque<Arc<Ended>>>,
}

/// A dispatcher's last rounds.
#[derive(Debug)]
pub(super) struct Rounds {
    max_rounds: usize,
    rounds: Mutex<VecDeque<Round>>,
}

/// One round: each of its streams was given everything for it from one event to another, or had it
/// queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    pub first: EventId,
    pub last: EventId,
    pub taken: Instant,
    /// When the last of its streams had been served.
    pub done: Instant,
}

/// Where an event stands with a dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// It waits, or is being dispatched now.
    Ahead,
    /// It was in this round.
    In(Round),
    /// It was dispatched; when is not known any more.
    Forgotten,
    /// No rounds are remembered.
    Off,
}

/// A stream that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub id: Uuid,
    pub number: u64,
    pub profile: Profile,
    pub shard: usize,
    pub opened_ms: u64,
    pub ended_ms: u64,
    pub reason: EndReason,
    /// Its place in the order when it joined, and when it left.
    pub place: Option<EventId>,
    pub left_after: EventId,
    pub notes: Option<Arc<Mutex<Notes>>>,
    /// What it wanted instead of what it joined with.
    pub changed: Option<Changed>,
}

impl Trace {
    pub fn new(limits: &Limits, shards: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            recorder: Arc::new(Recorder { clock, max_notes: limits.trace_notes }),
            rounds: (0..shards).map(|_| Arc::new(Rounds::new(limits.trace_rounds))).collect(),
            max_ended: limits.trace_ended_streams,
            ended: Mutex::default(),
        }
    }

    /// Remembers a stream that has left after this event.
    pub fn note_ended(&self, stream: &Stream, left_after: EventId) {
        if self.max_ended == 0 {
            return;
        }
        let ended = Ended {
            id: stream.id,
            number: stream.number,
            profile: stream.profile.clone(),
            shard: stream.shard,
            opened_ms: stream.created_ms,
            ended_ms: self.recorder.clock.unix_ms(),
            reason: stream.end_reason().unwrap_or(EndReason::ClientGone),
            place: stream.standing.place(),
            left_after,
            notes: stream.outbox.trail.keep(),
            changed: stream.standing.changed(),
        };
        let mut list = self.ended.lock();
        let forgotten = if list.len() >= self.max_ended { list.pop_front() } else { None };
        list.push_back(Arc::new(ended));
        drop(list);
        // Outside of the lock: there may be a good deal to free.
        drop(forgotten);
    }

    /// The ended stream of this name.
    pub fn ended(&self, id: Uuid) -> Option<Arc<Ended>> {
        self.ended.lock().iter().find(|ended| ended.id == id).cloned()
    }

    /// The ended streams of a session, the oldest first.
    pub fn ended_of(&self, session: &Identifier) -> Vec<Arc<Ended>> {
        let ended = self.ended.lock();
        let of_session = |ended: &&Arc<Ended>| ended.profile.session.as_ref() == Some(session);
        ended.iter().filter(of_session).cloned().collect()
    }
}

impl Rounds {
    pub fn new(max_rounds: usize) -> Self {
        Self { max_rounds, rounds: Mutex::default() }
    }

    /// Whether rounds are remembered.
    pub fn is_on(&self) -> bool {
        self.max_rounds > 0
    }

    /// Notes a round that is done.
    pub fn note(&self, round: Round) {
        let mut rounds = self.rounds.lock();
        if rounds.len() >= self.max_rounds {
            rounds.pop_front();
        }
        rounds.push_back(round);
    }

    /// Where an event stands that this dispatcher was given.
    pub fn dispatch(&self, id: EventId) -> Dispatch {
        if !self.is_on() {
            return Dispatch::Off;
        }
        let rounds = self.rounds.lock();
        let index = rounds.partition_point(|round| round.last < id);
        match rounds.get(index) {
            Some(round) if round.first <= id => Dispatch::In(*round),
            Some(_) => Dispatch::Forgotten,
            None => Dispatch::Ahead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> EventId {
        EventId { ms, n: 0 }
    }

    #[test]
    fn an_event_is_found_in_its_round_as_long_as_that_is_remembered() {
        let rounds = Rounds::new(2);
        let at = Instant::now();
        let round = |first, last| Round { first: id(first), last: id(last), taken: at, done: at };
        assert_eq!(rounds.dispatch(id(1)), Dispatch::Ahead);
        for (first, last) in [(1, 3), (4, 4), (6, 9)] {
            rounds.note(round(first, last));
        }
        assert_eq!(rounds.dispatch(id(3)), Dispatch::Forgotten);
        assert_eq!(rounds.dispatch(id(4)), Dispatch::In(round(4, 4)));
        assert_eq!(rounds.dispatch(id(7)), Dispatch::In(round(6, 9)));
        assert_eq!(rounds.dispatch(id(10)), Dispatch::Ahead);
        assert_eq!(Rounds::new(0).dispatch(id(1)), Dispatch::Off);
    }
}
