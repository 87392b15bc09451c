//! What became of one event for one stream, from all that is known of both.

use std::sync::Arc;
use std::time::Instant;

use super::life::Facts;
use super::{Fate, How, Missed, Untraced, WaitsFor, What};
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::{Event, EventId};
use crate::hub::Shared;
use crate::hub::backlog::subject;
use crate::hub::replay::Owed;
use crate::hub::replay::Replay;
use crate::hub::stream::{Resume, State};
use crate::hub::trace::Dispatch;
use crate::hub::trail::{Notes, Wait, Write};

/// An event, a stream, and where the event stood with the stream's dispatcher before the stream was
/// looked at.
pub(super) struct Case<'a> {
    pub event: &'a Arc<Event>,
    pub facts: &'a Facts<'a>,
    pub dispatch: Dispatch,
    pub hub: &'a Shared,
}

/// The judgement.
pub(super) struct Judged {
    pub fate: Fate,
    pub steps: Vec<(At, What)>,
    /// When the connection had taken the event, or the one that replaced it.
    pub written: Option<Instant>,
}

/// A time on one of the two clocks.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    Steady(Instant),
    UnixMs(u64),
}

impl At {
    pub fn unix_ms(self, hub: &Shared) -> u64 {
        match self {
            Self::Steady(at) => hub.unix_ms_at(at),
            Self::UnixMs(ms) => ms,
        }
    }
}

