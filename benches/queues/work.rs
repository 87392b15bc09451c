//! What is asked of a queue, and what came of it. Both cross processes as JSON.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock;

/// Jobs that do nothing, and who makes and does them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// So many in all.
    pub jobs: usize,
    /// So many make them, each the next when the last one is accepted.
    pub publishers: usize,
    /// So many in one go.
    pub bulk: usize,
    /// So many are under way at the same time.
    pub concurrency: usize,
    /// A job is accepted when it is on disk.
    pub durable: bool,
    /// So many a second; 0: as fast as they are accepted.
    pub per_second: usize,
    /// So many that have ended are kept; 0: all.
    pub keep: usize,
    /// None begins before all are accepted, and what those that wait and those that have ended hold of the memory
    /// is looked at.
    pub hold: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// From the first job's being made to the last one's being accepted.
    pub accepted_seconds: f64,
    /// From the first job's being made to the last one's end.
    pub done_seconds: f64,
    /// From a job's being made to its being accepted.
    pub accepted: Delay,
    /// From a job's being made to its end.
    pub done: Delay,
    /// Processor time of all who take part.
    pub cpu_nanoseconds: f64,
    /// Memory per job that waits and per job that has ended, in bytes.
    pub waiting_bytes: f64,
    pub ended_bytes: f64,
}

/// How long something takes, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Delay {
    pub p50: f64,
    pub p99: f64,
}

impl Delay {
    /// Of these, which are in no order.
    pub fn of(mut nanoseconds: Vec<u64>) -> Self {
        nanoseconds.sort_unstable();
        let percentile = |part: usize| {
            let place = (nanoseconds.len() * part).div_ceil(100).saturating_sub(1);
            nanoseconds.get(place).map_or(0.0, |&value| value as f64)
        };
        Self { p50: percentile(50), p99: percentile(99) }
    }
}

/// Waits until a publisher's next job is due, if they come at a pace.
pub fn await_turn(work: &Work, publisher: usize, sent: usize, begun: u64) {
    if work.per_second > 0 {
        let place = (sent * work.publishers + publisher) as u64;
        let due = begun + place * 1_000_000_000 / work.per_second as u64;
        thread::sleep(Duration::from_nanos(due.saturating_sub(clock::now())));
    }
}

/// The time between two readings of the steady clock.
pub fn seconds(from: f64, to: f64) -> f64 {
    (to - from) / 1e9
}
