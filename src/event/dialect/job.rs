//! A job's state in the words of each family's own seed.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Dialect;
use crate::event::job_update::{JobStatus, JobUpdate, write_number};
use crate::event::time::iso;

impl JobUpdate {
    /// What watchers of this family are told: JSON.
    pub fn render(&self, dialect: Dialect) -> String {
        let rendered = match dialect {
            Dialect::Events => serde_json::to_string(self),
            Dialect::Jobs => serde_json::to_string(&StatusUpdate(self)),
            Dialect::Subscriptions => serde_json::to_string(&JobUpdateEvent(self)),
        };
        // Nothing in it can fail to be written.
        rendered.unwrap_or_default()
    }
}

/// Seed 000: the status format, its time for people; then what we have besides.
struct StatusUpdate<'a>(&'a JobUpdate);

impl Serialize for StatusUpdate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let job = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("jobId", &job.job_id)?;
        map.serialize_entry("status", job.status.as_str())?;
        map.serialize_entry("progress", &Number(job.progress))?;
        map.serialize_entry("stage", &job.stage)?;
        map.serialize_entry("message", &job.message)?;
        map.serialize_entry("timestamp", &iso(job.time_ms))?;
        if let Some(data) = &job.data {
            map.serialize_entry("data", data)?;
        }
        outcome(&mut map, job)?;
        map.end()
    }
}

/// Seed 001: the job update event, with the members of `data` among its own.
struct JobUpdateEvent<'a>(&'a JobUpdate);

/// What members of `data` must not be taken for.
const MEMBERS: [&str; 14] = [
    "type",
    "jobId",
    "timestamp",
    "status",
    "progress",
    "stage",
    "message",
    "data",
    "result",
    "error",
    "attempt",
    "retryable",
    "stalled",
    "conflated",
];

impl Serialize for JobUpdateEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let job = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", JobUpdate::EVENT)?;
        map.serialize_entry("jobId", &job.job_id)?;
        map.serialize_entry("timestamp", &job.time_ms)?;
        map.serialize_entry("status", word(job))?;
        map.serialize_entry("progress", &Number(job.progress))?;
        map.serialize_entry("stage", &job.stage)?;
        map.serialize_entry("message", &job.message)?;
        if let Some(data) = &job.data {
            spread(&mut map, data)?;
        }
        outcome(&mut map, job)?;
        map.end()
    }
}

/// The status in seed 001's words.
fn word(job: &JobUpdate) -> &'static str {
    match job.status {
        JobStatus::Processing if job.first => "started",
        JobStatus::Processing => "in_progress",
        status => status.as_str(),
    }
}

/// Puts the members of `data` among the others. What has a name that means something there already stays
/// in `data`, and so does all of it if it is no object.
fn spread<M: SerializeMap>(map: &mut M, data: &RawValue) -> Result<(), M::Error> {
    let Ok(Members(members)) = serde_json::from_str(data.get()) else {
        return map.serialize_entry("data", data);
    };
    let is_taken = |(name, _): &(String, &RawValue)| MEMBERS.contains(&name.as_str());
    let (inside, among): (Vec<_>, Vec<_>) = members.into_iter().partition(is_taken);
    for (name, value) in among {
        map.serialize_entry(&name, value)?;
    }
    if !inside.is_empty() {
        map.serialize_entry("data", &Members(inside))?;
    }
    Ok(())
}

/// What neither seed has in every update, where there is something to say.
fn outcome<M: SerializeMap>(map: &mut M, job: &JobUpdate) -> Result<(), M::Error> {
    if let Some(result) = &job.result {
        map.serialize_entry("result", result)?;
    }
    if let Some(error) = &job.error {
        map.serialize_entry("error", error)?;
    }
    if job.attempt > 1 {
        map.serialize_entry("attempt", &job.attempt)?;
    }
    for (name, is_so) in [("retryable", job.retryable), ("stalled", job.stalled)] {
        if is_so {
            map.serialize_entry(name, &true)?;
        }
    }
    Ok(())
}

/// A number that is written as a whole one if it is one.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_number(&self.0, serializer)
    }
}

