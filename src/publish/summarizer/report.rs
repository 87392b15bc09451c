//! What the session that asked is told: events in the form of its browser's page.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::library::KeptSummary;
use super::submission::Submission;
use crate::clock::Clock;
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::{JobStatus, JobUpdate, write_number};
use crate::event::time::iso;
use crate::event::topic::{Identifier, Topic};
use crate::event::{EventData, EventKey, EventName, NewEvent};
use crate::hub::Refused;
use crate::publish::PublishError;
use crate::shutdown::Shutdown;

/// Where events go.
pub(super) type Outlet = Box<dyn Fn(NewEvent) -> Result<(), PublishError> + Send + Sync>;

/// Tells sessions how far their batches are.
pub(super) struct Reporter {
    outlet: Outlet,
    clock: Arc<dyn Clock>,
    patience: Duration,
    /// Set when the server stops: then nothing is tried twice.
    pub(super) stopping: Shutdown,
    /// Between two tries to publish.
    retry_pause: Duration,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// The batch that a report is about, and how it is.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub submission: &'a Submission,
    pub batch: &'a BatchUpdate,
    /// Items whose end was told, this one's included.
    pub ended: usize,
}

/// The item that a report is about. (A video, in the words of the page.)
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Video<'a> {
    /// The video's own id, or the item's.
    pub id: &'a str,
    pub item_id: &'a Identifier,
    pub title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playlist: Option<&'a str>,
}

/// `summary_progress`.
#[derive(Debug, Serialize)]
// The field is called so in the pages.
#[allow(clippy::struct_field_names)]
struct Progress<'a> {
    status: &'static str,
    message: String,
    progress: usize,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_video: Option<Video<'a>>,
    batch_id: &'a Identifier,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    #[serde(serialize_with = "write_number")]
    percent: f64,
    eta_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_eta_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<usize>,
}

/// `summary_complete`.
#[derive(Debug, Serialize)]
struct Complete<'a> {
    video_id: &'a str,
    summary_id: &'a Identifier,
    title: &'a str,
    source: &'a str,
    model_used: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    playlist: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    batch_id: &'a Identifier,
}

/// `system`.
#[derive(Debug, Serialize)]
struct System<'a> {
    message: String,
    r#type: &'static str,
    timestamp: String,
    /// What happened to the cache: a page that shows the summary itself need not show this too.
    cache: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_id: Option<&'a Identifier>,
}

impl Reporter {
    pub(super) fn new(outlet: Outlet, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        let retry_pause = Duration::from_millis(50);
        Self { outlet, clock, patience, stopping: Shutdown::new(), retry_pause }
    }

    /// The first item of a batch has begun.
    pub(super) fn starting(&self, scene: Scene<'_>) {
        let message = match scene.batch.total {
            1 => "Starting: 1 talk".to_owned(),
            total => format!("Starting: {total} talks"),
        };
        self.progress(scene, "starting", message, |_| ());
    }

    /// An item is being made.
    pub(super) fn processing(
        &self,
        scene: Scene<'_>,
        video: Video<'_>,
        update: &JobUpdate,
        item_eta_seconds: Option<u64>,
    ) {
        let message = match &update.message {
            said if said.is_empty() || update.status == JobStatus::Processing => {
                format!("Processing: {}", video.title)
            }
            said => format!("{}: {said}", video.title),
        };
        self.progress(scene, "processing", message, |progress| {
            progress.current_video = Some(video);
            progress.stage = Some(update.stage.as_str()).filter(|stage| !stage.is_empty());
            progress.item_percent = Some(update.progress);
            progress.item_eta_seconds = item_eta_seconds;
        });
    }

    /// There will be no summary of an item.
    pub(super) fn failed(&self, scene: Scene<'_>, video: Video<'_>, error: &str) {
        let message = format!("Failed: {}: {error}", video.title);
        self.progress(scene, "failed", message, |progress| {
            progress.current_video = Some(video);
            progress.error = Some(error);
        });
    }

    /// All of a batch is ended.
    pub(super) fn ended(&self, scene: Scene<'_>) {
        let count = |status| scene.batch.counts.of(status);
        let (completed, failed) = (count(JobStatus::Completed), count(JobStatus::Failed));
        let (status, head) = match count(JobStatus::Cancelled) {
            0 => ("completed", "Completed"),
            _ => ("cancelled", "Cancelled"),
        };
        let total = scene.batch.total;
        let message = match failed {
            0 => format!("{head}: {completed} of {total} summarized"),
            _ => format!("{head}: {completed} of {total} summarized, {failed} failed"),
        };
        self.progress(scene, status, message, |progress| {
            progress.completed = Some(completed);
            progress.failed = Some(failed);
        });
    }

    /// A summary is there, by the id of the item that it was asked for with.
    pub(super) fn complete(
        &self,
        scene: Scene<'_>,
        item: &Identifier,
        summary: &KeptSummary,
        was_found: bool,
    ) {
        let session = Topic::session(scene.submission.session.clone());
        let (video, title) = (summary.video.as_ref(), &summary.title);
        let data = Complete {
            video_id: video.map_or(item.as_str(), |video| &video.id),
            summary_id: item,
            title,
            source: if was_found { "cache" } else { "generated" },
            model_used: &summary.model,
            playlist: summary.playlist.as_deref(),
            url: video.map(|video| video.url.as_str()),
            batch_id: &scene.submission.id,
        };
        self.send(session.clone(), "summary_complete", &data, None, true);
        let id = Some(item);
        if was_found {
            return self.system(session, "hit", format!("Found “{title}” in the cache"), id);
        }
        let message = format!("Stored the summary of “{title}”");
        self.system(audience(summary), "stored", message, id);
    }

