//! Whom an event is for.
//!
//! A topic always lies inside a project (a tenant), and an event never crosses a project: topics of
//! two projects are never equal.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{InvalidEvent, excerpt};

/// An audience inside a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// The tenant.
    pub project: Identifier,
    /// Whom, inside the project.
    pub audience: Audience,
}

/// Whom an event is for, inside its project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Everyone on the events door and the users door.
    Events,
    /// The streams of one browser session.
    Session(Identifier),
    /// The streams of one user.
    User(Identifier),
    /// Those who watch one job.
    Job(Identifier),
    /// Those who watch a group of jobs.
    Batch(Identifier),
    /// Those who watch a queue.
    Queue(Identifier),
    /// Those who watch a worker.
    Worker(Identifier),
    /// Those who listen to a channel.
    Channel(Identifier),
    /// One stream alone: what it is told of itself, such as that it has subscribed to something.
    Connection(Identifier),
}

impl Topic {
    /// Everyone, in the default project.
    pub fn events() -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Events }
    }

    /// Those who watch one job, in the default project.
    pub fn job(id: Identifier) -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Job(id) }
    }

    /// Those who watch one batch, in the default project.
    pub fn batch(id: Identifier) -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Batch(id) }
    }

    /// Those who watch one queue, in the default project.
    pub fn queue(name: Identifier) -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Queue(name) }
    }

    /// Those who watch one worker, in the default project.
    pub fn worker(id: Identifier) -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Worker(id) }
    }

    /// One browser session, in the default project.
    pub fn session(id: Identifier) -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Session(id) }
    }

    /// One stream, in the default project.
    pub fn connection(id: uuid::Uuid) -> Self {
        Self { project: Identifier::default_project(), audience: Audience::Connection(id.into()) }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.audience)
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("events"),
            Self::Session(id) => write!(f, "session:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Job(id) => write!(f, "job:{id}"),
            Self::Batch(id) => write!(f, "batch:{id}"),
            Self::Queue(id) => write!(f, "queue:{id}"),
            Self::Worker(id) => write!(f, "worker:{id}"),
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::Connection(id) => write!(f, "connection:{id}"),
        }
    }
}

impl FromStr for Topic {
    type Err = InvalidEvent;

    /// Reads back what [`Topic`]'s `Display` writes: `default/session:1`.
    fn from_str(text: &str) -> Result<Self, InvalidEvent> {
        let invalid = || InvalidEvent::Identifier(excerpt(text));
        let (project, audience) = text.split_once('/').ok_or_else(invalid)?;
        let (kind, id) = audience.split_once(':').unwrap_or((audience, ""));
        let id = || id.parse();
        let audience = match kind {
            "events" if audience == kind => Audience::Events,
            "session" => Audience::Session(id()?),
            "user" => Audience::User(id()?),
            "job" => Audience::Job(id()?),
            "batch" => Audience::Batch(id()?),
            "queue" => Audience::Queue(id()?),
            "worker" => Audience::Worker(id()?),
            "channel" => Audience::Channel(id()?),
            "connection" => Audience::Connection(id()?),
            _ => return Err(invalid()),
        };
        Ok(Self { project: project.parse()?, audience })
    }
}

/// The id of a project, session, user, job …: 1 to 128 of `A-Z a-z 0-9 _ . : @ -`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Identifier(Arc<str>);

impl TryFrom<String> for Identifier {
    type Error = InvalidEvent;

    fn try_from(text: String) -> Result<Self, InvalidEvent> {
        text.parse()
    }
}

impl Identifier {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project of those who name none: `default`.
    pub fn default_project() -> Self {
        // One allocation for the process: every topic holds a clone.
        static DEFAULT: std::sync::OnceLock<Identifier> = std::sync::OnceLock::new();
        DEFAULT.get_or_init(|| Self("default".into())).clone()
    }
}

impl FromStr for Identifier {
    type Err = InvalidEvent;

    fn from_str(text: &str) -> Result<Self, InvalidEvent> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:@-".contains(&b);
        let valid = (1..=128).contains(&text.len()) && text.bytes().all(allowed);
        if valid { Ok(Self(text.into())) } else { Err(InvalidEvent::Identifier(excerpt(text))) }
    }
}

impl From<uuid::Uuid> for Identifier {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.to_string().into())
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_hold_what_urls_and_logs_can_carry() {
        for good in ["a", "job:1", "me@example.org", "0", &"x".repeat(128)] {
            assert!(good.parse::<Identifier>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "a\n", "é", &"x".repeat(129)] {
            assert!(bad.parse::<Identifier>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn topics_are_read_back_as_they_were_written() {
        let kinds = ["session", "user", "job", "batch", "queue", "worker", "channel", "connection"];
        let texts = kinds.map(|kind| format!("default/{kind}:a:b@c.d-1"));
        for text in texts.iter().map(String::as_str).chain(["p/events", "default/events"]) {
            assert_eq!(text.parse::<Topic>().unwrap().to_string(), text);
        }
        for bad in ["", "events", "p/", "p/events:1", "p/session", "p/session:", "/events", "p/x:1"]
        {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn topics_of_two_projects_differ() {
        let mut other = Topic::events();
        other.project = "other".parse().unwrap();
        assert_ne!(Topic::events(), other);
        assert_eq!(other.to_string(), "other/events");
    }
}
