//! Jobs that wait for somebody to do them.
//!
//! A queue's job is a job like any other, with a place in a line. It begins when a worker takes it: a thread of
//! this process that has the queue's processor, or somebody outside who leases it. What an attempt comes to is
//! a change of the job's record ([`attempt`]); the line only says whose turn it is. So nothing is lost that
//! the disk has: after a restart the lines are made again from the jobs that have not ended.

// Jobs on their way into queues.
mod add;

// A job's place in a queue, in its record.
pub mod assignment;

// One attempt at a job, as changes of its record.
mod attempt;

// How queues and workers are, told now and then.
mod board;

// How each queue works: what the settings say of it.
pub mod config;

// How many jobs are where, and how long that took.
mod figures;

// What all handles share.
mod house;

// Whose turn it is.
mod line;

// Those who take jobs from outside.
mod outside;

// What does them: built-in code and outside commands.
pub mod processor;

// One queue: its line and its workers.
mod queue;

// A job that is to be put in a queue.
mod task;

// Many jobs, in several queues or none.
mod together;

#[cfg(test)]
mod tests;

// The threads that do jobs.
mod worker;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

pub use self::board::{QueueReport, WorkerReport};
pub use self::figures::{Figures, QueueFigures};
pub use self::outside::{LeaseError, Leased};
pub use self::task::{AddError, NewTask, RetryError};
pub use self::together::NewWork;

use self::config::QueueConfig;
use self::house::House;
use self::processor::Processor;
use super::Publisher;
use super::jobs::{
    Altered, CreateError, Created, Jobs, RemoveError, Report, UpdateError, Updated, fresh_id,
};
use crate::clock::Clock;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;
use crate::shutdown::Shutdown;
use crate::store::records::{Certainty, Record, Records};

/// What all queues together may use; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Queues that there may be, those of the settings included. 0 is no limit.
    pub max_queues: usize,
    /// The pause between two reports on how a queue is; zero: as often as is looked, every millisecond.
    pub report_pause: Duration,
    /// How often a job may lose its worker before it is given up. 0 is no limit.
    pub max_losses: usize,
    /// How long a worker outside has a job, if it does not say otherwise.
    pub lease: Duration,
    /// The longest that it can say.
    pub max_lease: Duration,
    /// The longest that somebody outside can wait for a job.
    pub max_lease_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_queues: 1_000,
            report_pause: Duration::from_millis(250),
            max_losses: 3,
            lease: Duration::from_secs(30),
            max_lease: Duration::from_secs(3_600),
            max_lease_wait: Duration::from_secs(30),
        }
    }
}

/// The queues. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queues(Arc<House>);

