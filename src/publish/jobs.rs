//! Jobs: something that somebody does elsewhere and others watch.
//!
//! A job is made, services report on it, and whoever watches it is told its present state first and every
//! later one after that. So nobody misses the end, whenever they come: before the job is made, while it runs,
//! at the very moment of its end, or after it.
//!
//! What watchers are told is on disk first. A report changes the job's record under the job's own lock; when
//! the disk has it, the record's writer shows it to those who watch. After a crash a job is therefore never
//! further back than anybody has seen it.

// Jobs and reports, counted.
mod figures;

// What is known of one job.
mod job;

// What all handles share: changes are made, written and shown.
mod keeper;

// Jobs of which nothing is heard any more.
mod lease;

// What those who ask are told.
mod outcome;

// What a service says of a job, and whether that can be.
mod report;

// The jobs there are.
mod table;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

pub use self::figures::Figures;
pub use self::job::{Job, NewJob, Step};
pub(super) use self::job::{fresh_id, hexadecimal, key_id};
pub(super) use self::keeper::Altered;
pub(super) use self::lease::LOST_WORKER;
pub use self::outcome::{CreateError, Created, RemoveError, UpdateError, Updated};
pub use self::report::{Conflict, InvalidReport, Report};

use self::figures::Counters;
use self::keeper::Shared;
use self::table::Slot;
use super::Publisher;
use super::alarms::Alarms;
use super::queues::LeaseError;
use crate::clock::Clock;
use crate::event::job_update::JobUpdate;
use crate::event::topic::Identifier;
use crate::shutdown::Shutdown;
use crate::store::records::{Record, Records};

/// What jobs may use; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs that have not ended; beyond that no more are taken. 0 is no limit.
    pub max_open: usize,
    /// Bytes of all jobs' records; beyond that the first ended go early, and then no more are taken. 0 is no
    /// limit.
    pub max_bytes: usize,
    /// Jobs that have ended and are kept; beyond that the first ended go. 0 is no limit.
    pub max_ended: usize,
    /// How long a job that has ended is kept; zero: for ever.
    pub ended_age: Duration,
    /// How long a job is called stalled before it is given up, after its lease is over.
    pub stall_grace: Duration,
    /// How many names of reports are remembered of each job, to know a second try; 0: none.
    pub update_ids: usize,
    /// How long a publisher waits for the disk before it is told that it is not known; zero: for ever.
    pub store_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_open: 250_000,
            max_bytes: 512 << 20,
            max_ended: 20_000,
            ended_age: Duration::from_secs(7 * 86_400),
            stall_grace: Duration::from_secs(30),
            update_ids: 64,
            store_wait: Duration::from_secs(5),
        }
    }
}

/// How many jobs are looked at in one go when they are listed.
const LIST_PIECE: usize = 1_000;

/// Keeps jobs and tells their watchers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Shared>);

/// Is told of every change of every job, in each job's order, when watchers are.
pub type Listener = Box<dyn Fn(&Change<'_>) + Send + Sync>;

/// Is told of a job that is in a queue and whose worker is lost.
pub type Lost = Box<dyn Fn(&Identifier) + Send + Sync>;

/// Is told the last state of a job that is let go of, before its record is taken away.
pub type Heir = Box<dyn Fn(&JobUpdate) + Send + Sync>;

/// A job has changed.
#[derive(Debug)]
pub struct Change<'a> {
    /// The job as it is known now; it may be further than what is shown.
    pub job: &'a Job,
    /// What its watchers were told before; none if it is new.
    pub before: Option<&'a JobUpdate>,
    /// What they are told now.
    pub shown: &'a JobUpdate,
}

impl Jobs {
    /// Goes on with the jobs of an earlier process that are among `found`, and starts the thread that
    /// looks after those of which nothing is heard.
    pub fn start(
        publisher: Publisher,
        records: Records,
        found: &[Record],
        limits: Limits,
        max_event_bytes: usize,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let update_name = "job_update".parse().map_err(io::Error::other)?;
        let jobs = Self(Arc::new(Shared {
            publisher,
            records,
            limits,
            max_event_bytes,
            clock,
            update_name,
            table: Mutex::default(),
            listeners: RwLock::default(),
            counters: Counters::default(),
            weight: AtomicUsize::new(0),
            alarms: Alarms::default(),
            lost: OnceLock::new(),
            heir: OnceLock::new(),
            stop: Shutdown::new(),
            thread: Mutex::default(),
        }));
        jobs.0.load(found);
        let thread = lease::start(&jobs.0)?;
        *jobs.0.thread.lock() = Some(thread);
        Ok(jobs)
    }

