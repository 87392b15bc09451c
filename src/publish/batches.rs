//! Batches: many jobs, looked at as one.
//!
//! A batch is made of jobs that are there and of new ones, each with a weight. What those who watch it are told
//! follows from its jobs' states alone ([`tally`]): how much of the work is over, how many jobs are in which
//! state, how fast it goes. It is told as it changes, but at most about once a second; the end at once.
//!
//! Jobs tell their changes when those are on disk ([`Jobs::listen`]), so a batch is never further than a crash
//! would leave its jobs. Its revision is the sum of theirs: it survives a restart without being written.

// One batch.
mod batch;

// What all handles share.
mod keeper;

// How a batch is made.
mod making;

// How fast it goes.
mod pace;

// What survives a restart.
mod record;

// The batches there are.
mod table;

// Jobs, added up.
mod tally;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

pub use self::making::{Made, MakeError, NewBatch, NewMember, Work};
pub use self::tally::Weight;

use self::batch::Batch;
use self::keeper::Shared;
use self::making::Limit;
use self::tally::Member;
use super::Publisher;
use super::alarms::Alarms;
use super::jobs::{Job, Jobs, UpdateError};
use super::queues::{Ground, Queues};
use crate::clock::Clock;
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::shutdown::Shutdown;
use crate::store::records::Record;

/// What batches may use; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs in one batch. 0 is no limit.
    pub max_jobs: usize,
    /// Jobs in all batches together; beyond that those that ended first go, and then no more are taken. 0 is
    /// no limit.
    pub max_jobs_in_all: usize,
    /// Batches that have ended and are kept; beyond that the first ended go. 0 is no limit.
    pub max_ended: usize,
    /// How long a batch that has ended is kept; zero: for ever.
    pub ended_age: Duration,
    /// The pause between two reports on how a batch is; zero: none. Its end is reported at once.
    pub report_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_jobs: 10_000,
            max_jobs_in_all: 1_000_000,
            max_ended: 1_000,
            ended_age: Duration::from_secs(7 * 86_400),
            report_pause: Duration::from_secs(1),
        }
    }
}

impl Limits {
    fn room(&self) -> Limit {
        let or_endless = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        Limit { in_one: or_endless(self.max_jobs), in_all: or_endless(self.max_jobs_in_all) }
    }
}

/// Keeps batches and tells their watchers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Batches(Arc<Shared>);

/// There is no such batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no batch with this id")]
pub struct Unknown;

/// Why a batch was not cancelled, or not all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// There is no such batch.
    #[error("there is no batch with this id")]
    Unknown,
    /// The disk is behind; it can be asked again, and goes on from there.
    #[error("the server is behind with writing; try again in a moment")]
    Busy,
}

/// A job as one of a batch.
#[derive(Debug, Clone)]
pub struct Part {
    /// The job.
    pub job_id: Identifier,
    /// How much it counts.
    pub weight: Weight,
    /// Where it is, as the batch counts it.
    pub status: JobStatus,
    /// Its attempt.
    pub attempt: u32,
    /// The job itself, unless that is kept no longer.
    pub job: Option<Job>,
}

impl Part {
    /// Whether there is nothing to wait for any more.
    pub fn has_ended(&self) -> bool {
        match self.status {
            JobStatus::Completed | JobStatus::Cancelled => true,
            // Another attempt may follow.
            JobStatus::Failed => !self.job.as_ref().is_some_and(|job| job.present.retryable),
            JobStatus::Pending | JobStatus::Processing => false,
        }
    }
}

impl Batches {
    /// Goes on with the batches of an earlier process that are among `found`, and starts the thread that tells
    /// their watchers. The jobs are loaded already.
    pub fn start(
        ground: Ground,
        queues: Queues,
        found: &[Record],
        limits: Limits,
    ) -> io::Result<Self> {
        let Ground { jobs, publisher, records, clock } = ground;
        let update_name = BatchUpdate::EVENT.parse().map_err(io::Error::other)?;
        let batches = Self(Arc::new(Shared {
            jobs,
            queues,
            publisher,
            records,
            limits,
            clock,
            update_name,
            making: Mutex::default(),
            table: Mutex::default(),
            index: RwLock::default(),
            alarms: Alarms::default(),
            stop: Shutdown::new(),
            thread: Mutex::default(),
        }));
        batches.listen();
        batches.0.load(found);
        let thread = keeper::start(&batches.0)?;
        *batches.0.thread.lock() = Some(thread);
        Ok(batches)
    }

    /// Batches that are gone after this process, with the usual limits.
    pub fn in_memory(
        jobs: &Jobs,
        queues: &Queues,
        publisher: &Publisher,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let (jobs, publisher) = (jobs.clone(), publisher.clone());
        let records = jobs.records().clone();
        let ground = Ground { jobs, publisher, records, clock };
        Self::start(ground, queues.clone(), &[], Limits::default())
    }

