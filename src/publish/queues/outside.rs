//! Workers outside this process: they lease jobs, report on them, and lose them when they fall silent.
//!
//! A lease is the job's own ([`crate::publish::jobs`]): if nothing is heard of it for too long, the job stalls
//! and is then taken back. The lease's token proves that the job is still the worker's own, so that one that was
//! thought lost cannot end what another has begun again.

use std::time::{Duration, Instant};

use super::assignment::Holder;
use super::house::House;
use super::processor::Task;
use super::{Queues, attempt};
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;
use crate::publish::jobs::{Altered, Conflict, CreateError, Report, UpdateError};

/// How long a worker waits at most for its lease to be on disk. If it is not, a restart may give the job to
/// another, and this worker hears that its lease is lost.
const LEASE_WRITTEN: Duration = Duration::from_secs(2);

/// A job that a worker outside has.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// What is to be done.
    pub task: Task,
    /// Proves that the job is the worker's.
    pub token: String,
    /// How long it may say nothing.
    pub lease: Duration,
}

/// Why a report on a job was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LeaseError {
    /// The report itself is not to be taken.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// The job is leased, and not to whoever reports.
    #[error("the job is leased to another worker, or this lease is over; lease another job")]
    NotYours(Box<JobUpdate>),
}

impl Queues {
    /// Gives a worker outside the queue's next job, and the lease on it. Waits for one until `deadline`; none
    /// if there was none. A queue of that name is made if there is none.
    pub fn lease(
        &self,
        name: &Identifier,
        worker: &Identifier,
        lease: Duration,
        deadline: Instant,
    ) -> Result<Option<Leased>, super::AddError> {
        let queue = self.0.queue_or_new(name)?;
        queue.greet(worker);
        while let Some((id, _)) = queue.next(worker, true, Some(deadline)) {
            let token = uuid::Uuid::new_v4().to_string();
            let holder = Holder { worker: worker.clone(), token: token.clone() };
            match attempt::begin(&self.0.jobs, &id, Some(holder), lease.as_millis() as u64) {
                Ok(task) => {
                    let leased = Leased { task, token, lease };
                    self.await_lease(&leased);
                    return Ok(Some(leased));
                }
                // It goes back to its place, and the worker comes again.
                Err(UpdateError::Busy) => {
                    if let Some(job) = self.0.jobs.with_latest(&id, Clone::clone) {
                        self.0.follow(&job);
                    }
                    return Err(CreateError::Busy.into());
                }
                // It was cancelled meanwhile.
                Err(_) => queue.finish(&id, JobStatus::Cancelled),
            }
        }
        Ok(None)
    }

    /// A worker that has a lease must have it after a crash of this process too.
    fn await_lease(&self, leased: &Leased) {
        let records = &self.0.records;
        if let Err(trouble) = records.await_written(records.latest(), LEASE_WRITTEN) {
            log::warn!(job:% = leased.task.job_id; "a lease is not on disk: {trouble}");
        }
    }

    /// Gives a job back that nobody will do, for example because its worker did not live to hear of it.
    pub fn give_back(&self, leased: &Leased) {
        let (id, number) = (&leased.task.job_id, leased.task.attempt);
        match attempt::give_back(&self.0.jobs, id, number) {
            Ok(altered) => self.0.follow(&altered.job),
            Err(error) => log::debug!(job:% = id; "a job cannot be given back: {error}"),
        }
    }

    /// Notes that whoever has a job is alive; returns how the job is.
    pub fn hear(&self, id: &Identifier, token: Option<&str>) -> Result<JobUpdate, LeaseError> {
        if let Some(job) = self.0.jobs.get(id) {
            // Whoever had it is told that it is over.
            if job.present.is_terminal() {
                return Ok(job.present);
            }
            check_holder(job.assignment.as_ref().and_then(|a| a.holder.as_ref()), token)
                .map_err(|()| LeaseError::NotYours(Box::new(job.present)))?;
        }
        Ok(self.0.jobs.hear(id)?)
    }
}

impl House {
    /// Takes a report on any job, and gives the job its place.
    pub(super) fn alter(
        &self,
        id: &Identifier,
        report: &Report,
        token: Option<&str>,
    ) -> Result<Altered, LeaseError> {
        let now_ms = self.clock.unix_ms();
        let mut was_held = false;
        let altered = self.jobs.alter(id, |job| {
            // A report that has come before is known as such, also after the end and the lease.
            let is_known = report.update_id.as_ref().is_some_and(|n| job.update_ids.contains(n));
            let holder = job.assignment.as_ref().and_then(|assignment| assignment.holder.as_ref());
            was_held = holder.is_some();
            if is_known {
                return Ok(vec![report.clone()]);
            }
            if job.present.is_terminal() {
                return Err(attempt::conflict(job, Conflict::Ended).into());
            }
            // Whoever may cancel a job need not have it.
            let is_cancel = report.status == JobStatus::Cancelled && token.is_none();
            if !is_cancel && check_holder(holder, token).is_err() {
                return Err(LeaseError::NotYours(Box::new(job.present.clone())));
            }
            if job.assignment.is_none() {
                return Ok(vec![report.clone()]);
            }
            match report.status {
                JobStatus::Failed => Ok(attempt::failed(job, report.clone(), now_ms)?),
                JobStatus::Completed | JobStatus::Cancelled => {
                    attempt::let_go(job)?;
                    Ok(vec![report.clone()])
                }
                JobStatus::Pending | JobStatus::Processing => Ok(vec![report.clone()]),
            }
        })?;
        self.follow_report(&altered, was_held);
        Ok(altered)
    }

    fn follow_report(&self, altered: &Altered, was_held: bool) {
        let job = &altered.job;
        let Some(assignment) = job.assignment.as_ref().filter(|_| !altered.is_repeat) else {
            return;
        };
        let is_cancelled = job.present.status == JobStatus::Cancelled;
        match self.queue(&assignment.queue) {
            // Whoever does it in this process is told, and its place is free when it has left off.
            Some(queue) if is_cancelled && !was_held => queue.cancel(&job.present.job_id),
            _ => self.follow(job),
        }
    }
}

/// Whether this token proves that a job is the worker's own. A job that nobody outside has needs none.
fn check_holder(holder: Option<&Holder>, token: Option<&str>) -> Result<(), ()> {
    match (holder, token) {
        (Some(holder), Some(token)) if holder.token == token => Ok(()),
        (None, None) => Ok(()),
        _ => Err(()),
    }
}
