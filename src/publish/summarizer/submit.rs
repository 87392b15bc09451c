//! How a request becomes a batch of jobs.
//!
//! A playlist is looked up before the answer: then its talks are known, the answer names them, and what is
//! wrong with the playlist is an answer too and not a batch that fails. It takes seconds, so only a few
//! are looked up at the same time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::json;

use super::Summarizer;
use super::library::{LibraryError, UploadId};
use super::request::{InvalidRequest, Plan, Sent, SummaryRequest};
use super::submission::{Item, Manner, Source, Submission, What};
use super::transcript::Format;
use super::videos::{Playlist, PlaylistRef, VideoError, VideoRef};
use super::view::ItemReport;
use super::workshop::Workshop;
use crate::event::topic::Identifier;
use crate::publish::batches::{MakeError, NewBatch, NewMember, Weight, Work};
use crate::publish::jobs::{CreateError, Jobs, fresh_id};
use crate::publish::queues::{AddError, NewTask, NewWork};

/// A request was taken; everything else comes as events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepted {
    /// Names the batch in events, and in [`Summarizer::batch`] and [`Summarizer::cancel`].
    pub batch_id: Identifier,
    /// How many items it has.
    pub total: usize,
    /// The items, in the order of the request.
    pub items: Vec<ItemReport>,
}

/// Why a request was not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The same request will never be taken; the error says what would be.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The playlist, or a video, cannot be had.
    #[error("{error}")]
    Video {
        /// What of the request it is about.
        field: String,
        /// Why.
        error: VideoError,
    },
    /// So many talks, or bytes of them, wait as may; later there will be room.
    #[error("too many talks are waiting to be summarized; try again later")]
    Full,
    /// So many playlists are being looked up as may.
    #[error("too many playlists are being looked up; try again in a moment")]
    TooManyLookups,
    /// The server is behind with writing.
    #[error("the server is behind with writing; try again in a moment")]
    Busy,
    /// The summaries' database does not work.
    #[error("the summaries' database: {0}")]
    Library(#[source] LibraryError),
    /// There is no such item, or it is not one that can be asked for again.
    #[error("only a video can be asked for again; send a transcript again instead")]
    NotAgain,
    /// An item has the id of another's.
    #[error("there is a job {0} already")]
    Exists(Identifier),
}

/// What our jobs are called.
pub(super) const JOB_NAME: &str = "summary";

/// Counts the playlists that are being looked up.
#[derive(Debug)]
pub(super) struct Lookups {
    running: AtomicUsize,
    at_most: usize,
}

impl Lookups {
    pub fn new(at_most: usize) -> Self {
        Self { running: AtomicUsize::new(0), at_most: at_most.max(1) }
    }

    fn begin(&self) -> Option<Lookup<'_>> {
        let lookup = Lookup(self);
        // Counted before it is judged: of two that come at the same time one sees the other.
        let running = self.running.fetch_add(1, Ordering::SeqCst);
        (running < self.at_most).then_some(lookup)
    }
}

struct Lookup<'a>(&'a Lookups);

impl Drop for Lookup<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Summarizer {
    /// Takes a request as a whole or not at all. Returns at once, unless it has a playlist.
    pub fn submit(
        &self,
        session: Identifier,
        request: SummaryRequest,
        is_unwanted: &dyn Fn() -> bool,
    ) -> Result<Accepted, SubmitError> {
        let workshop = &self.0.workshop;
        let plan = request.check(workshop)?;
        let playlist = match &plan.playlist {
            Some(playlist) => Some(self.look_up(playlist, is_unwanted)?),
            None => None,
        };
        let (drafts, title) = drafts(&plan, playlist);
        self.check_count(drafts.len())?;
        self.take(session, plan.manner, title, drafts, &plan.transcripts)
    }

    fn look_up(
        &self,
        playlist: &PlaylistRef,
        is_unwanted: &dyn Fn() -> bool,
    ) -> Result<Playlist, SubmitError> {
        let _lookup = self.0.lookups.begin().ok_or(SubmitError::TooManyLookups)?;
        let found = self.0.workshop.videos.playlist(playlist, is_unwanted);
        found.map_err(|error| SubmitError::Video { field: "playlist".into(), error })
    }

    /// Without a playlist, the count was judged before.
    fn check_count(&self, sent: usize) -> Result<(), InvalidRequest> {
        let max = self.0.workshop.limits.most_items();
        match sent {
            0 => Err(InvalidRequest::EmptyPlaylist),
            _ if sent > max => Err(InvalidRequest::TooMany { field: "playlist", sent, max }),
            _ => Ok(()),
        }
    }