    /// Jobs that are in memory only, with the usual limits.
    pub fn in_memory(publisher: Publisher, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let max_event_bytes = super::Limits::default().max_event_bytes;
        let records = Records::in_memory()?;
        Self::start(publisher, records, &[], Limits::default(), max_event_bytes, clock)
    }

    /// Has every change of every job told to this one as well, from now on.
    pub fn listen(&self, listener: Listener) {
        self.0.listeners.write().push(listener);
    }

    /// Has the jobs of queues whose worker is lost told to this one, which decides what becomes of them.
    pub(super) fn on_lost(&self, lost: Lost) {
        // There is one set of queues.
        let _ = self.0.lost.set(lost);
    }

    /// Has the last state of every job that is let go of told to this one. What it puts in the records is
    /// on disk no later than that the job is gone from there.
    pub(super) fn on_let_go(&self, heir: Heir) {
        // There is one set of batches.
        let _ = self.0.heir.set(heir);
    }

    /// Makes a job and waits until it is on disk.
    pub fn create(&self, new: NewJob) -> Result<Created, CreateError> {
        let mut created = self.create_all(vec![new])?;
        created.pop().ok_or(CreateError::Busy)
    }

    /// Makes jobs, all or none, and waits until they are on disk.
    pub fn create_all(&self, new: Vec<NewJob>) -> Result<Vec<Created>, CreateError> {
        let (mut created, ticket) = self.0.create_all(new)?;
        let stored = self.0.records.await_written(ticket, self.0.limits.store_wait);
        for job in &mut created {
            job.stored.clone_from(&stored);
        }
        Ok(created)
    }

    /// Makes jobs, all or none; returns at once.
    pub fn create_all_soon(&self, new: Vec<NewJob>) -> Result<Vec<Created>, CreateError> {
        self.0.create_all(new).map(|(created, _)| created)
    }

    /// Changes a job and reports on it in one moment; returns at once.
    pub(super) fn alter<E: From<UpdateError>>(
        &self,
        id: &Identifier,
        change: impl FnOnce(&mut Job) -> Result<Vec<Report>, E>,
    ) -> Result<Altered, E> {
        self.0.alter(id, change)
    }

    /// Counts what became of a report on a job that may be in a queue.
    pub(super) fn count_report(&self, outcome: &Result<Altered, LeaseError>) {
        self.0.counters.note_report(match outcome {
            Ok(altered) => figures::taken(altered.is_repeat),
            Err(LeaseError::Update(error)) => figures::refused(error),
            Err(LeaseError::NotYours(_)) => "lease_lost",
        });
    }

