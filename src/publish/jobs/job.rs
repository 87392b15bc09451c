//! One job's record: what is known of it, and what of that survives a restart.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::RequestKey;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;
use crate::publish::queues::assignment::Assignment;

/// What is known of one job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// How it is.
    pub present: JobUpdate,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Its place among those that were made in the same millisecond.
    #[serde(default)]
    pub number: u64,
    /// What it went through, the oldest first: of many steps the first and the latest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Step>,
    /// When it last changed, by this server's clock.
    pub updated_ms: u64,
    /// What is to be done, in its maker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Arc<RawValue>>,
    /// How long nothing may be heard of it, in milliseconds; zero: as long as it likes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lease_ms: u64,
    /// The queue that it is in, if it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// SHA-256 of the request that made it, in hexadecimal, if that had a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_digest: Option<String>,
    /// The names of its latest reports, the oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub update_ids: VecDeque<String>,
}

/// A step in a job's life: another status, stage or attempt than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When it came, by this server's clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// Where in its life the job was.
    pub status: JobStatus,
    /// What it was at, in a word; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stage: String,
    /// Which attempt it was.
    pub attempt: u32,
    /// Nothing was heard of it for longer than was agreed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stalled: bool,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// So many steps of a job are remembered.
const MAX_STEPS: usize = 100;
/// Of a stage or an error, so many characters.
const MAX_STEP_TEXT: usize = 500;
/// So many of them from its beginning.
const FIRST_STEPS: usize = 10;

impl Job {
    /// Gives it its next state.
    pub(super) fn advance(&mut self, next: JobUpdate, now_ms: u64) {
        let step = Step::of(&next, now_ms);
        if !self.timeline.last().is_some_and(|last| last.is_like(&step)) {
            if self.timeline.len() >= MAX_STEPS {
                self.timeline.remove(FIRST_STEPS);
            }
            self.timeline.push(step);
        }
        self.updated_ms = now_ms;
        self.present = next;
    }

    /// Remembers the name of a report, and forgets the oldest if there are more than so many.
    pub(super) fn note_update_id(&mut self, name: Option<&str>, at_most: usize) {
        let Some(name) = name.filter(|_| at_most > 0) else { return };
        if self.update_ids.len() >= at_most {
            self.update_ids.pop_front();
        }
        self.update_ids.push_back(name.to_owned());
    }
}

/// Of a long text its beginning: what a step keeps of it is kept a hundred times.
fn beginning(text: &str) -> String {
    text.chars().take(MAX_STEP_TEXT).collect()
}

impl Step {
    fn of(update: &JobUpdate, time_ms: u64) -> Self {
        Self {
            time_ms,
            status: update.status,
            stage: beginning(&update.stage),
            attempt: update.attempt,
            stalled: update.stalled,
            error: update.error.as_deref().map(beginning),
        }
    }

    /// Whether only the time differs.
    fn is_like(&self, other: &Self) -> bool {
        Self { time_ms: other.time_ms, ..self.clone() } == *other
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A job that is to be.
#[derive(Debug, Clone, Default)]
pub struct NewJob {
    /// Its id, if its maker chose one.
    pub id: Option<Identifier>,
    /// By what its maker will name the request when it tries again.
    pub request: Option<RequestKey>,
    /// What is to be done.
    pub payload: Option<Arc<RawValue>>,
    /// How long nothing may be heard of it, in milliseconds; zero: as long as it likes.
    pub lease_ms: u64,
    /// The queue that it is in, if it is in one.
    pub assignment: Option<Assignment>,
}

impl NewJob {
    /// What it takes at least, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, |payload| payload.get().len())
    }

    /// The id it gets: its maker's choice, or one that follows from the request's key, so that a second
    /// try finds the first one's job, or a fresh one.
    pub(in crate::publish) fn choose_id(&self, now_ms: u64) -> Identifier {
        match (&self.id, &self.request) {
            (Some(id), _) => id.clone(),
            (None, Some(request)) => key_id(&request.key),
            (None, None) => fresh_id(now_ms),
        }
    }

    /// The job it becomes.
    pub(super) fn into_job(self, id: Identifier, now_ms: u64) -> Job {
        let present = JobUpdate::pending(id, now_ms);
        Job {
            timeline: vec![Step::of(&present, now_ms)],
            present,
            created_ms: now_ms,
            number: 0,
            updated_ms: now_ms,
            payload: self.payload,
            lease_ms: self.lease_ms,
            assignment: self.assignment,
            request_digest: self.request.map(|request| hexadecimal(&request.digest)),
            update_ids: VecDeque::new(),
        }
    }
}

/// An id that no job has: a UUID of version 7, which nobody can guess and which sorts by time.
///
/// Jobs that are made and done together then lie together on disk. With ids that are random throughout,
/// each of a batch's records would be in a page of its own, and be written with all of that page.
pub(in crate::publish) fn fresh_id(now_ms: u64) -> Identifier {
    let mut random = [0; 10];
    // Versions 4 and 7 have what is not random of these bytes in the same places.
    random.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[6..]);
    Identifier::from(uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid())
}

/// The id of what a request with this key makes.
pub(in crate::publish) fn key_id(key: &str) -> Identifier {
    use sha2::{Digest, Sha256};
    let digest: [u8; 32] = Sha256::digest(key).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Identifier::from(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Bytes as text.
pub(in crate::publish) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_differ_and_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|n| fresh_id(1_700_000_000_000 + n).to_string()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        let now: std::collections::HashSet<_> =
            (0..1_000).map(|_| fresh_id(1_700_000_000_000).to_string()).collect();
        assert_eq!(now.len(), 1_000);
        let uuid: uuid::Uuid = ids[0].parse().unwrap();
        assert_eq!(uuid.get_version_num(), 7);
    }

    #[test]
    fn a_timeline_has_a_jobs_first_steps_and_its_latest() {
        let mut job = NewJob::default().into_job("a".parse().unwrap(), 0);
        for n in 1..=500_u64 {
            // Each step comes twice: the second time only its progress differs.
            for progress in [1.0, 2.0] {
                let stage = format!("stage-{n}");
                let next = JobUpdate { progress, stage, ..job.present.clone() };
                job.advance(next, n);
            }
        }
        assert_eq!(job.timeline.len(), MAX_STEPS);
        let error = Some("é".repeat(10_000));
        job.advance(JobUpdate { error, ..job.present.clone() }, 501);
        assert_eq!(job.timeline.pop().unwrap().error.unwrap(), "é".repeat(MAX_STEP_TEXT));
        let times: Vec<u64> = job.timeline.iter().map(|step| step.time_ms).collect();
        assert_eq!(times[..FIRST_STEPS], (0..10).collect::<Vec<_>>());
        assert_eq!(times[FIRST_STEPS..], (412..=500).collect::<Vec<_>>());
    }
}
