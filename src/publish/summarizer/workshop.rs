//! How one summary is made: look the video up, read its captions, look whether it was made before, and
//! otherwise have the engine make it; keep it.
//!
//! Who asks for what somebody else is just making waits for it, and then finds it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Limits;
use super::engine::{Engine, EngineError, Engines, Unwritten, Usage, Watch, Written};
use super::library::{Added, ContentKey, KnownVideo, Library, LibraryError, Made, NewSummary};
use super::stage::{Course, Stage};
use super::submission::{Manner, Part, Source};
use super::submissions::Submissions;
use super::talk::Talk;
use super::teller::News;
use super::transcript::{Fingerprint, Transcript};
use super::turns::{Turn, Turns};
use super::videos::{Video, VideoError, VideoRef, Videos};
use crate::clock::Clock;
use crate::event::topic::Identifier;
use crate::publish::queues::processor::{Desk, Failure};

/// What summaries are made with.
#[derive(Debug)]
pub(in crate::publish) struct Workshop {
    pub(super) library: Library,
    pub(super) engines: Engines,
    pub(super) videos: Videos,
    pub(super) submissions: Submissions,
    pub(super) news: Arc<News>,
    pub(super) turns: Turns,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
}

/// What is to be summarized, and what is known of it.
struct Heard {
    talk: Talk,
    transcript: Fingerprint,
    /// What the cache knows it by, besides its words.
    subject: String,
    video: Option<KnownVideo>,
}

impl Workshop {
    /// The engine of this name, or the default one.
    pub fn engine(&self, model: Option<&str>) -> Result<Arc<dyn Engine>, Failure> {
        self.engines.find(model).ok_or_else(|| {
            let asked = model.unwrap_or_default();
            let known = self.engines.models().join(", ");
            Failure::for_good(format!("There is no model {asked:?}; available: {known}."))
        })
    }

    /// The size of one transcript, in bytes; 0 is no limit.
    pub fn max_transcript_bytes(&self) -> usize {
        self.limits.max_transcript_bytes
    }

    /// Has an engine make a summary. What came to nothing is counted here; what comes with a summary is
    /// whoever keeps it to count.
    pub fn write(
        &self,
        engine: &dyn Engine,
        talk: &Talk,
        watch: &mut Watch<'_>,
    ) -> Result<Written, Failure> {
        engine.summarize(talk, watch).map_err(|Unwritten { error, usage }| {
            self.count(engine, usage);
            error.into()
        })
    }

    /// Counts what an engine took for something that is not kept.
    pub fn count(&self, engine: &dyn Engine, usage: Usage) {
        let model = engine.model();
        if let Err(error) = self.library.note_usage(model, usage) {
            log::warn!(model; "what a model took is not counted: {error}");
        }
    }

    /// Makes the summary that a job of a submission is for; none if the job is for something else.
    pub fn make(&self, job: &Identifier, desk: &dyn Desk) -> Option<Result<Value, Failure>> {
        let part = self.submissions.of_job(job)?;
        let is_video = matches!(part.item().source, Source::Video(_));
        let course = Course::new(desk, &*self.clock, self.limits.report_pause, is_video);
        Some(self.make_part(&part, &course))
    }

    fn make_part(&self, part: &Part, course: &Course<'_>) -> Result<Value, Failure> {
        let (item, manner) = (part.item(), &part.submission.what.manner);
        let engine = self.engine(manner.model.as_deref())?;
        let heard = match &item.source {
            Source::Video(video) => self.hear(video, manner, course)?,
            Source::Upload(_) => self.read(part, course)?,
        };
        course.enter(Stage::Cache, "Looking whether it was summarized before")?;
        let key = ContentKey {
            subject: heard.subject.clone(),
            model: engine.model().to_owned(),
            language: heard.talk.language.clone().unwrap_or_default(),
            transcript: heard.transcript,
        };
        let _turn = self.take_turn(format!("summary {key:?}"), course)?;
        let mut new = NewSummary {
            id: item.id.clone(),
            session: part.submission.session.clone(),
            // What has a public address is no secret.
            is_shared: heard.video.is_some(),
            is_refreshed: manner.refresh && heard.video.is_some(),
            title: heard.talk.title.clone(),
            playlist: item.playlist.clone(),
            video: heard.video.map(|known| known.video),
            language: heard.talk.language.clone(),
            key,
            made: Made::Found,
        };
        if !manner.refresh
            && self.library.content(&new.key)?.is_some()
            && let Some(added) = self.library.add(&new)?
        {
            return Ok(self.result(added));
        }
        course.enter(Stage::Summarize, "Summarizing")?;
        let mut watch = |percent| course.within(percent);
        let written = self.write(&*engine, &heard.talk, &mut watch)?;
        course.enter(Stage::Store, "Keeping the summary")?;
        new.made = Made::Written(written, heard.talk.transcript);
        let added = self.library.add(&new)?;
        added.map(|added| self.result(added)).ok_or_else(|| Failure::retryable("It was not kept."))
    }

