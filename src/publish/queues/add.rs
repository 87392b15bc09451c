//! Jobs on their way into queues: places are promised, the jobs are made, and then they stand in line.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Queues;
use super::house::{House, Place};
use super::queue::Queue;
use super::task::{AddError, NewTask};
use super::together::NewWork;
use crate::event::topic::Identifier;
use crate::publish::jobs::{Created, NewJob};

impl Queues {
    /// Puts jobs in a queue, all or none; a queue of that name is made if there is none. If `is_durable`,
    /// waits until they are on disk.
    pub fn add(
        &self,
        name: &Identifier,
        tasks: Vec<NewTask>,
        is_durable: bool,
    ) -> Result<Vec<Created>, AddError> {
        self.add_all(tasks.into_iter().map(|task| (name.clone(), task)).collect(), is_durable)
    }

    /// The same for jobs of several queues: all or none of all of them.
    pub fn add_all(
        &self,
        tasks: Vec<(Identifier, NewTask)>,
        is_durable: bool,
    ) -> Result<Vec<Created>, AddError> {
        let work = tasks.into_iter().map(|(queue, task)| NewWork::Task { queue, task });
        self.make_all(work.collect(), is_durable)
    }

    /// The same for jobs of queues and of none.
    pub(in crate::publish) fn make_all(
        &self,
        work: Vec<NewWork>,
        is_durable: bool,
    ) -> Result<Vec<Created>, AddError> {
        let house = &self.0;
        // Kept until the jobs stand in line, so that no more wait than may.
        let promises = house.promise(&work)?;
        let now_ms = house.clock.unix_ms();
        let jobs = work.into_iter().filter_map(|work| match work {
            NewWork::Job(job) => Some(job),
            // There is a promise for each name.
            NewWork::Task { queue, task } => {
                promises.get(&queue).map(|promise| task.into_job(&promise.queue, now_ms))
            }
        });
        let jobs: Vec<NewJob> = jobs.collect();
        let wanted: Vec<_> = jobs.iter().map(|job| job.assignment.clone()).collect();
        let created = if is_durable {
            house.jobs.create_all(jobs)?
        } else {
            house.jobs.create_all_soon(jobs)?
        };
        let mut places: BTreeMap<&Identifier, Vec<Place>> = BTreeMap::new();
        for (created, assignment) in created.iter().zip(&wanted) {
            // What was there before stands in line already, or has left it.
            let Some(wanted) = assignment.as_ref().filter(|_| !created.is_repeat) else { continue };
            let place = (created.present.job_id.clone(), wanted.priority, wanted.due_ms);
            places.entry(&wanted.queue).or_default().push(place);
        }
        for (name, places) in places {
            if let Some(promise) = promises.get(name) {
                house.line_up(&promise.queue, places);
            }
        }
        Ok(created)
    }
}

/// Places in a queue's line that are kept free until it is dropped.
struct Promise {
    queue: Arc<Queue>,
    jobs: usize,
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.queue.release(self.jobs);
    }
}

impl House {
    /// Promises a place to each of these that needs one, or to none.
    fn promise(&self, work: &[NewWork]) -> Result<BTreeMap<Identifier, Promise>, AddError> {
        let mut counts: BTreeMap<&Identifier, usize> = BTreeMap::new();
        for work in work {
            if let NewWork::Task { queue, .. } = work {
                *counts.entry(queue).or_default() += 1;
            }
        }
        let mut promises = BTreeMap::new();
        for (name, jobs) in counts {
            let queue = self.queue_or_new(name)?;
            if !queue.promise(jobs) {
                return Err(AddError::QueueFull(name.clone()));
            }
            promises.insert(name.clone(), Promise { queue, jobs });
        }
        Ok(promises)
    }
}
