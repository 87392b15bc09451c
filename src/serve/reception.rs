//! Where connections wait that have nothing to say: new ones, and those between two requests.
//!
//! One thread accepts connections and watches the ones that wait; as soon as one has something to
//! read, it gets a worker. So ten thousand silent connections cost no thread, and in a storm of new
//! ones the workers set the pace. No error ends the loop.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::App;
use super::conversation::{Mode, RefusalTicket, Ticket};
use super::listener::{self, Reserve, Trouble};
use super::socket::{Prospect, Socket};
use super::workers::{self, Workers};
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

/// How often those who have waited too long are sent away.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How many connections are accepted before those who wait are looked after.
const ACCEPT_AT_ONCE: usize = 64;

/// How long accepting pauses when the system is out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a new connection's first request may be on its way. Those who come in the moment of a stop
/// are answered; who says nothing for longer has connected in advance, and finds out by itself.
const FRESH: Duration = Duration::from_secs(1);

/// The listener's key; connections have their own numbers.
const LISTENER: u64 = u64::MAX >> 1;

/// The connections that wait.
#[derive(Debug)]
pub(super) struct Reception {
    readiness: Readiness,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// One connection that waits.
#[derive(Debug)]
struct Waiting {
    socket: Socket,
    mode: Mode,
    /// When it has waited too long.
    until: Option<Instant>,
    /// Until when it has just come, and its first request may be on its way.
    fresh_until: Option<Instant>,
}

impl Reception {
    pub fn new() -> io::Result<Self> {
        Ok(Self { readiness: Readiness::new()?, waiting: Mutex::default() })
    }

    /// Lets a connection wait until it says something more, at most this long (zero: for ever).
    pub fn wait(&self, app: &App, socket: Socket, mode: Mode, at_most: Duration) {
        let key = mode.number();
        self.watch(socket, mode, until(app.clock.now(), at_most), None);
        // It may have come after the others were told to leave.
        if app.is_draining() {
            drop(self.call(key));
        }
    }

    /// Lets a new connection wait until it says something.
    fn wait_for_first_words(&self, app: &App, socket: Socket, mode: Mode) {
        let (now, patience) = (app.clock.now(), mode.patience(app));
        self.watch(socket, mode, until(now, patience), Some(now + FRESH));
    }

    fn watch(
        &self,
        socket: Socket,
        mode: Mode,
        until: Option<Instant>,
        fresh_until: Option<Instant>,
    ) {
        let key = mode.number();
        let descriptor = socket.clone();
        // Known before it is watched: the kernel reports what it has to say only once.
        self.waiting.lock().insert(key, Waiting { socket, mode, until, fresh_until });
        if let Err(error) = self.readiness.add(descriptor.tcp().as_fd(), key) {
            log::warn!("a connection cannot wait for its next request and is closed: {error}");
            self.waiting.lock().remove(&key);
        }
    }

    /// Takes a connection that has something to say, or has hung up.
    fn call(&self, key: u64) -> Option<Waiting> {
        let waiting = self.waiting.lock().remove(&key)?;
        self.readiness.remove(waiting.socket.tcp());
        Some(waiting)
    }

    fn send_away_overdue(&self, now: Instant) {
        self.send_away(|waiting| waiting.until.is_some_and(|until| now >= until));
    }

    /// Closes every connection that waits, but those that have only just come.
    pub fn send_away_idle(&self, now: Instant) {
        self.send_away(|waiting| waiting.fresh_until.is_none_or(|until| now >= until));
    }

