//! Tells sessions how far their summaries are: hears of every change of their jobs, and makes events of it.
//!
//! Jobs tell their changes on the thread that writes records, which must not wait; publishing what must not
//! be lost waits for the disk. So what has changed lies here until a thread of our own tells it: of each job
//! only the latest, so that it is never more than there are jobs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde::Deserialize;

use super::library::KeptSummary;
use super::report::{Reporter, Scene, Video};
use super::submission::{Part, Source, Submission};
use super::workshop::Workshop;
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;
use crate::publish::batches::{self, Batches};

/// What waits to be told.
#[derive(Debug, Default)]
pub(super) struct News {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    words: VecDeque<Word>,
    /// The latest of each job that is among the words.
    updates: HashMap<Identifier, JobUpdate>,
    is_closed: bool,
}

#[derive(Debug)]
enum Word {
    /// A job has changed.
    Job(Identifier),
    /// Much may have happened to a request of an earlier process while nobody was there to tell it.
    Resumed(Arc<Submission>),
    /// A summary had to make room for others.
    Evicted(KeptSummary),
    /// Somebody has deleted a summary.
    Removed(KeptSummary),
}

/// What is to be told next.
enum Next {
    Changed(JobUpdate),
    Other(Word),
}

impl News {
    /// A job has changed.
    pub fn changed(&self, update: &JobUpdate) {
        let mut waiting = self.waiting.lock();
        let known = waiting.updates.insert(update.job_id.clone(), update.clone());
        if known.is_none() {
            waiting.words.push_back(Word::Job(update.job_id.clone()));
        }
        self.changed.notify_one();
    }

    /// Summaries had to make room for others.
    pub fn evicted(&self, summaries: Vec<KeptSummary>) {
        for summary in summaries {
            self.put(Word::Evicted(summary));
        }
    }

    /// Somebody has deleted a summary.
    pub fn removed(&self, summary: KeptSummary) {
        self.put(Word::Removed(summary));
    }

    fn put(&self, word: Word) {
        self.waiting.lock().words.push_back(word);
        self.changed.notify_one();
    }

    /// Lets the thread end when it has told everything.
    pub fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Whether a change of this job waits.
    fn has(&self, job: &Identifier) -> bool {
        self.waiting.lock().updates.contains_key(job)
    }

    /// Waits for what is to be told; none when there is nothing any more.
    fn take(&self) -> Option<Next> {
        let mut waiting = self.waiting.lock();
        loop {
            match waiting.words.pop_front() {
                Some(Word::Job(id)) => {
                    if let Some(update) = waiting.updates.remove(&id) {
                        return Some(Next::Changed(update));
                    }
                }
                Some(word) => return Some(Next::Other(word)),
                None if waiting.is_closed => return None,
                None => self.changed.wait(&mut waiting),
            }
        }
    }
}

/// Starts the thread that tells. It ends when the news are closed and told.
pub(super) fn start(
    workshop: Arc<Workshop>,
    batches: Batches,
    reporter: Arc<Reporter>,
) -> io::Result<JoinHandle<()>> {
    for submission in workshop.submissions.open_ones() {
        workshop.news.put(Word::Resumed(submission));
    }
    let mut teller = Teller { workshop, batches, reporter, told: HashMap::new() };
    let tell = move || {
        while let Some(next) = teller.workshop.news.take() {
            teller.tell(next);
        }
    };
    std::thread::Builder::new().name("summaries".into()).spawn(tell)
}

struct Teller {
    workshop: Arc<Workshop>,
    batches: Batches,
    reporter: Arc<Reporter>,
    /// Of each batch that is under way.
    told: HashMap<Identifier, Told>,
}

/// What a session was told of a batch.
struct Told {
    /// That it has begun.
    has_begun: bool,
    /// Items whose end was not told; when there are none, the batch's own end is.
    open: HashSet<usize>,
    items: HashMap<usize, ToldItem>,
}

/// What it was told of an item.
struct ToldItem {
    attempt: u32,
    stage: String,
    /// When its attempt began, in milliseconds since 1970.
    began_ms: u64,
    told_ms: u64,
    /// That it was not found in the cache.
    has_missed: bool,
}

/// What came of a job, in its own words: anyone may report on a job, so that only what the library does not
/// know is taken from here.
#[derive(Debug, Default, Deserialize)]
struct Outcome {
    #[serde(default)]
    source: String,
}

