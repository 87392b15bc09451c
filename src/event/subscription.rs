//! Which events a stream wants: a set of topics and, if it is choosy, a set of event types.
//!
//! Matching is a pure function of the event and the subscription.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::topic::Topic;
use super::{EventName, NewEvent};

/// What one stream asked for and may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The audiences it belongs to: sorted, each once. A slice, because ten thousand streams hold one.
    topics: Box<[Topic]>,
    /// The event types it wants of them.
    names: NameFilter,
}

impl Subscription {
    /// The named types of these audiences.
    pub fn new(topics: impl IntoIterator<Item = Topic>, names: NameFilter) -> Self {
        let topics: BTreeSet<Topic> = topics.into_iter().collect();
        Self { topics: topics.into_iter().collect(), names }
    }

    /// The audiences, sorted, each once.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The event types.
    pub fn names(&self) -> &NameFilter {
        &self.names
    }

    /// Whether it is for this audience.
    pub fn has(&self, topic: &Topic) -> bool {
        self.topics.binary_search(topic).is_ok()
    }

    /// What becomes of it by a change, and what of the change makes a difference: who is in an audience
    /// already does not join it, and who is not does not leave it.
    pub fn changed(&self, change: &Change) -> (Self, Change) {
        // In place: one topic more or less must not sort a thousand others anew.
        let mut topics = self.topics.to_vec();
        let mut difference = Change::default();
        for topic in change.remove.difference(&change.add) {
            if let Ok(place) = topics.binary_search(topic) {
                difference.remove.insert(topics.remove(place));
            }
        }
        for topic in &change.add {
            if let Err(place) = topics.binary_search(topic) {
                topics.insert(place, topic.clone());
                difference.add.insert(topic.clone());
            }
        }
        (Self { topics: topics.into(), names: self.names.clone() }, difference)
    }

    /// Whether an event belongs on the stream.
    pub fn matches(&self, event: &NewEvent) -> bool {
        self.has(&event.target) && self.names.allows(event.matched_name())
    }
}

/// Audiences that a stream joins and leaves, in one step. One that it both joins and leaves it joins. The
/// event types it wants stay the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Those that it joins.
    pub add: BTreeSet<Topic>,
    /// Those that it leaves.
    pub remove: BTreeSet<Topic>,
}

impl Change {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// The event types a stream wants. Cheap to clone and to compare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NameFilter {
    /// Every type.
    All,
    /// Only these.
    Only(Arc<BTreeSet<EventName>>),
}

impl NameFilter {
    /// Only the named types.
    pub fn only(names: impl IntoIterator<Item = EventName>) -> Self {
        Self::Only(Arc::new(names.into_iter().collect()))
    }

    /// Whether events of this type pass.
    pub fn allows(&self, name: &EventName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventData;

    fn event(target: Topic, name: &str, matched_as: Option<&str>) -> NewEvent {
        let data = EventData::from_json("null", 0).unwrap();
        let mut event = NewEvent::new(target, name.parse().unwrap(), data);
        event.matched_as = matched_as.map(|name| name.parse().unwrap());
        event
    }

    fn session(id: &str) -> Topic {
        Topic::session(id.parse().unwrap())
    }

    fn check(event: &NewEvent, expected: bool) {
        let names = NameFilter::only(["system".parse().unwrap()]);
        let subscription = Subscription::new([Topic::events(), session("me")], names);
        assert_eq!(subscription.matches(event), expected, "{event:?}");
    }

    #[test]
    fn topic_and_type_must_both_match() {
        check(&event(Topic::events(), "system", None), true);
        check(&event(session("me"), "system", None), true);
        check(&event(session("you"), "system", None), false);
        check(&event(Topic::events(), "test", None), false);
    }

    #[test]
    fn an_event_can_be_matched_as_another_type() {
        check(&event(Topic::events(), "test", Some("system")), true);
        check(&event(Topic::events(), "system", Some("test")), false);
    }

    fn check_changed(before: &str, change: &str, after: &str, difference: &str) {
        let topics = |ids: &str| ids.split_whitespace().map(session).collect::<BTreeSet<_>>();
        let change_of = |text: &str| {
            let (add, remove) = text.split_once('-').unwrap();
            Change { add: topics(add), remove: topics(remove) }
        };
        let subscription = Subscription::new(topics(before), NameFilter::All);
        let (now, made) = subscription.changed(&change_of(change));
        assert_eq!(now, Subscription::new(topics(after), NameFilter::All), "{before}, {change}");
        assert_eq!(made, change_of(difference), "{before}, {change}");
    }

    #[test]
    fn a_change_adds_and_removes_what_makes_a_difference() {
        check_changed("a b", "c - a", "b c", "c - a");
        check_changed("a b", "a - c", "a b", "-");
        check_changed("a", "- a", "", "- a");
        check_changed("", "b a -", "a b", "a b -");
        check_changed("a", "a b - a b", "a b", "b -");
    }

    #[test]
    fn an_event_never_crosses_a_project() {
        let mut elsewhere = Topic::events();
        elsewhere.project = "elsewhere".parse().unwrap();
        check(&event(elsewhere, "system", None), false);
    }
}
