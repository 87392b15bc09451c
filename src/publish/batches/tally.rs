//! A batch's jobs, added up. Always from the first to the last, so that nothing can drift: what is asked for
//! once a second need not be kept.

use crate::event::batch_update::Counts;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;

/// How much a job counts in its batch: more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Weight(f64);

impl Weight {
    /// The greatest there is. A million jobs of it can still be added up.
    pub const MAX: f64 = 1e9;

    /// A weight, if it can be one.
    pub fn new(weight: f64) -> Option<Self> {
        (weight > 0.0 && weight <= Self::MAX).then_some(Self(weight))
    }

    /// The weight as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1.0)
    }
}

/// A job in a batch: what of its state counts there.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub job: Identifier,
    pub weight: Weight,
    pub status: JobStatus,
    pub is_over: bool,
    pub progress: f64,
    pub attempt: u32,
    /// The job's, from 1; 0 is before anything is known of it.
    pub revision: u64,
}

impl Member {
    /// A job of which nothing is known.
    pub fn new(job: Identifier, weight: Weight) -> Self {
        let status = JobStatus::Pending;
        Self { job, weight, status, is_over: false, progress: 0.0, attempt: 1, revision: 0 }
    }

    /// Takes over a newer state; false if it is none. One of after the end is another job's, which got the
    /// id when this one was let go of.
    pub fn take(&mut self, update: &JobUpdate) -> bool {
        if self.is_over || update.revision <= self.revision {
            return false;
        }
        self.status = update.status;
        self.is_over = update.is_terminal();
        self.progress = update.progress;
        self.attempt = update.attempt;
        self.revision = update.revision;
        true
    }

    /// How much of it is over, from 0 to 1.
    fn share(&self) -> f64 {
        if self.is_over { 1.0 } else { self.progress / 100.0 }
    }
}

/// Jobs, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub total: usize,
    pub ended: usize,
    pub counts: Counts,
    pub weight: f64,
    pub done_weight: f64,
    pub completed_weight: f64,
    pub retries: u64,
    pub revision: u64,
}

impl Tally {
    pub fn of(members: &[Member]) -> Self {
        let mut tally = Self { total: members.len(), ..Self::default() };
        for member in members {
            let weight = member.weight.get();
            tally.counts.add(member.status);
            tally.ended += usize::from(member.is_over);
            tally.weight += weight;
            tally.done_weight += weight * member.share();
            if member.status == JobStatus::Completed {
                tally.completed_weight += weight;
            }
            tally.retries += u64::from(member.attempt.saturating_sub(1));
            tally.revision += member.revision;
        }
        tally
    }

    /// How much of the work is over, in hundredths of a percent; all of it only when every job has ended.
    /// Numbers are always added in the same order, so this grows when each of them does.
    pub fn progress(&self) -> f64 {
        if self.ended == self.total {
            return 100.0;
        }
        let percent = self.done_weight / self.weight * 100.0;
        ((percent * 100.0).round() / 100.0).min(99.99)
    }