    fn listen(&self) {
        let (hears, inherits) = (Arc::downgrade(&self.0), Arc::downgrade(&self.0));
        self.0.jobs.listen(Box::new(move |change| {
            if let Some(batches) = hears.upgrade() {
                batches.note(change.shown);
            }
        }));
        self.0.jobs.on_let_go(Box::new(move |last| {
            if let Some(batches) = inherits.upgrade() {
                batches.inherit(last);
            }
        }));
    }

    /// How a batch is.
    pub fn get(&self, id: &Identifier) -> Option<BatchUpdate> {
        let batch = self.find(id)?;
        let state = batch.state.lock();
        Some(batch.roll_up(&state, self.0.clock.now()))
    }

    /// Looks at how a batch is and does something in the same moment, before every later news of it; it is
    /// shown nothing if there is no such batch. The first of those news may be what it is shown already.
    pub fn watch<T>(&self, id: &Identifier, look: impl FnOnce(Option<&BatchUpdate>) -> T) -> T {
        let Some(batch) = self.find(id) else { return look(None) };
        let state = batch.state.lock();
        look(Some(&batch.roll_up(&state, self.0.clock.now())))
    }

    /// Batches that were made before the one with this id, the newest first, and whether there are more.
    /// Fails if there is no such batch.
    pub fn list(
        &self,
        before: Option<&Identifier>,
        limit: usize,
    ) -> Result<(Vec<BatchUpdate>, bool), Unknown> {
        let number = before.map(|id| self.find(id).ok_or(Unknown)).transpose()?;
        let number = number.map(|batch| batch.number);
        let mut batches = self.0.table.lock().before(number, limit.saturating_add(1));
        let has_more = batches.len() > limit;
        batches.truncate(limit);
        let now = self.0.clock.now();
        let roll_up = |batch: &Arc<Batch>| batch.roll_up(&batch.state.lock(), now);
        Ok((batches.iter().map(roll_up).collect(), has_more))
    }

    /// A batch's jobs in their maker's order, as far as `wanted` takes their state, from behind the one with
    /// this id on, and whether there are more.
    pub fn parts(
        &self,
        id: &Identifier,
        after: Option<&Identifier>,
        limit: usize,
        wanted: impl Fn(JobStatus) -> bool,
    ) -> Result<(Vec<Part>, bool), Unknown> {
        let batch = self.find(id).ok_or(Unknown)?;
        let state = batch.state.lock();
        let behind = match after {
            None => 0,
            Some(job) => {
                1 + state.members.iter().position(|part| part.job == *job).ok_or(Unknown)?
            }
        };
        let members = state.members.iter().skip(behind).filter(|part| wanted(part.status));
        let mut members: Vec<_> = members.take(limit.saturating_add(1)).cloned().collect();
        drop(state);
        let has_more = members.len() > limit;
        members.truncate(limit);
        // Another job may have the id of one that was let go of.
        let is_it = |member: &Member, Job { present, .. }: &Job| {
            let known = (member.revision, member.status);
            !member.is_over || (present.revision, present.status) == known
        };
        let parts = members.into_iter().map(|member| Part {
            job: self.0.jobs.get(&member.job).filter(|job| is_it(&member, job)),
            job_id: member.job,
            weight: member.weight,
            status: member.status,
            attempt: member.attempt,
        });
        Ok((parts.collect(), has_more))
    }

    /// Cancels the jobs of a batch that have not ended, and waits until that is on disk. Whoever works on one
    /// is told when it says something of it.
    pub fn cancel(&self, id: &Identifier) -> Result<BatchUpdate, CancelError> {
        let batch = self.find(id).ok_or(CancelError::Unknown)?;
        let state = batch.state.lock();
        let open = state.members.iter().filter(|member| !member.is_over);
        let open: Vec<_> = open.map(|member| member.job.clone()).collect();
        drop(state);
        let cancelled = self.0.queues.cancel_all(open);
        cancelled.map_err(|_: UpdateError| CancelError::Busy)?;
        // Even a disk that takes nothing does not keep the jobs from telling it.
        if let Err(trouble) = self.0.jobs.await_all_written() {
            log::warn!(batch:% = id; "whether the batch is cancelled is not on disk: {trouble}");
        }
        let state = batch.state.lock();
        Ok(batch.roll_up(&state, self.0.clock.now()))
    }

    /// How many batches have not ended, and how many of those that have are kept.
    pub fn counts(&self) -> (usize, usize) {
        self.0.table.lock().counts()
    }

    /// Lets the thread end. Jobs can still be reported on.
    pub fn stop(&self) {
        self.0.stop.trigger();
        self.0.alarms.wake();
        if let Some(thread) = self.0.thread.lock().take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }

    fn find(&self, id: &Identifier) -> Option<Arc<Batch>> {
        self.0.table.lock().find(id).cloned()
    }

    /// What the thread does when something is due. For tests, which decide what time it is.
    #[cfg(test)]
    fn tick(&self) {
        self.0.tick();
    }
}
