//! A stream, open or ended, as far as it is known.

use std::sync::Arc;

use uuid::Uuid;

use super::{Rule, Step, Untraced, What};
use crate::event::subscription::Subscription;
use crate::event::{Event, EventId};
use crate::hub::standing::Changed;
use crate::hub::stream::{EndReason, Profile, State, Stream};
use crate::hub::trace::Ended;
use crate::hub::trail::Notes;

/// A stream, as far as it is known.
pub(super) enum Life {
    Open(Arc<Stream>),
    Ended(Arc<Ended>),
}

/// What is known of a stream at one moment.
pub(super) struct Facts<'a> {
    pub id: Uuid,
    pub profile: &'a Profile,
    pub opened_ms: u64,
    pub state: State,
    pub reason: Option<EndReason>,
    /// The newest event when it joined.
    pub place: Option<EventId>,
    /// The newest event when it left, and when that was.
    pub left: Option<(EventId, u64)>,
    /// `None` if none are made.
    pub notes: Option<Notes>,
    /// What it wanted instead of what it joined with.
    pub changed: Option<Changed>,
}

impl Life {
    pub fn number(&self) -> u64 {
        match self {
            Self::Open(stream) => stream.number,
            Self::Ended(ended) => ended.number,
        }
    }

    pub fn shard(&self) -> usize {
        match self {
            Self::Open(stream) => stream.shard,
            Self::Ended(ended) => ended.shard,
        }
    }

    pub fn facts(&self) -> Facts<'_> {
        match self {
            Self::Open(stream) => Facts {
                id: stream.id,
                profile: &stream.profile,
                opened_ms: stream.created_ms,
                state: stream.state(),
                reason: stream.end_reason(),
                place: stream.standing.place(),
                left: None,
                notes: stream.outbox.trail.notes(),
                changed: stream.standing.changed(),
            },
            Self::Ended(ended) => Facts {
                id: ended.id,
                profile: &ended.profile,
                opened_ms: ended.opened_ms,
                state: State::Ending,
                reason: Some(ended.reason),
                place: ended.place,
                left: Some((ended.left_after, ended.ended_ms)),
                notes: ended.notes.as_ref().map(|notes| notes.lock().clone()),
                changed: ended.changed.clone(),
            },
        }
    }
}

impl Facts<'_> {
    /// Whether nothing more can be written: it is gone, or cut.
    pub fn is_over(&self) -> bool {
        self.left.is_some() || self.reason.is_some_and(|reason| !reason.is_planned())
    }

    /// Whether it had its place when this event was published.
    pub fn was_open(&self, id: EventId) -> bool {
        self.place.is_some_and(|place| place < id) && self.left.is_none_or(|(left, _)| id <= left)
    }

    /// Who it is and what it wants now, or wanted last.
    pub fn present_profile(&self) -> Profile {
        let mut profile = self.profile.clone();
        if let Some(changed) = &self.changed {
            profile.subscription = Subscription::clone(&changed.subscription);
        }
        profile
    }

    /// The first rule by which the stream does not get an event, if there is one.
    pub fn filtering_rule(&self, event: &Event) -> Result<Option<Rule>, Untraced> {
        let (wants, target) = (&self.profile.subscription, &event.body.target);
        Ok(if target.project != self.profile.project {
            Some(Rule::Project)
        } else if !self.has_topic(event).ok_or(Untraced::Resubscribed)? {
            Some(Rule::Topic)
        } else if !wants.names().allows(event.body.matched_name()) {
            Some(Rule::Type)
        } else {
            None
        })
    }

    /// Whether the stream wanted events for this one's topic when this one was published; `None` if that
    /// is not remembered.
    pub fn has_topic(&self, event: &Event) -> Option<bool> {
        let target = &event.body.target;
        match &self.changed {
            // What was before it joined comes by what it joined with.
            Some(changed) if self.place.is_some_and(|place| place < event.id) => {
                changed.wanted(target, event.id)
            }
            _ => Some(self.profile.subscription.has(target)),
        }
    }

    /// The event's way, put in its place between the publishing, the opening and the end. By the
    /// order and not by the times, which tell nothing within a millisecond.
    pub fn steps(&self, event: Option<&Arc<Event>>, way: Vec<Step>) -> Vec<Step> {
        let opened = Step { at_ms: self.opened_ms, what: What::Opened };
        let ended = self.left.zip(self.reason);
        let ended = ended.map(|((_, at_ms), reason)| Step { at_ms, what: What::Ended(reason) });
        let Some(event) = event else { return [opened].into_iter().chain(ended).collect() };
        let published = Step { at_ms: event.time_ms, what: What::Published };
        let mut steps = vec![opened];
        steps.extend(way);
        steps.extend(ended);
        let place = match (self.place, self.left) {
            (Some(place), _) if event.id <= place => 0,
            (_, Some((left_after, _))) if event.id > left_after => steps.len(),
            _ => 1,
        };
        steps.insert(place, published);
        steps
    }
}
