//! Recent events, and what a client that comes back is owed of them.
//!
//! A ring bounded by age, count and bytes, with an index per topic, so that a resume costs what it
//! replays and not what is stored. What the ring lets go may still be in the [`journal`](super::journal);
//! what is gone for good is remembered by [`horizon`](super::horizon), so that a gap is reported only to
//! those who may really miss something.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Limits;
use super::gap::{Gap, GapReason};
use super::horizon::{Horizon, Horizons};
use super::journal::{Past, Remains};
use super::replay::{Owed, Page};
use super::stream::Resume;
use crate::event::subscription::Subscription;
use crate::event::topic::Topic;
use crate::event::{Event, EventId, Keeping};

/// The recent events.
#[derive(Debug)]
pub(super) struct History {
    limits: Bounds,
    /// What is kept is also on its way to a disk.
    has_journal: bool,
    last: EventId,
    events: VecDeque<Kept>,
    /// The index of `events[0]`, counted from the first event ever stored.
    first_index: u64,
    bytes: usize,
    /// The indexes of each topic's events.
    by_topic: HashMap<Topic, VecDeque<u64>>,
    /// What is not here has an id up to this one.
    begins_after: EventId,
    /// What is nowhere.
    gone: Horizons,
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

/// So much more than its limits the history holds at most while its oldest event waits for the disk.
const WAITING_EVENTS: usize = if cfg!(test) { 100 } else { 65_536 };
const WAITING_BYTES: usize = 64 << 20;

/// How many events of its topics one piece of a replay looks at: what a publisher may have to wait for.
const PAGE_EVENTS: usize = if cfg!(test) { 64 } else { 1_024 };

/// A topic's share of that is not smaller, however many topics there are.
const PAGE_EVENTS_OF_TOPIC: usize = if cfg!(test) { 2 } else { 16 };

impl History {
    /// A history that goes on after `past`. `unix_ms` is the wall clock's time at `now`.
    pub fn new(limits: &Limits, past: Past, has_journal: bool, now: Instant, unix_ms: u64) -> Self {
        let bounds = Bounds {
            age: limits.history_age,
            events: limits.history_events,
            bytes: limits.history_bytes,
        };
        let mut history = Self {
            limits: bounds,
            has_journal,
            last: past.last,
            events: VecDeque::new(),
            first_index: 0,
            bytes: 0,
            by_topic: HashMap::new(),
            begins_after: past.recent_after,
            gone: Horizons::new(&past),
        };
        for event in past.recent {
            let age = Duration::from_millis(unix_ms.saturating_sub(event.time_ms));
            history.append(event, now.checked_sub(age).unwrap_or(now));
        }
        history.trim(now);
        history
    }

    /// The newest id there is.
    pub fn last(&self) -> EventId {
        self.last
    }

    /// The oldest event that is kept.
    pub fn oldest(&self) -> Option<EventId> {
        self.events.front().map(|kept| kept.event.id)
    }

