//! What those are told who ask the hub for something.

use std::sync::Arc;

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
