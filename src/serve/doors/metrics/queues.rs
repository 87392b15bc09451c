//! The queues in figures.

use std::collections::BTreeMap;
use std::fmt;

use super::sheet::Sheet;
use crate::publish::queues::Figures;

/// Stands for all queues that the settings do not name: strangers decide what they are called, and how many
/// there are.
const OTHER: &str = "other";

const MILLISECONDS: f64 = 1e3;

/// The sums of one row.
#[derive(Debug, Default)]
struct Row {
    waiting: u64,
    active: u64,
    delayed: u64,
    completed: u64,
    failed: u64,
}

pub(super) fn write(queues: &Figures, sheet: &mut Sheet<'_>) -> fmt::Result {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::from([(OTHER, Row::default())]);
    for queue in &queues.queues {
        let row = rows.entry(queue.name.as_ref().map_or(OTHER, |name| name.as_str())).or_default();
        row.waiting += queue.report.waiting as u64;
        row.active += queue.report.active as u64;
        row.delayed += queue.report.delayed as u64;
        row.completed += queue.completed;
        row.failed += queue.failed;
    }
    let states = rows.iter().flat_map(|(queue, row)| {
        let states = [("waiting", row.waiting), ("active", row.active), ("delayed", row.delayed)];
        states.map(|(state, jobs)| ([("queue", *queue), ("state", state)], jobs))
    });
    let help = "Jobs in queues that have not ended, by queue and by where they stand";
    sheet.gauges("queue_jobs", help, states)?;
    let outcomes = rows.iter().flat_map(|(queue, row)| {
        let outcomes = [("completed", row.completed), ("failed", row.failed)];
        outcomes.map(|(outcome, jobs)| ([("queue", *queue), ("outcome", outcome)], jobs))
    });
    let help = "Jobs of queues that have ended since the start, by queue and outcome";
    sheet.counters("queue_jobs_ended", help, outcomes)?;
    let help = "How long jobs of queues could have begun before they did, once for each attempt";
    sheet.histogram("queue_wait_seconds", help, &queues.waited, MILLISECONDS)?;
    let help = "How long attempts at jobs of queues took, whatever they came to";
    sheet.histogram("queue_attempt_duration_seconds", help, &queues.worked, MILLISECONDS)
}
