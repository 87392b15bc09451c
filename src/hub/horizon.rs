//! How far back the history is complete, for each topic and type.
//!
//! One horizon for all would tell a client that slept through an hour of other people's events that
//! it missed something. So the last evicted event of each topic and type is remembered; the ones
//! evicted longest ago are forgotten first, and from then on stand for all that are not listed.

use std::collections::HashMap;

use super::history::GapReason;
use crate::event::subscription::Subscription;
use crate::event::topic::Topic;
use crate::event::{Event, EventId, EventName};

/// How many topics and types are remembered at least.
const REMEMBERED: usize = 32_768;

/// The newest event of some kind that is gone, and why it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Horizon {
    pub id: EventId,
    pub reason: GapReason,
}

/// The horizons of all topics and types.
#[derive(Debug, Default)]
pub(super) struct Horizons {
    by_topic: HashMap<Topic, HashMap<EventName, Horizon>>,
    count: usize,
    /// Whatever is not listed may have been evicted up to here.
    forgotten: Option<Horizon>,
}

impl Horizons {
    /// Notes that an event is gone. Events go in the order of their ids.
    pub fn note(&mut self, event: &Event, reason: GapReason) {
        let horizon = Horizon { id: event.id, reason };
        if !self.by_topic.contains_key(&event.body.target) {
            self.by_topic.insert(event.body.target.clone(), HashMap::with_capacity(1));
        }
        if let Some(by_name) = self.by_topic.get_mut(&event.body.target) {
            if let Some(known) = by_name.get_mut(event.body.matched_name()) {
                *known = horizon;
                return;
            }
            by_name.insert(event.body.matched_name().clone(), horizon);
            self.count += 1;
        }
        if self.count > REMEMBERED * 2 {
            self.forget_oldest();
        }
    }

    /// The newest event for this subscription that is gone.
    pub fn of(&self, subscription: &Subscription) -> Option<Horizon> {
        let topics = subscription.topics().iter().filter_map(|topic| self.by_topic.get(topic));
        let listed = topics.flatten().filter(|(name, _)| subscription.names().allows(name));
        let listed = listed.map(|(_, horizon)| *horizon);
        listed.chain(self.forgotten).max_by_key(|horizon| horizon.id)
    }

    /// Halves the list: rarely, so that each eviction pays little for it.
    fn forget_oldest(&mut self) {
        let mut ids: Vec<EventId> =
            self.by_topic.values().flatten().map(|(_, horizon)| horizon.id).collect();
        let (_, median, _) = ids.select_nth_unstable(self.count - REMEMBERED);
        let oldest_kept = *median;
        for by_name in self.by_topic.values_mut() {
            by_name.retain(|_, horizon| {
                let keep = horizon.id >= oldest_kept;
                if !keep && self.forgotten.is_none_or(|forgotten| forgotten.id < horizon.id) {
                    self.forgotten = Some(*horizon);
                }
                keep
            });
        }
        self.by_topic.retain(|_, by_name| !by_name.is_empty());
        self.count = self.by_topic.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::subscription::NameFilter;
    use crate::event::{EventData, NewEvent};

    #[test]
    fn what_was_forgotten_still_counts_as_gone() {
        let mut horizons = Horizons::default();
        let topic = |n: usize| Topic::session(format!("s{n}").parse().unwrap());
        for n in 0..=REMEMBERED * 2 {
            let data = EventData::encode(&n, 0).unwrap();
            let body = NewEvent::new(topic(n), "e".parse().unwrap(), data);
            horizons.note(&Event::new(EventId { ms: n as u64, n: 0 }, 0, body), GapReason::Expired);
        }
        assert_eq!(horizons.count, REMEMBERED);
        let of = |n| {
            horizons.of(&Subscription::new([topic(n)], NameFilter::All)).unwrap().id.ms as usize
        };
        assert_eq!(of(REMEMBERED * 2), REMEMBERED * 2, "the newest is known exactly");
        assert_eq!(of(0), REMEMBERED, "a forgotten one counts as the newest forgotten");
    }
}
