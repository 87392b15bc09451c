//! What a client that comes back is given before anything new, piece by piece.
//!
//! Each piece is taken under the order's lock and is small, so that no client, however far back it
//! begins, holds publishers up. What the history has let go is read from the journal, outside of the
//! lock. Live events wait in the stream's outbox meanwhile.

use std::sync::Arc;

use super::gap::{Gap, GapReason};
use super::sequencer::{Sequencer, Source};
use super::stream::EndReason;
use crate::event::subscription::Subscription;
use crate::event::{Event, EventId};

/// How many events one piece from the journal holds.
const JOURNAL_PIECE_EVENTS: usize = if cfg!(test) { 7 } else { 1_024 };

/// How often a client is told anew what is missing, because more was let go while it was told.
const TRIES: usize = 5;

/// What a client that comes back is given before anything new.
#[derive(Debug)]
pub struct Replay {
    /// What cannot be given any more: told first.
    pub gap: Option<Gap>,
    /// The next piece, if it has been taken already.
    ready: Option<Vec<Arc<Event>>>,
    /// It began after this.
    begin: EventId,
    /// Everything up to here has been given.
    position: EventId,
    /// Everything after this comes live.
    up_to: EventId,
}

/// What a client that comes back is owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// What cannot be given any more.
    pub gap: Option<Gap>,
    /// It is owed everything else after this.
    pub after: EventId,
}

/// A piece of what a client is owed.
#[derive(Debug, Default)]
pub struct Page {
    /// Everything that matches up to `complete_to`, in its order.
    pub events: Vec<Arc<Event>>,
    /// Where the next piece begins.
    pub complete_to: EventId,
}

impl Replay {
    /// The replay for a client that is owed this, and whose live events begin after `up_to`.
    pub(super) fn new(owed: Owed, up_to: EventId) -> Self {
        Self { gap: owed.gap, ready: None, begin: owed.after, position: owed.after, up_to }
    }

    /// Whether everything has been given.
    pub fn is_done(&self) -> bool {
        self.ready.is_none() && self.position >= self.up_to
    }

    /// The id from which a client resumes that has got the opening and nothing else. As long as it is
    /// owed something this is where it left off: the rest may never reach it.
    pub fn resume_point(&self, left_off: EventId) -> EventId {
        if self.gap.is_none() && self.is_done() { self.up_to } else { left_off }
    }

    /// The id that the notice of the gap carries, after which the client will not be told of it again:
    /// none as long as there is something to replay from before the gap's end.
    pub fn gap_id(&self) -> Option<EventId> {
        let to = self.gap?.to;
        let first = self.ready.iter().flatten().next();
        first.is_none_or(|event| event.id > to).then_some(to)
    }

    /// What it gives begins after this id.
    pub(super) fn begin(&self) -> EventId {
        self.begin
    }

    /// Everything up to this id has been given, or will be with the piece that is ready.
    pub fn position(&self) -> EventId {
        self.position
    }

    /// Withholds all of it, as if it had been let go: the client is told of a gap up to what comes live.
    pub fn withhold(&mut self, from: Option<EventId>, reason: GapReason) {
        self.gap = Some(Gap { from, to: self.up_to, reason });
        self.ready = None;
        self.position = self.up_to;
    }

    /// Takes the first piece that is not empty, so that the opening can say what follows.
    pub(super) fn prepare(&mut self, from: &Sequencer, wants: &Subscription) {
        for _ in 0..TRIES {
            match self.take(from, wants) {
                Ok(piece) => return self.ready = piece,
                Err(Failure::Gone) => self.widen(from.gone_after(self.position, wants)),
                Err(Failure::Unreadable) => break,
            }
        }
        // A disk that cannot be read now. The client is told and not sent away: it would only come back
        // and find the same.
        let to = from.begins_after().min(self.up_to).max(self.position);
        self.widen(Some((to, GapReason::Expired)));
        (self.begin, self.position) = (to, to);
        self.ready = self.take(from, wants).unwrap_or_default();
    }

    /// Announces that what is up to there may be missing as well.
    fn widen(&mut self, missing: Option<(EventId, GapReason)>) {
        let Some((to, reason)) = missing else { return };
        let from = match self.gap {
            Some(gap) if to <= gap.to => return,
            Some(gap) => gap.from,
            None => Some(self.position),
        };
        self.gap = Some(Gap { from, to, reason });
    }

    /// The next piece; `None` after the last one. Fails when the rest has been let go meanwhile: the
    /// client was too slow for it, and is told when it resumes.
    pub(super) fn next(
        &mut self,
        from: &Sequencer,
        wants: &Subscription,
    ) -> Result<Option<Vec<Arc<Event>>>, EndReason> {
        match self.ready.take() {
            Some(piece) => Ok(Some(piece)),
            None => self.take(from, wants).map_err(|_| EndReason::SlowConsumer),
        }
    }

    fn take(
        &mut self,
        from: &Sequencer,
        wants: &Subscription,
    ) -> Result<Option<Vec<Arc<Event>>>, Failure> {
        while self.position < self.up_to {
            let announced = self.gap.map_or(self.position, |gap| gap.to.max(self.position));
            let page = match from.source(self.position, announced, self.up_to, wants) {
                Source::History(page) => page,
                Source::Journal { up_to } => self.read_journal(from, announced, up_to, wants)?,
                Source::Gone => return Err(Failure::Gone),
            };
            self.position = page.complete_to;
            if !page.events.is_empty() {
                return Ok(Some(page.events));
            }
        }
        Ok(None)
    }

    fn read_journal(
        &self,
        from: &Sequencer,
        announced: EventId,
        up_to: EventId,
        wants: &Subscription,
    ) -> Result<Page, Failure> {
        let span = (self.position, up_to);
        match from.read_journal(span, announced, wants, JOURNAL_PIECE_EVENTS) {
            Ok(page) => page.ok_or(Failure::Gone),
            Err(error) => {
                log::error!("cannot read what is kept: {error}");
                Err(Failure::Unreadable)
            }
        }
    }
}

/// Why the next piece is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Some of it has been let go since the client was told what is missing.
    Gone,
    /// The journal cannot be read.
    Unreadable,
}
