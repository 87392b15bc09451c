//! Ends streams that are gone, idle or past their time, and records why.
//!
//! One thread. The kernel tells it at once when a client hangs up; once a second it sweeps for the
//! rest. It holds the hub weakly, so a hub that is dropped takes its reaper along. Clients that
//! stop reading are found by their own writer, whose write has a deadline.

use std::sync::Weak;
use std::time::{Duration, Instant};

use super::Shared;
use super::stream::{EndReason, Stream};
use crate::readiness::Readiness;

/// How often it sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Reaps until the hub is gone or stopped.
pub(super) fn run(readiness: &Readiness, hub: &Weak<Shared>) {
    let mut next_sweep = Instant::now();
    loop {
        let patience = next_sweep.saturating_duration_since(Instant::now());
        let ready = readiness.wait(Some(patience)).unwrap_or_else(|error| {
            log::error!("cannot wait for hang-ups: {error}; looking again in a second");
            std::thread::sleep(SWEEP_INTERVAL);
            Vec::new()
        });
        let Some(hub) = hub.upgrade() else { return };
        if hub.is_stopped() {
            return;
        }
        for number in ready {
            if let Some(stream) = hub.stream_numbered(number) {
                reap_if_hung_up(&stream);
            }
        }
        if Instant::now() >= next_sweep {
            next_sweep = Instant::now() + SWEEP_INTERVAL;
            hub.sweep();
        }
    }
}

fn reap_if_hung_up(stream: &Stream) {
    if stream.outbox.sink.hung_up() {
        stream.end(EndReason::ClientGone);
    }
}

/// Why a stream's time is over, if it is.
pub(super) fn overdue(stream: &Stream, now: Instant, idle: Duration) -> Option<EndReason> {
    let age = now.saturating_duration_since(stream.created);
    if !stream.lifetime.is_zero() && age >= stream.lifetime {
        return Some(EndReason::Lifetime);
    }
    let silence = age.saturating_sub(stream.last_activity());
    (!idle.is_zero() && silence >= idle).then_some(EndReason::Idle)
}
