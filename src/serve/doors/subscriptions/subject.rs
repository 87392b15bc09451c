//! What can be subscribed to on this door, and how it is now.

use serde::Serialize;

use crate::event::job_update::JobUpdate;
use crate::event::topic::{Audience, Identifier, Topic};
use crate::event::{EventData, EventKey, InvalidEvent, NewEvent};
use crate::publish::queues::{QueueReport, WorkerReport};

/// A job, a queue or a worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub kind: Kind,
    pub id: Identifier,
}

/// What sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Job,
    Queue,
    Worker,
}

/// How something is at one moment.
#[derive(Debug)]
pub(super) enum Present<'a> {
    Job(&'a JobUpdate),
    Queue(&'a QueueReport),
    Worker(&'a WorkerReport),
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Job, Self::Queue, Self::Worker];

    /// The word for it in paths and queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Queue => "queue",
            Self::Worker => "worker",
        }
    }

    /// The word for several of them.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Job => "jobs",
            Self::Queue => "queues",
            Self::Worker => "workers",
        }
    }

    /// Under which name seed 001's events say which one it is.
    pub fn id_member(self) -> &'static str {
        match self {
            Self::Job => "jobId",
            Self::Queue => "queueName",
            Self::Worker => "workerId",
        }
    }

    /// What is called so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Subject {
    /// Where its events go.
    pub fn topic(&self) -> Topic {
        let audience = match self.kind {
            Kind::Job => Audience::Job,
            Kind::Queue => Audience::Queue,
            Kind::Worker => Audience::Worker,
        };
        Topic { project: Identifier::default_project(), audience: audience(self.id.clone()) }
    }

    /// What these events are about; none if it is nothing of this door.
    pub fn kind_of(topic: &Topic) -> Option<Kind> {
        match topic.audience {
            Audience::Job(_) => Some(Kind::Job),
            Audience::Queue(_) => Some(Kind::Queue),
            Audience::Worker(_) => Some(Kind::Worker),
            _ => None,
        }
    }
}

impl Present<'_> {
    /// The event that tells it, for those of `topic`.
    pub fn event(&self, topic: Topic, now_ms: u64) -> Result<NewEvent, InvalidEvent> {
        let (name, id, data) = match self {
            Self::Job(job) => (JobUpdate::EVENT, &job.job_id, job.encode(0)?),
            Self::Queue(queue) => {
                let data = EventData::from_json(&queue.to_json(now_ms), 0)?;
                (QueueReport::EVENT, &queue.queue_name, data)
            }
            Self::Worker(worker) => {
                let data = EventData::from_json(&worker.to_json(now_ms), 0)?;
                (WorkerReport::EVENT, &worker.worker_id, data)
            }
        };
        let terminal = matches!(self, Self::Job(job) if job.is_terminal());
        let key = Some(EventKey::new(id.as_str()));
        Ok(NewEvent { key, terminal, ..NewEvent::new(topic, name.parse()?, data) })
    }
}
