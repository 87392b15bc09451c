//! The bad line between the hub and a client's socket.
//!
//! It only ever does what a socket may do: take fewer bytes or none, make its writer wait, be gone. So
//! the dispatcher never waits for it, and the stream's own thread does, as for any slow client.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::net::connect_unspec;
use uuid::Uuid;

use super::fault::{Fault, HowDropped};
use super::frames::{self, Frame, Kind};
use super::{Desk, Faults, InForce};
use crate::event::dialect::Envelope;
use crate::event::topic::Identifier;
use crate::hub::{Profile, Sink};
use crate::serve::socket::Socket;

/// One stream's way to its client.
#[derive(Debug)]
pub struct Line {
    socket: Socket,
    faults: Faults,
    session: Option<Identifier>,
    envelope: Envelope,
    /// The stream's public name, once it has one.
    id: OnceLock<Uuid>,
    /// Nothing arrives any more: what is written from now on goes nowhere.
    closed: AtomicBool,
    /// Whoever closes it, the stream's thread perhaps, does it by a reset.
    is_reset: AtomicBool,
    passage: Mutex<Passage>,
}

/// What has gone through, and what is on its way.
#[derive(Debug, Default)]
struct Passage {
    /// The head of the answer is through.
    past_head: bool,
    /// How much of the frame that has begun is still to come.
    frame_left: usize,
    /// A copy of the frame that comes next, on its way before it.
    copy: Vec<u8>,
    /// Whether the frame that comes next comes twice is settled; its first byte is not through.
    is_judged: bool,
    /// Until when the bytes that were offered are held back.
    due: Option<Instant>,
    /// What may be written now, in billionths of a byte, and since when this is so.
    allowance: Option<(u128, Instant)>,
}

/// What is in force for one stream at one moment.
#[derive(Debug, Default)]
struct Conduct {
    delay: Duration,
    bytes_per_second: Option<u64>,
    no_heartbeats: bool,
    duplicates: Vec<Arc<InForce>>,
    /// When the first of it ends by itself.
    until: Option<Instant>,
}

impl Line {
    /// A line to this socket for such a stream.
    pub fn new(socket: Socket, faults: Faults, profile: &Profile) -> Self {
        Self {
            socket,
            faults,
            session: profile.session.clone(),
            envelope: profile.envelope,
            id: OnceLock::new(),
            closed: AtomicBool::new(false),
            is_reset: AtomicBool::new(false),
            passage: Mutex::default(),
        }
    }

    /// Says which stream it carries.
    pub fn name(&self, id: Uuid) {
        // A line carries one stream.
        let _ = self.id.set(id);
    }

    /// Ends the connection now; a clean end the stream says itself, once `end` has ended it.
    pub fn drop_now(&self, how: HowDropped, end: impl FnOnce()) {
        if how == HowDropped::Clean {
            return end();
        }
        self.is_reset.store(how == HowDropped::Reset, Ordering::Release);
        self.swallow();
        // Before the socket tells, or it would look as if the client had hung up.
        end();
        self.close();
    }

    /// Lets nothing through from now on, not even a goodbye.
    fn swallow(&self) {
        // Under the lock, so that nobody misses it between looking and waiting.
        let _desk = self.faults.0.desk.lock();
        self.closed.store(true, Ordering::Release);
        self.faults.0.changed.notify_all();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn conduct(&self, desk: &Desk, now: Instant) -> Conduct {
        let mut conduct = Conduct::default();
        let id = self.id.get().copied();
        let active = desk.in_force.iter().filter(|fault| !fault.is_over(now));
        for active in active.filter(|fault| fault.scope.hits(id, self.session.as_ref())) {
            match active.fault {
                Fault::Delay { ms } => {
                    conduct.delay = conduct.delay.max(Duration::from_millis(ms));
                }
                Fault::Throttle { bytes_per_second: rate } => {
                    let least = conduct.bytes_per_second.map_or(rate, |least| least.min(rate));
                    conduct.bytes_per_second = Some(least);
                }
                Fault::Duplicate { .. } => conduct.duplicates.push(active.clone()),
                Fault::NoHeartbeats => conduct.no_heartbeats = true,
                Fault::Drop { .. } | Fault::Gap { .. } | Fault::Refuse { .. } => {}
            }
            conduct.until = conduct.until.into_iter().chain([active.until]).min();
        }
        conduct
    }

    /// Waits until the faults in force let bytes through again; false if that is not before `deadline`.
    fn wait_until_free(&self, deadline: Option<Instant>) -> bool {
        let shared = &self.faults.0;
        let mut desk = shared.desk.lock();
        loop {
            let now = shared.clock.now();
            let conduct = self.conduct(&desk, now);
            let held = self.passage.lock().held_until(&conduct, now);
            let Some(held) = held.filter(|_| !self.is_closed()) else { return true };
            if deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            let next_look = deadline.map_or(held, |deadline| deadline.min(held));
            shared.changed.wait_until(&mut desk, next_look);
        }
    }
}

impl Sink for Line {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed() {
            return Ok(bytes.len());
        }
        let now = self.faults.0.clock.now();
        let conduct = self.conduct(&self.faults.0.desk.lock(), now);
        let mut passage = self.passage.lock();
        passage.hold(&conduct, now);
        if passage.held_until(&conduct, now).is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = passage.pass(bytes, &conduct, self)?;
        if taken == bytes.len() {
            passage.due = None;
        }
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn wait_writable(&self, at_most: Option<Duration>) -> io::Result<bool> {
        let now = || self.faults.0.clock.now();
        let deadline = at_most.map(|limit| now() + limit);
        if !self.wait_until_free(deadline) {
            return Ok(false);
        }
        self.socket.wait_writable(deadline.map(|d| d.saturating_duration_since(now())))
    }

