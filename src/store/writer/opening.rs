//! The writer's thread before it has a log, and if it fails.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use parking_lot::MutexGuard;

use super::{Batch, Desk, Mark, Pending, RETRY_PAUSE};
use crate::hub::Asked;
use crate::store::event_log::EventLog;
use crate::store::life::{Birth, Life};

impl Desk {
    /// For a disk that takes nothing from the start: nobody is held back by it, and what a crash may
    /// take is known to nobody.
    pub fn without_log(mut self, trouble: String, is_empty: bool, mark: Mark) -> Self {
        self.mark = mark;
        self.is_failing.store(true, Ordering::Release);
        self.is_empty.store(is_empty, Ordering::Release);
        self.pending.get_mut().trouble = Some(trouble);
        self
    }

    /// Whether nothing has ever been kept, and so there is nothing to be read.
    pub fn is_empty(&self) -> bool {
        self.is_empty.load(Ordering::Acquire)
    }

    /// Requests of an earlier process that nobody was told of, once.
    pub fn asked_before(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked_before.lock())
    }

    /// Tries every second, and once more when it is time to end, to get a log.
    pub(super) fn await_log(&self, mut birth: Birth) -> Option<EventLog> {
        loop {
            let mut pending = self.pending.lock();
            self.pause(&mut pending);
            let (is_stopping, newest) = (pending.is_stopping, pending.newest);
            drop(pending);
            match birth.begin(newest.ms.max(self.reserved_ms.load(Ordering::Acquire))) {
                Ok(life) => return Some(self.take_up(life)),
                Err(error) => self.refuse(&error.to_string()),
            }
            if is_stopping {
                return None;
            }
        }
    }

    /// Waits for the time of the next try, or for the stop.
    pub(super) fn pause(&self, pending: &mut MutexGuard<'_, Pending>) {
        let until = Instant::now() + RETRY_PAUSE;
        while !pending.is_stopping && !self.wake.wait_until(pending, until).timed_out() {}
    }

    fn take_up(&self, life: Life) -> EventLog {
        let Life { log, reserved_ms, begins_after, past } = life;
        *self.asked_before.lock() = past.asked;
        self.reserved_ms.store(reserved_ms, Ordering::Release);
        *self.begins_after.lock() = begins_after;
        *self.size.lock() = log.size();
        self.is_empty.store(false, Ordering::Release);
        // What waits is the first batch; until it is written, the mark stays away.
        self.settle(Batch::default());
        self.review_mark();
        log
    }
}

/// Whatever the thread ends by, nobody waits for it any longer.
pub(super) struct End<'a>(&'a Desk);

impl<'a> End<'a> {
    pub fn of(desk: &'a Desk) -> Self {
        Self(desk)
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let desk = self.0;
        let has_failed = thread::panicking();
        let mut pending = desk.pending.lock();
        pending.has_ended = true;
        if has_failed {
            let trouble = "the thread that writes to the disk has failed; restart the server";
            pending.trouble = Some(trouble.to_owned());
            desk.is_failing.store(true, Ordering::Release);
        }
        desk.settled.notify_all();
        drop(pending);
        if has_failed {
            // Nobody notes any more what a crash may take.
            desk.mark.remove();
            log::error!("the store's thread has failed: nothing is kept any more");
        }
    }
}
