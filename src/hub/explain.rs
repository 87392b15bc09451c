//! Why a client got an event, or did not.
//!
//! Most of the answer is computed when somebody asks: an event and a subscription say whether they match,
//! the order says who was there. The rest is in what is remembered: the dispatchers' rounds and the
//! streams that have ended ([`trace`](super::trace)), and the notes on streams that lagged or resumed
//! ([`trail`](super::trail)). Where the memory ends, the answer says so.

mod fate;
mod judge;
mod life;

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

pub use self::fate::{Fate, How, Missed, Rule, Untraced, Verdict, WaitsFor};

use self::judge::Case;
use self::life::Life;
use super::gap::GapReason;
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
    /// Until when a client that resumes gets it, if nothing else pushes it out: milliseconds since
    /// 1970-01-01 UTC; `None` if age is no reason to let it go.
    pub replayable_until_ms: Option<u64>,
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
    /// It may be on a disk that cannot be read now.
    Unreadable,
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
    /// How that came about, in its order: times of two clocks can differ by a millisecond.
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
                let until_ms = Some(self.unix_ms_at(since + age));
                let replayable_until_ms = self.replayable_until_ms(&event, until_ms);
                Ok(Known { event, replayable_until_ms, published })
            }
            Found::Stored { event } => {
                let replayable_until_ms = self.replayable_until_ms(&event, None);
                Ok(Known { event, replayable_until_ms, published: None })
            }
            Found::Unreadable => Err(Unknown::Unreadable),
            Found::NotYet { newest } => Err(Unknown::NotYet { newest }),
            Found::Never => Err(Unknown::Never),
            Found::Gone { because: Some(reason) } => Err(Unknown::Gone { reason, since_ms: None }),
            Found::Gone { because: None } => {
                let expired_ms = id.ms.saturating_add(age.as_millis() as u64);
                Err(if expired_ms <= self.clock.unix_ms() {
                    Unknown::Gone { reason: GapReason::Expired, since_ms: Some(expired_ms) }
                } else {
                    Unknown::Gone { reason: GapReason::Overflow, since_ms: None }
                })
            }
        }
    }

    /// Until when an event can be replayed that the history keeps so long.
    fn replayable_until_ms(&self, event: &Event, history_until_ms: Option<u64>) -> Option<u64> {
        match self.sequencer.journal_age(event) {
            None => history_until_ms,
            Some(Duration::ZERO) => None,
            Some(age) => {
                let journal_until_ms = event.time_ms.saturating_add(age.as_millis() as u64);
                history_until_ms.max(Some(journal_until_ms))
            }
        }
    }

    /// The streams that are meant, the first to join first.
    fn lives(&self, who: Who<'_>) -> impl Iterator<Item = Life> {
        let mut lives: Vec<Life> = match who {
            Who::Connection(id) => {
                let open = self.streams.lock().named(id).map(Life::Open);
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
            profile: facts.present_profile(),
            opened_ms: facts.opened_ms,
            state: facts.state,
            reason: facts.reason,
            ended_ms: facts.left.map(|(_, ended_ms)| ended_ms),
            fate: None,
            steps: Vec::new(),
            lag: None,
            was_open: known.is_some_and(|known| facts.was_open(known.event.id)),
        };
        if let Some((known, dispatch)) = known.zip(dispatch) {
            let judged = Case { event: &known.event, facts: &facts, dispatch, hub: self }.judge();
            account.lag = judged.written.map(|written| self.lag(known, written));
            let way = judged.steps.into_iter();
            let way = way.map(|(at, what)| Step { at_ms: at.unix_ms(self), what }).collect();
            account.steps = facts.steps(Some(&known.event), way);
            account.fate = Some(judged.fate);
        } else {
            account.steps = facts.steps(None, Vec::new());
        }
        account
    }

    fn lag(&self, known: &Known, written: Instant) -> Lag {
        if let Some(published) = known.published {
            return Lag { time: written.saturating_duration_since(published), is_steady: true };
        }
        let ms = self.unix_ms_at(written).saturating_sub(known.event.time_ms);
        Lag { time: Duration::from_millis(ms), is_steady: false }
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
        Err(Unknown::Unreadable) => return Verdict::NotTraced,
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