    fn close(&self) {
        self.swallow();
        if self.is_reset.load(Ordering::Acquire) {
            // Where the kernel does not reset, the end must do.
            let _ = connect_unspec(self.socket.tcp());
        }
        self.socket.close();
    }

    fn hung_up(&self) -> bool {
        self.socket.hung_up()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.descriptor()
    }
}

/// A byte, as an allowance counts it: what one byte a second earns in a second.
const BYTE: u128 = 1_000_000_000;

/// How many times a second a throttled stream gets its share.
const SHARES_PER_SECOND: u128 = 10;

/// The most that a throttled stream gets at once; at least a byte.
fn share(bytes_per_second: u64) -> u128 {
    (u128::from(bytes_per_second) * BYTE / SHARES_PER_SECOND).max(BYTE)
}

impl Passage {
    /// Notes what the passing of time and the faults in force mean for the bytes that are offered now.
    fn hold(&mut self, conduct: &Conduct, now: Instant) {
        self.due = match conduct.delay {
            Duration::ZERO => None,
            delay => self.due.or(Some(now + delay)),
        };
        self.allowance = conduct.bytes_per_second.map(|rate| {
            let (credit, since) = self.allowance.unwrap_or((0, now));
            let earned = now.saturating_duration_since(since).as_nanos() * u128::from(rate);
            ((credit + earned).min(share(rate)), now)
        });
    }

    /// Until when nothing may pass; none if something may.
    fn held_until(&self, conduct: &Conduct, now: Instant) -> Option<Instant> {
        let delayed = self.due.filter(|due| !conduct.delay.is_zero() && *due > now);
        let throttled = conduct.bytes_per_second.and_then(|rate| {
            let (credit, since) = self.allowance.filter(|(credit, _)| *credit < BYTE)?;
            let missing = share(rate) - credit;
            let Some(nanos) = missing.checked_div(rate.into()) else { return conduct.until };
            let full = since + Duration::from_nanos(nanos as u64);
            (full > now).then_some(full)
        });
        // What ends by itself holds nothing any longer; then it is looked at again.
        delayed.max(throttled).map(|held| conduct.until.map_or(held, |until| until.min(held)))
    }

    /// Writes as many of `bytes` as the allowance and the socket take, each frame by its rule.
    fn pass(&mut self, bytes: &[u8], conduct: &Conduct, line: &Line) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            if !self.write_copy(&line.socket)? {
                break;
            }
            let rest = &bytes[taken..];
            if self.frame_left == 0 {
                let frame = self.frame(rest, line.envelope);
                match frame.kind {
                    Kind::Heartbeat if conduct.no_heartbeats => {
                        taken += frame.bytes.len();
                        continue;
                    }
                    // Before the frame itself, because this is where all of it is at hand.
                    Kind::Event if !self.is_judged && conduct.strikes_twice() => {
                        self.copy = frame.bytes.to_vec();
                        self.is_judged = true;
                        continue;
                    }
                    _ => self.is_judged = true,
                }
            }
            let length = self.rest_of_frame(rest, line.envelope);
            let written = self.write(&rest[..length], &line.socket)?;
            taken += written;
            if written > 0 {
                (self.frame_left, self.is_judged, self.past_head) = (length - written, false, true);
            }
            if written < length {
                break;
            }
        }
        Ok(taken)
    }

    /// The frame that `rest` begins with.
    fn frame<'a>(&self, rest: &'a [u8], envelope: Envelope) -> Frame<'a> {
        if self.past_head { frames::first(rest, envelope) } else { frames::head(rest) }
    }

    /// How much of `rest` belongs to the frame that has begun, or begins with it.
    fn rest_of_frame(&self, rest: &[u8], envelope: Envelope) -> usize {
        match self.frame_left {
            0 => self.frame(rest, envelope).bytes.len(),
            left => left.min(rest.len()),
        }
    }

    /// Writes what is left of the copy; true if nothing is.
    fn write_copy(&mut self, to: &Socket) -> io::Result<bool> {
        let copy = std::mem::take(&mut self.copy);
        let written = self.write(&copy, to)?;
        self.copy = copy[written..].to_vec();
        Ok(self.copy.is_empty())
    }

    /// Writes within the allowance.
    fn write(&mut self, bytes: &[u8], to: &Socket) -> io::Result<usize> {
        let allowed = self.allowance.map_or(usize::MAX, |(credit, _)| (credit / BYTE) as usize);
        let room = bytes.len().min(allowed);
        if room == 0 {
            return Ok(0);
        }
        let written = match to.try_write(&bytes[..room]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written?,
        };
        if let Some((credit, _)) = &mut self.allowance {
            *credit -= written as u128 * BYTE;
        }
        Ok(written)
    }
}

impl Conduct {
    /// Whether the event that comes next comes twice.
    fn strikes_twice(&self) -> bool {
        self.duplicates.iter().any(|fault| {
            let seen = fault.seen.fetch_add(1, Ordering::Relaxed) + 1;
            let every = match fault.fault {
                Fault::Duplicate { every, .. } => u64::from(every),
                _ => 1,
            };
            seen.is_multiple_of(every) && fault.strike()
        })
    }
}
