//! What all handles on the queues share: the queues by name, and what a changed job means for its line.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::assignment::Assignment;
use super::config::{ProcessorChoice, QueueConfig};
use super::figures::Times;
use super::processor::Processor;
use super::queue::{Queue, Totals};
use super::task::AddError;
use super::{Limits, attempt, board, worker};
use crate::clock::Clock;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::Publisher;
use crate::publish::jobs::{Job, Jobs, UpdateError};
use crate::shutdown::Shutdown;
use crate::store::records::{Certainty, Record, Records, Ticket};

/// The kind of a queue's record.
pub(super) const KIND: &str = "queue";

/// What all handles share.
#[derive(Debug)]
pub(super) struct House {
    pub jobs: Jobs,
    pub publisher: Publisher,
    pub records: Records,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub queues: RwLock<BTreeMap<Identifier, Arc<Queue>>>,
    /// The queues that the settings know.
    pub declared: BTreeSet<Identifier>,
    pub times: Arc<Times>,
    pub processors: HashMap<Identifier, Arc<dyn Processor>>,
    pub stop: Shutdown,
    pub threads: Mutex<Vec<JoinHandle<()>>>,
}

impl House {
    pub fn open(&self, configs: Vec<QueueConfig>, found: &[Record]) {
        let kept = |name: &Identifier| {
            let record = found.iter().find(|record| record.kind == KIND && record.id == *name);
            record.and_then(|record| serde_json::from_str(&record.text).ok()).unwrap_or_default()
        };
        let mut queues = self.queues.write();
        let left = found.iter().filter(|record| record.kind == KIND).map(|record| &record.id);
        let left = left.map(|name| QueueConfig::named(name.clone()));
        // Those of the settings come last: they know more than a name.
        for config in left.chain(configs) {
            let name = config.name.clone();
            let queue = Queue::new(config, kept(&name), self.times.clone(), self.clock.clone());
            queues.insert(name, Arc::new(queue));
        }
    }

    /// Makes the lines again, from the jobs that have not ended.
    pub fn take_up_jobs(self: &Arc<Self>) {
        for job in self.jobs.all() {
            let (id, Some(assignment)) = (job.present.job_id.clone(), &job.assignment) else {
                continue;
            };
            if job.present.is_terminal() {
                if let Some(queue) = self.queue(&assignment.queue) {
                    queue.count_ended(job.present.status, job.updated_ms);
                }
                continue;
            }
            let Ok(queue) = self.queue_or_new(&assignment.queue) else { continue };
            match (&assignment.holder, job.present.status) {
                (_, JobStatus::Pending) => queue.put([place(&job, assignment)]),
                (Some(holder), JobStatus::Processing) => queue.put_active(&id, &holder.worker),
                _ => {
                    while !self.take_back(&id) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
        }
    }

    /// Takes a job back whose worker is lost; false if the disk is behind and it is to be tried again.
    pub fn take_back(&self, id: &Identifier) -> bool {
        let max_losses = u32::try_from(self.limits.max_losses).unwrap_or(u32::MAX);
        match attempt::take_back(&self.jobs, id, max_losses) {
            Ok(altered) => self.follow(&altered.job),
            Err(UpdateError::Busy) => return false,
            Err(error) => log::warn!(job:% = id; "a lost job cannot be taken back: {error}"),
        }
        true
    }

    /// Gives a job that has changed its place in its line, or takes it out.
    pub fn follow(&self, job: &Job) {
        let Some(assignment) = &job.assignment else { return };
        let Some(queue) = self.queue(&assignment.queue) else { return };
        if job.present.is_terminal() {
            queue.finish(&job.present.job_id, job.present.status);
        } else if job.present.status == JobStatus::Pending {
            self.line_up(&queue, vec![place(job, assignment)]);
        } else {
            queue.take_elsewhere(&job.present.job_id);
        }
    }

    /// Puts pending jobs in their places. Those that somebody has cancelled or begun in the meantime do not
    /// stay there.
    pub fn line_up(&self, queue: &Queue, places: Vec<Place>) {
        let jobs: Vec<_> = places.iter().map(|(id, ..)| id.clone()).collect();
        queue.put(places);
        for id in jobs {
            let is_over = |job: &Job| (job.present.status, job.present.is_terminal());
            match self.jobs.with_latest(&id, is_over) {
                Some((JobStatus::Pending, _)) => {}
                Some((_, false)) => queue.take_elsewhere(&id),
                _ => queue.cancel(&id),
            }
        }
    }

    pub fn queue(&self, name: &Identifier) -> Option<Arc<Queue>> {
        self.queues.read().get(name).cloned()
    }

    pub fn queue_or_new(&self, name: &Identifier) -> Result<Arc<Queue>, AddError> {
        if let Some(queue) = self.queue(name) {
            return Ok(queue);
        }
        let mut queues = self.queues.write();
        if self.limits.max_queues != 0 && queues.len() >= self.limits.max_queues {
            return Err(AddError::TooManyQueues(name.clone()));
        }
        let queue = queues.entry(name.clone()).or_insert_with(|| {
            self.save(name, Totals::default(), Certainty::Process);
            let (config, times) = (QueueConfig::named(name.clone()), self.times.clone());
            Arc::new(Queue::new(config, Totals::default(), times, self.clock.clone()))
        });
        Ok(queue.clone())
    }

    pub fn all(&self) -> Vec<Arc<Queue>> {
        self.queues.read().values().cloned().collect()
    }

    pub fn save(&self, name: &Identifier, totals: Totals, certainty: Certainty) -> Ticket {
        // Numbers can always be written.
        let text = serde_json::to_string(&totals).unwrap_or_default();
        self.records.put(KIND, name, text, certainty, None)
    }

    pub fn start_threads(self: &Arc<Self>) -> io::Result<()> {
        let mut threads = self.threads.lock();
        threads.push(board::start(self)?);
        for queue in self.all() {
            if queue.config.processor == ProcessorChoice::Outside {
                continue;
            }
            let Some(processor) = self.processors.get(&queue.config.name) else {
                let name = &queue.config.name;
                return Err(io::Error::other(format!("the queue {name} has no processor")));
            };
            for number in 0..queue.config.concurrency {
                threads.push(worker::start(self, &queue, processor.clone(), number)?);
            }
        }
        Ok(())
    }
}

/// Where a job will stand: its id, its priority, and when it may begin.
pub(super) type Place = (Identifier, u32, u64);

fn place(job: &Job, assignment: &Assignment) -> Place {
    (job.present.job_id.clone(), assignment.priority, assignment.due_ms)
}
