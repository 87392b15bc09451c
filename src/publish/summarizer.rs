//! Summaries of talks: takes videos, playlists and transcripts, and tells the session that asked how far it is.
//!
//! A request is a batch, each talk in it a job of the queue `summarize`. The queue's workers look the video up,
//! read its captions, and have an engine make the summary unless the library has it ([`workshop`]). What
//! watchers are told follows from what the jobs say of themselves ([`teller`]). Summaries, transcripts and what
//! they took are in a database of their own ([`library`]).

// What makes summaries.
pub mod engine;

// The summaries there are, and what they were made from.
pub mod library;

// What may be asked for.
pub mod request;

// Cues to sentences.
pub mod sentences;

// The steps of making a summary.
pub mod stage;

// What was said, and what is known about it besides.
pub mod talk;

// Sentences to a summary: the engine that needs no network.
pub mod textrank;

// What was said, and when: text, WebVTT and `SubRip` files as cues.
pub mod transcript;

// How far a request is.
pub mod view;

// Videos, playlists and their captions, through yt-dlp.
pub mod videos;

// Texts that are too long.
mod cut;

mod again;
mod limits;
mod report;
mod submission;
mod submissions;
mod submit;
mod teller;
#[cfg(test)]
mod tests;
mod turns;
mod workshop;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub use self::again::RetryJobError;
pub use self::limits::Limits;
pub use self::submit::{Accepted, SubmitError};
pub(in crate::publish) use self::workshop::Workshop;

use self::engine::Engines;
use self::library::{KeptSummary, Library, LibraryError, Page, Query, WholeSummary};
use self::report::{Outlet, Reporter};
use self::submission::Submission;
use self::submissions::Submissions;
use self::submit::Lookups;
use self::transcript::Transcript;
use self::turns::Turns;
use self::videos::Videos;
use self::view::BatchReport;
use super::Publisher;
use super::batches::{self, Batches};
use super::jobs::Jobs;
use crate::clock::Clock;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::store::records::Record;

/// The engine that is built in: `TextRank` over the transcript's own sentences.
pub const EXTRACTIVE: &str = "extractive";

/// The queue that makes summaries.
pub const QUEUE: &str = "summarize";

/// Why a batch was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// The session has no such batch, or it ended long ago.
    #[error("there is no such batch")]
    NotFound,
    /// It has ended by itself.
    #[error("the batch has already ended")]
    Ended,
    /// The disk is behind; it can be asked again.
    #[error("the server is behind with writing; try again in a moment")]
    Busy,
}

/// What summaries are made with: what the queue's workers need, before there are queues.
#[derive(Debug, Clone)]
pub struct Tools(Arc<Workshop>);

impl Tools {
    /// Brings together what makes summaries, and goes on with what an earlier process has left in `found`.
    pub fn new(
        library: Library,
        engines: Engines,
        videos: Videos,
        (jobs, found): (&Jobs, &[Record]),
        limits: &Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let records = jobs.records().clone();
        let workshop = Arc::new(Workshop {
            library,
            engines,
            videos,
            submissions: Submissions::open(records, found, limits.kept_items),
            news: Arc::default(),
            turns: Turns::default(),
            clock,
            limits: limits.clone(),
        });
        workshop.tidy_uploads(jobs);
        // Before the queue begins: what it does at once is heard as well.
        let listening = Arc::downgrade(&workshop);
        jobs.listen(Box::new(move |change| {
            if let Some(workshop) = listening.upgrade()
                && workshop.submissions.of_job(&change.shown.job_id).is_some()
            {
                workshop.news.changed(change.shown);
            }
        }));
        Self(workshop)
    }

    /// Tools that reach no video and keep nothing.
    #[cfg(test)]
    pub(in crate::publish) fn for_tests(length: textrank::Length, limits: &Limits) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::ManualClock::at(0));
        let library = Library::open(None, library::Limits::default(), clock.clone()).unwrap();
        let videos = Videos::off(clock.clone());
        Self::made_of(library, videos, length, limits, clock)
    }

    /// Tools that would ask for videos, if they were used.
    #[cfg(test)]
    fn with_videos(limits: &Limits, library: library::Limits) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::ManualClock::at(0));
        let library = Library::open(None, library, clock.clone()).unwrap();
        let surroundings = videos::Surroundings::default();
        let videos = Videos::new(videos::Limits::default(), surroundings, clock.clone());
        Self::made_of(library, videos, textrank::Length::default(), limits, clock)
    }

    #[cfg(test)]
    fn made_of(
        library: Library,
        videos: Videos,
        length: textrank::Length,
        limits: &Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let hub = crate::hub::Hub::start(crate::hub::Limits::default(), clock.clone()).unwrap();
        let publisher = Publisher::new(hub, None, &super::Limits::default(), clock.clone());
        let jobs = Jobs::in_memory(publisher, clock.clone()).unwrap();
        Self::new(library, Engines::built_in(length), videos, (&jobs, &[]), limits, clock)
    }

    pub(in crate::publish) fn workshop(&self) -> Arc<Workshop> {
        self.0.clone()
    }
}

