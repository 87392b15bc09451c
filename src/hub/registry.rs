//! The open streams, and which dispatcher serves how many of them.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use uuid::Uuid;

use super::stream::Stream;

/// A stream by its public name, which it holds itself: nine bytes for each.
#[derive(Debug)]
struct ByName(Arc<Stream>);

/// The open streams.
#[derive(Debug)]
pub(super) struct Streams {
    /// In the order of joining.
    pub by_number: BTreeMap<u64, Arc<Stream>>,
    by_name: HashSet<ByName>,
    /// How many each dispatcher serves, those included that are about to join.
    per_shard: Vec<usize>,
}

impl Streams {
    /// None yet, for so many dispatchers.
    pub fn new(shards: usize) -> Self {
        Self { by_number: BTreeMap::new(), by_name: HashSet::new(), per_shard: vec![0; shards] }
    }

    /// The dispatcher for one more stream: the first, as long as it has few; then whoever has fewest.
    pub fn choose_shard(&mut self, lone_shard_streams: usize) -> usize {
        let counts = self.per_shard.iter().enumerate();
        let fewest = counts.min_by_key(|(_, count)| **count).map_or(0, |(shard, _)| shard);
        let chosen = if self.per_shard[0] < lone_shard_streams { 0 } else { fewest };
        self.per_shard[chosen] += 1;
        chosen
    }

    pub fn insert(&mut self, stream: &Arc<Stream>) {
        self.by_number.insert(stream.number, stream.clone());
        self.by_name.insert(ByName(stream.clone()));
    }

    /// The stream of this public name.
    pub fn named(&self, id: Uuid) -> Option<Arc<Stream>> {
        self.by_name.get(&id).map(|ByName(stream)| stream.clone())
    }

    pub fn remove(&mut self, stream: &Stream) {
        if self.by_number.remove(&stream.number).is_some() {
            self.per_shard[stream.shard] -= 1;
            self.by_name.remove(&stream.id);
        }
    }
}

impl Borrow<Uuid> for ByName {
    fn borrow(&self) -> &Uuid {
        &self.0.id
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ByName {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shards: usize, lone: usize, joining: usize, expected: &[usize]) {
        let mut streams = Streams::new(shards);
        for _ in 0..joining {
            streams.choose_shard(lone);
        }
        assert_eq!(streams.per_shard, expected, "{joining} streams");
    }

    #[test]
    fn few_streams_share_a_dispatcher_and_many_are_spread() {
        check(2, 4, 3, &[3, 0]);
        check(2, 4, 4, &[4, 0]);
        check(2, 4, 7, &[4, 3]);
        check(2, 4, 10, &[5, 5]);
        check(3, 0, 4, &[2, 1, 1]);
        check(1, 4, 9, &[9]);
    }
}
