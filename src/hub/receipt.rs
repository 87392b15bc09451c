//! What those are told who ask the hub for something.

use std::sync::Arc;

use crate::event::subscription::Change;
use crate::event::{Event, EventId};

/// What a publisher is told.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The event, with its place in the order.
    pub event: Arc<Event>,
    /// How many open streams it is for.
    pub matched: usize,
}

impl Receipt {
    /// The event's place in the order.
    pub fn id(&self) -> EventId {
        self.event.id
    }
}

/// Why an event or a stream was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The dispatchers are behind; the same event is welcome a moment later.
    #[error("the server is behind with delivering; try again in a moment")]
    Busy,
    /// The hub is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The kernel watches no more descriptors for us.
    #[error("the server is out of resources; try again in a moment")]
    Exhausted,
}

/// What a stream is told that changes what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resubscribed {
    /// What made a difference.
    pub change: Change,
    /// The newest event at that moment: later ones come by what the stream wants now.
    pub after: EventId,
}

/// Why a stream goes on wanting what it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// It has ended.
    #[error("the stream has ended")]
    Gone,
    /// It would want more topics than it may.
    #[error("the stream would have too many subscriptions")]
    TooMany,
}