    /// Where the batch is.
    pub fn status(&self, has_begun: bool) -> JobStatus {
        let is_any = |status| self.counts.of(status) > 0;
        if self.ended < self.total {
            if has_begun { JobStatus::Processing } else { JobStatus::Pending }
        } else if is_any(JobStatus::Failed) {
            JobStatus::Failed
        } else if is_any(JobStatus::Cancelled) {
            JobStatus::Cancelled
        } else {
            JobStatus::Completed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `2 processing 50; completed; failed retryable`: weight, state and progress of each job.
    fn members(text: &str) -> Vec<Member> {
        let member = |text: &str| {
            let mut member = Member::new("j".parse().unwrap(), Weight::default());
            let pending = JobUpdate::pending("j".parse().unwrap(), 0);
            let mut update = JobUpdate { revision: 2, ..pending };
            for word in text.split_whitespace() {
                match (word, word.parse()) {
                    ("retryable", _) => update.retryable = true,
                    ("again", _) => update.attempt += 1,
                    (_, Ok(number)) if text.starts_with(word) => {
                        member.weight = Weight::new(number).unwrap();
                    }
                    (_, Ok(number)) => update.progress = number,
                    (status, _) => update.status = serde_json::from_value(status.into()).unwrap(),
                }
            }
            assert!(member.take(&update));
            member
        };
        text.split(';').map(str::trim).map(member).collect()
    }

    fn check(text: &str, status: JobStatus, progress: f64, ended: usize) {
        let tally = Tally::of(&members(text));
        let seen = (tally.status(true), tally.progress(), tally.ended);
        assert_eq!(seen, (status, progress, ended), "{text}");
        let all: usize = JobStatus::ALL.into_iter().map(|status| tally.counts.of(status)).sum();
        assert_eq!((all, tally.total), (members(text).len(), all));
    }

    #[test]
    fn jobs_count_by_their_weight() {
        check("processing 50; pending", JobStatus::Processing, 25.0, 0);
        check("3 processing 50; pending", JobStatus::Processing, 37.5, 0);
        check("0.1 completed; 0.2 pending", JobStatus::Processing, 33.33, 1);
        let tally = Tally::of(&members("3 completed; 2 failed; 1 processing 10"));
        assert_eq!((tally.weight, tally.completed_weight, tally.revision), (6.0, 3.0, 6));
    }

    #[test]
    fn a_batch_ends_as_its_jobs_did() {
        check("completed; completed", JobStatus::Completed, 100.0, 2);
        check("completed; failed 20; cancelled", JobStatus::Failed, 100.0, 3);
        check("completed; cancelled", JobStatus::Cancelled, 100.0, 2);
        check("completed; failed 20; pending", JobStatus::Processing, 66.67, 2);
    }

    #[test]
    fn a_failure_that_may_be_tried_again_is_no_end() {
        check("failed 60 retryable", JobStatus::Processing, 60.0, 0);
        let again = Tally::of(&members("processing 5 again again; completed again"));
        assert_eq!((again.retries, again.progress()), (3, 52.5));
    }

    #[test]
    fn it_is_not_over_before_the_last_job_is() {
        check("1000000 completed; 0.001 pending", JobStatus::Processing, 99.99, 1);
        check("processing 100", JobStatus::Processing, 99.99, 0);
        let pending = Tally::of(&members("pending"));
        assert_eq!(pending.status(false), JobStatus::Pending);
    }

    #[test]
    fn an_older_state_changes_nothing_and_none_comes_after_the_end() {
        let pending = JobUpdate::pending("j".parse().unwrap(), 0);
        let mut member = members("processing 50").remove(0);
        assert!(!member.take(&pending));
        assert!(member.take(&JobUpdate {
            status: JobStatus::Failed,
            revision: 3,
            ..pending.clone()
        }));
        assert!(!member.take(&JobUpdate { revision: 4, ..pending }));
        assert_eq!((member.status, member.is_over), (JobStatus::Failed, true));
    }

    #[test]
    fn progress_never_goes_back_while_no_job_does() {
        for _ in 0..200 {
            let weight = || Weight::new(fastrand::f64() * 10.0 + 0.01).unwrap();
            let job: Identifier = "j".parse().unwrap();
            let mut members: Vec<_> =
                (0..fastrand::usize(1..20)).map(|_| Member::new(job.clone(), weight())).collect();
            let mut before = 0.0;
            for _ in 0..100 {
                let index = fastrand::usize(..members.len());
                let member = &mut members[index];
                member.progress = (member.progress + fastrand::f64() * 9.0).min(100.0);
                member.is_over |= fastrand::u8(..20) == 0;
                let progress = Tally::of(&members).progress();
                assert!((before..=100.0).contains(&progress), "{before} then {progress}");
                before = progress;
            }
        }
    }

    #[test]
    fn a_weight_is_more_than_nothing() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e10] {
            assert_eq!(Weight::new(bad), None, "{bad}");
        }
        assert_eq!(Weight::new(0.5).map(Weight::get), Some(0.5));
    }
}
