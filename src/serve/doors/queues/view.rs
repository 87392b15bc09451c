//! Queues and workers as JSON, in the words of seed 001.

use serde::Serialize;

use crate::event::topic::Identifier;
use crate::publish::queues::config::{
    Backoff, BackoffKind, ProcessorChoice, QueueConfig, RateLimit,
};
use crate::publish::queues::{QueueReport, WorkerReport};

/// A queue: how it is, how it works, and who works for it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueueView<'a> {
    #[serde(flatten)]
    report: &'a QueueReport,
    /// `outside`, `command`, or the word of a built-in processor.
    processor: &'a str,
    /// How many jobs may be under way at once in this process; absent if none is done in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<usize>,
    attempts: u32,
    backoff: BackoffView,
    /// How many jobs may begin in how many milliseconds; absent if as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateView>,
    /// How long an attempt may take in this process; absent if it may take for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u64>,
    /// How many jobs may wait; absent if there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_waiting_jobs: Option<usize>,
    workers: Vec<WorkerView<'a>>,
}

/// The pause between attempts, as it can be said of a job.
#[derive(Debug, Serialize)]
pub(in crate::serve::doors) struct BackoffView {
    r#type: BackoffKind,
    delay: u64,
}

/// How many jobs may begin in so many milliseconds.
#[derive(Debug, Serialize)]
struct RateView {
    max: usize,
    duration: u64,
}

/// Somebody who does jobs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkerView<'a> {
    worker_id: &'a Identifier,
    queue_name: &'a Identifier,
    status: &'static str,
    current_job: Option<&'a Identifier>,
    concurrency: usize,
    /// Whether it leases its jobs from outside.
    outside: bool,
}

impl<'a> QueueView<'a> {
    pub fn of(
        (config, report, workers): &'a (QueueConfig, QueueReport, Vec<WorkerReport>),
    ) -> Self {
        let is_outside = config.processor == ProcessorChoice::Outside;
        let RateLimit { jobs, period } = config.rate_limit;
        let seconds = config.timeout.as_secs();
        let max_waiting = config.max_waiting_jobs;
        Self {
            report,
            processor: match &config.processor {
                ProcessorChoice::Outside => "outside",
                ProcessorChoice::BuiltIn(word) => word,
                ProcessorChoice::Command(_) => "command",
            },
            concurrency: (!is_outside).then_some(config.concurrency),
            attempts: config.attempts,
            backoff: config.backoff.into(),
            rate_limit: (jobs > 0)
                .then_some(RateView { max: jobs, duration: period.as_millis() as u64 }),
            timeout_seconds: (!is_outside && seconds > 0).then_some(seconds),
            max_waiting_jobs: (max_waiting > 0).then_some(max_waiting),
            workers: workers.iter().map(WorkerView::of).collect(),
        }
    }
}

impl From<Backoff> for BackoffView {
    fn from(backoff: Backoff) -> Self {
        Self { r#type: backoff.kind, delay: backoff.first.as_millis() as u64 }
    }
}

impl<'a> WorkerView<'a> {
    pub fn of(report: &'a WorkerReport) -> Self {
        Self {
            worker_id: &report.worker_id,
            queue_name: &report.queue_name,
            status: report.status,
            current_job: report.current_job.as_ref(),
            concurrency: report.concurrency,
            outside: report.is_outside,
        }
    }
}
