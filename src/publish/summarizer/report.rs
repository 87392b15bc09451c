//! What the session that asked is told: events in the form of its browser's page.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::batch::{Batch, BatchStatus, Counts};
use super::shelf::{KeptSummary, Source};
use crate::clock::Clock;
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
    /// Set when the summarizer stops: then nothing is tried twice.
    pub(super) stopping: Shutdown,
    /// Between two tries to publish.
    retry_pause: Duration,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("patience", &self.patience).finish_non_exhaustive()
    }
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
    item_percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<usize>,
}

/// The item that a report is about. (A video, in the words of the page.)
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Video<'a> {
    pub(super) id: &'a Identifier,
    pub(super) title: &'a str,
}

/// `summary_complete`.
#[derive(Debug, Serialize)]
struct Complete<'a> {
    video_id: &'a Identifier,
    title: &'a str,
    source: Source,
    model_used: &'a str,
    batch_id: &'a Identifier,
}

/// `system`.
#[derive(Debug, Serialize)]
struct System {
    message: String,
    r#type: &'static str,
    /// What happened to the cache: a page that shows the summary itself need not show this too.
    cache: &'static str,
    timestamp: String,
}

impl Reporter {
    pub(super) fn new(outlet: Outlet, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        let retry_pause = Duration::from_millis(50);
        Self { outlet, clock, patience, stopping: Shutdown::new(), retry_pause }
    }

    /// The first item of a batch is about to be begun.
    pub(super) fn starting(&self, batch: &Batch) {
        let total = batch.counts().total;
        let message = match total {
            1 => "Starting: 1 transcript".to_owned(),
            _ => format!("Starting: {total} transcripts"),
        };
        self.progress(batch, "starting", message, |_| ());
    }

    /// An item is being made; `percent` of it is done.
    pub(super) fn processing(&self, batch: &Batch, video: Video<'_>, percent: u8) {
        let message = format!("Processing: {}", video.title);
        self.progress(batch, "processing", message, |progress| {
            progress.current_video = Some(video);
            progress.item_percent = Some(percent);
        });
    }

    /// There will be no summary of an item.
    pub(super) fn failed(&self, batch: &Batch, video: Video<'_>, error: &str) {
        let message = format!("Failed: {}: {error}", video.title);
        self.progress(batch, "failed", message, |progress| {
            progress.current_video = Some(video);
            progress.error = Some(error);
        });
    }

    /// All of a batch is ended.
    pub(super) fn ended(&self, batch: &Batch, status: BatchStatus) {
        let Counts { total, completed, failed, .. } = batch.counts();
        let (status, head) = match status {
            BatchStatus::Cancelled => ("cancelled", "Cancelled"),
            _ => ("completed", "Completed"),
        };
        let message = match failed {
            0 => format!("{head}: {completed} of {total} summarized"),
            _ => format!("{head}: {completed} of {total} summarized, {failed} failed"),
        };
        self.progress(batch, status, message, |progress| {
            progress.completed = Some(completed);
            progress.failed = Some(failed);
        });
    }

    /// A summary is there.
    pub(super) fn complete(&self, batch: &Batch, summary: &KeptSummary) {
        let data = Complete {
            video_id: &summary.id,
            title: &summary.title,
            source: summary.source,
            model_used: summary.model_used,
            batch_id: &batch.id,
        };
        self.send(&summary.session, "summary_complete", &data, None, true);
    }

    /// A summary was put on the shelf.
    pub(super) fn kept(&self, summary: &KeptSummary) {
        let (cache, message) = match summary.source {
            Source::Generated => ("stored", format!("Stored the summary of “{}”", summary.title)),
            Source::Cache => ("found", format!("Found “{}” in the cache", summary.title)),
        };
        self.system(&summary.session, "info", cache, message);
    }

    /// A summary had to leave the shelf.
    pub(super) fn dropped(&self, summary: &KeptSummary) {
        let message = format!("Dropped the summary of “{}” to make room", summary.title);
        self.system(&summary.session, "warning", "dropped", message);
    }

    fn system(
        &self,
        session: &Identifier,
        r#type: &'static str,
        cache: &'static str,
        message: String,
    ) {
        let timestamp = iso_time(self.clock.unix_ms());
        let data = System { message, r#type, cache, timestamp };
        self.send(session, "system", &data, None, false);
    }

    fn progress<'a>(
        &self,
        batch: &'a Batch,
        status: &'static str,
        message: String,
        fill: impl FnOnce(&mut Progress<'a>),
    ) {
        let Counts { ended, total, .. } = batch.counts();
        let mut data = Progress {
            status,
            message,
            progress: ended,
            total,
            current_video: None,
            batch_id: &batch.id,
            item_percent: None,
            error: None,
            completed: None,
            failed: None,
        };
        fill(&mut data);
        // A newer word on a batch replaces the older, except what must not be missed.
        let key = EventKey::new(&format!("summary:{}", batch.id));
        let terminal = !matches!(status, "starting" | "processing");
        self.send(&batch.session, "summary_progress", &data, Some(key), terminal);
    }

    fn send(
        &self,
        session: &Identifier,
        name: &str,
        data: &impl Serialize,
        key: Option<EventKey>,
        terminal: bool,
    ) {
        let event = EventData::encode(data, 0).and_then(|data| {
            let name = name.parse::<EventName>()?;
            let event = NewEvent::new(Topic::session(session.clone()), name, data);
            Ok(NewEvent { key, terminal, ..event })
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

/// `2024-01-15T10:30:00Z`; to the second, which is enough for people.
fn iso_time(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(0);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
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
        reporter.send(&"me".parse().unwrap(), "system", &"x", None, terminal);
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
        reporter.send(&"me".parse().unwrap(), "system", &"x", None, true);
        assert_eq!(*tries.lock(), 1);
    }

    #[test]
    fn times_are_written_as_iso_8601() {
        assert_eq!(iso_time(1_705_314_600_123), "2024-01-15T10:30:00Z");
        assert_eq!(iso_time(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
