//! Ends streams that are gone, idle or past their time, and records why.
//!
//! One thread. The kernel tells it at once when a client hangs up; once a second it sweeps for the
//! rest. It holds the hub weakly, so a hub that is dropped takes its reaper along. Clients that
//! stop reading are found by their own writer, whose write has a deadline.

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use polling::{Event as Readiness, Events, PollMode, Poller};

use super::Shared;
use super::stream::{EndReason, Stream};

/// How often it sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What the kernel watches for the reaper.
#[derive(Debug)]
pub(super) struct Watch(Poller);

impl Watch {
    pub fn new() -> io::Result<Self> {
        Ok(Self(Poller::new()?))
    }

    /// Watches whether the stream's client hangs up.
    pub fn add(&self, stream: &Arc<Stream>) -> io::Result<()> {
        let Some(descriptor) = stream.outbox.sink.descriptor() else { return Ok(()) };
        let hang_up = Readiness::readable(stream.number as usize);
        // SAFETY: the descriptor must be removed before it is closed. `Hub::leave` calls `remove`,
        // always, through the guard that `Hub::join` returns; and that guard holds the sink, which
        // owns the descriptor.
        #[allow(unsafe_code)]
        unsafe {
            self.0.add_with_mode(&descriptor, hang_up, PollMode::Edge)
        }
    }

    /// Stops watching.
    pub fn remove(&self, stream: &Stream) {
        if let Some(descriptor) = stream.outbox.sink.descriptor() {
            // Fails only if it was never added; then there is nothing to undo.
            let _ = self.0.delete(descriptor);
        }
    }

    /// Wakes the reaper, so that it looks whether its hub is still there.
    pub fn wake(&self) {
        // A reaper that cannot be woken wakes by itself at its next sweep.
        let _ = self.0.notify();
    }
}

/// Reaps until the hub is gone or stopped.
pub(super) fn run(watch: &Watch, hub: &Weak<Shared>) {
    let mut events = Events::new();
    let mut next_sweep = Instant::now();
    loop {
        events.clear();
        let patience = next_sweep.saturating_duration_since(Instant::now());
        if let Err(error) = watch.0.wait(&mut events, Some(patience)) {
            log::error!("cannot wait for hang-ups: {error}; looking again in a second");
            std::thread::sleep(SWEEP_INTERVAL);
        }
        let Some(hub) = hub.upgrade() else { return };
        if hub.is_stopped() {
            return;
        }
        for event in events.iter() {
            if let Some(stream) = hub.stream_numbered(event.key as u64) {
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
