//! What one client has got, and the rules that it is judged by.
//!
//! 1. Ids strictly increase over all its connections, and its resume point never goes back.
//! 2. Every matching event that was acknowledged as stored arrives once.
//! 3. Every other acknowledged one arrives once, or lies in a gap that the client was told of, or is an
//!    update and a newer one about the same subject arrives (or lies in a gap).
//! 4. Nothing arrives that does not match.
//! 5. An event without an acknowledgement arrives once at most in each life of the server in which it
//!    was tried.
//! 6. Whoever wants only what is always durable is never told of a gap by a restart, unless a publisher
//!    was told that something was not stored.
//! 7. A gap by a restart is told only if there was a crash since the id that the client returned with.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};
use tidings::event::EventId;
use tidings::event::parser::ReceivedEvent;

use super::ledger::{Book, Published};
use super::{GAP_REASONS, Kind, SESSIONS, Tally, World};

/// The data of the fleet's events: what they are is in them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body {
    /// The publisher's number for it.
    pub number: u64,
    /// The type by which it is matched.
    pub matched: String,
    pub session: Option<u8>,
    pub key: Option<u16>,
    pub terminal: bool,
    /// The size of `pad`.
    pub size: usize,
    pub pad: String,
}

/// What an event is about: a newer update of the same replaces an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub kind: Kind,
    pub session: Option<u8>,
    pub key: Option<u16>,
}

/// An event that came: its id, its number, what it is about.
type Received = (EventId, u64, Subject);

/// One client's wishes, what it got and what is not judged of it yet.
#[derive(Debug)]
pub(crate) struct Witness {
    name: String,
    /// Which kinds it wants, by [`Kind`] as a number.
    wants: [bool; 5],
    session: u8,
    /// The client has everything up to here, as far as it was told; none before it has got anything.
    position: Option<EventId>,
    last_event: EventId,
    /// Judged up to here.
    settled: EventId,
    received: VecDeque<Received>,
    /// Gaps it was told of, not behind it yet.
    gaps: Vec<(EventId, EventId)>,
    /// Updates that did not come, each with the id of the newest of its subject.
    replaced: HashMap<Subject, EventId>,
    /// How often uncertain events came.
    uncertain: HashMap<u64, u64>,
    /// The client is gone and gets nothing any more.
    has_left: bool,
    has_settled: bool,
}

#[derive(Deserialize)]
struct GapData {
    from: Option<String>,
    to: String,
    reason: String,
}

impl Witness {
    pub fn new(name: String, random: &mut fastrand::Rng) -> Self {
        let mut wants = [false; 5];
        // One in four wants only what is certain.
        match random.u8(0..4) {
            0 => wants[Kind::Order as usize] = true,
            1 => wants = [true; 5],
            _ => (0..3).for_each(|_| wants[random.usize(0..5)] = true),
        }
        Self { wants, session: random.u8(0..SESSIONS), ..Self::of_everything(name) }
    }

    /// A client that wants all kinds.
    pub fn of_everything(name: String) -> Self {
        Self {
            name,
            wants: [true; 5],
            session: 0,
            position: None,
            last_event: EventId::default(),
            settled: EventId::default(),
            received: VecDeque::new(),
            gaps: Vec::new(),
            replaced: HashMap::new(),
            uncertain: HashMap::new(),
            has_left: false,
            has_settled: false,
        }
    }

    /// Where it subscribes.
    pub fn path(&self) -> String {
        let names = Kind::ALL.into_iter().filter(|kind| self.wants[*kind as usize]);
        let names: Vec<_> = names.map(Kind::name).collect();
        format!("/events?subscribe={}&session_id=s{}", names.join(","), self.session)
    }

