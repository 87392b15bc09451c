//! Summaries of talks: takes transcripts, and tells the session that asked how far it is.
//!
//! A request becomes a batch of items. The items wait in one bounded queue; a few worker threads take
//! them in order, read the transcript, look for the same one among the kept summaries, and otherwise
//! summarize it. Each step is an event to the session that asked. Batches and summaries belong to that
//! session; to all others they are not there.
//!
//! Everything is kept in memory and gone after a restart.

// What one request became: its items and how far they are.
pub mod batch;

// What makes summaries.
pub mod engine;

// What may be asked for.
pub mod request;

// Cues to sentences.
pub mod sentences;

// The summaries that were made, within bounds.
pub mod shelf;

// What was said, and what is known about it besides.
pub mod talk;

// Sentences to a summary: the engine that needs no network.
pub mod textrank;

// What was said, and when: text, WebVTT and `SubRip` files as cues.
pub mod transcript;

mod queue;
mod report;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use parking_lot::Mutex;

use self::batch::{Batch, BatchReport, Batches, ItemReport};
use self::queue::{Job, Queue, Unqueued};
use self::report::{Outlet, Reporter};
use self::request::{InvalidRequest, SummaryRequest};
use self::shelf::{KeptSummary, Shelf};
use self::textrank::Length;
use self::worker::Workshop;
use super::Publisher;
use crate::clock::Clock;
use crate::event::topic::Identifier;

/// The engine that is built in: `TextRank` over the transcript's own sentences.
pub const EXTRACTIVE: &str = "extractive";

/// What the summarizer may use; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Threads that summarize; at least 1.
    pub workers: usize,
    /// Items that may wait in the queue; 0 is no limit.
    pub queue_items: usize,
    /// Bytes of transcripts that may wait in the queue; 0 is no limit.
    pub queue_bytes: usize,
    /// Transcripts in one request; 0 is no limit.
    pub max_transcripts: usize,
    /// The size of one transcript, in bytes; 0 is no limit. Automatic captions take about 600 KB an hour.
    pub max_transcript_bytes: usize,
    /// Items of ended batches that are remembered; the oldest batch is forgotten first. 0 is no limit.
    pub kept_items: usize,
    /// Summaries that are kept; the oldest is dropped first. 0 is no limit.
    pub kept_summaries: usize,
    /// Bytes of summaries that are kept; the newest always is. 0 is no limit.
    pub kept_summary_bytes: usize,
    /// How much of a talk becomes its summary.
    pub length: Length,
    /// The pause between two reports on an item that takes long; zero: as often as something moves.
    pub report_pause: Duration,
    /// How long a worker tries to publish what must not be lost (failures and ends) while the hub is
    /// busy; zero: it tries once.
    pub report_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 2,
            queue_items: 256,
            queue_bytes: 64 << 20,
            max_transcripts: 50,
            max_transcript_bytes: 4 << 20,
            kept_items: 10_000,
            kept_summaries: 1_000,
            kept_summary_bytes: 32 << 20,
            length: Length::default(),
            report_pause: Duration::from_secs(1),
            report_patience: Duration::from_secs(60),
        }
    }
}

/// A request was taken; everything else comes as events.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Accepted {
    /// Names the batch in events, and in [`Summarizer::batch`] and [`Summarizer::cancel`].
    pub batch_id: Identifier,
    /// How many items it has.
    pub total: usize,
    /// The items, in the order of the request.
    pub items: Vec<ItemReport>,
}

/// Why a request was not taken. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The same request will never be taken; the error says what would be.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The queue has no room for the whole request; later it will have.
    #[error(
        "{waiting} transcripts are waiting, there is no room for {asked} more; try again later"
    )]
    Full {
        /// How many items are waiting.
        waiting: usize,
        /// How many more were asked for.
        asked: usize,
    },
    /// The summarizer is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Why a batch was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// The session has no such batch, or it ended long ago.
    #[error("there is no such batch")]
    NotFound,
    /// It has ended by itself.
    #[error("the batch has already ended")]
    Ended,
}

/// Takes transcripts and summarizes them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Summarizer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    workshop: Arc<Workshop>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Disconnected when the last worker has ended.
    ended: Receiver<()>,
}

