//! The one thread that writes, and the desk on which work is put for it.
//!
//! What waits is written in batches: at once if somebody waits for it or much has come together, else
//! after a short while. A batch that fails goes back on the desk and is tried again every second; then
//! nobody is held back any more, whoever waits is told, and of what is too much the oldest is given up.

// A log that cannot be opened yet, and a thread that has failed.
mod opening;

// Which types are known to be unsure.
mod unsure;

// Those who wait for the disk.
mod waiting;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use super::event_log::{Batch, EventLog, Size};
use super::figures::{Counters, Figures};
use super::life::Birth;
use super::mark::Mark;
use super::{Limits, Sync};
use crate::clock::Clock;
use crate::event::{Event, EventId, EventName, Keeping};
use crate::hub::{Asked, GapReason};

/// The most events of one batch: whoever comes meanwhile waits for it. So many are written at once, even
/// if nobody waits for them. Fewer than one piece of trimming takes away, so that trimming keeps up.
const BATCH_EVENTS: usize = 1_000;
/// The most bytes of one batch, by the events' weight; one event more may pass it.
const BATCH_BYTES: usize = 8 << 20;
/// How long after a failure the disk is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often the log is looked through for what is too old, and the clock looked at.
const TRIM_PAUSE: Duration = Duration::from_secs(1);
/// How far ahead of the clock ids are reserved, in milliseconds.
pub(super) const RESERVED_MS: u64 = 90_000;

/// Where work for the writer is put.
#[derive(Debug)]
pub(super) struct Desk {
    limits: Limits,
    clock: Arc<dyn Clock>,
    pending: Mutex<Pending>,
    /// Wakes the writer.
    wake: Condvar,
    /// Wakes those who wait for the disk.
    settled: Condvar,
    pending_events: AtomicUsize,
    pending_bytes: AtomicUsize,
    reserved_ms: AtomicU64,
    is_failing: AtomicBool,
    /// Types that are known, on disk, to be published without waiting.
    unsure: RwLock<HashSet<EventName>>,
    begins_after: Mutex<(EventId, GapReason)>,
    size: Mutex<Size>,
    /// There is no log yet, and none from before.
    is_empty: AtomicBool,
    /// Requests that were read from a log that could not be read at the start.
    asked_before: Mutex<Vec<Asked>>,
    counters: Counters,
    /// Set while the database knows what a crash may take. Not touched under the lock of `pending`.
    pub mark: Mark,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is set and asked for by itself")]
struct Pending {
    events: VecDeque<Arc<Event>>,
    /// Types that are to be noted; when they are too many to be listed, the rest is left out.
    unsure: HashSet<EventName>,
    /// The newest event that was put here.
    newest: EventId,
    /// What was put here up to this one is on disk or was given up.
    settled: EventId,
    /// Somebody waits.
    is_urgent: bool,
    is_stopping: bool,
    /// A batch was taken after the stop.
    is_last_try: bool,
    has_ended: bool,
    trouble: Option<String>,
}

/// Up to which millisecond ids may be given, if it is `now_ms` and an id of `last_ms` was given.
pub(super) fn reservation(now_ms: u64, last_ms: u64) -> u64 {
    // The sum of both would run away from the clock if a process crashed again and again.
    (now_ms + RESERVED_MS).max(last_ms + 1)
}

/// Starts the thread, with a log or with what makes one; it gives the log back when the desk is
/// stopped.
pub(super) fn start(
    desk: Arc<Desk>,
    log: Result<EventLog, Birth>,
) -> io::Result<JoinHandle<Option<EventLog>>> {
    let run = move || {
        let _end = opening::End::of(&desk);
        let log = log.map_or_else(|birth| desk.await_log(birth), Some)?;
        Some(desk.run(log))
    };
    std::thread::Builder::new().name("store".into()).spawn(run)
}

impl Desk {
    pub fn new(
        limits: &Limits,
        clock: Arc<dyn Clock>,
        reserved_ms: u64,
        begins_after: (EventId, GapReason),
        size: Size,
    ) -> Self {
        Self {
            limits: limits.clone(),
            clock,
            pending: Mutex::default(),
            wake: Condvar::new(),
            settled: Condvar::new(),
            pending_events: AtomicUsize::new(0),
            pending_bytes: AtomicUsize::new(0),
            reserved_ms: AtomicU64::new(reserved_ms),
            is_failing: AtomicBool::new(false),
            unsure: RwLock::default(),
            begins_after: Mutex::new(begins_after),
            size: Mutex::new(size),
            is_empty: AtomicBool::new(false),
            asked_before: Mutex::default(),
            counters: Counters::default(),
            mark: Mark::default(),
        }
    }

