//! The ceiling on updates: in each period a stream is sent updates once.
//!
//! The first one of a period goes out at once. What comes later in it is held back in the stream's
//! outbox, where only the newest of each subject stays, until the period ends: so the last one is
//! always delivered. All streams of a dispatcher share its periods. It is the dispatcher that sends
//! what was held back: waking a thread for each stream would cost several times the write.
//!
//! Time is cut into periods only while updates come; after a pause the next one starts a new period.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stream::Stream;

/// A period, by its number.
pub(super) type Period = u64;

/// The periods of one dispatcher.
#[derive(Debug)]
pub(super) struct Pace {
    length: Duration,
    period: Period,
    /// When the period is over; `None` before the first one.
    end: Option<Instant>,
    /// The streams that hold something back, by their numbers.
    holding: BTreeMap<u64, Arc<Stream>>,
}

impl Pace {
    /// At most so many periods a second; `None` if there is no ceiling.
    pub fn new(max_updates_per_second: usize) -> Option<Self> {
        let per_second = u32::try_from(max_updates_per_second).unwrap_or(u32::MAX);
        (per_second > 0).then(|| Self {
            length: Duration::from_secs(1) / per_second,
            period: 0,
            end: None,
            holding: BTreeMap::new(),
        })
    }

    /// The period in which an update comes at this time. One does not end before those who hold
    /// something back have been released.
    pub fn period(&mut self, now: Instant) -> Period {
        if self.holding.is_empty() && self.end.is_none_or(|end| now >= end) {
            self.begin(now);
        }
        self.period
    }

    /// Notes that a stream holds something back.
    pub fn hold(&mut self, stream: &Arc<Stream>) {
        self.holding.insert(stream.number, stream.clone());
    }

    /// Forgets a stream that leaves.
    pub fn forget(&mut self, stream: &Stream) {
        self.holding.remove(&stream.number);
    }

    /// When the next streams are to be released, if any.
    pub fn due(&self) -> Option<Instant> {
        self.end.filter(|_| !self.holding.is_empty())
    }

    /// The streams that are to be released now, and the period that begins with it.
    pub fn release(&mut self, now: Instant) -> (Period, impl Iterator<Item = Arc<Stream>> + use<>) {
        self.begin(now);
        (self.period, std::mem::take(&mut self.holding).into_values())
    }

    fn begin(&mut self, now: Instant) {
        self.period += 1;
        self.end = Some(now + self.length);
    }
}
