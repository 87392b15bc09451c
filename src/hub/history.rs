//! Recent events, and what to replay to a client that comes back.
//!
//! A ring bounded by age, count and bytes, with an index per topic, so that a resume costs what it
//! replays and not what is stored. What was evicted is remembered by [`horizon`](super::horizon), so
//! that a gap is reported only to those who may really miss something.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Limits;
use super::horizon::Horizons;
use super::stream::Resume;
use crate::event::subscription::Subscription;
use crate::event::topic::Topic;
use crate::event::{Event, EventId};

/// The recent events.
#[derive(Debug)]
pub(super) struct History {
    limits: Bounds,
    /// Every id up to this one was given before this process started.
    started: EventId,
    last: EventId,
    events: VecDeque<Kept>,
    /// The index of `events[0]`, counted from the first event ever stored.
    first_index: u64,
    bytes: usize,
    /// The indexes of each topic's events.
    by_topic: HashMap<Topic, VecDeque<u64>>,
    evicted: Horizons,
}

#[derive(Debug)]
struct Kept {
    event: Arc<Event>,
    /// On the steady clock: a wall clock that is set must not empty the history.
    since: Instant,
}

#[derive(Debug)]
struct Bounds {
    age: Duration,
    events: usize,
    bytes: usize,
}

/// What a client that comes back is given before anything new.
#[derive(Debug, Default)]
pub struct Replay {
    /// What cannot be given any more.
    pub gap: Option<Gap>,
    /// The events after that, in their order.
    pub events: Vec<Arc<Event>>,
}

/// A stretch of the order in which a client may have missed events it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The client has everything up to here; `None` if what it named was never an id of ours.
    pub from: Option<EventId>,
    /// From here on the stream is complete again.
    pub to: EventId,
    /// Why the events in between are not to be had.
    pub reason: GapReason,
}

/// Why events are not to be had any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GapReason {
    /// They were older than they are kept.
    Expired,
    /// More came than is kept.
    Overflow,
    /// The server was restarted since.
    #[default]
    Restart,
}

impl History {
    /// An empty history for a server whose ids all follow `started`.
    pub fn new(limits: &Limits, started: EventId) -> Self {
        let bounds = Bounds {
            age: limits.history_age,
            events: limits.history_events,
            bytes: limits.history_bytes,
        };
        Self {
            limits: bounds,
            started,
            last: started,
            events: VecDeque::new(),
            first_index: 0,
            bytes: 0,
            by_topic: HashMap::new(),
            evicted: Horizons::default(),
        }
    }

    /// The newest id there is.
    pub fn last(&self) -> EventId {
        self.last
    }