    /// When that was published, on the steady clock.
    pub fn oldest_since(&self) -> Option<Instant> {
        self.events.front().map(|kept| kept.since)
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is not here has an id up to this one.
    pub fn begins_after(&self) -> EventId {
        self.begins_after
    }

    /// An event that is kept, and since when.
    pub fn find(&self, id: EventId) -> Option<(&Arc<Event>, Instant)> {
        let index = self.events.partition_point(|kept| kept.event.id < id);
        let kept = self.events.get(index).filter(|kept| kept.event.id == id)?;
        Some((&kept.event, kept.since))
    }

    /// Keeps the next event, whose id is greater than every one before, unless it is of the moment only.
    pub fn push(&mut self, event: Arc<Event>, now: Instant) {
        self.last = event.id;
        if event.body.keeping > Keeping::Momentary {
            self.append(event, now);
            self.trim(now);
        }
    }

    fn append(&mut self, event: Arc<Event>, since: Instant) {
        let index = self.first_index + self.events.len() as u64;
        self.bytes += event.weight();
        self.by_topic.entry(event.body.target.clone()).or_default().push_back(index);
        self.events.push_back(Kept { event, since });
    }

    fn trim(&mut self, now: Instant) {
        self.expire(now);
        while self.is_over_full() && self.may_let_go() {
            self.evict(GapReason::Overflow);
        }
    }

    /// Lets go of what is too old.
    pub fn expire(&mut self, now: Instant) {
        let age = self.limits.age;
        let too_old = |kept: &Kept| now.saturating_duration_since(kept.since) >= age;
        while self.events.front().is_some_and(too_old) && self.may_let_go() {
            self.evict(GapReason::Expired);
        }
    }

    /// What is on its way to the disk stays until it is there, or a client that comes back in between
    /// would find it nowhere; but not for ever, if the disk stands still.
    fn may_let_go(&self) -> bool {
        !self.has_journal
            || self.events.front().is_some_and(|kept| !kept.event.is_underway())
            || self.is_over_full_by(WAITING_EVENTS, WAITING_BYTES)
    }

    fn is_over_full(&self) -> bool {
        self.is_over_full_by(0, 0)
    }

    fn is_over_full_by(&self, events: usize, bytes: usize) -> bool {
        let over = |value, limit, more| limit != 0 && value > limit + more;
        over(self.events.len(), self.limits.events, events)
            || over(self.bytes, self.limits.bytes, bytes)
    }

    fn evict(&mut self, reason: GapReason) {
        let Some(Kept { event, .. }) = self.events.pop_front() else { return };
        self.first_index += 1;
        self.bytes -= event.weight();
        self.begins_after = event.id;
        let topic = &event.body.target;
        if let Some(indexes) = self.by_topic.get_mut(topic) {
            indexes.pop_front();
            if indexes.is_empty() {
                self.by_topic.remove(topic);
            } else if indexes.capacity() > 64 && indexes.capacity() > indexes.len() * 4 {
                indexes.shrink_to_fit();
            }
        }
        if !event.is_stored() {
            self.gone.note(&event, reason);
        }
    }

    /// What a client that left off at `resume` is owed. `begin` is where the journal begins, if there
    /// is one, and why not earlier.
    pub fn owed(
        &self,
        resume: &Resume,
        subscription: &Subscription,
        begin: Option<(EventId, GapReason)>,
    ) -> Owed {
        let left_off = match resume {
            Resume::FromNow => return Owed { gap: None, after: self.last },
            Resume::After(id) => Some(*id),
            Resume::Unknown => None,
        };
        // An id of the future is nobody's: it was given by a server whose clock was ahead of ours.
        let Some(id) = left_off.filter(|id| *id <= self.last) else {
            let to = self.begins_after;
            let gap = Gap { from: left_off, to, reason: GapReason::Restart };
            return Owed { gap: Some(gap), after: to };
        };
        let gap = self.gone_after(id, subscription, begin);
        let gap = gap.map(|Horizon { id: to, reason }| Gap { from: Some(id), to, reason });
        Owed { gap, after: id }
    }

    /// The newest thing after `id` that is or may be gone for good.
    pub fn gone_after(
        &self,
        id: EventId,
        subscription: &Subscription,
        begin: Option<(EventId, GapReason)>,
    ) -> Option<Horizon> {
        // What the journal has let go may still be here.
        let begin = begin.map(|(id, reason)| Horizon { id: id.min(self.begins_after), reason });
        let gone = self.gone.of(subscription).into_iter().chain(begin);
        gone.max_by_key(|horizon| horizon.id).filter(|horizon| horizon.id > id)
    }

    /// The next piece of what is kept after one id up to another, and matches. It costs what it looks
    /// at, which is bounded; so it may bring nothing and yet not be the last.
    pub fn page(&self, after: EventId, up_to: EventId, subscription: &Subscription) -> Page {
        let topics = subscription.topics();
        let share = (PAGE_EVENTS / topics.len().max(1)).max(PAGE_EVENTS_OF_TOPIC);
        let mut complete_to = up_to;
        let mut indexes = Vec::new();
        for of_topic in topics.iter().filter_map(|topic| self.by_topic.get(topic)) {
            let first = of_topic.partition_point(|&index| self.at(index).id <= after);
            indexes.extend(of_topic.range(first..).take(share));
            if let Some(&next) = of_topic.get(first + share) {
                complete_to = complete_to.min(EventId::just_before(self.at(next).id));
            }
        }
        indexes.sort_unstable();
        let events = indexes.into_iter().map(|index| self.at(index));
        let events = events.take_while(|event| event.id <= complete_to);
        let wanted = |event: &&Arc<Event>| subscription.names().allows(event.body.matched_name());
        Page { events: events.filter(wanted).cloned().collect(), complete_to }
    }

    fn at(&self, index: u64) -> &Arc<Event> {
        &self.events[(index - self.first_index) as usize].event
    }

    /// What a successor needs to know that is not on disk.
    pub fn remains(&self) -> Remains {
        let events = self.events.iter().map(|kept| &kept.event);
        Remains {
            last: self.last,
            unstored: events.filter(|event| !event.is_stored()).cloned().collect(),
            gone: self.gone.listed(),
            gone_up_to: self.gone.unlisted().map(|horizon| (horizon.id, horizon.reason)),
        }
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
        History::new(&limits, Past::unknown(START.ms), false, Instant::now(), 0)
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

    /// The gap and the times of the events that a client is given.
    fn replay(history: &History, resume: &Resume, wants: &Subscription) -> (Option<Gap>, Vec<u64>) {
        let owed = history.owed(resume, wants, None);
        let mut at = owed.after;
        let mut times = Vec::new();
        while at < history.last() {
            let page = history.page(at, history.last(), wants);
            assert!(page.complete_to > at, "a page that leads nowhere");
            times.extend(page.events.iter().map(|event| event.id.ms));
            at = page.complete_to;
        }
        (owed.gap, times)
    }

    fn check(
        history: &History,
        after: u64,
        topics: &[&str],
        expected: &[u64],
        gap: Option<(u64, GapReason)>,
    ) {
        let (gap_told, times) =
            replay(history, &Resume::After(id(after)), &of(topics, NameFilter::All));
        assert_eq!(times, expected, "events after {after}");
        let expected = gap.map(|(to, reason)| Gap { from: Some(id(after)), to: id(to), reason });
        assert_eq!(gap_told, expected, "gap after {after}");
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
        let (gap, times) = replay(&history, &Resume::Unknown, &of(&["a"], NameFilter::All));
        assert_eq!(gap, Some(Gap { from: None, to: START, reason: GapReason::Restart }));
        assert_eq!(times, [1001]);
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
        assert_eq!(replay(&history, &Resume::After(id(1002)), &only_y), (None, vec![1004]));
        let (gap, _) = replay(&history, &Resume::After(id(1001)), &only_y);
        assert_eq!(gap.map(|gap| gap.to), Some(id(1002)));
    }

    #[test]
    fn a_full_history_by_bytes_lets_the_oldest_go() {
        let limits = Limits { history_bytes: 2_000, ..Limits::default() };
        let mut history = History::new(&limits, Past::unknown(START.ms), false, Instant::now(), 0);
        (0..100).for_each(|n| push(&mut history, 1001 + n, "a", "e"));
        assert!(history.bytes() <= 2_000 && history.len() > 2, "{} bytes", history.bytes());
    }
}
