//! Jobs and reports, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::outcome::UpdateError;
use crate::event::job_update::{JobStatus, JobUpdate};

/// Jobs and reports at one moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The jobs there are, by their state as watchers know it.
    pub by_status: Vec<(JobStatus, u64)>,
    /// Jobs that were made.
    pub created: u64,
    /// Reports, by a word for what became of them.
    pub reports: Vec<(&'static str, u64)>,
}

/// What can become of a report.
const OUTCOMES: [&str; 7] =
    ["taken", "repeated", "conflict", "lease_lost", "unknown", "invalid", "busy"];

/// The word for a report that was taken, now or before.
pub(super) fn taken(is_repeat: bool) -> &'static str {
    if is_repeat { "repeated" } else { "taken" }
}

/// The word for why a report was not taken.
pub(super) fn refused(error: &UpdateError) -> &'static str {
    match error {
        UpdateError::Conflict { .. } => "conflict",
        UpdateError::Unknown => "unknown",
        UpdateError::Invalid(_) => "invalid",
        UpdateError::Busy => "busy",
    }
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    by_status: [AtomicU64; JobStatus::ALL.len()],
    created: AtomicU64,
    reports: [AtomicU64; OUTCOMES.len()],
}

impl Counters {
    /// Notes jobs that were made.
    pub fn note_created(&self, jobs: usize) {
        self.created.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    /// Notes that a job is shown in another state than before; none is before it is there, or after it is
    /// gone.
    pub fn note_shown(&self, before: Option<&JobUpdate>, now: Option<&JobUpdate>) {
        // First up and then down, so that no count is below zero in between.
        if let Some(now) = now {
            self.by_status[now.status as usize].fetch_add(1, Ordering::Relaxed);
        }
        if let Some(before) = before {
            self.by_status[before.status as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Notes what became of a report, in one of the words for it.
    pub fn note_report(&self, outcome: &str) {
        if let Some(place) = OUTCOMES.iter().position(|word| *word == outcome) {
            self.reports[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of this moment.
    pub fn read(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            by_status: JobStatus::ALL.into_iter().zip(self.by_status.iter().map(read)).collect(),
            created: read(&self.created),
            reports: OUTCOMES.into_iter().zip(self.reports.iter().map(read)).collect(),
        }
    }
}