impl Case<'_> {
    pub fn judge(&self) -> Judged {
        match self.facts.filtering_rule(self.event) {
            Ok(None) => {}
            Ok(Some(rule)) => return Fate::Filtered(rule).into(),
            Err(untraced) => return Fate::Untraced(untraced).into(),
        }
        match self.facts.place {
            // It is just about to join.
            None => Fate::OpenedLater.into(),
            Some(place) if self.event.id <= place => self.judge_earlier(place),
            Some(_) => self.judge_live(),
        }
    }

    /// The event was there before the stream was.
    fn judge_earlier(&self, place: EventId) -> Judged {
        let id = self.event.id;
        match self.facts.profile.resume {
            Resume::FromNow => return Fate::OpenedLater.into(),
            // What it names is from elsewhere if it is from the future.
            Resume::After(after) if id <= after && after <= place => {
                return Fate::HadAlready { after }.into();
            }
            Resume::After(_) | Resume::Unknown => {}
        }
        let Some(notes) = &self.facts.notes else {
            return Fate::Untraced(Untraced::NoNotes).into();
        };
        match notes.owed {
            Some(debt) if id <= debt.after => {
                debt.gap.map_or(Fate::OpenedLater, Fate::InGap).into()
            }
            // What it is owed is noted a moment after it has joined.
            Some(_) | None => self.judge_replayed(notes),
        }
    }

    fn judge_replayed(&self, notes: &Notes) -> Judged {
        let id = self.event.id;
        if let Some(judged) = judge_answered(id, notes) {
            return judged;
        }
        if notes.replays.has_forgotten(id) {
            return Fate::Delivered(How::Replay).into();
        }
        match notes.replays.iter().find(|mark| id <= mark.to) {
            Some(mark) => Judged::delivered(How::Replay, mark.at, What::Replayed),
            None if self.facts.is_over() => {
                let is_begun = notes.replaying_to.is_some_and(|to| id <= to);
                Fate::Ended(if is_begun { Missed::InPart } else { Missed::Waiting }).into()
            }
            None => Fate::Queued(WaitsFor::Replay).into(),
        }
    }

    /// The stream was there before the event was.
    fn judge_live(&self) -> Judged {
        let id = self.event.id;
        if self.facts.left.is_some_and(|(left_after, _)| id > left_after) {
            return Fate::Ended(Missed::PublishedLater).into();
        }
        let Some(notes) = &self.facts.notes else {
            return Fate::Untraced(Untraced::NoNotes).into();
        };
        if notes.missed_from.is_some_and(|from| id >= from) {
            return Fate::Ended(Missed::NotDispatched).into();
        }
        if notes.waits.has_forgotten(id) {
            return self.judge_forgotten(notes);
        }
        match notes.waits.iter().find(|wait| wait.from <= id && id <= wait.to) {
            Some(wait) => self.judge_waiting(wait, notes),
            None => self.judge_direct(),
        }
    }

    fn judge_direct(&self) -> Judged {
        match self.dispatch {
            Dispatch::Off => Fate::Untraced(Untraced::NoRounds).into(),
            Dispatch::Ahead => Fate::Queued(WaitsFor::Dispatcher).into(),
            Dispatch::Forgotten => Fate::Delivered(How::Direct).into(),
            Dispatch::In(round) => {
                let mut judged = Judged::delivered(How::Direct, round.done, What::Written);
                judged.steps.insert(0, (At::Steady(round.taken), What::Dispatched));
                judged
            }
        }
    }

    /// The notes on its wait or on its write are gone.
    fn judge_forgotten(&self, notes: &Notes) -> Judged {
        let is_written = notes.written_to.is_some_and(|to| self.event.id <= to);
        let fate = if self.event.body.is_update() {
            // It may have been replaced.
            Fate::Untraced(Untraced::Forgotten)
        } else if is_written {
            Fate::Delivered(How::Forgotten)
        } else if self.facts.is_over() {
            Fate::Ended(Missed::InPart)
        } else {
            Fate::Queued(WaitsFor::Client)
        };
        fate.into()
    }

    fn judge_waiting(&self, wait: &Wait, notes: &Notes) -> Judged {
        let since = match self.dispatch {
            Dispatch::In(round) => round.taken,
            _ => wait.since,
        };
        let mut steps = vec![(At::Steady(since), What::Queued)];
        if notes.writes.has_forgotten(self.event.id) {
            return Judged { steps, ..self.judge_forgotten(notes) };
        }
        let survivor = self.survivor(notes, &mut steps);
        let judged = self.judge_survivor(survivor.id, notes);
        steps.extend(judged.steps);
        let fate = if survivor.id == self.event.id {
            judged.fate
        } else {
            Fate::Conflated { into: survivor.id, then: Box::new(judged.fate) }
        };
        Judged { fate, steps, written: judged.written }
    }

    /// The event that stands for this one in the end: itself, or what replaced what replaced it.
    fn survivor(&self, notes: &Notes, steps: &mut Vec<(At, What)>) -> Arc<Event> {
        let mut survivor = self.event.clone();
        while let Some(newer) = self.replaced_by(&survivor, notes) {
            steps.push((At::UnixMs(newer.time_ms), What::Replaced { by: newer.id }));
            survivor = newer;
        }
        survivor
    }

    /// The last event that had taken this one's place when the write began that carried it off.
    fn replaced_by(&self, event: &Event, notes: &Notes) -> Option<Arc<Event>> {
        if !event.body.is_update() {
            return None;
        }
        let newest = match write_of(event.id, notes) {
            Some(write) => write.newest,
            None => notes.waits.iter().next_back()?.to,
        };
        let names = NameFilter::only([event.body.matched_name().clone()]);
        let wants = Subscription::new([event.body.target.clone()], names);
        let mut later = Replay::new(Owed { gap: None, after: event.id }, newest);
        let mut last = None;
        // What cannot be read any more is older than the event itself, which could be.
        while let Ok(Some(piece)) = later.next(&self.hub.sequencer, &wants) {
            for newer in piece {
                // If it is not remembered of the newer one, it is not of the older one either.
                let is_wanted = self.facts.has_topic(&newer) != Some(false);
                if is_wanted && subject(&newer.body) == subject(&event.body) {
                    let is_last_word = newer.body.terminal;
                    last = Some(newer);
                    if is_last_word {
                        return last;
                    }
                }
            }
        }
        last
    }

    fn judge_survivor(&self, id: EventId, notes: &Notes) -> Judged {
        if let Some(judged) = judge_answered(id, notes) {
            return judged;
        }
        let write = write_of(id, notes);
        let mut judged = match write.and_then(|write| write.done) {
            Some(done) => Judged::delivered(How::Queue, done, What::Written),
            None if self.facts.is_over() => {
                let missed = if write.is_some() { Missed::InPart } else { Missed::Waiting };
                Fate::Ended(missed).into()
            }
            None if self.facts.state == State::Direct => Fate::Queued(WaitsFor::Pace).into(),
            None => Fate::Queued(WaitsFor::Client).into(),
        };
        if let Some(write) = write {
            judged.steps.insert(0, (At::Steady(write.begun), What::Taken));
        }
        judged
    }
}

/// The write that carried off what waited up to this event.
fn write_of(id: EventId, notes: &Notes) -> Option<&Write> {
    notes.writes.iter().find(|write| id <= write.to)
}

/// A poll takes more than its answer may hold: only the answer counts.
fn judge_answered(id: EventId, notes: &Notes) -> Option<Judged> {
    let mark = notes.answered?;
    Some(if id <= mark.to {
        Judged::delivered(How::Poll, mark.at, What::Answered)
    } else {
        Fate::Ended(Missed::NotAnswered).into()
    })
}

impl Judged {
    fn delivered(how: How, at: Instant, what: What) -> Self {
        let steps = vec![(At::Steady(at), what)];
        Self { fate: Fate::Delivered(how), steps, written: Some(at) }
    }
}

impl From<Fate> for Judged {
    fn from(fate: Fate) -> Self {
        Self { fate, steps: Vec::new(), written: None }
    }
}