/// What a job says of its talk while it is under way.
#[derive(Debug, Default, Deserialize)]
struct Facts {
    title: Option<String>,
    video_id: Option<String>,
}

impl Teller {
    fn tell(&mut self, next: Next) {
        match next {
            Next::Changed(update) => {
                if let Some(part) = self.workshop.submissions.of_job(&update.job_id) {
                    self.tell_change(&part, &update);
                }
            }
            Next::Other(Word::Resumed(submission)) => self.resume(&submission),
            Next::Other(Word::Evicted(summary)) => self.reporter.evicted(&summary),
            Next::Other(Word::Removed(summary)) => self.reporter.removed(&summary),
            Next::Other(Word::Job(_)) => {}
        }
    }

    fn tell_change(&mut self, part: &Part, update: &JobUpdate) {
        // Nobody has begun it.
        if update.status == JobStatus::Pending && update.attempt == 1 {
            return;
        }
        let Some(batch) = self.batch(&part.submission) else { return };
        let facts = update.data.as_ref().map(|data| serde_json::from_str(data.get()));
        let facts: Facts = facts.and_then(Result::ok).unwrap_or_default();
        let item = part.item();
        let video = Video {
            id: facts.video_id.as_deref().unwrap_or(item.id.as_str()),
            item_id: &item.id,
            title: facts.title.as_deref().unwrap_or(&item.title),
            playlist: item.playlist.as_deref(),
        };
        let told = self.told.entry(part.submission.id.clone());
        let told = told.or_insert_with(|| Told::nothing(&part.submission));
        let scene = |told: &Told| Scene {
            submission: &part.submission,
            batch: &batch,
            ended: batch.total.saturating_sub(told.open.len()),
        };
        if !std::mem::replace(&mut told.has_begun, true) {
            self.reporter.starting(scene(told));
        }
        if update.is_terminal() {
            told.open.remove(&part.index);
        }
        let scene = scene(told);
        match update.status {
            JobStatus::Completed => self.tell_result(part, scene, video, update),
            JobStatus::Failed if update.is_terminal() => {
                let error = update.error.as_deref().unwrap_or("It failed.");
                self.reporter.failed(scene, video, error);
            }
            JobStatus::Cancelled => {}
            // The next attempt says more.
            JobStatus::Failed => return,
            JobStatus::Pending | JobStatus::Processing => {
                return self.tell_progress(part, scene, video, update);
            }
        }
        self.let_go(part);
        self.tell_end(&part.submission);
    }

