//! One stop signal that anyone can wait on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Tells every part of the program that it is time to stop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<(Mutex<bool>, Condvar)>);

impl Shutdown {
    /// A signal that has not been given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal. Giving it again changes nothing.
    pub fn trigger(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    /// Whether the signal was given.
    pub fn is_triggered(&self) -> bool {
        *self.0.0.lock()
    }

    /// Waits for the signal.
    pub fn wait(&self) {
        let mut triggered = self.0.0.lock();
        while !*triggered {
            self.0.1.wait(&mut triggered);
        }
    }

    /// Waits for the signal, at most this long; true if it was given.
    pub fn wait_for(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut triggered = self.0.0.lock();
        while !*triggered {
            if self.0.1.wait_until(&mut triggered, deadline).timed_out() {
                break;
            }
        }
        *triggered
    }
}