    pub(super) fn take(
        &self,
        session: Identifier,
        manner: Manner,
        title: Option<String>,
        drafts: Vec<Draft>,
        sent: &[Sent],
    ) -> Result<Accepted, SubmitError> {
        let workshop = &self.0.workshop;
        let bodies: Vec<(Format, String)> =
            sent.iter().map(|sent| (sent.format, sent.body.clone())).collect();
        let uploads = workshop.library.put_uploads(&bodies).map_err(not_kept)?;
        let created_ms = workshop.clock.unix_ms();
        let items: Vec<_> = items(drafts, &uploads, created_ms);
        let queue = &self.0.queue;
        let jobs = items.iter().map(|item| member(item, &manner, queue.clone())).collect();
        let batch_id = fresh_id(created_ms);
        let what = What { created_ms, manner, items };
        let submission = Arc::new(Submission::new(batch_id.clone(), session, what));
        // Before its jobs: a worker may begin one at once.
        if let Err(taken) = workshop.submissions.add(submission.clone()) {
            return Err(SubmitError::Exists(taken));
        }
        let batch = NewBatch { id: Some(batch_id.clone()), title, jobs, request: None };
        if let Err(error) = self.0.batches.make(batch) {
            workshop.submissions.remove(&batch_id);
            for upload in &uploads {
                // Whatever is left of it is taken away at the next start.
                let _ = workshop.library.release_upload(upload);
            }
            return Err(not_made(&error));
        }
        let items: Vec<_> = submission.what.items.iter().map(ItemReport::queued).collect();
        Ok(Accepted { batch_id, total: items.len(), items })
    }
}

impl Workshop {
    /// At the start: what was sent along for jobs that have ended is of no use any more.
    pub(super) fn tidy_uploads(&self, jobs: &Jobs) {
        let is_open = |id: &Identifier| jobs.get(id).is_some_and(|job| !job.present.is_terminal());
        let submissions = self.submissions.open_ones();
        let uploads = submissions.iter().flat_map(|submission| submission.uploads());
        let wanted: Vec<UploadId> =
            uploads.filter(|(job, _)| is_open(job)).map(|(_, upload)| upload.clone()).collect();
        if let Err(error) = self.library.retain_uploads(&wanted) {
            log::warn!("what was sent for summaries that are made is not taken away: {error}");
        }
    }
}

/// A talk that is to be summarized: a video, or one that was sent along.
pub(super) struct Draft {
    /// The id that its job is to have; none: any.
    pub id: Option<Identifier>,
    pub title: String,
    pub playlist: Option<String>,
    pub video: Option<VideoRef>,
}

/// All that a request asks for, no video twice, and what to call it: videos, the playlist, and then what was
/// sent along.
fn drafts(plan: &Plan, playlist: Option<Playlist>) -> (Vec<Draft>, Option<String>) {
    let mut known = HashSet::new();
    let mut drafts = Vec::new();
    for video in &plan.videos {
        if known.insert(video.key().to_owned()) {
            let title = video.url().to_owned();
            drafts.push(Draft { id: None, title, playlist: None, video: Some(video.clone()) });
        }
    }
    let name = playlist.as_ref().map(|playlist| playlist.title.clone());
    for item in playlist.into_iter().flat_map(|playlist| playlist.items) {
        if known.insert(item.video.key().to_owned()) {
            let title = item.title.unwrap_or_else(|| item.video.url().to_owned());
            let (playlist, video) = (name.clone(), Some(item.video));
            drafts.push(Draft { id: None, title, playlist, video });
        }
    }
    let sent = plan.transcripts.iter();
    drafts.extend(sent.map(|sent| Draft {
        id: None,
        title: sent.title.clone(),
        playlist: None,
        video: None,
    }));
    (drafts, name)
}

/// The same as items; what has no video is what was sent along, in its order.
fn items(drafts: Vec<Draft>, uploads: &[UploadId], now_ms: u64) -> Vec<Item> {
    let mut uploads = uploads.iter();
    let item = |draft: Draft| {
        let source = match draft.video {
            Some(video) => Source::Video(video),
            None => Source::Upload(uploads.next()?.clone()),
        };
        let id = draft.id.unwrap_or_else(|| fresh_id(now_ms));
        Some(Item { id, title: draft.title, source, playlist: draft.playlist })
    };
    drafts.into_iter().filter_map(item).collect()
}

/// The job of an item. What it says is for people who look at jobs; how the item is made, the submission
/// knows.
fn member(item: &Item, manner: &Manner, queue: Identifier) -> NewMember {
    // Jobs are seen by everyone; what was sent along is its session's.
    let title = item.url().map(|_| &item.title);
    let data = json!({
        "title": title,
        "video": item.url(),
        "playlist": item.playlist,
        "model": manner.model,
        "language": manner.language,
    });
    let task = NewTask {
        id: Some(item.id.clone()),
        job_name: JOB_NAME.to_owned(),
        data: serde_json::value::to_raw_value(&data).ok().map(Arc::from),
        ..NewTask::default()
    };
    let work = NewWork::Task { queue, task };
    NewMember { weight: Weight::default(), work: Work::New(Box::new(work)) }
}

fn not_kept(error: LibraryError) -> SubmitError {
    match error {
        LibraryError::Full { .. } => SubmitError::Full,
        error @ LibraryError::Database(_) => SubmitError::Library(error),
    }
}

fn not_made(error: &MakeError) -> SubmitError {
    match error {
        MakeError::Add(AddError::Create(CreateError::Busy)) => SubmitError::Busy,
        // What else can be wrong with jobs that we have thought of ourselves is that there are too many.
        _ => SubmitError::Full,
    }
}
