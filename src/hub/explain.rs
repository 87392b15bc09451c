//! Why a client got an event, or did not.
//!
//! Most of the answer is computed when somebody asks: an event and a subscription say whether they match,
//! the order says who was there. The rest is in what is remembered: the dispatchers' rounds and the
//! streams that have ended ([`trace`](super::trace)), and the notes on streams that lagged or resumed
//! ([`trail`](super::trail)). Where the memory ends, the answer says so.

mod judge;

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use self::judge::{At, Case, Life};
use super::gap::{Gap, GapReason};
use super::sequencer::Found;
use super::stream::{EndReason, Profile, State};
use super::{Hub, Shared};
use crate::event::topic::{Audience, Identifier};
use crate::event::{Event, EventId};

/// Whose fate is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// One stream, by its public name.
    Connection(Uuid),
    /// All streams of a session, now and recently.
    Session(&'a Identifier),
}

/// What became of an event for a client.
#[derive(Debug)]
pub struct Explanation {
    /// The event, as far as it is known.
    pub event: Result<Known, Unknown>,
    /// The streams in question that are known, in the order of joining.
    pub accounts: Vec<Account>,
    /// The answer in a word.
    pub verdict: Verdict,
    /// How many ended streams are remembered at most.
    pub max_ended: usize,
}

/// An event that is there.
#[derive(Debug, Clone)]
pub struct Known {
    /// The event itself.
    pub event: Arc<Event>,
    /// Until when the history keeps it, if nothing else pushes it out: milliseconds since 1970-01-01 UTC.
    /// `None` if it has let it go: then it is in the journal.
    pub history_until_ms: Option<u64>,
    /// When it was published, on the steady clock, if that was in this process's life.
    published: Option<Instant>,
}

/// Why an event is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// No such id has been given yet; this is the newest.
    NotYet {
        /// The newest id.
        newest: EventId,
    },
    /// There never was an event with this id.
    Never,
    /// Whatever had this id is gone: since when, if that is known, in milliseconds since 1970-01-01 UTC.
    Gone {
        /// Why it is.
        reason: GapReason,
        /// Since when.
        since_ms: Option<u64>,
    },
}

/// What became of the event for one stream.
#[derive(Debug)]
pub struct Account {
    /// The stream's public name.
    pub id: Uuid,
    /// Who it is and what it wants.
    pub profile: Profile,
    /// When it joined: milliseconds since 1970-01-01 UTC.
    pub opened_ms: u64,
    /// How it is being served; an ended one is [`State::Ending`].
    pub state: State,
    /// Why it has ended, if it has.
    pub reason: Option<EndReason>,
    /// When it had ended: milliseconds since 1970-01-01 UTC.
    pub ended_ms: Option<u64>,
    /// What became of the event; `None` if the event is not known.
    pub fate: Option<Fate>,
    /// How that came about, in the order of time.
    pub steps: Vec<Step>,
    /// How long after its publication the event was handed to the connection, or the one that replaced it.
    pub lag: Option<Lag>,
    /// Whether it was open when the event was published, as far as is known.
    was_open: bool,
}

/// A delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// How long. Of a round it is measured to its end: no client waited longer.
    pub time: Duration,
    /// Measured on the steady clock; otherwise on the wall clock, which may have been set meanwhile.
    pub is_steady: bool,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When: milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The event was published.
    Published,
    /// The stream joined.
    Opened,
    /// The stream's dispatcher took the event.
    Dispatched,
    /// The event began to wait for its client.
    Queued,
    /// A newer event about the same was published while it waited, and replaced it.
    Replaced {
        /// That event.
        by: EventId,
    },
    /// The stream's own thread began to write it.
    Taken,
    /// The connection had taken it.
    Written,
    /// The connection had taken it, among what the client had missed before it came.
    Replayed,
    /// The answer to a poll carried it.
    Answered,
    /// The stream had ended.
    Ended(EndReason),
}

/// What became of an event for a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The stream does not want it, or may not see it.
    Filtered(Rule),
    /// The connection took it.
    Delivered(How),
    /// A newer event about the same took its place while it waited.
    Conflated {
        /// That event.
        into: EventId,
        /// What became of that one.
        then: Box<Fate>,
    },
    /// It waits.
    Queued(WaitsFor),
    /// The client said when it came that it had everything up to this event.
    HadAlready {
        /// What it named.
        after: EventId,
    },
    /// The client was told that it could not have it.
    InGap(Gap),
    /// The stream joined later and asked for nothing from before.
    OpenedLater,
    /// The stream ended first.
    Ended(Missed),
    /// It cannot be said.
    Untraced(Untraced),
}

