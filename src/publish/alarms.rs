//! When to look at what.
//!
//! What is looked at has a number, and is looked at no later than was said. Nothing is ever taken out: whoever
//! looks finds that it came too early, or for nothing, and sets another alarm if need be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// When to look at which number.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    due: Mutex<BinaryHeap<Reverse<(Instant, u64)>>>,
    changed: Condvar,
}

impl Alarms {
    /// Has a number looked at when it is time.
    pub fn set(&self, at: Instant, number: u64) {
        self.due.lock().push(Reverse((at, number)));
        self.changed.notify_one();
    }

    /// Wakes the thread that sleeps here.
    pub fn wake(&self) {
        // Under the lock: the thread may be about to sleep.
        let _due = self.due.lock();
        self.changed.notify_one();
    }

    /// Takes out the numbers whose time has come.
    pub fn take_due(&self, now: Instant) -> Vec<u64> {
        let mut due = self.due.lock();
        let mut numbers = Vec::new();
        while due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            numbers.extend(due.pop().map(|Reverse((_, number))| number));
        }
        numbers
    }

    /// Sleeps until a time comes, another is set, or so long has passed.
    pub fn sleep(&self, now: Instant, at_most: Duration, is_stopped: impl Fn() -> bool) {
        let mut due = self.due.lock();
        let next = due.peek().map(|Reverse((at, _))| at.saturating_duration_since(now));
        if !is_stopped() {
            self.changed.wait_for(&mut due, next.unwrap_or(at_most).min(at_most));
        }
    }
}