/// An object's members in their order, their values as they were written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::event::EventData;

    fn job() -> JobUpdate {
        JobUpdate {
            status: JobStatus::Processing,
            progress: 50.0,
            stage: "parsing".to_owned(),
            message: "Parsing resume content".to_owned(),
            revision: 7,
            ..JobUpdate::pending("resume-123".parse().unwrap(), 1_699_267_200_042)
        }
    }

    fn raw(json: &str) -> Option<Arc<RawValue>> {
        Some(serde_json::from_str(json).unwrap())
    }

    fn check(job: &JobUpdate, dialect: Dialect, expected: &str) {
        assert_eq!(job.render(dialect), expected);
        let canonical = job.encode(0).unwrap();
        let again = JobUpdate::decode(canonical.as_str()).unwrap();
        assert_eq!(again.render(dialect), expected, "and after a restart");
    }

    #[test]
    fn a_status_update_is_as_seed_000_has_it() {
        check(
            &job(),
            Dialect::Jobs,
            r#"{"jobId":"resume-123","status":"processing","progress":50,"stage":"parsing","message":"Parsing resume content","timestamp":"2023-11-06T10:40:00.042Z"}"#,
        );
        let ended = JobUpdate {
            status: JobStatus::Failed,
            progress: 99.5,
            attempt: 2,
            data: raw(r#"{"status": 1.10}"#),
            error: Some("no \"disk\"".to_owned()),
            retryable: true,
            ..job()
        };
        check(
            &ended,
            Dialect::Jobs,
            r#"{"jobId":"resume-123","status":"failed","progress":99.5,"stage":"parsing","message":"Parsing resume content","timestamp":"2023-11-06T10:40:00.042Z","data":{"status": 1.10},"error":"no \"disk\"","attempt":2,"retryable":true}"#,
        );
    }

    #[test]
    fn a_job_update_is_as_seed_001_has_it() {
        let data = raw(r#"{"resumeId": "resume-123", "candidateId": "candidate-456"}"#);
        check(
            &JobUpdate { data: data.clone(), ..job() },
            Dialect::Subscriptions,
            r#"{"type":"job_update","jobId":"resume-123","timestamp":1699267200042,"status":"in_progress","progress":50,"stage":"parsing","message":"Parsing resume content","resumeId":"resume-123","candidateId":"candidate-456"}"#,
        );
        let ended = JobUpdate {
            status: JobStatus::Completed,
            progress: 100.0,
            result: raw(r#"{"pages": [1, 2.50]}"#),
            stalled: true,
            ..job()
        };
        check(
            &ended,
            Dialect::Subscriptions,
            r#"{"type":"job_update","jobId":"resume-123","timestamp":1699267200042,"status":"completed","progress":100,"stage":"parsing","message":"Parsing resume content","result":{"pages": [1, 2.50]},"stalled":true}"#,
        );
    }

    #[test]
    fn every_status_has_its_word() {
        let words =
            |first| JobStatus::ALL.map(|status| word(&JobUpdate { status, first, ..job() }));
        assert_eq!(words(false), ["pending", "in_progress", "completed", "failed", "cancelled"]);
        assert_eq!(words(true), ["pending", "started", "completed", "failed", "cancelled"]);
    }

    /// What seed 001's update has after `message` for this data.
    fn check_spread(data: &str, expected: &str) {
        let shown = JobUpdate { data: raw(data), ..job() }.render(Dialect::Subscriptions);
        let (_, after) = shown.split_once("content\"").unwrap();
        assert_eq!(after.strip_suffix('}'), Some(expected), "{data}");
    }

    #[test]
    fn the_members_of_data_stand_among_the_others_unless_they_would_be_taken_for_them() {
        check_spread("{}", "");
        check_spread(r#"{"a": 1.0, "b": null}"#, r#","a":1.0,"b":null"#);
        check_spread(r#"{"progress": 1, "a": 2}"#, r#","a":2,"data":{"progress":1}"#);
        check_spread(r#"{"data": {"a": 1}}"#, r#","data":{"data":{"a": 1}}"#);
        for other in ["null", "3", "\"text\"", "[{}]"] {
            check_spread(other, &format!(",\"data\":{other}"));
        }
        check_spread(r#"{"a\"\n": "\u0000", "é": 1}"#, r#","a\"\n":"\u0000","é":1"#);
    }

    /// Any JSON of a few levels.
    fn any_json(random: &mut fastrand::Rng, depth: usize) -> Value {
        let name = |random: &mut fastrand::Rng| {
            let own = ["a", "type", "progress", "data", "", "\r\n", "conflated", "ä\"\\"];
            own[random.usize(0..own.len())].to_owned()
        };
        match random.usize(0..if depth == 0 { 4 } else { 6 }) {
            0 => json!(random.i32(..)),
            1 => json!(f64::from(random.i16(..)) / 4.0),
            2 => json!(name(random)),
            3 => json!(null),
            4 => (0..random.usize(0..4)).map(|_| any_json(random, depth - 1)).collect(),
            _ => {
                let members = 0..random.usize(0..5);
                members.map(|_| (name(random), any_json(random, depth - 1))).collect()
            }
        }
    }

    /// Whatever services send: both forms are JSON, say the same as the state itself, and lose nothing of
    /// `data`.
    #[test]
    fn nothing_of_a_state_is_lost_in_either_form() {
        let random = &mut fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let data = any_json(random, 3);
            let job = JobUpdate {
                status: JobStatus::ALL[random.usize(0..5)],
                progress: [0.0, 0.25, 33.0, 99.999, 100.0][random.usize(0..5)],
                message: any_json(random, 1).to_string(),
                data: raw(&data.to_string()),
                result: random.bool().then(|| raw(&any_json(random, 2).to_string())).flatten(),
                error: random.bool().then(|| "\u{2028}".to_owned()),
                stalled: random.bool(),
                ..job()
            };
            let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
            let (a, b) =
                (parse(job.render(Dialect::Jobs)), parse(job.render(Dialect::Subscriptions)));
            for name in ["jobId", "progress", "stage", "message", "result", "error", "stalled"] {
                assert_eq!(a.get(name), b.get(name), "{name}");
            }
            assert_eq!(
                (a["progress"].as_f64(), &b["type"]),
                (Some(job.progress), &json!("job_update"))
            );
            assert_eq!(a["data"], data);
            let inside = b.get("data").cloned().unwrap_or(json!({}));
            let Some(members) = data.as_object() else {
                assert_eq!(inside, data);
                continue;
            };
            for (name, value) in members {
                let among = if MEMBERS.contains(&name.as_str()) { &inside } else { &b };
                assert_eq!(&among[name], value, "{name} of {data}");
            }
            let size = EventData::from_json(&b.to_string(), 0);
            assert!(size.is_ok(), "it is an event's data");
        }
    }
}