/// Takes talks and has them summarized. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Summarizer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    workshop: Arc<Workshop>,
    batches: Batches,
    reporter: Arc<Reporter>,
    /// The name of [`QUEUE`].
    queue: Identifier,
    lookups: Lookups,
    /// Held while a job is tried again.
    retries: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Summarizer {
    /// Starts to tell sessions of their summaries, through `publisher`. The queue that makes them has been
    /// started with the same tools. Fails when the system gives no thread.
    pub fn start(tools: &Tools, batches: Batches, publisher: Publisher) -> io::Result<Self> {
        let outlet = Box::new(move |event| publisher.publish(event).map(drop));
        Self::with_outlet(tools, batches, outlet)
    }

    fn with_outlet(tools: &Tools, batches: Batches, outlet: Outlet) -> io::Result<Self> {
        let workshop = tools.workshop();
        let (clock, patience) = (workshop.clock.clone(), workshop.limits.report_patience);
        let lookups = Lookups::new(workshop.limits.lookups);
        let reporter = Arc::new(Reporter::new(outlet, clock, patience));
        let thread = teller::start(workshop.clone(), batches.clone(), reporter.clone())?;
        Ok(Self(Arc::new(Inner {
            workshop,
            batches,
            reporter,
            queue: QUEUE.parse().map_err(io::Error::other)?,
            lookups,
            retries: Mutex::default(),
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// The models that summaries can be made by, the default one first.
    pub fn models(&self) -> Vec<String> {
        self.0.workshop.engines.models().into_iter().map(str::to_owned).collect()
    }

    /// What may be asked for.
    pub fn limits(&self) -> &Limits {
        &self.0.workshop.limits
    }

    /// Where videos come from.
    pub fn videos(&self) -> &Videos {
        &self.0.workshop.videos
    }

    /// The summaries there are.
    pub fn library(&self) -> &Library {
        &self.0.workshop.library
    }

    /// Ends a batch: what waits is not begun, what is being made is left off. Cancelling again changes
    /// nothing.
    pub fn cancel(&self, session: &Identifier, batch: &str) -> Result<BatchReport, CancelError> {
        let submission = self.submission(session, batch).ok_or(CancelError::NotFound)?;
        let present = self.0.batches.get(&submission.id).ok_or(CancelError::NotFound)?;
        if present.is_terminal() && present.counts.of(JobStatus::Cancelled) == 0 {
            return Err(CancelError::Ended);
        }
        self.0.batches.cancel(&submission.id).map_err(|error| match error {
            batches::CancelError::Unknown => CancelError::NotFound,
            batches::CancelError::Busy => CancelError::Busy,
        })?;
        self.report(&submission).ok_or(CancelError::NotFound)
    }

    /// How far a batch of the session is.
    pub fn batch(&self, session: &Identifier, batch: &str) -> Option<BatchReport> {
        self.report(&*self.submission(session, batch)?)
    }

    /// The session's batches, newest first, so many at most.
    pub fn batches(&self, session: &Identifier, at_most: usize) -> Vec<BatchReport> {
        let submissions = self.0.workshop.submissions.of_session(session, at_most);
        submissions.iter().filter_map(|submission| self.report(submission)).collect()
    }

    fn submission(&self, session: &Identifier, batch: &str) -> Option<Arc<Submission>> {
        self.0.workshop.submissions.find(session, &batch.parse().ok()?)
    }

    fn report(&self, submission: &Submission) -> Option<BatchReport> {
        let update = self.0.batches.get(&submission.id)?;
        let parts = self.0.batches.parts(&submission.id, None, usize::MAX, |_| true);
        let (parts, _) = parts.ok()?;
        let now_ms = self.0.workshop.clock.unix_ms();
        Some(BatchReport::of(submission, &update, &parts, now_ms))
    }

    /// What of the library the session may see and asks for.
    pub fn summaries(&self, session: &Identifier, query: &Query) -> Result<Page, LibraryError> {
        let page = self.0.workshop.library.list(session, query);
        self.tell_aged();
        page
    }

    /// One summary that the session may see.
    pub fn summary(
        &self,
        session: &Identifier,
        id: &str,
    ) -> Result<Option<WholeSummary>, LibraryError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        let found = self.0.workshop.library.find(session, &id);
        self.tell_aged();
        found
    }

    /// Tells those who see them of summaries that were too old when somebody looked.
    fn tell_aged(&self) {
        let workshop = &self.0.workshop;
        workshop.news.evicted(workshop.library.take_aged());
    }

    /// What a summary was made from.
    pub fn transcript(&self, summary: &WholeSummary) -> Result<Option<Transcript>, LibraryError> {
        self.0.workshop.library.transcript(summary.transcript)
    }

    /// Takes a summary away, and tells those who see it.
    pub fn remove(
        &self,
        session: &Identifier,
        id: &str,
    ) -> Result<Option<KeptSummary>, LibraryError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        let removed = self.0.workshop.library.remove(session, &id)?;
        if let Some(summary) = &removed {
            self.0.workshop.news.removed(summary.clone());
        }
        Ok(removed)
    }

    /// Tells what there still is to tell, and waits for that at most this long; true if all was told. What is
    /// under way is left off by the queues, and begins again after the next start.
    pub fn stop(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        self.0.reporter.stopping.trigger();
        self.0.workshop.news.close();
        let Some(thread) = self.0.thread.lock().take() else { return true };
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A panic was reported where it happened.
        let _ = thread.join();
        true
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.workshop.news.close();
    }
}
