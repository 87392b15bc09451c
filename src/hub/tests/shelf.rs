//! A journal in memory, for lives of a server that end in a crash.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A journal in memory: what is committed survives a crash, what is pending does not.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) committed: Mutex<Vec<Arc<Event>>>,
    pub(super) pending: Mutex<Vec<Arc<Event>>>,
    pub(super) is_unreadable: AtomicBool,
    /// Reading finds that everything has just been trimmed.
    pub(super) trims: AtomicBool,
    /// The first reading finds that everything up to here has just been trimmed.
    pub(super) trims_up_to: Mutex<Option<EventId>>,
    trimmed: Mutex<Option<EventId>>,
}

impl Shelf {
    /// Writes the first `count` of what waits.
    pub(super) fn commit(&self, count: usize) {
        let mut pending = self.pending.lock();
        let count = count.min(pending.len());
        for event in pending.drain(..count) {
            event.note_stored();
            self.committed.lock().push(event);
        }
    }

    /// What a hub after this one is told, with the newest `recent` events in its history.
    pub(super) fn past(
        &self,
        last: EventId,
        recent: usize,
        crashed: Vec<(EventName, EventId)>,
    ) -> Past {
        let committed = self.committed.lock();
        let (older, recent) = committed.split_at(committed.len() - recent.min(committed.len()));
        Past {
            last,
            recent: recent.to_vec(),
            recent_after: older.last().map_or(EventId::default(), |event| event.id),
            lost: crashed,
            ..Past::default()
        }
    }
}

impl Journal for Shelf {
    fn has_room(&self) -> bool {
        self.pending.lock().len() < 100
    }

    fn append(&self, event: &Arc<Event>) {
        self.pending.lock().push(event.clone());
    }

    fn await_stored(&self, event: &Event, _: Duration) -> Result<(), String> {
        self.commit(usize::MAX);
        if event.is_stored() { Ok(()) } else { Err("it was never appended".into()) }
    }

    fn note_unsure(&self, _: &EventName) {}

    fn latest_ms(&self) -> u64 {
        u64::MAX
    }

    fn begins_after(&self) -> (EventId, GapReason) {
        let last = self.committed.lock().last().map(|event| event.id);
        let trimmed = last.filter(|_| self.trims.load(Ordering::Relaxed));
        let trimmed = trimmed.or(*self.trimmed.lock());
        (trimmed.unwrap_or_default(), GapReason::Overflow)
    }

    fn read(
        &self,
        after: EventId,
        up_to: EventId,
        subscription: &Subscription,
        limit: usize,
    ) -> io::Result<Page> {
        if let Some(up_to) = self.trims_up_to.lock().take() {
            self.committed.lock().retain(|event| event.id > up_to);
            *self.trimmed.lock() = Some(up_to);
        }
        if self.trims.load(Ordering::Relaxed) {
            return Ok(Page { events: Vec::new(), complete_to: up_to });
        }
        if self.is_unreadable.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk is gone"));
        }
        let committed = self.committed.lock();
        let inside = committed.iter().filter(|event| event.id > after && event.id <= up_to);
        let matching = inside.filter(|event| subscription.matches(&event.body));
        let events: Vec<_> = matching.take(limit).cloned().collect();
        let last = events.last().filter(|_| events.len() == limit);
        let complete_to = last.map_or(up_to, |event| event.id);
        Ok(Page { events, complete_to })
    }

    fn find(&self, id: EventId) -> io::Result<Option<Arc<Event>>> {
        if self.is_unreadable.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(self.committed.lock().iter().find(|event| event.id == id).cloned())
    }

    fn age(&self) -> Duration {
        Duration::from_secs(86_400)
    }
}
