//! How many streams an event is for, and which dispatchers serve them.
//!
//! Counted by topic and type filter, not by stream, so that a publisher is told at once even when
//! ten thousand listen.

use std::collections::HashMap;

use super::stream::Stream;
use crate::event::NewEvent;
use crate::event::subscription::NameFilter;
use crate::event::topic::Topic;

/// The open streams, as counts.
#[derive(Debug, Default)]
pub(super) struct Audience {
    by_topic: HashMap<Topic, Vec<Listeners>>,
}

/// The streams of one dispatcher that want the same types of one topic.
#[derive(Debug)]
struct Listeners {
    shard: usize,
    names: NameFilter,
    count: usize,
}

/// Whom one event reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// How many streams.
    pub streams: usize,
    /// Which dispatchers serve them: bit `n` for shard `n`.
    pub shards: u64,
}

impl Audience {
    /// Counts a stream in for these topics.
    pub fn add<'a>(&mut self, stream: &Stream, topics: impl IntoIterator<Item = &'a Topic>) {
        let names = stream.profile.subscription.names();
        for topic in topics {
            let listeners =
                self.by_topic.entry(topic.clone()).or_insert_with(|| Vec::with_capacity(1));
            match listeners.iter_mut().find(|l| l.shard == stream.shard && l.names == *names) {
                Some(known) => known.count += 1,
                None => listeners.push(Listeners {
                    shard: stream.shard,
                    names: names.clone(),
                    count: 1,
                }),
            }
        }
    }

    /// Counts it out.
    pub fn remove<'a>(&mut self, stream: &Stream, topics: impl IntoIterator<Item = &'a Topic>) {
        let names = stream.profile.subscription.names();
        for topic in topics {
            let Some(listeners) = self.by_topic.get_mut(topic) else { continue };
            let found = listeners.iter().position(|l| l.shard == stream.shard && l.names == *names);
            if let Some(position) = found {
                listeners[position].count -= 1;
                if listeners[position].count == 0 {
                    listeners.swap_remove(position);
                }
            }
            if listeners.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }

    pub fn is_heard(&self, topic: &Topic) -> bool {
        self.by_topic.contains_key(topic)
    }

    pub fn reach(&self, event: &NewEvent) -> Reach {
        let mut reach = Reach::default();
        for listeners in self.by_topic.get(&event.target).into_iter().flatten() {
            if listeners.names.allows(event.matched_name()) {
                reach.streams += listeners.count;
                reach.shards |= 1 << listeners.shard;
            }
        }
        reach
    }
}
