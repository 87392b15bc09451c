//! What one subscriber received of a flood: what is missing, twice or out of order.

use super::wire::Received;

/// One subscriber's bookkeeping, one bit per event.
#[derive(Debug, Default)]
pub struct Tally {
    first: u64,
    count: u64,
    seen: Vec<u64>,
    last_id: Option<(u64, u64)>,
    /// Distinct events received.
    pub received: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events whose id is not greater than the one before.
    pub disordered: u64,
    /// Two subscribers that received the same events in the same order have the same digest.
    pub digest: u64,
}

impl Tally {
    /// Expects `count` events from number `first` on. The last id stays: order spans floods.
    pub fn begin(&mut self, first: u64, count: u64) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        seen.resize(count.div_ceil(64) as usize, 0);
        *self = Self { first, count, seen, last_id: self.last_id, ..Self::default() };
    }

    /// Takes one event; false if it is none of those expected or was here before.
    pub fn take(&mut self, event: &Received) -> bool {
        if event.id.is_some() {
            self.disordered += u64::from(event.id <= self.last_id);
            self.last_id = event.id;
        }
        let Some(index) = event.stamp.and_then(|stamp| stamp.seq.checked_sub(self.first)) else {
            return false;
        };
        if index >= self.count {
            return false;
        }
        let (word, bit) = (&mut self.seen[(index / 64) as usize], 1 << (index % 64));
        if *word & bit != 0 {
            self.repeated += 1;
            return false;
        }
        *word |= bit;
        self.received += 1;
        self.digest = self.digest.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index + 1);
        true
    }
}
