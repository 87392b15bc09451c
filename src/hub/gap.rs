//! What a client is told that may have missed something.

use serde::{Deserialize, Serialize};

use crate::event::EventId;

/// A stretch of the order in which a client may have missed events it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The client has everything up to here; `None` if what it named was never an id of ours.
    pub from: Option<EventId>,
    /// From here on the stream is complete again.
    pub to: EventId,
    /// Why the events in between are not to be had.
    pub reason: GapReason,
}

/// Why events are not to be had any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapReason {
    /// They were older than they are kept.
    Expired,
    /// More came than is kept.
    Overflow,
    /// The server was restarted since.
    #[default]
    Restart,
}
