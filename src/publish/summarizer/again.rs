//! What is asked for again: a summary that is to be made anew, an item or a job that came to nothing.

use serde_json::Value;

use super::submission::{Manner, Part, Source};
use super::submit::{Accepted, Draft, JOB_NAME, SubmitError};
use super::videos::VideoRef;
use super::{LibraryError, Summarizer, WholeSummary};
use crate::event::topic::Identifier;
use crate::publish::jobs::{CreateError, Job, Jobs};
use crate::publish::queues::{AddError, Queues, RetryError};

/// Why a job was not tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryJobError {
    /// What was sent along is kept only until its job has ended; and of requests that ended long ago nothing is.
    #[error("only a video can be asked for again, and not for ever; send it again instead")]
    NotAgain,
    /// The summaries' database does not work.
    #[error("the summaries' database: {0}")]
    Library(#[source] LibraryError),
    /// It is not a job that can be tried again, or not now.
    #[error(transparent)]
    Queue(#[from] RetryError),
}

impl Summarizer {
    /// Makes the summary of a video anew, whatever is known of it.
    pub fn refresh(&self, session: &Identifier, summary: &str) -> Result<Accepted, SubmitError> {
        let found = self.summary(session, summary).map_err(SubmitError::Library)?;
        let WholeSummary { kept: found, subject, .. } = found.ok_or(SubmitError::NotAgain)?;
        // By the address that was asked for: a page may give the video another one, and be another's then.
        let is_video = found.video.is_some();
        let video = VideoRef::of_key(&subject).filter(|_| is_video);
        let video = video.ok_or(SubmitError::NotAgain)?;
        let manner = Manner {
            model: Some(found.model.clone()),
            language: found.language.clone(),
            refresh: true,
        };
        let (title, playlist) = (found.title, found.playlist);
        let draft = Draft { id: None, title, playlist, video: Some(video) };
        self.take(session.clone(), manner, None, vec![draft], &[])
    }

    /// Tries an item of a batch again, as a batch of its own.
    pub fn retry(
        &self,
        session: &Identifier,
        batch: &str,
        item: &str,
    ) -> Result<Accepted, SubmitError> {
        let job = item.parse().map_err(|_| SubmitError::NotAgain)?;
        let part =
            self.0.workshop.submissions.of_job(&job).filter(|Part { submission, .. }| {
                submission.session == *session && submission.id.as_str() == batch
            });
        let part = part.ok_or(SubmitError::NotAgain)?;
        let draft = Draft::again(&part).ok_or(SubmitError::NotAgain)?;
        self.try_again(&part, draft)
    }

    /// Tries a job that has failed again, as a batch of its own of the session that had asked for it; returns
    /// the new job's id. None if the job is not one of ours.
    pub fn retry_job(
        &self,
        queues: &Queues,
        jobs: &Jobs,
        id: &Identifier,
    ) -> Option<Result<Identifier, RetryJobError>> {
        match self.0.workshop.submissions.of_job(id) {
            Some(part) => Some(self.retry_part(queues, jobs, id, &part)),
            None if jobs.get(id).is_some_and(|job| self.has_made(&job)) => {
                Some(Err(RetryJobError::NotAgain))
            }
            None => None,
        }
    }

    /// Whether a job of which nothing is remembered was ours: it says itself what is to be done if it is
    /// somebody else's.
    fn has_made(&self, job: &Job) -> bool {
        let is_called_so = job.assignment.as_ref().is_some_and(|assignment| {
            assignment.queue == self.0.queue && assignment.job_name == JOB_NAME
        });
        let data = job.payload.as_ref().map(|data| serde_json::from_str(data.get()));
        let data: Value = data.and_then(Result::ok).unwrap_or_default();
        is_called_so && ["text", "vtt", "srt"].iter().all(|member| data.get(member).is_none())
    }

    fn retry_part(
        &self,
        queues: &Queues,
        jobs: &Jobs,
        id: &Identifier,
        part: &Part,
    ) -> Result<Identifier, RetryJobError> {
        let draft = Draft::again(part).ok_or(RetryJobError::NotAgain)?;
        // One at a time: then a request whose job is not there is not just being made.
        let _turn = self.0.retries.lock();
        let accepted = queues.retry_by(id, |queue, task| {
            let submissions = &self.0.workshop.submissions;
            if let Some(again) = &task.id
                && let Some(gone) = submissions.of_job(again).filter(|_| !jobs.is_known(again))
            {
                // The job was made before, and taken away.
                submissions.remove(&gone.submission.id);
            }
            match self.try_again(part, Draft { id: task.id, ..draft }) {
                Err(SubmitError::Exists(id)) => Err(CreateError::Exists(id).into()),
                Err(SubmitError::Busy) => Err(CreateError::Busy.into()),
                Err(SubmitError::Library(error)) => Ok(Err(RetryJobError::Library(error))),
                Err(_) => Err(AddError::QueueFull(queue.clone())),
                Ok(accepted) => Ok(Ok(accepted)),
            }
        })??;
        let item = accepted.items.into_iter().next();
        item.map(|item| item.id).ok_or(RetryError::Unknown.into())
    }

    fn try_again(&self, part: &Part, draft: Draft) -> Result<Accepted, SubmitError> {
        let submission = &part.submission;
        let manner = submission.what.manner.clone();
        self.take(submission.session.clone(), manner, None, vec![draft], &[])
    }
}

impl Draft {
    /// The same talk again, if it is one that can be had again.
    fn again(part: &Part) -> Option<Self> {
        let item = part.item();
        let Source::Video(video) = &item.source else { return None };
        let (title, playlist) = (item.title.clone(), item.playlist.clone());
        Some(Self { id: None, title, playlist, video: Some(video.clone()) })
    }
}
