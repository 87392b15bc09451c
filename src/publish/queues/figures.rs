//! How many jobs are where and how long they waited and took, for the metrics.

use std::time::Duration;

use super::Queues;
use super::board::QueueReport;
use crate::event::topic::Identifier;
use crate::histogram::{Distribution, Histogram};

/// All queues at one moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Each queue.
    pub queues: Vec<QueueFigures>,
    /// How long jobs could have begun before they did, in milliseconds.
    pub waited: Distribution,
    /// How long attempts took, in milliseconds.
    pub worked: Distribution,
}

/// One queue.
#[derive(Debug, Clone)]
pub struct QueueFigures {
    /// Its name, if the settings know it. Others are made by whoever names them, and there may be many.
    pub name: Option<Identifier>,
    /// How it is.
    pub report: QueueReport,
    /// Jobs that have come to their result since this process began.
    pub completed: u64,
    /// Jobs that have come to nothing since then.
    pub failed: u64,
}

/// Jobs of a queue that have ended since this process began: unlike the totals, which a crash may set back by
/// a moment, these never go backwards within a process, as Prometheus expects.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ended {
    pub completed: u64,
    pub failed: u64,
}

/// How long jobs of all queues wait and take.
#[derive(Debug)]
pub(super) struct Times {
    waited: Histogram,
    worked: Histogram,
}

/// In milliseconds: from a command that does nothing to hours of work.
const BOUNDS: &[u64] =
    &[1, 5, 20, 100, 500, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000];

impl Default for Times {
    fn default() -> Self {
        Self { waited: Histogram::new(BOUNDS), worked: Histogram::new(BOUNDS) }
    }
}

impl Times {
    /// A job begins that could have begun so long ago.
    pub fn note_waited(&self, waited: Duration) {
        self.waited.note(waited.as_millis() as u64);
    }

    /// An attempt is over that took so long; none if that is not known, or it was none.
    pub fn note_worked(&self, worked: Option<Duration>) {
        if let Some(worked) = worked {
            self.worked.note(worked.as_millis() as u64);
        }
    }
}

impl Queues {
    /// The numbers of this moment.
    pub fn figures(&self) -> Figures {
        let house = &self.0;
        let of_queue = |queue: &super::queue::Queue| {
            let (report, ended) = queue.figures();
            let name = house.declared.get(&report.queue_name).cloned();
            QueueFigures { name, report, completed: ended.completed, failed: ended.failed }
        };
        Figures {
            queues: house.all().iter().map(|queue| of_queue(queue)).collect(),
            waited: house.times.waited.read(),
            worked: house.times.worked.read(),
        }
    }
}
