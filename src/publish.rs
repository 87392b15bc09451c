//! Who puts events in: the one door into the hub. The ways that lead to it are the submodules.

// Summaries of talks: takes transcripts, tells the session that asked how far it is.
pub mod summarizer;

use serde::Serialize;

use crate::event::topic::Topic;
use crate::event::{EventData, EventName, InvalidEvent, NewEvent};
use crate::hub::{Hub, Receipt, Refused};

/// What may be published.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The size of one event's data, encoded, in bytes.
    pub max_event_bytes: usize,
    /// The event types that may be broadcast and subscribed to besides the built-in ones; `*` allows
    /// every valid name.
    pub event_types: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 256 << 10, event_types: Vec::new() }
    }
}

/// The one door by which events enter the hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    hub: Hub,
    max_event_bytes: usize,
}

/// Why something was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It is no valid event; sending it again will not help.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// It was not taken now; sending it again will.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Publisher {
    /// A door into `hub`.
    pub fn new(hub: Hub, limits: &Limits) -> Self {
        Self { hub, max_event_bytes: limits.max_event_bytes }
    }

    /// Publishes a valid event.
    pub fn publish(&self, event: NewEvent) -> Result<Receipt, PublishError> {
        Ok(self.hub.publish(event)?)
    }

    /// Builds an event from a value of our own and publishes it.
    pub fn send(
        &self,
        target: Topic,
        name: &EventName,
        data: &impl Serialize,
    ) -> Result<Receipt, PublishError> {
        let data = EventData::encode(data, self.max_event_bytes)?;
        self.publish(NewEvent::new(target, name.clone(), data))
    }
}