    /// The oldest event that is kept.
    pub fn oldest(&self) -> Option<EventId> {
        self.events.front().map(|kept| kept.event.id)
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps the next event, whose id is greater than every one before.
    pub fn push(&mut self, event: Arc<Event>, now: Instant) {
        let index = self.first_index + self.events.len() as u64;
        self.last = event.id;
        self.bytes += event.weight();
        self.by_topic.entry(event.body.target.clone()).or_default().push_back(index);
        self.events.push_back(Kept { event, since: now });
        self.expire(now);
        while self.is_over_full() {
            self.evict(GapReason::Overflow);
        }
    }

    /// Lets go of what is too old.
    pub fn expire(&mut self, now: Instant) {
        let age = self.limits.age;
        let too_old = |kept: &Kept| now.saturating_duration_since(kept.since) >= age;
        while self.events.front().is_some_and(too_old) {
            self.evict(GapReason::Expired);
        }
    }

    fn is_over_full(&self) -> bool {
        let over = |value, limit| limit != 0 && value > limit;
        over(self.events.len(), self.limits.events) || over(self.bytes, self.limits.bytes)
    }

    fn evict(&mut self, reason: GapReason) {
        let Some(Kept { event, .. }) = self.events.pop_front() else { return };
        self.first_index += 1;
        self.bytes -= event.weight();
        let topic = &event.body.target;
        if let Some(indexes) = self.by_topic.get_mut(topic) {
            indexes.pop_front();
            if indexes.is_empty() {
                self.by_topic.remove(topic);
            } else if indexes.capacity() > 64 && indexes.capacity() > indexes.len() * 4 {
                indexes.shrink_to_fit();
            }
        }
        self.evicted.note(&event, reason);
    }

    /// What a client that left off at `resume` is owed.
    pub fn replay(&self, resume: &Resume, subscription: &Subscription) -> Replay {
        let gap = match resume {
            Resume::FromNow => return Replay::default(),
            Resume::After(id) => self.gap_after(*id, subscription),
            Resume::Unknown => Some(self.gap_since_start(None, subscription)),
        };
        let complete_after = match (gap, resume) {
            (Some(gap), _) => gap.to,
            (None, Resume::After(id)) => *id,
            (None, _) => self.last,
        };
        Replay { gap, events: self.events_after(complete_after, subscription) }
    }

    fn gap_after(&self, id: EventId, subscription: &Subscription) -> Option<Gap> {
        // An id of the future was given by an earlier process whose clock was ahead of ours.
        if id < self.started || id > self.last {
            return Some(self.gap_since_start(Some(id), subscription));
        }
        let horizon = self.evicted.of(subscription).filter(|horizon| horizon.id > id)?;
        Some(Gap { from: Some(id), to: horizon.id, reason: horizon.reason })
    }

    fn gap_since_start(&self, from: Option<EventId>, subscription: &Subscription) -> Gap {
        let evicted = self.evicted.of(subscription).map_or(self.started, |horizon| horizon.id);
        Gap { from, to: evicted.max(self.started), reason: GapReason::Restart }
    }

    fn events_after(&self, id: EventId, subscription: &Subscription) -> Vec<Arc<Event>> {
        let mut indexes = Vec::new();
        for topic in subscription.topics() {
            if let Some(of_topic) = self.by_topic.get(topic) {
                let first = of_topic.partition_point(|&index| self.at(index).id <= id);
                indexes.extend(of_topic.range(first..));
            }
        }
        indexes.sort_unstable();
        let wanted = |event: &&Arc<Event>| subscription.names().allows(event.body.matched_name());
        indexes.into_iter().map(|index| self.at(index)).filter(wanted).cloned().collect()
    }

    fn at(&self, index: u64) -> &Arc<Event> {
        &self.events[(index - self.first_index) as usize].event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::subscription::NameFilter;
    use crate::event::{EventData, NewEvent};

    const START: EventId = EventId { ms: 1_000, n: 0 };

    fn history(events: usize) -> History {
        let limits = Limits { history_events: events, ..Limits::default() };
        History::new(&limits, START)
    }

    fn id(ms: u64) -> EventId {
        EventId { ms, n: 0 }
    }

    fn push(history: &mut History, ms: u64, topic: &str, name: &str) {
        let body = NewEvent::new(
            session(topic),
            name.parse().unwrap(),
            EventData::encode(&ms, 0).unwrap(),
        );
        history.push(Arc::new(Event::new(id(ms), ms, body)), Instant::now());
    }

    fn session(name: &str) -> Topic {
        Topic::session(name.parse().unwrap())
    }

    fn of(topics: &[&str], names: NameFilter) -> Subscription {
        Subscription::new(topics.iter().map(|name| session(name)), names)
    }

    fn check(
        history: &History,
        after: u64,
        topics: &[&str],
        expected: &[u64],
        gap: Option<(u64, GapReason)>,
    ) {
        let replay = history.replay(&Resume::After(id(after)), &of(topics, NameFilter::All));
        let times: Vec<u64> = replay.events.iter().map(|event| event.id.ms).collect();
        assert_eq!(times, expected, "events after {after}");
        let expected = gap.map(|(to, reason)| Gap { from: Some(id(after)), to: id(to), reason });
        assert_eq!(replay.gap, expected, "gap after {after}");
    }

    #[test]
    fn a_resume_gets_exactly_the_matching_events_after_its_id() {
        let mut history = history(0);
        for (ms, topic) in [(1001, "a"), (1002, "b"), (1003, "a"), (1004, "c"), (1005, "b")] {
            push(&mut history, ms, topic, "e");
        }
        check(&history, 1000, &["a"], &[1001, 1003], None);
        check(&history, 1001, &["a", "b"], &[1002, 1003, 1005], None);
        check(&history, 1005, &["a", "b", "c"], &[], None);
        check(&history, 1002, &["nobody"], &[], None);
    }

    #[test]
    fn a_client_from_before_the_restart_is_told() {
        let mut history = history(0);
        push(&mut history, 1001, "a", "e");
        check(&history, 999, &["a"], &[1001], Some((1000, GapReason::Restart)));
        check(&history, 5000, &["a"], &[1001], Some((1000, GapReason::Restart)));
        let replay = history.replay(&Resume::Unknown, &of(&["a"], NameFilter::All));
        assert_eq!(replay.gap, Some(Gap { from: None, to: START, reason: GapReason::Restart }));
        assert_eq!(replay.events.len(), 1);
    }

    #[test]
    fn a_client_that_may_have_missed_something_is_told_why() {
        let mut history = history(2);
        for ms in [1001, 1002, 1003, 1004] {
            push(&mut history, ms, "a", "e");
        }
        check(&history, 1001, &["a"], &[1003, 1004], Some((1002, GapReason::Overflow)));
        check(&history, 1002, &["a"], &[1003, 1004], None);
        history.expire(Instant::now() + Limits::default().history_age);
        check(&history, 1002, &["a"], &[], Some((1004, GapReason::Expired)));
        assert_eq!((history.len(), history.bytes()), (0, 0));
    }

    #[test]
    fn a_client_that_missed_nothing_is_not_alarmed() {
        let mut history = history(2);
        for (ms, topic) in [(1001, "a"), (1002, "b"), (1003, "b"), (1004, "b"), (1005, "b")] {
            push(&mut history, ms, topic, "e");
        }
        // The only event for "a" that is gone was already seen; that of "c" never was.
        check(&history, 1001, &["a"], &[], None);
        check(&history, 1001, &["c"], &[], None);
        check(&history, 1000, &["a"], &[], Some((1001, GapReason::Overflow)));
    }

    #[test]
    fn types_that_were_not_asked_for_are_neither_replayed_nor_missed() {
        let mut history = history(2);
        for (ms, name) in [(1001, "x"), (1002, "y"), (1003, "x"), (1004, "y")] {
            push(&mut history, ms, "a", name);
        }
        let only_y = of(&["a"], NameFilter::only(["y".parse().unwrap()]));
        let replay = history.replay(&Resume::After(id(1002)), &only_y);
        assert_eq!((replay.gap, replay.events.len()), (None, 1));
        let replay = history.replay(&Resume::After(id(1001)), &only_y);
        assert_eq!(replay.gap.map(|gap| gap.to), Some(id(1002)));
    }

    #[test]
    fn a_full_history_by_bytes_lets_the_oldest_go() {
        let limits = Limits { history_bytes: 2_000, ..Limits::default() };
        let mut history = History::new(&limits, START);
        (0..100).for_each(|n| push(&mut history, 1001 + n, "a", "e"));
        assert!(history.bytes() <= 2_000 && history.len() > 2, "{} bytes", history.bytes());
    }
}