/// Why a stream does not get an event. The first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is for another tenant.
    Project,
    /// It is for others.
    Topic,
    /// It is of a type that was not asked for.
    Type,
}

/// In which way a connection took an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Straight from the dispatcher.
    Direct,
    /// After it had waited for its client.
    Queue,
    /// After the client had come back.
    Replay,
    /// As the answer to a poll.
    Poll,
    /// One of these; the notes are gone.
    Forgotten,
}

/// What an event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// The dispatcher, which has not come to it or is just at it.
    Dispatcher,
    /// The client, which is slower than the events.
    Client,
    /// The next moment at which the stream may be sent updates.
    Pace,
    /// Its place in what the client missed before it came.
    Replay,
}

/// How the end of a stream forestalled an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It was published afterwards.
    PublishedLater,
    /// The dispatcher had not come to it.
    NotDispatched,
    /// It waited.
    Waiting,
    /// It was being written: the client may have a part of it, or all.
    InPart,
    /// The poll had been answered.
    NotAnswered,
}

/// Why something cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untraced {
    /// Dispatchers' rounds are not remembered.
    NoRounds,
    /// Notes on streams are not made.
    NoNotes,
    /// The notes that would tell are gone.
    Forgotten,
}

/// The answer in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The client's connection took it.
    Delivered,
    /// The client gets, or got, a newer event in its stead.
    Conflated,
    /// It waits.
    Queued,
    /// The client said that it had it.
    HadAlready,
    /// The client was told that it could not have it.
    Gap,
    /// The connection ended first.
    EndedBefore,
    /// It cannot be said.
    NotTraced,
    /// It is not for this client.
    Filtered,
    /// There was no connection for it.
    NotConnected,
    /// The event is not kept any more.
    Forgotten,
    /// There is no such event.
    UnknownEvent,
}

impl Hub {
    /// Says what became of an event for a client.
    pub fn explain(&self, id: EventId, who: Who<'_>) -> Explanation {
        let hub = &self.0;
        let event = hub.known(id);
        let lives = hub.lives(who);
        let accounts: Vec<Account> =
            lives.map(|life| hub.account(event.as_ref().ok(), &life)).collect();
        let verdict = verdict(&event, &accounts, who);
        let max_ended = hub.limits.trace_ended_streams;
        Explanation { event, accounts, verdict, max_ended }
    }
}

impl Shared {
    fn known(&self, id: EventId) -> Result<Known, Unknown> {
        let age = self.limits.history_age;
        match self.sequencer.find(id) {
            Found::Kept { event, since, published } => {
                Ok(Known { event, history_until_ms: Some(self.unix_ms_at(since + age)), published })
            }
            Found::NotYet { newest } => Err(Unknown::NotYet { newest }),
            Found::Never => Err(Unknown::Never),
            Found::Gone { before_restart } => {
                let expired_ms = id.ms.saturating_add(age.as_millis() as u64);
                let is_expired = expired_ms <= self.clock.unix_ms();
                Err(match (before_restart, is_expired) {
                    (true, _) => Unknown::Gone { reason: GapReason::Restart, since_ms: None },
                    (false, true) => {
                        Unknown::Gone { reason: GapReason::Expired, since_ms: Some(expired_ms) }
                    }
                    (false, false) => Unknown::Gone { reason: GapReason::Overflow, since_ms: None },
                })
            }
        }
    }

    /// The streams that are meant, the first to join first.
    fn lives(&self, who: Who<'_>) -> impl Iterator<Item = Life> {
        let mut lives: Vec<Life> = match who {
            Who::Connection(id) => {
                let open = self.open(|stream| stream.id == id);
                // Looked up second: what leaves is here before it is gone there.
                open.into_iter().chain(self.trace.ended(id).map(Life::Ended)).collect()
            }
            Who::Session(session) => {
                let open = self.open(|stream| stream.profile.session.as_ref() == Some(session));
                let ended = self.trace.ended_of(session).into_iter().map(Life::Ended);
                open.into_iter().chain(ended).collect()
            }
        };
        // Of one that is just leaving, the account of its end, which is the later one.
        lives.reverse();
        lives.sort_by_key(Life::number);
        lives.dedup_by_key(|life| life.number());
        lives.into_iter()
    }

    fn open(&self, is_meant: impl Fn(&super::Stream) -> bool) -> Vec<Life> {
        let streams = self.streams.lock();
        let meant = streams.by_number.values().filter(|stream| is_meant(stream));
        meant.map(|stream| Life::Open(stream.clone())).collect()
    }