    /// A summary of this was not in the cache.
    pub(super) fn missed(&self, session: &Identifier, title: &str) {
        let message = format!("“{title}” is not in the cache");
        self.system(Topic::session(session.clone()), "miss", message, None);
    }

    /// A summary had to make room for others.
    pub(super) fn evicted(&self, summary: &KeptSummary) {
        let message = format!("Dropped the summary of “{}” to make room", summary.title);
        self.system(audience(summary), "evicted", message, Some(&summary.id));
    }

    /// Somebody has deleted a summary.
    pub(super) fn removed(&self, summary: &KeptSummary) {
        let message = format!("Deleted the summary of “{}”", summary.title);
        self.system(audience(summary), "deleted", message, Some(&summary.id));
    }

    fn system(
        &self,
        topic: Topic,
        cache: &'static str,
        message: String,
        summary_id: Option<&Identifier>,
    ) {
        // Whose own summary is gone should know; of everyone's, nobody has to.
        let is_loss = cache == "evicted" && topic != Topic::events();
        let r#type = if is_loss { "warning" } else { "info" };
        let timestamp = iso(self.clock.unix_ms());
        let data = System { message, r#type, timestamp, cache, summary_id };
        self.send(topic, "system", &data, None, false);
    }

    fn progress<'a>(
        &self,
        Scene { submission, batch, ended }: Scene<'a>,
        status: &'static str,
        message: String,
        fill: impl FnOnce(&mut Progress<'a>),
    ) {
        let mut data = Progress {
            status,
            message,
            progress: ended,
            total: batch.total,
            current_video: None,
            batch_id: &batch.batch_id,
            stage: None,
            percent: (batch.progress * 10.0).round() / 10.0,
            eta_seconds: batch.eta_seconds,
            item_percent: None,
            item_eta_seconds: None,
            error: None,
            completed: None,
            failed: None,
        };
        fill(&mut data);
        // A newer word on an item replaces the older, except what must not be missed.
        let of_what = data.current_video.map_or(&batch.batch_id, |video| video.item_id);
        let key = EventKey::new(&format!("summary:{of_what}"));
        let terminal = !matches!(status, "starting" | "processing");
        let topic = Topic::session(submission.session.clone());
        self.send(topic, "summary_progress", &data, Some(key), terminal);
    }

    fn send(
        &self,
        topic: Topic,
        name: &str,
        data: &impl Serialize,
        key: Option<EventKey>,
        terminal: bool,
    ) {
        let event = EventData::encode(data, 0).and_then(|data| {
            let name = name.parse::<EventName>()?;
            Ok(NewEvent { key, terminal, ..NewEvent::new(topic, name, data) })
        });
        match event.map_err(PublishError::from).and_then(|event| self.publish(&event)) {
            Ok(()) | Err(PublishError::Refused(Refused::Stopping)) => {}
            // What is not terminal has a successor that says more.
            Err(error) if !terminal => log::debug!(event = name; "not published: {error}"),
            Err(error) => log::warn!(event = name; "not published: {error}"),
        }
    }

    /// Tries what must not be lost again while the hub is busy, as long as there is patience.
    fn publish(&self, event: &NewEvent) -> Result<(), PublishError> {
        let until = self.clock.now() + self.patience;
        let again = || {
            event.terminal && self.clock.now() < until && !self.stopping.wait_for(self.retry_pause)
        };
        loop {
            match (self.outlet)(event.clone()) {
                Err(PublishError::Refused(Refused::Busy)) if again() => {}
                outcome => return outcome,
            }
        }
    }
}

/// Who sees a summary.
fn audience(summary: &KeptSummary) -> Topic {
    if summary.is_shared { Topic::events() } else { Topic::session(summary.session.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use parking_lot::Mutex;

    /// How often an event is tried when the hub is busy `busy` times, with so many milliseconds passing
    /// at each try, and whether it was taken in the end.
    fn check(terminal: bool, busy: usize, ms_per_try: u64, expected: (usize, bool)) {
        let clock = Arc::new(ManualClock::at(0));
        let tries = Arc::new(Mutex::new((0, false)));
        let (seen, ticking) = (tries.clone(), clock.clone());
        let outlet: Outlet = Box::new(move |_| {
            ticking.advance(Duration::from_millis(ms_per_try));
            let mut seen = seen.lock();
            seen.0 += 1;
            seen.1 = seen.0 > busy;
            if seen.1 { Ok(()) } else { Err(Refused::Busy.into()) }
        });
        let mut reporter = Reporter::new(outlet, clock, Duration::from_secs(1));
        reporter.retry_pause = Duration::ZERO;
        reporter.send(Topic::session("me".parse().unwrap()), "system", &"x", None, terminal);
        assert_eq!(*tries.lock(), expected);
    }

    #[test]
    fn what_must_not_be_lost_is_tried_until_patience_ends() {
        check(true, 0, 100, (1, true));
        check(true, 5, 100, (6, true));
        check(true, 99, 100, (10, false));
    }

    #[test]
    fn what_has_a_successor_is_tried_once() {
        check(false, 1, 100, (1, false));
        check(false, 0, 100, (1, true));
    }

    #[test]
    fn nothing_is_tried_long_once_the_summarizer_stops() {
        let tries = Arc::new(Mutex::new(0));
        let seen = tries.clone();
        let outlet: Outlet = Box::new(move |_| {
            *seen.lock() += 1;
            Err(Refused::Busy.into())
        });
        let reporter = Reporter::new(outlet, Arc::new(ManualClock::at(0)), Duration::MAX / 4);
        reporter.stopping.trigger();
        reporter.send(Topic::session("me".parse().unwrap()), "system", &"x", None, true);
        assert_eq!(*tries.lock(), 1);
    }
}