    /// Takes the next event of a connection to which the client came with the id `sent`.
    pub fn see(&mut self, event: &ReceivedEvent, sent: Option<EventId>, world: &World) {
        let seen = match event.name.as_str() {
            // Signs of life and notices: they carry no id.
            "ping" | "system" => Ok(()),
            "connected" => self.see_connected(event, world),
            "gap" => self.see_gap(event, sent, world),
            _ => self.see_event(event, world),
        };
        if let Err(what) = seen {
            world.violated(format!("{self}: {what}: {event:?}"));
        }
    }

    fn see_connected(&mut self, event: &ReceivedEvent, world: &World) -> Result<(), String> {
        let id: EventId = event.id.parse().map_err(|_| "no resume point")?;
        world.tally.connections.fetch_add(1, Relaxed);
        match self.position {
            None => self.settled = id,
            Some(position) if id < position => return Err("the resume point goes back".into()),
            Some(_) => {}
        }
        self.position = Some(id);
        Ok(())
    }

    fn see_gap(
        &mut self,
        event: &ReceivedEvent,
        sent: Option<EventId>,
        world: &World,
    ) -> Result<(), String> {
        let gap: GapData = serde_json::from_str(&event.data).map_err(|e| e.to_string())?;
        let from = gap.from.and_then(|from| from.parse::<EventId>().ok()).ok_or("no `from`")?;
        let to: EventId = gap.to.parse().map_err(|_| "no `to`")?;
        let reason = GAP_REASONS.iter().position(|reason| *reason == gap.reason);
        world.tally.gaps[reason.ok_or("an unknown reason")?].fetch_add(1, Relaxed);
        if Some(from) != sent {
            return Err(format!("a gap from elsewhere than {sent:?}"));
        }
        if gap.reason == "restart" {
            let wants_certain = self.wants == Self::CERTAIN && !world.ledger.is_in_doubt();
            if wants_certain || !world.ledger.may_be_lost_after(from) {
                return Err("a false alarm".into());
            }
        }
        self.gaps.push((from, to));
        // What has replaced them may lie in the gap.
        self.replaced.retain(|_, id| *id >= to);
        // It carries an id only if nothing of the time before its end is to come.
        let id: EventId = event.id.parse().map_err(|_| "no id")?;
        self.position = self.position.max(Some(id));
        Ok(())
    }

    const CERTAIN: [bool; 5] = [true, false, false, false, false];

    fn see_event(&mut self, event: &ReceivedEvent, world: &World) -> Result<(), String> {
        let kind = Kind::named(&event.name).ok_or("an unknown type")?;
        let body: Body = serde_json::from_str(&event.data).map_err(|e| e.to_string())?;
        let id: EventId = event.id.parse().map_err(|_| "no id")?;
        let matched = Kind::named(&body.matched).ok_or("an unknown type")?;
        if body.pad.len() != body.size {
            return Err("the data is not whole".into());
        }
        if !self.wants(matched, body.session) {
            return Err("it does not match".into());
        }
        if id <= self.last_event || self.position.is_none_or(|position| id <= position) {
            return Err(format!("out of order, after {}", self.last_event));
        }
        world.tally.deliveries.fetch_add(1, Relaxed);
        let subject = Subject { kind, session: body.session, key: body.key };
        self.received.push_back((id, body.number, subject));
        (self.last_event, self.position) = (id, Some(id));
        Ok(())
    }

    fn wants(&self, matched: Kind, session: Option<u8>) -> bool {
        self.wants[matched as usize] && session.is_none_or(|session| session == self.session)
    }

    /// Whether it has got as far as to the end of the kinds it wants.
    pub fn has_all(&self, ends: &[(Kind, EventId)]) -> bool {
        let wanted = ends.iter().filter(|(kind, _)| self.wants[*kind as usize]);
        let last = wanted.map(|(_, id)| *id).max();
        self.has_left || self.position.is_some_and(|position| Some(position) >= last)
    }

    /// Up to where it has been judged; none if it has no place in the order yet.
    pub fn settled(&self) -> Option<EventId> {
        self.position.map(|_| self.settled)
    }

    /// The client does not come back.
    pub fn leave(&mut self) {
        self.has_left = true;
    }