    fn account(&self, known: Option<&Known>, life: &Life) -> Account {
        let rounds = &self.trace.rounds[life.shard()];
        // Before the notes are looked at: what a round has queued is noted when it is done.
        let dispatch = known.map(|known| rounds.dispatch(known.event.id));
        let facts = life.facts();
        let mut account = Account {
            id: facts.id,
            profile: facts.profile.clone(),
            opened_ms: facts.opened_ms,
            state: facts.state,
            reason: facts.reason,
            ended_ms: facts.left.map(|(_, ended_ms)| ended_ms),
            fate: None,
            steps: Vec::new(),
            lag: None,
            was_open: known.is_some_and(|known| facts.was_open(known.event.id)),
        };
        let (opened, ended) = facts.ends();
        account.steps.push(opened);
        if let Some((known, dispatch)) = known.zip(dispatch) {
            let judged = Case { event: &known.event, facts: &facts, dispatch, hub: self }.judge();
            let step = |(at, what): (At, What)| Step { at_ms: at.unix_ms(self), what };
            account.steps.push(Step { at_ms: known.event.time_ms, what: What::Published });
            account.steps.extend(judged.steps.into_iter().map(step));
            account.lag = judged.written.map(|written| self.lag(known, written));
            account.fate = Some(judged.fate);
        }
        account.steps.extend(ended);
        // Stable: what shows the same time stays in this order.
        account.steps.sort_by_key(|step| step.at_ms);
        account
    }

    fn lag(&self, known: &Known, written: Instant) -> Lag {
        match known.published {
            Some(published) => {
                Lag { time: written.saturating_duration_since(published), is_steady: true }
            }
            None => {
                let ms = self.unix_ms_at(written).saturating_sub(known.event.time_ms);
                Lag { time: Duration::from_millis(ms), is_steady: false }
            }
        }
    }

    /// The wall clock's time at another moment, as the wall clock is set now.
    fn unix_ms_at(&self, at: Instant) -> u64 {
        let (now, unix_ms) = (self.clock.now(), self.clock.unix_ms());
        let passed = now.saturating_duration_since(at).as_millis() as u64;
        let ahead = at.saturating_duration_since(now).as_millis() as u64;
        unix_ms.saturating_add(ahead).saturating_sub(passed)
    }
}

/// The word for all of a client's streams together: what is best for the client.
fn verdict(event: &Result<Known, Unknown>, accounts: &[Account], who: Who<'_>) -> Verdict {
    let known = match event {
        Ok(known) => known,
        Err(Unknown::Gone { .. }) => return Verdict::Forgotten,
        Err(_) => return Verdict::UnknownEvent,
    };
    let verdicts = accounts.iter().filter_map(|account| Some((account, account.verdict()?)));
    match who {
        Who::Connection(_) => {
            verdicts.map(|(_, verdict)| verdict).next().unwrap_or(Verdict::NotConnected)
        }
        Who::Session(session) => {
            let is_of_others = matches!(&known.event.body.target.audience,
                Audience::Session(other) if other != session);
            let then = verdicts
                .filter(|(account, verdict)| account.was_open || *verdict < Verdict::EndedBefore);
            let best = then.map(|(_, verdict)| verdict).min();
            let none = if is_of_others { Verdict::Filtered } else { Verdict::NotConnected };
            best.unwrap_or(none)
        }
    }
}

impl Account {
    /// The word for what became of the event here.
    pub fn verdict(&self) -> Option<Verdict> {
        self.fate.as_ref().map(Fate::verdict)
    }
}

impl Fate {
    /// The word for it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Filtered(_) => Verdict::Filtered,
            Self::Delivered(_) => Verdict::Delivered,
            Self::Conflated { .. } => Verdict::Conflated,
            Self::Queued(_) => Verdict::Queued,
            Self::HadAlready { .. } => Verdict::HadAlready,
            Self::InGap(_) => Verdict::Gap,
            Self::OpenedLater => Verdict::NotConnected,
            Self::Ended(_) => Verdict::EndedBefore,
            Self::Untraced(_) => Verdict::NotTraced,
        }
    }
}

impl Rule {
    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Topic => "topic",
            Self::Type => "type",
        }
    }
}

impl What {
    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Opened => "opened",
            Self::Dispatched => "dispatched",
            Self::Queued => "queued",
            Self::Replaced { .. } => "replaced",
            Self::Taken => "taken",
            Self::Written => "written",
            Self::Replayed => "replayed",
            Self::Answered => "answered",
            Self::Ended(_) => "ended",
        }
    }
}

impl Verdict {
    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Conflated => "conflated",
            Self::Queued => "queued",
            Self::HadAlready => "had_already",
            Self::Gap => "gap",
            Self::EndedBefore => "ended_before",
            Self::NotTraced => "not_traced",
            Self::Filtered => "filtered",
            Self::NotConnected => "not_connected",
            Self::Forgotten => "forgotten",
            Self::UnknownEvent => "unknown_event",
        }
    }
}