/// What the queues stand on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The jobs' own records and watchers.
    pub jobs: Jobs,
    /// By which news are told.
    pub publisher: Publisher,
    /// Where queues are kept.
    pub records: Records,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Queues {
    /// Makes the queues of the settings, each with its processor, takes up the jobs that have not ended, and
    /// starts the workers.
    pub fn start(
        ground: Ground,
        configs: Vec<QueueConfig>,
        processors: HashMap<Identifier, Arc<dyn Processor>>,
        found: &[Record],
        limits: Limits,
    ) -> io::Result<Self> {
        let Ground { jobs, publisher, records, clock } = ground;
        let queues = Self(Arc::new(House {
            jobs,
            publisher,
            records,
            limits,
            clock,
            queues: RwLock::default(),
            declared: configs.iter().map(|config| config.name.clone()).collect(),
            times: Arc::default(),
            processors,
            stop: Shutdown::new(),
            threads: Mutex::default(),
        }));
        queues.0.open(configs, found);
        queues.0.take_up_jobs();
        let house = Arc::downgrade(&queues.0);
        queues.0.jobs.on_lost(Box::new(move |id| {
            if let Some(house) = house.upgrade() {
                // Those that cannot be taken back now are named again.
                let _ = house.take_back(id);
            }
        }));
        queues.0.start_threads()?;
        Ok(queues)
    }

    /// Queues of which none is worked on in this process, and which are gone after it.
    pub fn in_memory(
        jobs: &Jobs,
        publisher: &Publisher,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let (jobs, publisher) = (jobs.clone(), publisher.clone());
        let records = jobs.records().clone();
        let ground = Ground { jobs, publisher, records, clock };
        Self::start(ground, Vec::new(), HashMap::new(), &[], Limits::default())
    }

    /// Takes a report on any job, in a queue or not, and waits until it is on disk. Whoever leases the job
    /// proves it with the lease's token.
    pub fn report(
        &self,
        id: &Identifier,
        report: &Report,
        token: Option<&str>,
    ) -> Result<Updated, LeaseError> {
        let mut told = self.report_all([(id, report, token)]);
        told.pop().unwrap_or_else(|| Err(UpdateError::Busy.into()))
    }

    /// Takes reports in their order, each by itself, and waits until all that are taken are on disk.
    pub fn report_all<'a>(
        &self,
        reports: impl IntoIterator<Item = (&'a Identifier, &'a Report, Option<&'a str>)>,
    ) -> Vec<Result<Updated, LeaseError>> {
        let jobs = &self.0.jobs;
        let altered = reports.into_iter().map(|(id, report, token)| {
            let altered = self.0.alter(id, report, token);
            jobs.count_report(&altered);
            altered
        });
        let altered: Vec<_> = altered.collect();
        let stored = jobs.await_written(altered.iter().flatten());
        let told = altered.into_iter().map(|altered| {
            let Altered { job, is_repeat, .. } = altered?;
            Ok(Updated { present: job.present, is_repeat, stored: stored.clone() })
        });
        told.collect()
    }

    /// Tries a failed job again, as a new one: what has ended stays ended for those who watched it.
    pub fn retry(&self, id: &Identifier) -> Result<Created, RetryError> {
        let mut created = self.retry_by(id, |queue, task| self.add(queue, vec![task], true))?;
        created.pop().ok_or(RetryError::Unknown)
    }

    /// The same for a job that somebody else puts in its queue, under the id that the task has.
    pub fn retry_by<T>(
        &self,
        id: &Identifier,
        add: impl FnOnce(&Identifier, NewTask) -> Result<T, AddError>,
    ) -> Result<T, RetryError> {
        let job = self.0.jobs.get(id).ok_or(RetryError::Unknown)?;
        let assignment = job.assignment.ok_or(RetryError::Unknown)?;
        if job.present.status != JobStatus::Failed || !job.present.is_terminal() {
            return Err(RetryError::NotFailed(Box::new(job.present)));
        }
        // Not under the job's lock: who makes jobs has the table's, and may want the job's.
        if let Some(already) = assignment.retried_as.filter(|id| self.0.jobs.is_known(id)) {
            return Err(RetryError::Already(already));
        }
        let mut again = fresh_id(self.0.clock.unix_ms());
        self.0.jobs.alter(id, |job| {
            let assignment = job.assignment.as_mut().ok_or(RetryError::Unknown)?;
            match &assignment.retried_as {
                // It was not made in the end, or is being made: of two that make it one finds it made.
                Some(already) => again.clone_from(already),
                None => assignment.retried_as = Some(again.clone()),
            }
            Ok::<_, RetryError>(Vec::new())
        })?;
        let task = NewTask {
            id: Some(again.clone()),
            job_name: assignment.job_name,
            data: job.payload,
            priority: assignment.priority,
            attempts: Some(assignment.attempts),
            backoff: Some(assignment.backoff),
            ..NewTask::default()
        };
        add(&assignment.queue, task).map_err(|error| match error {
            AddError::Create(CreateError::Exists(_)) => RetryError::Already(again),
            error => RetryError::Add(error),
        })
    }

    /// Takes away a job that has ended, or that nobody has begun.
    pub fn remove(&self, id: &Identifier) -> Result<JobUpdate, RemoveError> {
        let job = self.0.jobs.get(id).ok_or(RemoveError::Unknown)?;
        let is_waiting = job.present.status == JobStatus::Pending && job.assignment.is_some();
        // If it begins just now, it is as open as any.
        if is_waiting && let Ok(altered) = attempt::withdraw(&self.0.jobs, id) {
            self.0.follow(&altered.job);
            // Whether it is on disk is seen by what is shown of it.
            let _ = self.0.jobs.await_written([&altered]);
        }
        self.0.jobs.remove(id)
    }

    /// Lets no job of a queue begin, or lets them again; none if there is no such queue. Waits until that is on
    /// disk.
    pub fn pause(&self, name: &Identifier, is_paused: bool) -> Option<QueueReport> {
        let queue = self.0.queue(name)?;
        let totals = queue.pause(is_paused);
        let ticket = self.0.save(name, totals, Certainty::Power);
        if let Err(trouble) = self.0.records.await_written(ticket, Duration::from_secs(5)) {
            log::warn!(queue:% = name; "whether the queue is paused is not on disk: {trouble}");
        }
        Some(queue.report())
    }

    /// What all queues together may use.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// How each queue is, in the order of their names.
    pub fn reports(&self) -> Vec<QueueReport> {
        self.0.all().iter().map(|queue| queue.report()).collect()
    }

    /// How one queue works, how it is and how its workers are.
    pub fn describe(
        &self,
        name: &Identifier,
    ) -> Option<(QueueConfig, QueueReport, Vec<WorkerReport>)> {
        let queue = self.0.queue(name)?;
        Some((queue.config.clone(), queue.report(), queue.workers()))
    }

    /// How each worker is.
    pub fn workers(&self) -> Vec<WorkerReport> {
        self.0.all().iter().flat_map(|queue| queue.workers()).collect()
    }

    /// Looks at how a queue is and does something in the same moment, before every later news of it; it is
    /// shown nothing if there is no such queue.
    pub fn watch_queue<T>(
        &self,
        name: &Identifier,
        look: impl FnOnce(Option<&QueueReport>) -> T,
    ) -> T {
        match self.0.queue(name) {
            Some(queue) => queue.watch(|report| look(Some(report))),
            None => look(None),
        }
    }

    /// The same for a worker, of whatever queue.
    pub fn watch_worker<T>(
        &self,
        id: &Identifier,
        look: impl FnOnce(Option<&WorkerReport>) -> T,
    ) -> T {
        match self.0.all().iter().find(|queue| queue.knows(id)) {
            Some(queue) => queue.watch_worker(id, look),
            None => look(None),
        }
    }

    /// Lets no job begin any more, has those under way left off, and waits for the workers at most this
    /// long; true if they have ended. What is left off begins again after the next start.
    pub fn stop(&self, at_most: Duration) -> bool {
        // In this order: what is left off must not be begun again.
        for queue in self.0.all() {
            queue.stop();
        }
        self.0.stop.trigger();
        let deadline = Instant::now() + at_most;
        let mut threads = std::mem::take(&mut *self.0.threads.lock());
        while threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        for thread in threads.drain(..) {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
        true
    }
}
