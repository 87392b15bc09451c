//! Waiting for the disk.

use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::{Desk, Pending};
use crate::event::Event;

impl Desk {
    /// Waits until the event is on disk. If its publisher is told otherwise, a crash may take it.
    pub fn await_stored(&self, event: &Event, at_most: Duration) -> Result<(), String> {
        let outcome = self.wait_for_disk(event, at_most);
        if outcome.is_err() {
            self.doubt(event.body.matched_name());
        }
        outcome
    }

    fn wait_for_disk(&self, event: &Event, at_most: Duration) -> Result<(), String> {
        let deadline = (!at_most.is_zero()).then(|| Instant::now() + at_most);
        let mut pending = self.pending.lock();
        if !event.is_stored() {
            pending.is_urgent = true;
            self.wake.notify_one();
        }
        loop {
            if event.is_stored() {
                return Ok(());
            }
            if let Some(trouble) = &pending.trouble {
                return Err(format!("the disk does not take it ({trouble})"));
            }
            if pending.has_ended {
                return Err("the server is stopping".into());
            }
            if event.id <= pending.settled || event.id > pending.newest {
                return Err("it is not kept: the disk did not take it in time".into());
            }
            if self.wait_until(&mut pending, deadline) {
                return Err(format!("it was not on disk after {} ms", at_most.as_millis()));
            }
        }
    }

    /// Waits for something to be settled; true if the time is over.
    pub(super) fn wait_until(
        &self,
        pending: &mut MutexGuard<'_, Pending>,
        until: Option<Instant>,
    ) -> bool {
        if let Some(deadline) = until {
            return self.settled.wait_until(pending, deadline).timed_out();
        }
        self.settled.wait(pending);
        false
    }
}
