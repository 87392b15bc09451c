//! What a service says of a job, and whether the job's state allows it.
//!
//! ```text
//! pending ─▶ processing ─▶ completed | failed | cancelled
//! ```
//!
//! A job need not be seen in every state, but it never goes back: neither in its states nor, within one
//! attempt, in its progress. A failure that is retryable is no end; a new attempt starts again from
//! nothing.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::event::job_update::{JobStatus, JobUpdate};

/// The greatest number that a service can give an attempt: there are numbers left to go on from it.
const MAX_ATTEMPT: u32 = 1_000_000;

/// How long a report's name may be.
const MAX_UPDATE_ID_BYTES: usize = 255;

/// A service's word on a job. What is absent stays as it was.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where the job is.
    pub status: JobStatus,
    /// From 0 to 100.
    pub progress: Option<f64>,
    /// The step it is at.
    pub stage: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// When this was so, by the service's clock, in milliseconds since 1970; absent: now.
    pub time_ms: Option<u64>,
    /// Whatever else watchers want to know.
    pub data: Option<Arc<RawValue>>,
    /// What came out of it.
    pub result: Option<Arc<RawValue>>,
    /// What went wrong.
    pub error: Option<String>,
    /// Which attempt this is of, from 1; absent: the present one.
    pub attempt: Option<u32>,
    /// With [`JobStatus::Failed`]: another attempt may follow.
    pub retryable: bool,
    /// The service's own name for this word: a second try is not a second update.
    pub update_id: Option<String>,
}

impl Report {
    /// Nothing but where the job is.
    pub fn of(status: JobStatus) -> Self {
        Self {
            status,
            progress: None,
            stage: None,
            message: None,
            time_ms: None,
            data: None,
            result: None,
            error: None,
            attempt: None,
            retryable: false,
            update_id: None,
        }
    }

    /// Fails if a number or a name in it is out of its bounds, whatever job it is about.
    pub fn check(&self) -> Result<(), InvalidReport> {
        if self.progress.is_some_and(|progress| !(0.0..=100.0).contains(&progress)) {
            return Err(InvalidReport::Progress);
        }
        if self.attempt.is_some_and(|attempt| !(1..=MAX_ATTEMPT).contains(&attempt)) {
            return Err(InvalidReport::Attempt);
        }
        let is_good = |id: &String| (1..=MAX_UPDATE_ID_BYTES).contains(&id.len());
        if self.update_id.as_ref().is_none_or(is_good) {
            Ok(())
        } else {
            Err(InvalidReport::UpdateId)
        }
    }
}

/// What of a report is out of its bounds; said are the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReport {
    /// How far the job is.
    #[error("a number from 0 to 100")]
    Progress,
    /// Which attempt it is.
    #[error("a whole number from 1 to {MAX_ATTEMPT}")]
    Attempt,
    /// The report's name.
    #[error("1 to {MAX_UPDATE_ID_BYTES} bytes")]
    UpdateId,
}

impl InvalidReport {
    /// What of it, in the words of seed 000.
    pub fn field(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Attempt => "attempt",
            Self::UpdateId => "updateId",
        }
    }
}

/// Why a report does not fit the job's present state.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Conflict {
    /// The job has ended; nothing comes after that.
    #[error("the job has ended; nothing can be said of it any more")]
    Ended,
    /// A later attempt has begun.
    #[error("this is attempt {present} of the job; what attempt {said} does counts no more")]
    OldAttempt {
        /// The attempt that was reported on.
        said: u32,
        /// The present one.
        present: u32,
    },
    /// The attempt has failed; only a new one can follow.
    #[error("attempt {present} has failed; report the next one with \"attempt\": {}", .present + 1)]
    AttemptFailed {
        /// The one that failed.
        present: u32,
    },
    /// It is being processed, so it is not pending any more.
    #[error("the job is being processed; it cannot be pending again in the same attempt")]
    Begun,
    /// Progress does not go backwards within an attempt.
    #[error("progress is at {present} and cannot go back to {said} in the same attempt")]
    Backwards {
        /// What was reported.
        said: f64,
        /// What it is.
        present: f64,
    },
}

/// The job's next state after this report, which came at `now_ms`; or why it cannot be.
pub(super) fn apply(
    present: &JobUpdate,
    report: &Report,
    now_ms: u64,
) -> Result<JobUpdate, Conflict> {
    let attempt = report.attempt.unwrap_or(present.attempt);
    check(present, report, attempt)?;
    let is_new_attempt = attempt != present.attempt;
    let base = if is_new_attempt { blank(present) } else { present.clone() };
    let progress = match report.status {
        JobStatus::Completed => 100.0,
        _ => report.progress.unwrap_or(base.progress),
    };
    let begins = report.status == JobStatus::Processing
        && (is_new_attempt || present.status == JobStatus::Pending);
    Ok(JobUpdate {
        revision: present.revision + 1,
        status: report.status,
        progress,
        stage: report.stage.clone().unwrap_or(base.stage),
        message: report.message.clone().unwrap_or(base.message),
        time_ms: report.time_ms.unwrap_or(now_ms),
        attempt,
        data: report.data.clone().or(base.data),
        result: report.result.clone().or(base.result),
        error: report.error.clone().or(base.error),
        retryable: report.retryable && report.status == JobStatus::Failed,
        stalled: false,
        first: begins,
        job_id: base.job_id,
    })
}

