//! A talk: what was said, and what is known about it besides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::transcript::Transcript;

/// What an engine makes a summary of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    /// What to call it.
    pub title: String,
    /// The language that it is in, as a BCP 47 tag such as `en` or `pt-BR`; none if nobody said.
    pub language: Option<String>,
    /// Its parts, in order; empty if it has none.
    pub chapters: Vec<Chapter>,
    /// What was said.
    pub transcript: Transcript,
}

/// A part of a talk, from its start to the start of the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// What it is called.
    pub title: String,
    /// When it begins, counted from the talk's start.
    #[serde(rename = "start_seconds", with = "seconds")]
    pub start: Duration,
}

/// Times as seconds, to the millisecond: what people and programs read.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_millis() as f64 / 1000.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }

    /// The same for a time that may be absent.
    pub mod optional {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[expect(clippy::ref_option, reason = "serde passes a reference")]
        pub fn serialize<S: Serializer>(
            time: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            time.map(|time| time.as_millis() as f64 / 1000.0).serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Duration>, D::Error> {
            let seconds = Option::<f64>::deserialize(from)?;
            seconds.map(Duration::try_from_secs_f64).transpose().map_err(serde::de::Error::custom)
        }
    }
}
