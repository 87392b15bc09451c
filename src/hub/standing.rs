//! Where a stream stands in the order, and what it wants from there on.
//!
//! Written under the order's lock only, so that what is read there is so for the whole section. Ten
//! thousand streams never change what they want: for them there is nothing but an empty place here, and
//! their profile says it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::trail::Ring;
use crate::event::EventId;
use crate::event::subscription::{Change, Subscription};
use crate::event::topic::Topic;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The newest event when it joined: later ones come live. `None` while it is just about to join.
    place: Option<EventId>,
    has_left: bool,
    changed: Option<Box<Changed>>,
}

/// What a stream wants that wanted something else when it joined.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    /// What it wants now.
    pub subscription: Arc<Subscription>,
    /// How that came about, as far as it is remembered.
    turns: Ring<Turn>,
}

/// A topic that was joined or left.
#[derive(Debug, Clone)]
struct Turn {
    /// The newest event at that time.
    after: EventId,
    topic: Topic,
    is_added: bool,
}

impl Standing {
    pub fn place(&self) -> Option<EventId> {
        self.0.lock().place
    }

    /// Gives the stream its place, once.
    pub fn take_place(&self, after: EventId) {
        self.0.lock().place = Some(after);
    }

    /// Takes the stream's place away: it changes no more.
    pub fn leave(&self) {
        self.0.lock().has_left = true;
    }

    /// Whether the stream has a place.
    pub fn is_seated(&self) -> bool {
        let state = self.0.lock();
        state.place.is_some() && !state.has_left
    }

    /// What the stream wants now, if that is not what it joined with.
    pub fn subscription(&self) -> Option<Arc<Subscription>> {
        self.0.lock().changed.as_ref().map(|changed| changed.subscription.clone())
    }

    /// What there is to say about changes; `None` if there was none.
    pub fn changed(&self) -> Option<Changed> {
        self.0.lock().changed.as_deref().cloned()
    }

    /// Changes what the stream wants after this event to `now`, which differs by `difference`. The last
    /// turn is remembered, and so many in all.
    pub fn change(&self, now: Subscription, difference: &Change, after: EventId, max_turns: usize) {
        let mut state = self.0.lock();
        let turns = state.changed.take().map(|changed| changed.turns).unwrap_or_default();
        let mut changed = Changed { subscription: Arc::new(now), turns };
        changed.note(&difference.remove, after, false, max_turns);
        changed.note(&difference.add, after, true, max_turns);
        state.changed = Some(Box::new(changed));
    }
}

impl Changed {
    fn note<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a Topic>,
        after: EventId,
        is_added: bool,
        max_turns: usize,
    ) {
        for topic in topics {
            let turn = Turn { after, topic: topic.clone(), is_added };
            self.turns.push(turn, max_turns.max(1), |turn| turn.after);
        }
    }

    /// Whether the stream wanted events for this topic when this one was published, after the stream had
    /// joined; `None` if that is not remembered.
    pub fn wanted(&self, topic: &Topic, id: EventId) -> Option<bool> {
        // What is forgotten was about the events up to there: whichever topic it was.
        if self.turns.has_forgotten(id) {
            return None;
        }
        let next_turn = self.turns.iter().find(|turn| turn.after >= id && turn.topic == *topic);
        Some(next_turn.map_or_else(|| self.subscription.has(topic), |turn| !turn.is_added))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::subscription::NameFilter;

    fn id(ms: u64) -> EventId {
        EventId { ms, n: 0 }
    }

    fn topic(name: &str) -> Topic {
        Topic::session(name.parse().unwrap())
    }

    /// A stream that joins topic `a` and makes these changes, `+b` and `-b`, after the events 10, 20, 30 …
    fn after(changes: &[&str], max_turns: usize) -> Changed {
        let mut subscription = Subscription::new([topic("a")], NameFilter::All);
        let standing = Standing::default();
        for (text, after) in changes.iter().zip(1..) {
            let topics = [topic(&text[1..])].into();
            let change = match &text[..1] {
                "+" => Change { add: topics, ..Change::default() },
                _ => Change { remove: topics, ..Change::default() },
            };
            let (now, difference) = subscription.changed(&change);
            standing.change(now.clone(), &difference, id(after * 10), max_turns);
            subscription = now;
        }
        standing.changed().unwrap()
    }

    fn check(changes: &[&str], max_turns: usize, about: &str, expected: &[(u64, Option<bool>)]) {
        let stream = after(changes, max_turns);
        for (event, wanted) in expected {
            let said = stream.wanted(&topic(about), id(*event));
            assert_eq!(said, *wanted, "{changes:?}: {about} at {event}");
        }
    }

    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);

    #[test]
    fn what_was_wanted_when_is_told_by_the_changes_since() {
        check(&["+b", "-b"], 9, "a", &[(5, YES), (15, YES), (25, YES)]);
        check(&["+b", "-b"], 9, "b", &[(5, NO), (10, NO), (11, YES), (20, YES), (21, NO)]);
        check(&["-a", "+b", "+a"], 9, "a", &[(10, YES), (11, NO), (30, NO), (31, YES)]);
        check(&["-a", "+b", "+a"], 9, "c", &[(5, NO), (35, NO)]);
    }

    #[test]
    fn what_is_not_remembered_is_not_guessed() {
        check(&["+b", "-b", "+b"], 1, "b", &[(20, None), (21, NO), (30, NO), (31, YES)]);
        check(&["+b", "-b"], 0, "b", &[(10, None), (11, YES), (21, NO)]);
    }
}
