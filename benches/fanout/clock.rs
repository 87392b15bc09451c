//! One clock for all processes of a run: the steady clock counts the same in each of them, so an
//! event can carry the time at which it was published.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds on the machine's steady clock.
pub fn now() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// What `clock` shows, in nanoseconds; 0 for the clock of a process that is gone.
pub fn nanoseconds(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec()) * 1_000_000_000 + part(time.tv_nsec())
}