    fn send_away(&self, who: impl Fn(&Waiting) -> bool) {
        let keys: Vec<u64> = {
            let waiting = self.waiting.lock();
            waiting.iter().filter(|(_, waiting)| who(waiting)).map(|(key, _)| *key).collect()
        };
        for key in keys {
            drop(self.call(key));
        }
    }
}

/// When a wait is over that begins now; zero is for ever.
fn until(now: Instant, at_most: Duration) -> Option<Instant> {
    (!at_most.is_zero()).then(|| now + at_most)
}

/// Accepts connections and gives each that has something to say to a worker, until told to stop.
pub(super) fn run(
    app: &Arc<App>,
    listener: &TcpListener,
    workers: &mut Workers,
    shutdown: &Shutdown,
) -> io::Result<()> {
    let reception = &app.reception;
    reception.readiness.add_insistent(listener.as_fd(), LISTENER)?;
    let waker = wake_on(shutdown, app)?;
    let mut reserve = Reserve::new();
    let mut next_sweep = Instant::now();
    while !shutdown.is_triggered() {
        let patience = if workers.relieve(app) { workers::MOMENT } else { SWEEP_INTERVAL };
        let ready = reception.readiness.wait(Some(patience)).unwrap_or_else(|error| {
            log::error!(
                "cannot wait for connections: {error}; trying again in {} ms",
                PAUSE.as_millis()
            );
            shutdown.wait_for(PAUSE);
            Vec::new()
        });
        for key in ready {
            if key == LISTENER {
                accept(app, listener, &mut reserve, workers, shutdown);
            } else if let Some(waiting) = reception.call(key) {
                workers.serve(app, waiting.socket, waiting.mode);
            }
        }
        if Instant::now() >= next_sweep {
            next_sweep = Instant::now() + SWEEP_INTERVAL;
            reception.send_away_overdue(app.clock.now());
        }
    }
    reception.readiness.remove(listener);
    // The thread ends with the signal and cannot panic.
    let _ = waker.join();
    Ok(())
}

/// Has those served who have just come when the server stops, as soon as they say what they want.
pub(super) fn last_call(app: &Arc<App>, workers: &mut Workers) {
    let reception = &app.reception;
    while !reception.waiting.lock().is_empty() || workers.relieve(app) {
        // None can come any more, so that looking often costs little.
        for key in reception.readiness.wait(Some(workers::MOMENT)).unwrap_or_default() {
            if let Some(waiting) = reception.call(key) {
                workers.serve(app, waiting.socket, waiting.mode);
            }
        }
        reception.send_away_idle(app.clock.now());
    }
}

/// Wakes the reception when the server is to stop.
fn wake_on(shutdown: &Shutdown, app: &Arc<App>) -> io::Result<std::thread::JoinHandle<()>> {
    let (shutdown, app) = (shutdown.clone(), app.clone());
    std::thread::Builder::new().name("stop".to_owned()).spawn(move || {
        shutdown.wait();
        app.reception.readiness.wake();
    })
}

/// Accepts some of those who have connected.
fn accept(
    app: &Arc<App>,
    listener: &TcpListener,
    reserve: &mut Reserve,
    workers: &mut Workers,
    shutdown: &Shutdown,
) {
    for _ in 0..ACCEPT_AT_ONCE {
        let error = match listener.accept() {
            Ok((socket, peer)) => {
                admit(app, workers, socket, peer);
                continue;
            }
            Err(error) => error,
        };
        match Trouble::of(&error) {
            Trouble::Nothing => return,
            Trouble::ThatClient => {}
            Trouble::Descriptors => {
                app.traffic.note_turned_away();
                return reserve.turn_away(listener);
            }
            Trouble::System => {
                log::warn!(
                    "cannot accept connections: {error}; trying again in {} ms",
                    PAUSE.as_millis()
                );
                shutdown.wait_for(PAUSE);
                return;
            }
        }
    }
}

/// Gives a new connection its place, or has it told why there is none.
fn admit(app: &Arc<App>, workers: &mut Workers, socket: TcpStream, peer: SocketAddr) {
    let mode = match Ticket::claim(app, peer) {
        Ok(ticket) => Mode::Serve(ticket),
        Err(full) => {
            let Some(ticket) = RefusalTicket::claim(app, peer, full) else {
                app.traffic.note_turned_away();
                return listener::turn_away(&socket);
            };
            Mode::Refuse(ticket)
        }
    };
    // Elsewhere an accepted socket has inherited this from the listener.
    #[cfg(not(target_os = "linux"))]
    let _ = socket.set_nonblocking(false);
    let socket = Socket::from(socket);
    // Each event is one write and should leave at once.
    let _ = socket.tcp().set_nodelay(true);
    if socket.peek() == Prospect::Silence {
        app.reception.wait_for_first_words(app, socket, mode);
    } else {
        workers.serve(app, socket, mode);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::clock::ManualClock;
    use crate::serve::conversation::tests;

    #[test]
    fn at_a_stop_the_first_words_of_those_who_have_just_come_are_answered() {
        let clock = Arc::new(ManualClock::at(1_000));
        let (app, mut workers) = (tests::app(clock.clone()), Workers::new());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut come = || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, peer) = listener.accept().unwrap();
            admit(&app, &mut workers, socket, peer);
            client
        };
        let mut silent = come();
        clock.advance(FRESH);
        let mut fresh = come();

        app.reception.send_away_idle(app.clock.now());
        assert_eq!(silent.read(&mut [0]).unwrap(), 0, "it had its time");
        fresh.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
        // The clock stands still: only the client's words end the wait.
        last_call(&app, &mut workers);
        let mut status = [0; 12];
        fresh.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}