    /// Whether there is nothing left to judge.
    pub fn is_done(&self) -> bool {
        self.has_left && self.has_settled
    }

    /// Judges what is certain by now: the client's past, as far as the book is complete.
    pub(super) fn judge(&mut self, book: &Book, known: EventId, tally: &Tally) -> Vec<String> {
        let Some(position) = self.position else {
            self.has_settled = true;
            return Vec::new();
        };
        // A client that came while the others were judged begins behind what is forgotten.
        if self.settled < book.forgotten {
            self.settled = book.forgotten.min(position);
        }
        let (from, to) = (self.settled, known.min(position));
        self.has_settled = known >= position;
        if to <= from {
            return Vec::new();
        }
        let mut violations = Vec::new();
        for (id, event) in book.published.range((Bound::Excluded(from), Bound::Included(to))) {
            if !self.wants(event.matched, event.subject.session) {
                continue;
            }
            violations.extend(self.judge_received(book, *id, tally).err());
            let came = self.next_received(|received| received == *id);
            violations.extend(self.judge_expected(*id, event, came, tally).err());
        }
        // What comes after the last expected one; the place after it is as far as was judged.
        let after = EventId { ms: to.ms, n: to.n.saturating_add(1) };
        violations.extend(self.judge_received(book, after, tally).err());
        self.settled = to;
        self.gaps.retain(|(_, gap_to)| *gap_to > to);
        violations.iter().map(|what| format!("{self}: {what}")).collect()
    }

    /// Judges what came before `next` and is in no book: uncertain events only.
    fn judge_received(&mut self, book: &Book, next: EventId, tally: &Tally) -> Result<(), String> {
        while let Some((id, number, subject)) = self.next_received(|received| received < next) {
            self.replaced.remove(&subject);
            if id <= book.forgotten {
                continue;
            }
            let times = self.uncertain.entry(number).or_default();
            *times += 1;
            match book.uncertain.get(&number) {
                None => return Err(format!("{id}, number {number}, was never published")),
                Some(most) if *times > *most => {
                    return Err(format!("number {number} came {times} times, last as {id}"));
                }
                Some(_) if *times > 1 => tally.again.fetch_add(1, Relaxed),
                Some(_) => 0,
            };
        }
        Ok(())
    }

    fn next_received(&mut self, is_it: impl Fn(EventId) -> bool) -> Option<Received> {
        self.received.front().filter(|(id, ..)| is_it(*id))?;
        self.received.pop_front()
    }

    fn judge_expected(
        &mut self,
        id: EventId,
        event: &Published,
        came: Option<Received>,
        tally: &Tally,
    ) -> Result<(), String> {
        if let Some((_, number, subject)) = came {
            self.replaced.remove(&subject);
            if let Some(times) = self.uncertain.get(&number) {
                tally.again.fetch_add(*times, Relaxed);
            }
            return if number == event.number && subject == event.subject {
                Ok(())
            } else {
                Err(format!("{id} is number {number}, not {event:?}"))
            };
        }
        if event.is_stored {
            return Err(format!("{id} was stored and did not come: {event:?}, {self:?}"));
        }
        if self.gaps.iter().any(|(from, to)| *from < id && id <= *to) {
            self.replaced.remove(&event.subject);
            tally.missed.fetch_add(1, Relaxed);
        } else if event.is_update {
            if !self.gaps.iter().any(|(_, to)| id < *to) {
                self.replaced.insert(event.subject, id);
            }
            tally.conflated.fetch_add(1, Relaxed);
        } else {
            return Err(format!("{id} did not come and is in no gap: {event:?}, {self:?}"));
        }
        Ok(())
    }

    /// At the very end: what was replaced must have been by something that came.
    pub fn close(&self) -> Vec<String> {
        if self.has_left {
            return Vec::new();
        }
        let open = self.replaced.iter();
        open.map(|(subject, id)| format!("{self}: nothing newer than {id} came of {subject:?}"))
            .collect()
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.path())
    }
}
