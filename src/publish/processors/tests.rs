//! What tests of processors share: a desk that remembers what it was told, and a task.

use parking_lot::Mutex;
use serde_json::Value;

use crate::publish::queues::processor::{Desk, Progress, Task};

/// Remembers every report; cancels after a number of them if it is told to.
#[derive(Debug, Default)]
pub(in crate::publish) struct Notebook {
    reports: Mutex<Vec<Progress>>,
    cancel_after: Option<usize>,
}

impl Notebook {
    pub(in crate::publish) fn cancelled_after(reports: usize) -> Self {
        Self { cancel_after: Some(reports), ..Self::default() }
    }

    pub(in crate::publish) fn reports(&self) -> Vec<Progress> {
        self.reports.lock().clone()
    }

    /// The stages in the order in which they began.
    pub(in crate::publish) fn stages(&self) -> Vec<String> {
        let mut stages: Vec<_> = self.reports().into_iter().filter_map(|r| r.stage).collect();
        stages.dedup();
        stages
    }

    pub(in crate::publish) fn percents(&self) -> Vec<f64> {
        self.reports().into_iter().filter_map(|report| report.percent).collect()
    }
}

impl Desk for Notebook {
    fn report(&self, progress: Progress) {
        self.reports.lock().push(progress);
    }

    fn is_cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|after| self.reports.lock().len() >= after)
    }
}

/// A first attempt at a job with this data.
pub(in crate::publish) fn task(data: Value) -> Task {
    let name = |text: &str| text.parse().unwrap();
    Task {
        job_id: name("job-1"),
        queue_name: name("queue-1"),
        job_name: String::new(),
        data,
        attempt: 1,
        attempts: 3,
    }
}