    /// The batch, which may just be being made: a worker may have begun its first job already.
    fn batch(&self, submission: &Submission) -> Option<BatchUpdate> {
        for _ in 0..BATCH_PATIENCE_MS {
            let batch = self.batches.get(&submission.id);
            // It is forgotten if its batch cannot be made.
            if batch.is_some() || !self.workshop.submissions.has(&submission.id) {
                return batch;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        log::warn!(batch:% = submission.id; "a batch of summaries is not there, and not told of");
        self.workshop.submissions.remove(&submission.id);
        None
    }

    fn tell_progress(
        &mut self,
        part: &Part,
        scene: Scene<'_>,
        video: Video<'_>,
        update: &JobUpdate,
    ) {
        let now_ms = self.workshop.clock.unix_ms();
        let Some(told) = self.told.get_mut(&part.submission.id) else { return };
        let item = told.items.entry(part.index).or_insert_with(|| ToldItem::new(now_ms));
        if item.attempt != update.attempt {
            *item = ToldItem { attempt: update.attempt, ..ToldItem::new(now_ms) };
        }
        let is_due = now_ms.saturating_sub(item.told_ms)
            >= self.workshop.limits.report_pause.as_millis() as u64;
        if item.stage == update.stage && !is_due {
            return;
        }
        item.stage.clone_from(&update.stage);
        item.told_ms = now_ms;
        let eta = eta_seconds(item.began_ms, now_ms, update.progress);
        if update.stage == "summarize" && !std::mem::replace(&mut item.has_missed, true) {
            // Made anew, it is not looked for.
            if !part.submission.what.manner.refresh {
                self.reporter.missed(&part.submission.session, video.title);
            }
        }
        self.reporter.processing(scene, video, update, eta);
    }

    fn tell_result(&self, part: &Part, scene: Scene<'_>, video: Video<'_>, update: &JobUpdate) {
        let session = &part.submission.session;
        let kept = match self.workshop.library.find(session, &part.item().id) {
            Ok(Some(found)) => found.kept,
            Ok(None) => return self.reporter.failed(scene, video, "There is no summary of it."),
            Err(error) => {
                log::warn!(job:% = update.job_id; "a summary cannot be read: {error}");
                return self.reporter.failed(scene, video, "Its summary cannot be read now.");
            }
        };
        let result = update.result.as_ref().map(|result| serde_json::from_str(result.get()));
        let outcome: Outcome = result.and_then(Result::ok).unwrap_or_default();
        let told = self.told.get(&part.submission.id).and_then(|told| told.items.get(&part.index));
        let was_found = outcome.source == "cache";
        let was_looked_for = !part.submission.what.manner.refresh;
        if was_looked_for && !was_found && !told.is_some_and(|item| item.has_missed) {
            self.reporter.missed(session, &kept.title);
        }
        self.reporter.complete(scene, &part.item().id, &kept, was_found);
    }

    /// What was sent along for an item that has ended is of no use any more.
    fn let_go(&self, part: &Part) {
        if let Source::Upload(upload) = &part.item().source
            && let Err(error) = self.workshop.library.release_upload(upload)
        {
            log::warn!("what was sent for a summary is not taken away: {error}");
        }
    }

    /// Goes on with a request of an earlier process, whose items may have ended there.
    fn resume(&mut self, submission: &Submission) {
        let Ok((parts, _)) = self.batches.parts(&submission.id, None, usize::MAX, |_| true) else {
            // The process ended before its batch was made.
            return self.workshop.submissions.remove(&submission.id);
        };
        let mut told = Told::nothing(submission);
        told.open.retain(|index| {
            let item = &submission.what.items[*index];
            // What has ended in this process is still to be told.
            let has_ended = parts.get(*index).is_none_or(batches::Part::has_ended);
            !has_ended || self.workshop.news.has(&item.id)
        });
        self.told.insert(submission.id.clone(), told);
        self.tell_end(submission);
    }

    /// Tells that a batch has ended, once, and after the ends of all its items.
    fn tell_end(&mut self, submission: &Submission) {
        let is_told = self.told.get(&submission.id).is_some_and(|told| told.open.is_empty());
        if !is_told || submission.is_closed() {
            return;
        }
        if let Some(batch) = self.ended_batch(submission) {
            self.reporter.ended(Scene { submission, batch: &batch, ended: batch.total });
            self.workshop.submissions.close(submission);
            self.told.remove(&submission.id);
        }
    }

    /// The batch, which hears of the end of its last job a moment after us.
    fn ended_batch(&self, submission: &Submission) -> Option<BatchUpdate> {
        for _ in 0..BATCH_PATIENCE_MS {
            let batch = self.batches.get(&submission.id)?;
            if batch.is_terminal() {
                return Some(batch);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        log::warn!(batch:% = submission.id; "a batch of summaries does not end with its jobs");
        None
    }
}

impl Told {
    fn nothing(submission: &Submission) -> Self {
        let open = (0..submission.what.items.len()).collect();
        Self { has_begun: false, open, items: HashMap::new() }
    }
}

impl ToldItem {
    fn new(now_ms: u64) -> Self {
        Self { attempt: 1, stage: String::new(), began_ms: now_ms, told_ms: 0, has_missed: false }
    }
}

/// How long it may take to make a batch of which a job has begun.
const BATCH_PATIENCE_MS: usize = 5_000;

/// A job says less than this of itself by chance.
const LEAST_PROGRESS: f64 = 5.0;

/// How long an item will take, if it goes on as it did so far; none if that says too little.
pub(super) fn eta_seconds(began_ms: u64, now_ms: u64, progress: f64) -> Option<u64> {
    let passed = Duration::from_millis(now_ms.saturating_sub(began_ms)).as_secs_f64();
    let says_something = progress >= LEAST_PROGRESS && passed >= 1.0;
    // Seconds that are left are never less than none.
    #[expect(clippy::cast_sign_loss)]
    says_something.then(|| (passed * (100.0 - progress) / progress).ceil() as u64)
}