    pub fn has_room(&self) -> bool {
        self.is_failing.load(Ordering::Acquire) || !self.is_full()
    }

    fn is_full(&self) -> bool {
        let full =
            |value: &AtomicUsize, limit| limit != 0 && value.load(Ordering::Relaxed) >= limit;
        full(&self.pending_events, self.limits.pending_events)
            || full(&self.pending_bytes, self.limits.pending_bytes)
    }

    /// Takes an event. The writer is woken only if it sleeps for long.
    pub fn append(&self, event: &Arc<Event>) {
        let mut pending = self.pending.lock();
        if self.is_failing.load(Ordering::Acquire) {
            while self.is_full() && self.give_up_oldest(&mut pending) {}
        }
        pending.newest = event.id;
        pending.is_urgent |= event.body.keeping == Keeping::Awaited;
        let (was_empty, len) = (pending.events.is_empty(), pending.events.len() + 1);
        pending.events.push_back(event.clone());
        self.count(1, event.weight());
        if was_empty || len == BATCH_EVENTS {
            self.wake.notify_one();
        }
    }

    fn count(&self, events: usize, bytes: usize) {
        self.pending_events.fetch_add(events, Ordering::Relaxed);
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn discount(&self, events: usize, bytes: usize) {
        self.pending_events.fetch_sub(events, Ordering::Relaxed);
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn give_up_oldest(&self, pending: &mut Pending) -> bool {
        let Some(event) = pending.events.pop_front() else { return false };
        self.discount(1, event.weight());
        pending.settled = pending.settled.max(event.id);
        // Whoever comes back after a crash is to be told that some are missing.
        self.add_unsure(pending, event.body.matched_name());
        event.note_given_up();
        self.counters.given_up.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// No id may be later than this. A disk that fails is no reason to stand still: ids then follow the
    /// clock.
    pub fn latest_ms(&self) -> u64 {
        let is_failing = self.is_failing.load(Ordering::Acquire);
        if is_failing { u64::MAX } else { self.reserved_ms.load(Ordering::Acquire) }
    }

    pub fn begins_after(&self) -> (EventId, GapReason) {
        *self.begins_after.lock()
    }

    /// How long an event is kept; zero: for ever.
    pub fn age(&self) -> Duration {
        self.limits.log_age
    }

    pub fn trouble(&self) -> Option<String> {
        self.pending.lock().trouble.clone()
    }

    pub fn figures(&self) -> Figures {
        let size = *self.size.lock();
        let mut figures = Figures {
            events: size.events,
            bytes: size.bytes,
            begins_after: self.begins_after().0,
            pending_events: self.pending_events.load(Ordering::Relaxed) as u64,
            pending_bytes: self.pending_bytes.load(Ordering::Relaxed) as u64,
            ..Figures::default()
        };
        self.counters.fill(&mut figures);
        figures
    }

    /// Lets the writer end when it has written what waits, or failed to.
    pub fn stop(&self) {
        self.pending.lock().is_stopping = true;
        self.wake.notify_one();
    }

    fn run(&self, mut log: EventLog) -> EventLog {
        let mut next_trim = Instant::now();
        let mut has_more_to_trim = false;
        while let Some(batch) = self.next_batch(has_more_to_trim) {
            self.write(&mut log, batch);
            if has_more_to_trim || Instant::now() >= next_trim {
                has_more_to_trim = self.trim(&mut log);
                next_trim = Instant::now() + TRIM_PAUSE;
            }
        }
        log
    }

    /// Waits until there is something to do, unless there is already; none when it is time to end.
    fn next_batch(&self, is_busy: bool) -> Option<Batch> {
        let mut pending = self.pending.lock();
        if pending.trouble.is_some() {
            // Nothing wakes it early but the stop: it would only fail again.
            self.pause(&mut pending);
        } else if !is_busy {
            self.wait_for_work(&mut pending);
        }
        let is_idle = pending.events.is_empty() && pending.unsure.is_empty();
        // There may be room by now: what waits is tried once more before it is left.
        if pending.is_stopping && (is_idle || (pending.trouble.is_some() && pending.is_last_try)) {
            return None;
        }
        pending.is_last_try = pending.is_stopping;
        Some(self.take(&mut pending))
    }

    fn wait_for_work(&self, pending: &mut MutexGuard<'_, Pending>) {
        let is_hurried = |pending: &Pending| {
            pending.is_urgent || pending.is_stopping || pending.events.len() >= BATCH_EVENTS
        };
        if pending.events.is_empty() && !is_hurried(pending) {
            self.wake.wait_for(pending, TRIM_PAUSE);
        }
        let until = Instant::now() + self.limits.flush;
        while !pending.events.is_empty() && !is_hurried(pending) {
            if self.wake.wait_until(pending, until).timed_out() {
                break;
            }
        }
    }

    fn take(&self, pending: &mut Pending) -> Batch {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while batch.events.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let Some(event) = pending.events.pop_front() else { break };
            bytes += event.weight();
            batch.events.push(event);
        }
        self.discount(batch.events.len(), bytes);
        pending.is_urgent &= !pending.events.is_empty();
        batch.unsure = pending.unsure.drain().collect();
        let now_ms = self.clock.unix_ms();
        let reserved_ms = self.reserved_ms.load(Ordering::Acquire);
        if reserved_ms < now_ms + RESERVED_MS / 2 {
            batch.reserve_ms = Some(reservation(now_ms, reserved_ms));
        }
        batch
    }

    fn write(&self, log: &mut EventLog, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let is_awaited = batch.events.iter().any(|event| event.body.keeping == Keeping::Awaited);
        // Ids that were given must not be given again after a loss of power either.
        let must_last = is_awaited || !batch.unsure.is_empty() || batch.reserve_ms.is_some();
        let sync = must_last && self.limits.sync == Sync::Full;
        let started = Instant::now();
        match log.write(&batch, sync) {
            Ok(()) => {
                self.counters.note_commit(started.elapsed());
                *self.size.lock() = log.size();
                self.settle(batch);
            }
            Err(error) => self.put_back(batch, &error),
        }
        self.review_mark();
    }

    fn settle(&self, batch: Batch) {
        if let Some(reserved_ms) = batch.reserve_ms {
            self.reserved_ms.store(reserved_ms, Ordering::Release);
        }
        self.unsure.write().extend(batch.unsure);
        for event in &batch.events {
            event.note_stored();
        }
        let mut pending = self.pending.lock();
        if let Some(last) = batch.events.last() {
            pending.settled = pending.settled.max(last.id);
        }
        let was_trouble = pending.trouble.take().is_some();
        self.is_failing.store(false, Ordering::Release);
        self.settled.notify_all();
        drop(pending);
        if was_trouble {
            log::info!("the disk takes events again");
        }
    }

    fn put_back(&self, batch: Batch, error: &rusqlite::Error) {
        let mut pending = self.pending.lock();
        for event in batch.events.into_iter().rev() {
            self.count(1, event.weight());
            pending.events.push_front(event);
        }
        pending.unsure.extend(batch.unsure);
        drop(pending);
        self.refuse(&error.to_string());
    }

    /// The disk has refused something.
    fn refuse(&self, trouble: &str) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        let mut pending = self.pending.lock();
        let is_new = pending.trouble.replace(trouble.to_owned()).as_deref() != Some(trouble);
        self.is_failing.store(true, Ordering::Release);
        self.settled.notify_all();
        // Not under the lock: a log that nobody reads must not hold publishers up.
        drop(pending);
        if is_new {
            log::error!("the disk does not take events: {trouble}; live delivery goes on");
        }
    }

    /// Lets go of a piece of what is too old or too much; true if there may be more.
    fn trim(&self, log: &mut EventLog) -> bool {
        let age_ms = self.limits.log_age.as_millis() as u64;
        let oldest_ms = if age_ms == 0 { 0 } else { self.clock.unix_ms().saturating_sub(age_ms) };
        let outcome = log.overdue(oldest_ms, self.limits.log_bytes as u64).and_then(|cut| {
            let Some(cut) = cut else { return Ok(false) };
            // Before it is gone, so that nobody takes what is missing for what never was.
            *self.begins_after.lock() = (cut.up_to, cut.reason);
            log.trim(cut).map(|()| true)
        });
        *self.size.lock() = log.size();
        outcome.unwrap_or_else(|error| {
            log::warn!("cannot let go of old events: {error}");
            false
        })
    }
}
