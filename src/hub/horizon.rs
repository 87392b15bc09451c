//! What is gone for good: the newest lost event of each topic and type.
//!
//! One horizon for all would tell a client that slept through an hour of other people's events that
//! it missed something. So the last evicted event of each topic and type is remembered; the ones
//! evicted longest ago are forgotten first, and from then on stand for all that are not listed.

use std::collections::HashMap;

use super::gap::GapReason;
use super::journal::{Gone, Past};
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
    /// Whatever is not listed may be gone up to here.
    forgotten: Option<Horizon>,
    /// Types of which a crash may have taken events of any topic.
    crashed: HashMap<EventName, EventId>,
}

impl Horizons {
    /// What was gone before this process began.
    pub fn new(past: &Past) -> Self {
        let unknown = Horizon { id: past.unknown_up_to, reason: past.unknown_because };
        let mut horizons = Self {
            forgotten: Some(unknown),
            crashed: past.lost.iter().cloned().collect(),
            ..Self::default()
        };
        for gone in &past.gone {
            let horizon = Horizon { id: gone.id, reason: gone.reason };
            horizons.put(&gone.topic, &gone.name, horizon);
        }
        horizons
    }

    /// Notes that an event is gone. Events go in the order of their ids.
    pub fn note(&mut self, event: &Event, reason: GapReason) {
        let horizon = Horizon { id: event.id, reason };
        self.put(&event.body.target, event.body.matched_name(), horizon);
    }

    fn put(&mut self, topic: &Topic, name: &EventName, horizon: Horizon) {
        if !self.by_topic.contains_key(topic) {
            self.by_topic.insert(topic.clone(), HashMap::with_capacity(1));
        }
        if let Some(by_name) = self.by_topic.get_mut(topic) {
            if let Some(known) = by_name.get_mut(name) {
                *known = horizon;
                return;
            }
            by_name.insert(name.clone(), horizon);
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
        let crashed = self.crashed.iter().filter(|(name, _)| subscription.names().allows(name));
        let crashed = crashed.map(|(_, id)| Horizon { id: *id, reason: GapReason::Restart });
        listed.chain(crashed).chain(self.forgotten).max_by_key(|horizon| horizon.id)
    }

    /// Every horizon that is known by topic and type.
    pub fn listed(&self) -> Vec<Gone> {
        let listed = self.by_topic.iter().flat_map(|(topic, by_name)| {
            by_name.iter().map(|(name, horizon)| Gone {
                topic: topic.clone(),
                name: name.clone(),
                id: horizon.id,
                reason: horizon.reason,
            })
        });
        listed.collect()
    }

    /// Up to where everything else may be gone.
    pub fn unlisted(&self) -> Option<Horizon> {
        self.forgotten
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
