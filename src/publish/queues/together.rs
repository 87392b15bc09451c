//! Jobs of several queues, and of none, made or cancelled together.

use super::task::NewTask;
use super::{LeaseError, Queues};
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::publish::jobs::{NewJob, Report, UpdateError};

/// A job that is to be made together with others.
#[derive(Debug, Clone)]
pub enum NewWork {
    /// One that somebody does elsewhere.
    Job(NewJob),
    /// One that waits in a queue.
    Task {
        /// The queue.
        queue: Identifier,
        /// What is to be done.
        task: NewTask,
    },
}

impl NewWork {
    /// Has its id chosen now if its maker did not, so that it is known before the job is there.
    pub(in crate::publish) fn choose_id(&mut self, now_ms: u64) -> Identifier {
        match self {
            Self::Job(job) => {
                let id = job.choose_id(now_ms);
                // One that follows from the request's key is found again by that.
                if job.request.is_none() {
                    job.id = Some(id.clone());
                }
                id
            }
            Self::Task { task, .. } => {
                let like = NewJob {
                    id: task.id.clone(),
                    request: task.request.clone(),
                    ..NewJob::default()
                };
                let id = like.choose_id(now_ms);
                if task.request.is_none() {
                    task.id = Some(id.clone());
                }
                id
            }
        }
    }
}

impl Queues {
    /// Cancels those of these jobs that have not ended; returns at once. Fails when the disk is behind, and
    /// goes on from there when it is asked again.
    pub(in crate::publish) fn cancel_all(
        &self,
        jobs: impl IntoIterator<Item = Identifier>,
    ) -> Result<(), UpdateError> {
        let report = Report::of(JobStatus::Cancelled);
        for id in jobs {
            // What else can be wrong is that it has ended by itself.
            if let Err(LeaseError::Update(UpdateError::Busy)) = self.0.alter(&id, &report, None) {
                return Err(UpdateError::Busy);
            }
        }
        Ok(())
    }
}