    /// What is said in a video.
    fn hear(
        &self,
        video: &VideoRef,
        manner: &Manner,
        course: &Course<'_>,
    ) -> Result<Heard, Failure> {
        let wanted = manner.language.as_deref();
        course.enter(Stage::Lookup, "Looking the video up")?;
        let work = format!("video {} {}", video.key(), wanted.unwrap_or_default());
        let _turn = self.take_turn(work, course)?;
        if !manner.refresh
            && let Some(heard) = self.recall(video, wanted, course)?
        {
            return Ok(heard);
        }
        let is_cancelled = || course.is_cancelled();
        let found = self.videos.look_up(video, &is_cancelled)?;
        course.note(facts(&found.video, None));
        course.enter(Stage::Transcript, "Fetching the transcript")?;
        let captions = self.videos.captions(&found, wanted, &is_cancelled)?;
        let parsed = Transcript::parse(captions.format, &captions.body);
        let transcript = parsed.map_err(|e| Failure::for_good(format!("The captions: {e}.")))?;
        let known = KnownVideo {
            video: found.video,
            language: captions.language,
            is_automatic: captions.is_automatic,
            transcript: transcript.fingerprint(),
            fetched_ms: self.clock.unix_ms(),
        };
        if manner.refresh {
            // Nor is what was found with another wish for a language what is said now.
            self.library.forget_video(video.key())?;
        }
        let wanted = wanted.unwrap_or_default();
        self.library.put_video(video.key(), wanted, &known, &transcript)?;
        Ok(Heard::of_video(video, known, transcript, course))
    }

    /// What was said in a video, if that was asked not long ago.
    fn recall(
        &self,
        video: &VideoRef,
        wanted: Option<&str>,
        course: &Course<'_>,
    ) -> Result<Option<Heard>, Failure> {
        let Some(known) = self.library.video(video.key(), wanted.unwrap_or_default())? else {
            return Ok(None);
        };
        let transcript = self.library.transcript(known.transcript)?;
        Ok(transcript.map(|transcript| Heard::of_video(video, known, transcript, course)))
    }

    /// What was sent along.
    fn read(&self, part: &Part, course: &Course<'_>) -> Result<Heard, Failure> {
        let (item, manner, session) =
            (part.item(), &part.submission.what.manner, &part.submission.session);
        course.enter(Stage::Transcript, "Reading the transcript")?;
        let Source::Upload(upload) = &item.source else {
            return Err(Failure::for_good("There is no transcript."));
        };
        let sent = self.library.upload(upload)?;
        let lost = || Failure::for_good("The transcript is not here any more; send it again.");
        let (format, body) = sent.ok_or_else(lost)?;
        let transcript = Transcript::parse(format, &body);
        let transcript = transcript.map_err(|error| Failure::for_good(error.to_string()))?;
        // It is kept with its summary; what came to nothing is not.
        let fingerprint = transcript.fingerprint();
        let talk = Talk {
            title: item.title.clone(),
            language: manner.language.clone(),
            chapters: Vec::new(),
            transcript,
        };
        // What one session has sent is no other's business, not even that it was sent.
        let subject = format!("session:{session}");
        Ok(Heard { talk, transcript: fingerprint, subject, video: None })
    }

    fn take_turn(&self, work: String, course: &Course<'_>) -> Result<Turn<'_>, Failure> {
        if self.turns.is_taken(&work) {
            course.say("Waiting for another request for the same");
        }
        let turn = self.turns.take(work, || course.is_cancelled());
        turn.ok_or_else(|| Failure::retryable("It was left off."))
    }

    /// What a job is told that its summary was kept.
    fn result(&self, added: Added) -> Value {
        self.news.evicted(added.evicted);
        let summary = added.summary;
        // Jobs are seen by everyone; what was sent along is its session's.
        let title = Some(&summary.title).filter(|_| summary.is_shared);
        json!({
            "summary_id": summary.id,
            "title": title,
            "source": summary.source,
            "model_used": summary.model,
            "playlist": summary.playlist,
            "video_id": summary.video.as_ref().map(|video| &video.id),
            "url": summary.video.as_ref().map(|video| &video.url),
            "is_shared": summary.is_shared,
        })
    }
}

impl Heard {
    /// What is said in a video; those who watch are told what it is.
    fn of_video(
        video: &VideoRef,
        known: KnownVideo,
        transcript: Transcript,
        course: &Course<'_>,
    ) -> Self {
        let talk = Talk {
            title: known.video.title.clone(),
            language: Some(known.language.clone()).filter(|language| !language.is_empty()),
            chapters: known.video.chapters.clone(),
            transcript,
        };
        course.note(facts(&known.video, talk.language.as_deref()));
        let subject = video.key().to_owned();
        Self { talk, transcript: known.transcript, subject, video: Some(known) }
    }
}

/// What watchers are told of a video.
fn facts(video: &Video, language: Option<&str>) -> Value {
    json!({
        "title": video.title,
        "video_id": video.id,
        "url": video.url,
        "language": language,
    })
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Stopped => Self::retryable("It was left off."),
            EngineError::Failed { message, is_retryable, retry_after } => {
                Self::new(message, is_retryable).after(retry_after)
            }
        }
    }
}

impl From<VideoError> for Failure {
    fn from(error: VideoError) -> Self {
        Self::new(error.to_string(), error.is_retryable()).after(error.retry_after())
    }
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        Self::retryable(format!("The summaries' database: {error}."))
    }
}
