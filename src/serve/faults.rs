//! Faults on purpose, for those who try how their front end bears them; only with `faults = on`.
//!
//! A stream's bytes then go through a [`Line`], which does to them what is in force for the stream: it
//! takes fewer or none, sends some twice, or goes nowhere. The hub sees a slow or broken client and
//! does what it always does. Without the setting there is neither a line nor this.

mod fault;
mod frames;
mod line;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

pub use self::fault::{Fault, HowDropped, HowRefused, Scope};
use self::line::Line;

use super::App;
use super::socket::Socket;
use crate::clock::Clock;
use crate::event::topic::Identifier;
use crate::hub::{EndReason, GapReason, Joined, Profile, Refused, Resume};

/// How many faults may be in force at the same time.
const MAX_IN_FORCE: usize = 100;

/// What is in force, for whom, and how long. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    desk: Mutex<Desk>,
    /// Something came into force or was lifted, or a line was closed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    next_id: u64,
    in_force: Vec<Arc<InForce>>,
    lines: HashMap<Uuid, Weak<Line>>,
}

/// A fault with its bounds.
#[derive(Debug)]
pub struct InForce {
    /// Its name, for people.
    pub id: u64,
    /// Which streams it hits.
    pub scope: Scope,
    /// What it does.
    pub fault: Fault,
    /// When it ends by itself: milliseconds since 1970-01-01 UTC.
    pub until_ms: u64,
    until: Instant,
    /// Events it has looked at.
    seen: AtomicU64,
    /// How often it may still strike, if that is bounded.
    left: Option<AtomicU32>,
}

impl InForce {
    /// How often it may still strike, if that is bounded.
    pub fn left(&self) -> Option<u32> {
        self.left.as_ref().map(|left| left.load(Ordering::Relaxed))
    }

    /// Strikes once more; false if it has struck as often as it may.
    fn strike(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.left.as_ref().is_none_or(|left| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
        })
    }

    fn is_over(&self, now: Instant) -> bool {
        now >= self.until || self.left() == Some(0)
    }
}

/// There are too many faults in force already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_IN_FORCE} faults are in force already; lift some, or wait until they end")]
pub struct TooMany;

impl Faults {
    /// No faults yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, desk: Mutex::default(), changed: Condvar::new() }))
    }

    /// Puts a fault into force for this long.
    pub fn put(&self, scope: Scope, fault: Fault, lasts: Duration) -> Result<(), TooMany> {
        let (now, now_ms) = (self.0.clock.now(), self.0.clock.unix_ms());
        let mut desk = self.0.desk.lock();
        desk.forget_what_is_over(now);
        if desk.in_force.len() >= MAX_IN_FORCE {
            return Err(TooMany);
        }
        desk.next_id += 1;
        let id = desk.next_id;
        desk.in_force.push(Arc::new(InForce {
            id,
            scope,
            fault,
            until_ms: now_ms + lasts.as_millis() as u64,
            until: now + lasts,
            seen: AtomicU64::new(0),
            left: fault.strikes().map(AtomicU32::new),
        }));
        self.0.changed.notify_all();
        Ok(())
    }

    /// What is in force, the oldest first.
    pub fn in_force(&self) -> Vec<Arc<InForce>> {
        let mut desk = self.0.desk.lock();
        desk.forget_what_is_over(self.0.clock.now());
        desk.in_force.clone()
    }

    /// Lifts the faults of this scope; all of them, if none is named.
    pub fn lift(&self, scope: Option<&Scope>) {
        let mut desk = self.0.desk.lock();
        desk.in_force.retain(|fault| scope.is_some_and(|scope| fault.scope != *scope));
        self.0.changed.notify_all();
    }

    /// Drops the streams of this scope now. Returns how many there were.
    pub fn drop_streams(&self, app: &App, scope: &Scope, how: HowDropped) -> usize {
        let streams = app.hub.streams_after(None);
        let hit = streams.iter().filter(|s| scope.hits(Some(s.id), s.profile.session.as_ref()));
        let mut count = 0;
        for stream in hit {
            let line = self.0.desk.lock().lines.get(&stream.id).and_then(Weak::upgrade);
            let Some(line) = line else { continue };
            log::info!(connection:% = stream.id, how = how.as_str(); "a fault drops a stream");
            line.drop_now(how, || stream.end(EndReason::Fault));
            count += 1;
        }
        count
    }

    /// How the next stream of this session is to be refused, if it is. Counts as its refusal.
    pub fn refusal(&self, session: &Identifier) -> Option<HowRefused> {
        self.strike(session, |fault| match fault {
            Fault::Refuse { how, .. } => Some(how),
            _ => None,
        })
    }

    fn gap(&self, session: &Identifier) -> Option<GapReason> {
        self.strike(session, |fault| match fault {
            Fault::Gap { reason, .. } => Some(reason),
            _ => None,
        })
    }

    /// The first fault of a session of the kind that `pick` picks.
    fn strike<T>(&self, session: &Identifier, pick: impl Fn(Fault) -> Option<T>) -> Option<T> {
        self.in_force().into_iter().find_map(|active| {
            let picked = pick(active.fault).filter(|_| active.scope.hits(None, Some(session)))?;
            active.strike().then_some(picked)
        })
    }

    /// Notes a stream and its line. If a gap is due, it is this stream's.
    fn open(&self, joined: &mut Joined, line: &Arc<Line>) {
        let stream = joined.writer.stream();
        line.name(stream.id);
        self.0.desk.lock().lines.insert(stream.id, Arc::downgrade(line));
        let from = match stream.profile.resume {
            Resume::FromNow => return,
            Resume::After(id) => Some(id),
            Resume::Unknown => None,
        };
        let reason = stream.profile.session.as_ref().and_then(|session| self.gap(session));
        let Some(reason) = reason else { return };
        log::info!(connection:% = stream.id; "a fault makes a gap");
        // Really withheld, or a page could not tell that it must ask for what it missed.
        joined.replay.withhold(from, reason);
    }
}

impl Desk {
    fn forget_what_is_over(&mut self, now: Instant) {
        let Self { lines, in_force, .. } = self;
        lines.retain(|_, line| line.strong_count() > 0);
        in_force.retain(|fault| {
            let is_gone = matches!(fault.scope, Scope::Connection(id) if !lines.contains_key(&id));
            !fault.is_over(now) && !is_gone
        });
    }
}

/// Has a stream join the hub: with its socket as the sink, or with a line before it if faults are on.
pub(super) fn join(
    app: &App,
    socket: &Socket,
    id: Uuid,
    profile: Profile,
) -> Result<Joined, Refused> {
    let Some(faults) = &app.faults else {
        return app.hub.join_as(id, profile, Arc::new(socket.clone()));
    };
    let line = Arc::new(Line::new(socket.clone(), faults.clone(), &profile));
    let mut joined = app.hub.join_as(id, profile, line.clone())?;
    faults.open(&mut joined, &line);
    Ok(joined)
}