/// Leaves of a state only what this report says itself.
pub(super) fn give_way(next: &mut JobUpdate, report: &Report) {
    next.data.clone_from(&report.data);
    next.result.clone_from(&report.result);
    next.stage = report.stage.clone().unwrap_or_default();
    next.message = report.message.clone().unwrap_or_default();
}

fn check(present: &JobUpdate, report: &Report, attempt: u32) -> Result<(), Conflict> {
    if present.is_terminal() {
        return Err(Conflict::Ended);
    }
    if attempt < present.attempt {
        return Err(Conflict::OldAttempt { said: attempt, present: present.attempt });
    }
    if attempt > present.attempt {
        return Ok(());
    }
    if present.status == JobStatus::Failed && report.status != JobStatus::Cancelled {
        return Err(Conflict::AttemptFailed { present: attempt });
    }
    if present.status == JobStatus::Processing && report.status == JobStatus::Pending {
        return Err(Conflict::Begun);
    }
    let is_end = report.status == JobStatus::Completed;
    match report.progress {
        Some(said) if said < present.progress && !is_end => {
            Err(Conflict::Backwards { said, present: present.progress })
        }
        _ => Ok(()),
    }
}

/// A job of which nothing has been done, but that is as old as this one.
fn blank(present: &JobUpdate) -> JobUpdate {
    JobUpdate {
        progress: 0.0,
        stage: String::new(),
        message: String::new(),
        data: None,
        result: None,
        error: None,
        ..present.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> JobUpdate {
        JobUpdate::pending("j".parse().unwrap(), 0)
    }

    /// `processing 40`, `failed retryable`, `completed`, `processing attempt 2`.
    fn report(text: &str) -> Report {
        let mut words = text.split(' ');
        let status = serde_json::from_value(words.next().unwrap().into()).unwrap();
        let mut report = Report::of(status);
        while let Some(word) = words.next() {
            match word {
                "retryable" => report.retryable = true,
                "attempt" => report.attempt = words.next().map(|word| word.parse().unwrap()),
                percent => report.progress = Some(percent.parse().unwrap()),
            }
        }
        report
    }

    /// Applies reports one after the other; what the last one leads to.
    fn check(reports: &[&str], expected: &str) {
        let mut job = pending();
        let mut outcome = String::new();
        for text in reports {
            outcome = match apply(&job, &report(text), 7) {
                Ok(next) => {
                    assert_eq!(next.revision, job.revision + 1);
                    job = next;
                    format!("{:?} {} of {}", job.status, job.progress, job.attempt)
                }
                Err(conflict) => format!("{conflict:?}"),
            };
        }
        assert_eq!(outcome, expected, "{reports:?}");
    }

    #[test]
    fn a_job_goes_forward_to_its_end() {
        check(&["processing 10", "processing 10", "processing 55.5"], "Processing 55.5 of 1");
        check(&["processing 10", "completed"], "Completed 100 of 1");
        check(&["processing 99", "completed 50"], "Completed 100 of 1");
        check(&["processing 10", "failed"], "Failed 10 of 1");
        check(&["cancelled"], "Cancelled 0 of 1");
        check(&["completed"], "Completed 100 of 1");
        check(&["pending 0", "processing"], "Processing 0 of 1");
    }

    #[test]
    fn nothing_comes_after_the_end() {
        for end in ["completed", "failed", "cancelled"] {
            for next in ["pending", "processing 100", "completed", "failed", "cancelled"] {
                check(&["processing 1", end, next], "Ended");
            }
            check(&["processing 1", end, "processing attempt 2"], "Ended");
        }
    }

    #[test]
    fn nothing_goes_backwards_within_an_attempt() {
        check(&["processing 50", "processing 49.9"], "Backwards { said: 49.9, present: 50.0 }");
        check(&["processing 50", "failed 10"], "Backwards { said: 10.0, present: 50.0 }");
        check(&["processing 50", "pending"], "Begun");
    }

    #[test]
    fn a_retryable_failure_waits_for_the_next_attempt() {
        let failed = ["processing 50", "failed retryable"];
        check(&failed, "Failed 50 of 1");
        check(&[failed[0], failed[1], "processing 60"], "AttemptFailed { present: 1 }");
        check(&[failed[0], failed[1], "failed"], "AttemptFailed { present: 1 }");
        check(&[failed[0], failed[1], "cancelled"], "Cancelled 50 of 1");
        check(&[failed[0], failed[1], "processing 5 attempt 2"], "Processing 5 of 2");
        let late = [failed[0], failed[1], "processing 5 attempt 2", "processing 60 attempt 1"];
        check(&late, "OldAttempt { said: 1, present: 2 }");
        check(&["processing 50", "pending attempt 2"], "Pending 0 of 2");
    }

    #[test]
    fn an_attempt_begins_once() {
        let first = apply(&pending(), &report("processing"), 7).unwrap();
        let second = apply(&first, &report("processing"), 7).unwrap();
        let again = apply(&second, &report("processing attempt 2"), 7).unwrap();
        assert_eq!([first.first, second.first, again.first], [true, false, true]);
        assert_eq!((first.time_ms, first.stage.as_str()), (7, ""));
    }

    #[test]
    fn what_is_absent_stays_as_it_was_within_the_attempt() {
        let said = Report { stage: Some("parsing".into()), ..report("processing 10") };
        let first = apply(&pending(), &said, 7).unwrap();
        assert_eq!(apply(&first, &report("processing"), 8).unwrap().stage, "parsing");
        assert_eq!(apply(&first, &report("processing attempt 2"), 8).unwrap().stage, "");
    }
}
