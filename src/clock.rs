//! Time, handed in from outside.
//!
//! Nothing in Tidings asks the operating system for the time on its own: every part is given a
//! [`Clock`]. The server runs on [`SystemClock`]; tests move a [`ManualClock`] by hand and so never
//! sleep to see an hour pass.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// A point on the steady clock: it never steps back; for deadlines and durations.
    fn now(&self) -> Instant;

    /// Milliseconds since 1970-01-01 UTC on the wall clock: may step; for ids and for people.
    fn unix_ms(&self) -> u64;
}

/// The operating system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until it is told to move. For tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<(Instant, u64)>);

impl ManualClock {
    /// A clock that shows `unix_ms` and stands still.
    pub fn at(unix_ms: u64) -> Self {
        Self(Mutex::new((Instant::now(), unix_ms)))
    }

    /// Lets `duration` pass, on both clocks.
    pub fn advance(&self, duration: Duration) {
        let mut time = self.0.lock();
        time.0 += duration;
        time.1 += u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    }

    /// Sets the wall clock, forward or back; the steady clock does not notice.
    pub fn set_unix_ms(&self, unix_ms: u64) {
        self.0.lock().1 = unix_ms;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.lock().0
    }

    fn unix_ms(&self) -> u64 {
        self.0.lock().1
    }
}