    /// Waits until all these changes are on disk.
    pub(super) fn await_written<'a>(
        &self,
        altered: impl IntoIterator<Item = &'a Altered>,
    ) -> Result<(), String> {
        // Who waits for the last one has waited for all.
        let last = altered.into_iter().map(|altered| altered.ticket).max();
        let wait = |ticket| self.0.records.await_written(ticket, self.0.limits.store_wait);
        last.map_or(Ok(()), wait)
    }

    /// Waits until everything that was done so far is on disk.
    pub(super) fn await_all_written(&self) -> Result<(), String> {
        self.0.records.await_written(self.0.records.latest(), self.0.limits.store_wait)
    }

    /// Takes a report and waits until it is on disk.
    pub fn update(&self, id: &Identifier, report: &Report) -> Result<Updated, UpdateError> {
        let (mut updated, ticket) = self.0.update(id, report)?;
        updated.stored = self.0.records.await_written(ticket, self.0.limits.store_wait);
        Ok(updated)
    }

    /// Takes a report; returns at once.
    pub fn update_soon(&self, id: &Identifier, report: &Report) -> Result<Updated, UpdateError> {
        self.0.update(id, report).map(|(updated, _)| updated)
    }

    /// Whether this could be the first report on a job that is not there yet.
    pub fn could_begin_with(&self, id: &Identifier, report: &Report) -> Result<(), UpdateError> {
        self.0.next(&JobUpdate::pending(id.clone(), 0), report).map(drop)
    }

    /// Notes that whoever works on the job is alive.
    pub fn hear(&self, id: &Identifier) -> Result<JobUpdate, UpdateError> {
        let slot = self.0.find(id).ok_or(UpdateError::Unknown)?;
        Ok(self.0.hear(&slot))
    }

    /// Looks at a job as it is now, which those who watch may not know yet.
    pub(super) fn with_latest<T>(
        &self,
        id: &Identifier,
        look: impl FnOnce(&Job) -> T,
    ) -> Option<T> {
        self.0.find(id).map(|slot| look(&slot.kept.lock().job))
    }

    /// Whether there is such a job, be it only on its way to the disk.
    pub fn is_known(&self, id: &Identifier) -> bool {
        self.0.find(id).is_some()
    }

    /// A job, in the state that its watchers know.
    pub fn get(&self, id: &Identifier) -> Option<Job> {
        self.0.find(id).and_then(|slot| as_shown(&slot))
    }

    /// Looks at the present state of a job and does something in the same moment: what `look` does comes
    /// before every later change, and after every change that is part of what it is shown. It is shown
    /// nothing if the job is not there, or not yet known to be on disk.
    pub fn watch<T>(&self, id: &Identifier, look: impl FnOnce(Option<&JobUpdate>) -> T) -> T {
        let table = self.0.table.lock();
        let Some(slot) = table.find(id).cloned() else { return look(None) };
        drop(table);
        let kept = slot.kept.lock();
        look(kept.shown.as_ref())
    }

    /// Jobs that were made before the one with this id, the newest first, as far as `wanted` takes them.
    /// Fails if there is no such job.
    pub fn list(
        &self,
        before: Option<&Identifier>,
        limit: usize,
        wanted: impl Fn(&Job) -> bool,
    ) -> Result<(Vec<Job>, bool), UpdateError> {
        let mut number = match before {
            Some(id) => self.0.find(id).ok_or(UpdateError::Unknown)?.number,
            None => u64::MAX,
        };
        let mut found = Vec::new();
        while found.len() <= limit {
            // A piece at a time, so that nobody waits long for the table.
            let slots = self.0.table.lock().before(number, LIST_PIECE);
            let Some(last) = slots.last() else { break };
            number = last.number;
            let jobs = slots.iter().filter_map(|slot| as_shown(slot)).filter(|job| wanted(job));
            found.extend(jobs.take(limit + 1 - found.len()));
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok((found, has_more))
    }

    /// Where the jobs' records are kept.
    pub fn records(&self) -> &Records {
        &self.0.records
    }

    /// The numbers of this moment.
    pub fn figures(&self) -> Figures {
        self.0.counters.read()
    }

    /// The jobs that there are, in the order of their making.
    pub(super) fn all(&self) -> Vec<Job> {
        let slots = self.0.table.lock().before(u64::MAX, usize::MAX);
        slots.iter().rev().filter_map(|slot| as_shown(slot)).collect()
    }

    /// How many jobs have not ended.
    pub fn open_count(&self) -> usize {
        self.0.table.lock().open_count()
    }

    /// Takes away a job that has ended; returns its last state.
    pub fn remove(&self, id: &Identifier) -> Result<JobUpdate, RemoveError> {
        let slot = self.0.find(id).ok_or(RemoveError::Unknown)?;
        let last = slot.kept.lock().shown.clone().ok_or(RemoveError::Unknown)?;
        if !last.is_terminal() {
            return Err(RemoveError::Open(last.status));
        }
        let mut table = self.0.table.lock();
        // Somebody else may have taken it away meanwhile.
        let removed = table.remove(slot.number).ok_or(RemoveError::Unknown)?;
        self.0.forget(&table, &removed);
        Ok(last)
    }

    /// What the thread does when something is due; returns when to come back. For tests, which decide what
    /// time it is.
    #[cfg(test)]
    pub(super) fn tick(&self) {
        self.0.tick();
    }

    /// Lets the thread end. Jobs can still be reported on until the records are closed.
    pub fn stop(&self) {
        self.0.stop.trigger();
        self.0.alarms.wake();
        if let Some(thread) = self.0.thread.lock().take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// The job in the state that its watchers know.
fn as_shown(slot: &Slot) -> Option<Job> {
    let kept = slot.kept.lock();
    let present = kept.shown.clone()?;
    Some(Job { present, ..kept.job.clone() })
}
