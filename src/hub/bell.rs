//! Wakes the one thread that sleeps beside a queue.
//!
//! A channel's own blocking receive spins and yields before it sleeps: right for two threads that
//! play ball, wasteful for ten thousand that mostly sleep. So the queues here are only ever asked
//! without waiting, and this is how their threads wait.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

/// Rung by whoever has put something into the queue.
#[derive(Debug, Default)]
pub(super) struct Bell(OnceLock<Thread>);

impl Bell {
    /// The calling thread is the one to be woken, from now on. It looks into its queue after this
    /// and before it sleeps.
    pub fn answer(&self) {
        // A second call by the same thread changes nothing.
        let _ = self.0.set(thread::current());
        // Pairs with the fence in `ring`: either the ringer sees this thread, or this thread sees
        // what the ringer has put into the queue.
        fence(Ordering::SeqCst);
    }

    /// Wakes the thread, or ends its next sleep before it begins.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }

    /// Sleeps until the bell rings or `at_most` is over; now and then for no reason at all.
    pub fn sleep(at_most: Option<Duration>) {
        match at_most {
            Some(duration) => thread::park_timeout(duration),
            None => thread::park(),
        }
    }
}
