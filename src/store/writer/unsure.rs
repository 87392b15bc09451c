//! What a crash may take is known on disk before it can happen, or it is known that it is not.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Desk, Pending, RETRY_PAUSE};
use crate::event::EventName;
use crate::store::event_log::MAX_UNSURE;

/// How long a disk that neither takes nor refuses it may hold up the first event of a type.
const NOTE_WAIT: Duration = Duration::from_secs(5);

impl Desk {
    /// Has it noted on disk that events of this type are published without waiting; waits for that the
    /// first time, but not for ever. If the disk does not take it now, it will later.
    pub fn note_unsure(&self, name: &EventName) {
        if !self.is_noted(name) && !self.wait_for_note(name) {
            self.mark.remove();
        }
    }

    /// An event of this type was published, and its publisher could not be told that it is on disk.
    pub(super) fn doubt(&self, name: &EventName) {
        if !self.is_noted(name) {
            self.add_unsure(&mut self.pending.lock(), name);
            self.mark.remove();
        }
    }

    /// Has it noted with the next batch. One name more than can be listed stands for all.
    pub(super) fn add_unsure(&self, pending: &mut Pending, name: &EventName) {
        if pending.unsure.len() <= MAX_UNSURE && !self.is_noted(name) {
            pending.unsure.insert(name.clone());
        }
    }

    /// False if the disk did not take it.
    fn wait_for_note(&self, name: &EventName) -> bool {
        let mut pending = self.pending.lock();
        self.add_unsure(&mut pending, name);
        pending.is_urgent = true;
        self.wake.notify_one();
        let deadline = Some(Instant::now() + NOTE_WAIT);
        while !self.is_noted(name) && pending.trouble.is_none() && !pending.has_ended {
            if self.wait_until(&mut pending, deadline) {
                break;
            }
        }
        self.is_noted(name)
    }

    pub(super) fn is_noted(&self, name: &EventName) -> bool {
        let unsure = self.unsure.read();
        unsure.len() > MAX_UNSURE || unsure.contains(name)
    }

    /// The disk has taken a batch, or refused it: what does the database know now?
    pub(super) fn review_mark(&self) {
        if !self.knows_all() {
            self.mark.remove();
        }
        self.mark.set_if(|| self.knows_all());
    }

    /// Whether every type is noted, and ids stay below what is reserved until the next try.
    fn knows_all(&self) -> bool {
        let next_try_ms = self.clock.unix_ms() + 2 * RETRY_PAUSE.as_millis() as u64;
        let pending = self.pending.lock();
        let is_reserved =
            pending.trouble.is_none() || next_try_ms < self.reserved_ms.load(Ordering::Acquire);
        pending.unsure.is_empty() && is_reserved
    }

    /// How many types are still to be noted.
    #[cfg(test)]
    pub fn unsure_pending(&self) -> usize {
        self.pending.lock().unsure.len()
    }
}
