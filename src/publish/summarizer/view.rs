//! How a request's summaries are at one moment, as its session may see it: what was asked for, and what its
//! jobs say of themselves.

use serde::Serialize;

use super::submission::{Item, Submission};
use super::teller::eta_seconds;
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::{JobStatus, write_number};
use crate::event::topic::Identifier;
use crate::publish::batches;
use crate::publish::jobs::Job;

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemStatus {
    /// It waits for a worker, or for another attempt.
    Queued,
    /// A worker has it.
    Processing,
    /// Its summary is there.
    Completed,
    /// There will be no summary; its error says why.
    Failed,
    /// There will be no summary; it was not wanted any more.
    Cancelled,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatus {
    /// No item was begun.
    Queued,
    /// Some items are not ended.
    Processing,
    /// All items are ended, some may have failed.
    Completed,
    /// All items are ended, some because the batch was cancelled.
    Cancelled,
}

/// An item as its session may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemReport {
    /// Names the item, and its summary once there is one.
    pub id: Identifier,
    /// What to call it.
    pub title: String,
    /// How far it is.
    pub status: ItemStatus,
    /// The video's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The playlist that it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playlist: Option<String>,
    /// The step it is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// From 0 to 100, while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// How long it will take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A batch as its session may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchReport {
    /// Names the batch.
    #[serde(rename = "batch_id")]
    pub id: Identifier,
    /// What it is called: the playlist's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How far it is.
    pub status: BatchStatus,
    /// When it was asked for: milliseconds since 1970-01-01 UTC.
    #[serde(skip)]
    pub created_ms: u64,
    /// How many items are ended, in whatever way.
    pub progress: usize,
    /// How many items there are.
    pub total: usize,
    /// How many have their summary.
    pub completed: usize,
    /// How many failed.
    pub failed: usize,
    /// How much of the work is over, from 0 to 100.
    #[serde(serialize_with = "write_number")]
    pub percent: f64,
    /// How long the rest will take; none if that cannot be said.
    pub eta_seconds: Option<u64>,
    /// The items, in the order of the request.
    pub items: Vec<ItemReport>,
}

impl BatchReport {
    pub(super) fn of(
        submission: &Submission,
        update: &BatchUpdate,
        parts: &[batches::Part],
        now_ms: u64,
    ) -> Self {
        let items = submission.what.items.iter().zip(parts);
        Self {
            id: submission.id.clone(),
            title: update.title.as_deref().map(str::to_owned),
            status: BatchStatus::of(update),
            created_ms: submission.what.created_ms,
            progress: update.ended,
            total: update.total,
            completed: update.counts.of(JobStatus::Completed),
            failed: update.counts.of(JobStatus::Failed),
            percent: update.progress,
            eta_seconds: update.eta_seconds,
            items: items.map(|(item, part)| ItemReport::of(item, part, now_ms)).collect(),
        }
    }
}

impl BatchStatus {
    pub(super) fn of(update: &BatchUpdate) -> Self {
        if !update.is_terminal() {
            let is_begun = update.status != JobStatus::Pending;
            return if is_begun { Self::Processing } else { Self::Queued };
        }
        match update.counts.of(JobStatus::Cancelled) {
            0 => Self::Completed,
            _ => Self::Cancelled,
        }
    }
}

impl ItemReport {
    /// An item that nobody has begun.
    pub(super) fn queued(item: &Item) -> Self {
        Self {
            id: item.id.clone(),
            title: item.title.clone(),
            status: ItemStatus::Queued,
            url: item.url().map(str::to_owned),
            playlist: item.playlist.clone(),
            stage: None,
            percent: None,
            eta_seconds: None,
            error: None,
        }
    }

    fn of(item: &Item, part: &batches::Part, now_ms: u64) -> Self {
        let status = match part.status {
            JobStatus::Pending => ItemStatus::Queued,
            JobStatus::Processing => ItemStatus::Processing,
            JobStatus::Completed => ItemStatus::Completed,
            JobStatus::Failed if !part.has_ended() => ItemStatus::Queued,
            JobStatus::Failed => ItemStatus::Failed,
            JobStatus::Cancelled => ItemStatus::Cancelled,
        };
        let mut report = Self { status, ..Self::queued(item) };
        let Some(job) = &part.job else { return report };
        let present = &job.present;
        report.title = title(job).unwrap_or(report.title);
        if matches!(status, ItemStatus::Queued | ItemStatus::Processing) {
            report.stage = Some(present.stage.clone()).filter(|stage| !stage.is_empty());
        }
        match status {
            ItemStatus::Processing => {
                report.percent = Some(present.progress);
                report.eta_seconds = eta_seconds(began_ms(job), now_ms, present.progress);
            }
            ItemStatus::Failed => report.error.clone_from(&present.error),
            _ => {}
        }
        report
    }
}

/// What the job says that the talk is called.
fn title(job: &Job) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Titled {
        title: Option<String>,
    }
    let titled: Titled = serde_json::from_str(job.present.data.as_ref()?.get()).ok()?;
    titled.title
}

/// When the present attempt began.
fn began_ms(job: &Job) -> u64 {
    let attempt = job.present.attempt;
    let is_begun = |step: &&crate::publish::jobs::Step| {
        step.attempt == attempt && step.status == JobStatus::Processing
    };
    job.timeline.iter().find(is_begun).map_or(job.updated_ms, |step| step.time_ms)
}
