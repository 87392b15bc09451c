//! Jobs of which nothing is heard any more.
//!
//! A job with a lease must be heard of before the lease is over; if it is not, its watchers are told that it
//! stalls, and after a while more it has failed. So nobody watches a progress bar that stands still for ever.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::keeper::{KIND, Shared};
use super::report::{self, Report};
use super::table::{Kept, Slot, Table};
use crate::event::job_update::{JobStatus, JobUpdate};

/// What is said of a job whose worker is lost.
pub(in crate::publish) const LOST_WORKER: &str = "lost_worker";

/// How often ended jobs that are too old are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Starts the thread that looks after jobs; it ends when it is told to, or when nobody has them any more.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let jobs = Arc::downgrade(shared);
    std::thread::Builder::new().name("jobs".into()).spawn(move || run(&jobs))
}

fn run(jobs: &Weak<Shared>) {
    while let Some(jobs) = jobs.upgrade() {
        if jobs.stop.is_triggered() {
            return;
        }
        jobs.tick();
        // Being heard of moves no job's alarm, which then comes too early and is set again.
        jobs.alarms.sleep(jobs.clock.now(), SWEEP_PAUSE, || jobs.stop.is_triggered());
    }
}

impl Shared {
    /// Does what is due.
    pub(super) fn tick(self: &Arc<Self>) {
        for number in self.alarms.take_due(self.clock.now()) {
            let slot = self.table.lock().numbered(number).cloned();
            let Some(slot) = slot else { continue };
            let is_lost = self.look_after(&slot);
            // Not under the job's lock: whoever takes it back changes it.
            if let Some(lost) = self.lost.get().filter(|_| is_lost) {
                lost(&slot.id);
            }
        }
        self.let_go(0);
    }

    /// Looks whether something was heard of a job; true if it is lost and somebody else decides about it.
    fn look_after(self: &Arc<Self>, slot: &Arc<Slot>) -> bool {
        let mut kept = slot.kept.lock();
        let present = &kept.job.present;
        if present.is_terminal() || kept.job.lease_ms == 0 {
            return false;
        }
        let now = self.clock.now();
        let lease = Duration::from_millis(kept.job.lease_ms);
        let grace = if present.stalled { self.limits.stall_grace } else { Duration::ZERO };
        let due = kept.heard_at + lease + grace;
        if now < due {
            self.alarms.set(due, slot.number);
        } else if present.stalled && kept.job.assignment.is_some() {
            // Should it not be taken back now (the disk is behind), it is looked at again.
            self.alarms.set(now + SWEEP_PAUSE, slot.number);
            return true;
        } else if present.stalled {
            self.give_up(slot, &mut kept);
        } else {
            self.call_stalled(slot, &mut kept);
            self.alarms.set(now + self.limits.stall_grace, slot.number);
        }
        false
    }

    fn call_stalled(self: &Arc<Self>, slot: &Arc<Slot>, kept: &mut Kept) {
        let present = &kept.job.present;
        let next = JobUpdate {
            revision: present.revision + 1,
            stalled: true,
            first: false,
            time_ms: self.clock.unix_ms(),
            ..present.clone()
        };
        self.set(slot, kept, next);
    }

    fn give_up(self: &Arc<Self>, slot: &Arc<Slot>, kept: &mut Kept) {
        let present = &kept.job.present;
        // Also one whose last attempt has failed: that no other has begun is its end.
        let mut next = JobUpdate {
            revision: present.revision + 1,
            status: JobStatus::Failed,
            error: Some(LOST_WORKER.into()),
            retryable: false,
            stalled: false,
            first: false,
            time_ms: self.clock.unix_ms(),
            ..present.clone()
        };
        if self.encode(&next).is_err() {
            report::give_way(&mut next, &Report::of(JobStatus::Failed));
        }
        log::warn!(job:% = slot.id; "nothing was heard of a job for too long; it is given up");
        self.put(slot, kept, next);
    }

    /// Notes that somebody works on the job; a job that stalled does so no more.
    pub(super) fn hear(self: &Arc<Self>, slot: &Arc<Slot>) -> JobUpdate {
        let mut kept = slot.kept.lock();
        kept.heard_at = self.clock.now();
        let present = &kept.job.present;
        if present.stalled && !present.is_terminal() {
            let revision = present.revision + 1;
            let time_ms = self.clock.unix_ms();
            let next = JobUpdate { revision, time_ms, stalled: false, ..present.clone() };
            self.put(slot, &mut kept, next);
        }
        kept.job.present.clone()
    }

    /// Lets go of ended jobs that are too old, too many or too large, or must make room for so many bytes.
    pub(super) fn let_go(&self, wanted_bytes: usize) {
        let age_ms = self.limits.ended_age.as_millis() as u64;
        let before_ms = if age_ms == 0 { 0 } else { self.clock.unix_ms().saturating_sub(age_ms) };
        loop {
            let mut table = self.table.lock();
            let excess = self.missing_bytes(wanted_bytes);
            let expired = table.expire(before_ms, self.limits.max_ended, excess);
            if expired.is_empty() {
                break;
            }
            for slot in expired {
                self.forget(&table, &slot);
            }
        }
    }

    /// Forgets a job that is not in the table any more. The table is still locked: who makes a job of the
    /// same id comes after that, or its record would be taken away.
    pub(super) fn forget(&self, _: &MutexGuard<'_, Table>, slot: &Slot) {
        let mut kept = slot.kept.lock();
        // Who has found it before and changes it now would write it again.
        kept.is_forgotten = true;
        let last = kept.shown.clone();
        drop(kept);
        self.counters.note_shown(last.as_ref(), None);
        if let (Some(heir), Some(last)) = (self.heir.get(), &last) {
            heir(last);
        }
        self.weight.fetch_sub(slot.weight.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        self.records.remove(KIND, &slot.id);
    }

    /// How many bytes there are too many, if so many more come.
    pub(super) fn missing_bytes(&self, wanted: usize) -> usize {
        match self.limits.max_bytes {
            0 => 0,
            most => (self.weight.load(Ordering::Relaxed) + wanted).saturating_sub(most),
        }
    }
}
