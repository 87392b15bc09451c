//! Jobs and reports, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::outcome::{UpdateError, Updated};
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
const OUTCOMES: [&str; 6] = ["taken", "repeated", "conflict", "unknown", "invalid", "busy"];

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

    /// Notes what became of a report.
    pub fn note_report<T>(&self, outcome: &Result<(Updated, T), UpdateError>) {
        let word = match outcome {
            Ok((updated, _)) if updated.is_repeat => "repeated",
            Ok(_) => "taken",
            Err(UpdateError::Conflict { .. }) => "conflict",
            Err(UpdateError::Unknown) => "unknown",
            Err(UpdateError::Invalid(_)) => "invalid",
            Err(UpdateError::Busy) => "busy",
        };
        let place = OUTCOMES.iter().position(|outcome| *outcome == word).unwrap_or_default();
        self.reports[place].fetch_add(1, Ordering::Relaxed);
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
