//! What a worker does with an item: read it, look whether it was made before, make it, keep it, tell.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::batch::{Batch, Batches, Begun, ItemStatus};
use super::queue::{Job, Queue};
use super::report::{Reporter, Video};
use super::request::Input;
use super::sentences::Sentences;
use super::shelf::{KeptSummary, Shelf, Source};
use super::textrank::{self, Summary};
use super::transcript::{Fingerprint, InvalidTranscript, Transcript};
use super::{EXTRACTIVE, Limits};
use crate::clock::Clock;

/// What all workers share.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) queue: Queue,
    pub(super) batches: Mutex<Batches>,
    pub(super) shelf: Mutex<Shelf>,
    pub(super) reporter: Reporter,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
}

/// What became of an item.
type Outcome = Result<Made, Failure>;

struct Made {
    content: Arc<Summary>,
    source: Source,
    fingerprint: Fingerprint,
}

/// Why there is no summary.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Transcript(#[from] InvalidTranscript),
    #[error("the batch was cancelled")]
    Cancelled,
    /// A mistake of ours: it is in the log, and costs no other item.
    #[error("the summarizer failed on this transcript")]
    Panicked,
}

impl Workshop {
    /// Makes items until the queue is closed and empty.
    pub(super) fn work(&self) {
        while let Some(job) = self.queue.take() {
            let batch = &job.batch;
            let Some(item) = self.begin(&job) else { continue };
            let attempt = AssertUnwindSafe(|| self.make(batch, &item));
            let outcome = catch_unwind(attempt).unwrap_or(Err(Failure::Panicked));
            self.end(&job, &item, outcome);
        }
    }

    /// Cancels a batch and publishes its last event, unless a worker is at one of its items and will.
    /// False if the batch had ended by itself.
    pub(super) fn cancel(&self, batch: &Batch) -> bool {
        let Some(bytes) = batch.cancel() else { return false };
        self.queue.release(bytes);
        self.close(batch);
        true
    }

    /// Lets the workers end: no new jobs, none that waits, no patience. Returns all batches; those that
    /// no worker was at still lack their last event.
    pub(super) fn stop(&self) -> Vec<Arc<Batch>> {
        self.reporter.stopping.trigger();
        let batches = self.batches.lock();
        self.queue.close();
        let all = batches.all();
        for bytes in all.iter().filter_map(|batch| batch.cancel()) {
            self.queue.release(bytes);
        }
        all
    }

    fn begin(&self, job: &Job) -> Option<Begun> {
        let batch = &job.batch;
        let _turn = batch.turn.lock();
        let item = batch.begin(job.index)?;
        self.queue.release(item.input.body.len());
        if item.first {
            self.reporter.starting(batch);
        }
        self.reporter.processing(batch, item.video(), 0);
        Some(item)
    }

    fn make(&self, batch: &Batch, item: &Begun) -> Outcome {
        let Input { format, body } = &item.input;
        let transcript = Transcript::parse(*format, body)?;
        let fingerprint = transcript.fingerprint();
        if let Some(content) = self.shelf.lock().same(fingerprint, EXTRACTIVE) {
            return Ok(Made { content, source: Source::Cache, fingerprint });
        }
        let sentences = Sentences::of(&transcript.cues);
        let mut last_report = self.clock.now();
        let mut watch = |percent| self.watch(batch, item, percent, &mut last_report);
        let summary = textrank::summarize(&sentences, self.limits.length, &mut watch)
            .map_err(|textrank::Stopped| Failure::Cancelled)?;
        Ok(Made { content: Arc::new(summary), source: Source::Generated, fingerprint })
    }

    /// Leaves off when the batch is cancelled, and tells now and then how far it is.
    fn watch(
        &self,
        batch: &Batch,
        item: &Begun,
        percent: u8,
        last_report: &mut Instant,
    ) -> ControlFlow<()> {
        if batch.is_cancelled() {
            return ControlFlow::Break(());
        }
        let now = self.clock.now();
        if now.duration_since(*last_report) >= self.limits.report_pause {
            *last_report = now;
            let _turn = batch.turn.lock();
            self.reporter.processing(batch, item.video(), percent);
        }
        ControlFlow::Continue(())
    }

    fn end(&self, job: &Job, item: &Begun, outcome: Outcome) {
        let batch = &job.batch;
        let turn = batch.turn.lock();
        match outcome {
            Ok(made) => self.keep(job, item, made),
            Err(Failure::Cancelled) => batch.end(job.index, ItemStatus::Cancelled, None),
            Err(failure) => {
                let error = failure.to_string();
                batch.end(job.index, ItemStatus::Failed, Some(error.clone()));
                self.reporter.failed(batch, item.video(), &error);
            }
        }
        drop(turn);
        self.close(batch);
    }

    fn keep(&self, job: &Job, item: &Begun, made: Made) {
        let batch = &job.batch;
        let summary = KeptSummary {
            id: item.id.clone(),
            session: batch.session.clone(),
            title: item.title.clone(),
            source: made.source,
            model_used: EXTRACTIVE,
            created_ms: self.clock.unix_ms(),
            content: made.content,
            fingerprint: made.fingerprint,
        };
        let gone = self.shelf.lock().add(summary.clone());
        batch.end(job.index, ItemStatus::Completed, None);
        self.reporter.complete(batch, &summary);
        self.reporter.kept(&summary);
        for dropped in gone {
            self.reporter.dropped(&dropped);
        }
    }

    /// Publishes a batch's last event if all of it is ended and nobody has yet.
    pub(super) fn close(&self, batch: &Batch) {
        if let Some(status) = batch.close() {
            // After what others are still telling.
            let _turn = batch.turn.lock();
            self.reporter.ended(batch, status);
        }
    }
}

impl Begun {
    fn video(&self) -> Video<'_> {
        Video { id: &self.id, title: &self.title }
    }
}
