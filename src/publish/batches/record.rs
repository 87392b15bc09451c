//! What of a batch survives a restart: what it is, written once, and how far it is, written now and then.
//!
//! How far its jobs are, the jobs' own records say. Only of jobs that have ended the batch keeps the last
//! state, because it may outlive them: it is written no later than they are let go of.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::batch::{Batch, State};
use super::tally::{Member, Weight};
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;
use crate::store::records::Record;

/// The kind of the record that says what a batch is.
pub(super) const KIND: &str = "batch";
/// The kind of the record that says how far it is.
pub(super) const STATE_KIND: &str = "batch_state";

/// What a batch is.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<Arc<str>>,
    created_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_digest: Option<String>,
    ended_before: usize,
    /// Its jobs and what each weighs.
    jobs: Vec<(Identifier, f64)>,
}

/// How far it is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct StoredState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    updated_ms: u64,
    ends: Vec<End>,
}

/// The last state of a job: its place in the batch, how it ended, its revision and its attempt.
#[derive(Debug, Serialize, Deserialize)]
struct End(usize, JobStatus, u64, u32);

/// What a batch is, as it is written.
pub(super) fn write(batch: &Batch, state: &State) -> String {
    let jobs = state.members.iter().map(|member| (member.job.clone(), member.weight.get()));
    let stored = Stored {
        title: batch.title.clone(),
        created_ms: batch.created_ms,
        request_digest: batch.request_digest.clone(),
        ended_before: state.ended_before,
        jobs: jobs.collect(),
    };
    // Strings and numbers can always be written.
    serde_json::to_string(&stored).unwrap_or_default()
}

/// How far a batch is, as it is written.
pub(super) fn write_state(state: &State) -> String {
    let ended = state.members.iter().enumerate().filter(|(_, member)| member.is_over);
    let end = |(index, member): (usize, &Member)| {
        End(index, member.status, member.revision, member.attempt)
    };
    let stored = StoredState {
        started_ms: state.started_ms,
        ended_ms: state.ended_ms,
        updated_ms: state.updated_ms,
        ends: ended.map(end).collect(),
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// A batch as it was found.
pub(super) struct Found {
    pub id: Identifier,
    pub title: Option<Arc<str>>,
    pub created_ms: u64,
    pub request_digest: Option<String>,
    pub state: State,
}

/// The batches that are among `records`, the oldest first.
pub(super) fn read(records: &[Record]) -> Vec<Found> {
    let of_kind = |kind: &'static str| records.iter().filter(move |record| record.kind == kind);
    let states: HashMap<_, _> = of_kind(STATE_KIND).map(|record| (&record.id, record)).collect();
    let mut found: Vec<_> = of_kind(KIND)
        .filter_map(|record| read_one(record, states.get(&record.id).copied()))
        .collect();
    found.sort_by_key(|batch| batch.created_ms);
    found
}

fn read_one(record: &Record, state: Option<&Record>) -> Option<Found> {
    let broken = |error| log::error!("the record of batch {} is broken: {error}", record.id);
    let stored: Stored = serde_json::from_str(&record.text).map_err(broken).ok()?;
    let far = state.map(|state| serde_json::from_str(&state.text).map_err(broken));
    // Without it, what is not known of its jobs is asked of them.
    let far: StoredState = far.and_then(Result::ok).unwrap_or_default();
    let members = stored
        .jobs
        .into_iter()
        .map(|(job, weight)| Member::new(job, Weight::new(weight).unwrap_or_default()));
    let mut state = State::new(members.collect(), far.updated_ms.max(stored.created_ms));
    for End(index, status, revision, attempt) in far.ends {
        let Some(member) = state.members.get_mut(index).filter(|member| !member.is_over) else {
            continue;
        };
        let (job, weight) = (member.job.clone(), member.weight);
        let progress = if status == JobStatus::Completed { 100.0 } else { 0.0 };
        *member = Member { job, weight, status, is_over: true, progress, attempt, revision };
        state.open -= 1;
    }
    state.ended_before = stored.ended_before;
    (state.started_ms, state.ended_ms) = (far.started_ms, far.ended_ms);
    Some(Found {
        id: record.id.clone(),
        title: stored.title,
        created_ms: stored.created_ms,
        request_digest: stored.request_digest,
        state,
    })
}
