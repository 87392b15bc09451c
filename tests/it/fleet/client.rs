//! A client as a browser's `EventSource` is one, with habits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tidings::event::EventId;
use tidings::event::parser::EventStreamParser;

use super::wire::{Unwrapped, connect};
use super::witness::Witness;
use super::{World, lock};

/// How often a client looks whether all is over.
const LOOK: Duration = Duration::from_millis(200);

/// What a client does besides reading and coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Nothing.
    Steady,
    /// It speaks HTTP/1.0, as nginx does to its upstreams.
    Old,
    /// It does not read for a while, again and again.
    Stalls,
    /// It reads byte by byte for a while, again and again.
    Sips,
    /// It goes and comes back, or another one comes in its place.
    Wanders,
}

pub(super) struct Client {
    number: usize,
    habit: Habit,
    random: fastrand::Rng,
    world: Arc<World>,
    /// How many came in this place.
    generation: usize,
    witness: Arc<Mutex<Witness>>,
    last_id: String,
    retry: Duration,
    /// When the habit changes its mind, and whether it dawdles until then.
    moment: Instant,
    dawdles: bool,
}

impl Client {
    pub fn new(number: usize, habit: Habit, random: fastrand::Rng, world: Arc<World>) -> Self {
        let mut random = random;
        let witness = Arc::new(Mutex::new(Witness::new(format!("client {number}"), &mut random)));
        lock(&world.witnesses).push(witness.clone());
        Self {
            number,
            habit,
            random,
            world,
            generation: 0,
            witness,
            last_id: String::new(),
            retry: Duration::from_millis(50),
            moment: Instant::now(),
            dawdles: false,
        }
    }

    pub fn run(mut self) {
        while !self.world.is_over() {
            // Whatever ends a connection: it is known by what did not come.
            let _ = self.listen();
            self.pause(self.retry);
            if self.habit == Habit::Wanders && !self.world.hurries() && self.random.u8(0..4) == 0 {
                self.make_room();
            }
        }
    }

    /// Leaves for good; another one, with other wishes, comes in its place.
    fn make_room(&mut self) {
        lock(&self.witness).leave();
        self.generation += 1;
        let name = format!("client {} the {}.", self.number, self.generation);
        self.witness = Arc::new(Mutex::new(Witness::new(name, &mut self.random)));
        lock(&self.world.witnesses).push(self.witness.clone());
        self.last_id.clear();
    }

    /// One connection, from its request to its end.
    fn listen(&mut self) -> io::Result<()> {
        let is_slow = matches!(self.habit, Habit::Stalls | Habit::Sips);
        let mut connection = connect(self.world.address, LOOK, is_slow.then_some(8_192))?;
        connection.write_all(self.request().as_bytes())?;
        let stay = Instant::now() + Duration::from_millis(self.random.u64(50..15_000));
        let mut open = Open { world: self.world.clone(), is_open: false };
        let mut unwrapped = Unwrapped::default();
        let mut parser = EventStreamParser::default();
        let sent = self.last_id.parse().ok();
        while !self.world.is_over() && !unwrapped.has_ended() {
            let leaves = self.habit == Habit::Wanders && !self.world.hurries();
            if leaves && Instant::now() > stay {
                return Ok(());
            }
            let Some(bytes) = self.read(&mut connection)? else { continue };
            match unwrapped.feed(&bytes) {
                Ok(bytes) => self.take(&mut parser, &bytes, sent),
                Err(sentence) => {
                    self.world.violated(format!("{}: {sentence}", lock(&self.witness)));
                    return Ok(());
                }
            }
            open.note(unwrapped.is_open());
        }
        Ok(())
    }

    fn request(&self) -> String {
        let version = if self.habit == Habit::Old { "1.0" } else { "1.1" };
        let path = lock(&self.witness).path();
        let resume = match self.last_id.as_str() {
            "" => String::new(),
            id => format!("Last-Event-ID: {id}\r\n"),
        };
        format!("GET {path} HTTP/{version}\r\nHost: t\r\nAccept: text/event-stream\r\n{resume}\r\n")
    }

    fn take(&mut self, parser: &mut EventStreamParser, bytes: &[u8], sent: Option<EventId>) {
        for event in parser.feed(bytes) {
            if !event.id.is_empty() {
                self.last_id.clone_from(&event.id);
            }
            lock(&self.witness).see(&event, sent, &self.world);
        }
        if let Some(retry_ms) = parser.retry_ms() {
            self.retry = Duration::from_millis(retry_ms);
        }
    }

    /// What has come, as the habit takes it; none if nothing has.
    fn read(&mut self, connection: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 16 << 10];
        if self.dawdles() {
            if self.habit == Habit::Stalls {
                thread::sleep(Duration::from_millis(20));
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(1));
            buffer.truncate(1);
        }
        match connection.read(&mut buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer.truncate(count);
                Ok(Some(buffer))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn dawdles(&mut self) -> bool {
        if !matches!(self.habit, Habit::Stalls | Habit::Sips) || self.world.hurries() {
            return false;
        }
        let now = Instant::now();
        if now > self.moment {
            self.dawdles = !self.dawdles;
            self.moment = now + Duration::from_millis(self.random.u64(200..6_000));
        }
        self.dawdles
    }

    fn pause(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while Instant::now() < end && !self.world.is_over() {
            thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
    }
}

/// Counts an open stream.
struct Open {
    world: Arc<World>,
    is_open: bool,
}

impl Open {
    fn note(&mut self, is_open: bool) {
        if is_open && !self.is_open {
            self.world.tally.open.fetch_add(1, Relaxed);
            self.is_open = true;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_open {
            self.world.tally.open.fetch_sub(1, Relaxed);
        }
    }
}
