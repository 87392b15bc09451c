//! How a group of jobs is at one moment: the roll-up that its watchers are told.
//!
//! Its encoded form is the data of a `batch_update` event, the same for each family of clients.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::job_update::{JobStatus, write_number};
use super::time::iso;
use super::topic::Identifier;
use super::{EventData, InvalidEvent};

/// How a batch is at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchUpdate {
    /// The batch.
    pub batch_id: Identifier,
    /// Grows with every change of one of its jobs, and survives a restart: the sum of the jobs' revisions.
    pub revision: u64,
    /// What its maker calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// Where it is: pending until the first of its jobs begins, processing until the last has ended, and
    /// then completed if all have, failed if any has, and otherwise cancelled.
    pub status: JobStatus,
    /// How much of the work is over, from 0 to 100, by the jobs' weights. A job that has ended counts whole,
    /// whatever came of it. It goes back only when a job begins again, and then `retries` grows.
    #[serde(serialize_with = "write_number")]
    pub progress: f64,
    /// Its jobs.
    pub total: usize,
    /// Those of them that have ended.
    pub ended: usize,
    /// Its jobs by their state.
    pub counts: Counts,
    /// The weight of all its jobs.
    #[serde(serialize_with = "write_number")]
    pub total_weight: f64,
    /// The weight of those that have come to their result.
    #[serde(serialize_with = "write_number")]
    pub completed_weight: f64,
    /// How often one of its jobs has begun again.
    pub retries: u64,
    /// How many of its jobs end in a minute: of late, or over its whole life once it has ended.
    #[serde(serialize_with = "write_number")]
    pub rate_per_minute: f64,
    /// When it will have ended, as far as can be said.
    pub eta_seconds: Option<u64>,
    /// When it was made: milliseconds since 1970-01-01 UTC, and ISO 8601 on the wire.
    #[serde(rename = "createdAt", serialize_with = "write_time")]
    pub created_ms: u64,
    /// When the first of its jobs began.
    #[serde(rename = "startedAt", serialize_with = "write_time_if_any")]
    pub started_ms: Option<u64>,
    /// When the last of its jobs ended.
    #[serde(rename = "endedAt", serialize_with = "write_time_if_any")]
    pub ended_ms: Option<u64>,
    /// When something changed.
    #[serde(rename = "updatedAt", serialize_with = "write_time")]
    pub updated_ms: u64,
}

/// Jobs by their state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([usize; JobStatus::ALL.len()]);

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, status: JobStatus) {
        self.0[status as usize] += 1;
    }

    /// How many there are in a state.
    pub fn of(&self, status: JobStatus) -> usize {
        self.0[status as usize]
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for status in JobStatus::ALL {
            map.serialize_entry(status.as_str(), &self.of(status))?;
        }
        map.end()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn write_time<S: Serializer>(unix_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso(*unix_ms))
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn write_time_if_any<S: Serializer>(ms: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    ms.map(iso).serialize(serializer)
}

impl BatchUpdate {
    /// The type of the events that tell of it.
    pub const EVENT: &str = "batch_update";

    /// Whether it is the batch's last state: all its jobs have ended.
    pub fn is_terminal(&self) -> bool {
        self.ended_ms.is_some()
    }

    /// The data of the event that tells of it.
    pub fn encode(&self) -> Result<EventData, InvalidEvent> {
        EventData::encode(self, 0)
    }

    /// Reads the revision from the data of such an event; none if it is not one.
    pub fn revision_of(data: &str) -> Option<u64> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Told {
            #[serde(rename = "batchId")]
            _batch: Identifier,
            revision: u64,
        }
        serde_json::from_str(data).ok().map(|told: Told| told.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::dialect::{Dialect, Envelope};
    use crate::event::topic::Topic;
    use crate::event::{Event, EventId, NewEvent};

    #[test]
    fn a_roll_up_is_small_and_says_everything() {
        let mut counts = Counts::default();
        for status in [JobStatus::Completed, JobStatus::Completed, JobStatus::Processing] {
            counts.add(status);
        }
        let update = BatchUpdate {
            batch_id: "b".parse().unwrap(),
            revision: 9,
            title: None,
            status: JobStatus::Processing,
            progress: 62.5,
            total: 3,
            ended: 2,
            counts,
            total_weight: 4.0,
            completed_weight: 2.0,
            retries: 0,
            rate_per_minute: 12.0,
            eta_seconds: None,
            created_ms: 0,
            started_ms: Some(1),
            ended_ms: None,
            updated_ms: 2,
        };
        let data = update.encode().unwrap();
        let expected = concat!(
            r#"{"batchId":"b","revision":9,"status":"processing","progress":62.5,"total":3,"ended":2,"#,
            r#""counts":{"pending":0,"processing":1,"completed":2,"failed":0,"cancelled":0},"#,
            r#""totalWeight":4,"completedWeight":2,"retries":0,"ratePerMinute":12,"etaSeconds":null,"#,
            r#""createdAt":"1970-01-01T00:00:00.000Z","startedAt":"1970-01-01T00:00:00.001Z","#,
            r#""endedAt":null,"updatedAt":"1970-01-01T00:00:00.002Z"}"#,
        );
        assert_eq!(data.as_str(), expected);
        assert_eq!(BatchUpdate::revision_of(data.as_str()), Some(9));
        assert_eq!(BatchUpdate::revision_of(r#"{"revision": 9}"#), None);
    }
    #[test]
    fn on_the_jobs_door_onmessage_gets_it_and_its_revision_is_its_id() {
        let check = |data: &str, dialect: Dialect, expected: &str| {
            let data = EventData::from_json(data, 0).unwrap();
            let name = BatchUpdate::EVENT.parse().unwrap();
            let event = Event::new(EventId { ms: 7, n: 1 }, 7, {
                NewEvent::new(Topic::batch("b".parse().unwrap()), name, data)
            });
            let frame = dialect.encode(&event);
            let bytes = std::str::from_utf8(frame.bytes(Envelope::Bare)).unwrap();
            assert_eq!(bytes, expected);
        };
        let told = r#"{"batchId":"b","revision":9}"#;
        check(told, Dialect::Jobs, &format!("id: 9\ndata: {told}\n\n"));
        let named = format!("id: 7-1\nevent: batch_update\ndata: {told}\n\n");
        check(told, Dialect::Subscriptions, &named);
        check("{}", Dialect::Jobs, "id: 7-1\nevent: batch_update\ndata: {}\n\n");
    }
}