impl Summarizer {
    /// Starts the workers, which report to sessions through `publisher`. Fails when the system gives no
    /// thread.
    pub fn start(publisher: Publisher, limits: Limits, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::with_outlet(Box::new(move |event| publisher.publish(event).map(drop)), limits, clock)
    }

    fn with_outlet(outlet: Outlet, limits: Limits, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let workers = limits.workers.max(1);
        let workshop = Arc::new(Workshop {
            queue: Queue::new(limits.queue_items, limits.queue_bytes),
            batches: Mutex::new(Batches::new(limits.kept_items)),
            shelf: Mutex::new(Shelf::new(limits.kept_summaries, limits.kept_summary_bytes)),
            reporter: Reporter::new(outlet, clock.clone(), limits.report_patience),
            clock,
            limits,
        });
        let (working, ended) = crossbeam_channel::bounded(0);
        let summarizer = Self(Arc::new(Inner { workshop, threads: Mutex::default(), ended }));
        for number in 0..workers {
            let (workshop, working) = (summarizer.0.workshop.clone(), working.clone());
            let work = move || {
                workshop.work();
                drop(working);
            };
            let thread = std::thread::Builder::new().name(format!("summarizer-{number}"));
            summarizer.0.threads.lock().push(thread.spawn(work)?);
        }
        Ok(summarizer)
    }

    /// Takes a request as a whole or not at all. Returns at once.
    pub fn submit(
        &self,
        session: Identifier,
        request: SummaryRequest,
    ) -> Result<Accepted, SubmitError> {
        let workshop = &self.0.workshop;
        let drafts = request.check(&workshop.limits)?;
        let bytes = drafts.iter().map(|draft| draft.input.body.len()).sum();
        let batch = Arc::new(Batch::new(session, workshop.clock.unix_ms(), drafts));
        let accepted = batch.report();
        let jobs = (0..accepted.total).map(|index| Job { batch: batch.clone(), index }).collect();
        // One lock over both: whoever stops the summarizer sees every batch that was put in.
        let mut batches = workshop.batches.lock();
        workshop.queue.put_all(jobs, bytes).map_err(|unqueued| match unqueued {
            Unqueued::Full { waiting } => SubmitError::Full { waiting, asked: accepted.total },
            Unqueued::Closed => SubmitError::Stopping,
        })?;
        batches.add(batch);
        drop(batches);
        let BatchReport { id: batch_id, total, items, .. } = accepted;
        Ok(Accepted { batch_id, total, items })
    }

    /// Ends a batch: what waits is not begun, what is being made is left off. Cancelling again changes
    /// nothing.
    pub fn cancel(&self, session: &Identifier, batch: &str) -> Result<BatchReport, CancelError> {
        let found = self.0.workshop.batches.lock().find(session, batch);
        let batch = found.ok_or(CancelError::NotFound)?;
        if self.0.workshop.cancel(&batch) { Ok(batch.report()) } else { Err(CancelError::Ended) }
    }

    /// Items that no worker has taken yet.
    pub fn waiting_items(&self) -> usize {
        self.0.workshop.queue.waiting_items()
    }

    /// How far a batch of the session is.
    pub fn batch(&self, session: &Identifier, batch: &str) -> Option<BatchReport> {
        let found = self.0.workshop.batches.lock().find(session, batch);
        found.map(|batch| batch.report())
    }

    /// The session's summaries that are kept, newest first.
    pub fn summaries(&self, session: &Identifier) -> Vec<Arc<KeptSummary>> {
        self.0.workshop.shelf.lock().of_session(session)
    }

    /// One summary of the session, by its item's id.
    pub fn summary(&self, session: &Identifier, id: &str) -> Option<Arc<KeptSummary>> {
        self.0.workshop.shelf.lock().find(session, id)
    }

    /// Takes no more requests, cancels what is open and waits for the workers, at most this long; true
    /// if they have ended.
    pub fn stop(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let workshop = &self.0.workshop;
        for batch in workshop.stop() {
            // Every report may have to wait for a busy hub.
            if Instant::now() < deadline {
                workshop.close(&batch);
            }
        }
        // Nothing is ever sent: the channel only tells when all workers have let go of it.
        let ended = self.0.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected);
        if ended {
            for thread in self.0.threads.lock().drain(..) {
                // A panic has been reported where it happened; there is nothing to add.
                let _ = thread.join();
            }
        }
        ended
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.workshop.stop();
    }
}
