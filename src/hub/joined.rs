//! A stream that has joined: what serves it, and what it is owed from before.

use std::sync::Arc;

use super::Shared;
use super::replay::Replay;
use super::stream::EndReason;
use super::writer::Writer;
use crate::event::{Event, EventId};

/// A stream that has joined. Dropping it makes the stream leave.
#[derive(Debug)]
pub struct Joined {
    /// Serves the stream.
    pub writer: Writer,
    /// What the client is owed from before.
    pub replay: Replay,
    /// The newest event at the moment of joining: what the client has after the replay.
    pub after: EventId,
    pub(super) hub: Arc<Shared>,
}

impl Joined {
    /// The next piece of what the client is owed from before; `None` after the last one.
    pub fn next_piece(&mut self) -> Result<Option<Vec<Arc<Event>>>, EndReason> {
        let stream = self.writer.stream();
        self.replay.next(&self.hub.sequencer, &stream.profile.subscription).inspect_err(|reason| {
            stream.end(*reason);
        })
    }

    /// Writes everything that the client is owed from before.
    pub fn catch_up(&mut self) -> Result<(), EndReason> {
        while let Some(events) = self.next_piece()? {
            let (stream, to) = (self.writer.stream().clone(), self.replay.position());
            stream.outbox.trail.replays(to);
            self.writer.replay(events)?;
            stream.outbox.trail.replayed(to);
        }
        Ok(())
    }

    /// Notes that a poll was answered with everything up to here.
    pub fn note_answered(&self, to: EventId) {
        self.writer.stream().outbox.trail.answered(to);
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.hub.leave(self.writer.stream());
    }
}
