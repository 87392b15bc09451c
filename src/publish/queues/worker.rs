//! The threads that do jobs in this process.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::attempt;
use super::house::House;
use super::processor::{Desk, Failure, Processor, Progress, Task};
use super::queue::{Queue, own_worker};
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::jobs::{Report, UpdateError};

/// Starts one thread of a queue's worker; it ends when the queue is stopped.
pub(super) fn start(
    house: &Arc<House>,
    queue: &Arc<Queue>,
    processor: Arc<dyn Processor>,
    number: usize,
) -> io::Result<JoinHandle<()>> {
    let (house, queue) = (house.clone(), queue.clone());
    let name = format!("{}-{number}", queue.config.name);
    let work = move || {
        let worker = own_worker(&queue.config.name);
        while let Some((id, unwanted)) = queue.next(&worker, false, None) {
            house.work(&queue, &*processor, &id, unwanted);
        }
    };
    std::thread::Builder::new().name(name).spawn(work)
}

impl House {
    /// One attempt at one job.
    fn work(
        &self,
        queue: &Queue,
        processor: &dyn Processor,
        id: &Identifier,
        unwanted: Arc<AtomicBool>,
    ) {
        let Some(task) = self.begin(queue, id) else { return };
        let timeout = queue.config.timeout;
        let bench = Bench {
            house: self,
            task: &task,
            unwanted,
            deadline: (!timeout.is_zero()).then(|| self.clock.now() + timeout),
        };
        // Code that fails must not take the worker with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| processor.process(&task, &bench)));
        let outcome = outcome.unwrap_or_else(|_| {
            log::error!(job:% = id, queue:% = queue.config.name; "the processor has failed");
            Err(Failure::retryable("The processor has failed; the server's log says more."))
        });
        let outcome = match outcome {
            Err(_) if bench.is_late() => {
                let seconds = timeout.as_secs_f64();
                Err(Failure::retryable(format!("It was not done after {seconds} s.")))
            }
            outcome => outcome,
        };
        self.end(queue, &task, outcome);
    }

    fn begin(&self, queue: &Queue, id: &Identifier) -> Option<Task> {
        loop {
            match attempt::begin(&self.jobs, id, None, 0) {
                Ok(task) => return Some(task),
                // The disk is behind: this worker is held back like everyone else.
                Err(UpdateError::Busy) if !self.stop.is_triggered() => pause(),
                Err(UpdateError::Busy) => return None,
                // It was cancelled meanwhile.
                Err(_) => {
                    queue.finish(id, JobStatus::Cancelled);
                    return None;
                }
            }
        }
    }

    fn end(&self, queue: &Queue, task: &Task, outcome: Result<Value, Failure>) {
        let (id, number) = (&task.job_id, task.attempt);
        let mut outcome = outcome;
        loop {
            let altered = match &outcome {
                Ok(result) => attempt::complete(&self.jobs, id, number, result),
                Err(_) if self.stop.is_triggered() => attempt::give_back(&self.jobs, id, number),
                Err(failure) => {
                    attempt::fail(&self.jobs, id, number, failure, self.clock.unix_ms())
                }
            };
            match altered {
                Ok(altered) => return self.follow(&altered.job),
                Err(UpdateError::Busy) => pause(),
                Err(UpdateError::Invalid(error)) if outcome.is_ok() => {
                    outcome = Err(Failure::for_good(format!("Its result cannot be told: {error}")));
                }
                Err(UpdateError::Invalid(error)) => {
                    log::warn!(job:% = id; "a failure cannot be told: {error}");
                    outcome = Err(Failure::for_good("It failed, and its error cannot be told."));
                }
                // It was cancelled, or is somebody else's by now.
                Err(UpdateError::Conflict { present, .. }) if present.is_terminal() => {
                    return queue.finish(id, present.status);
                }
                Err(UpdateError::Conflict { .. }) => return,
                Err(UpdateError::Unknown) => return queue.finish(id, JobStatus::Cancelled),
            }
        }
    }
}

/// How long a worker waits that is held back.
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Where a processor says how far it is.
struct Bench<'a> {
    house: &'a House,
    task: &'a Task,
    unwanted: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Bench<'_> {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.house.clock.now() >= deadline)
    }
}

impl Desk for Bench<'_> {
    fn report(&self, progress: Progress) {
        let Progress { percent, stage, message, data } = progress;
        let data = data.and_then(|data| serde_json::value::to_raw_value(&data).ok()).map(Arc::from);
        let told = self.house.jobs.alter(&self.task.job_id, |job| {
            // What a processor says of itself may waver; what is shown does not.
            let percent = percent.map(|percent| percent.clamp(job.present.progress, 100.0));
            let report = Report {
                progress: percent.filter(|percent| percent.is_finite()),
                stage,
                message,
                data,
                attempt: Some(self.task.attempt),
                ..Report::of(JobStatus::Processing)
            };
            Ok::<_, UpdateError>(vec![report])
        });
        if let Err(error) = told {
            log::debug!(job:% = self.task.job_id; "progress is not told: {error}");
        }
    }

    fn is_cancelled(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed) || self.house.stop.is_triggered() || self.is_late()
    }
}
