//! The threads that read requests, and those that serve streams.
//!
//! A connection has one thread at any time: a worker while it speaks HTTP, and a thread of its own
//! once it is a stream. The worker goes back to reading requests, for two reasons: a stream's
//! thread that never parsed anything sleeps with two pages of stack and an empty allocator cache
//! (8 KiB less for each of ten thousand), and a plain request finds a thread waiting.
//!
//! There are a few workers to begin with. Only when all of them are held up, by slow clients or
//! polls that wait, does one more start; so a storm of requests is served as fast as the
//! processors can, and none is ever stuck behind a slow one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;

use super::App;
use super::conversation::{self, Mode, Next, Ticket};
use super::listener;
use super::socket::Socket;
use super::stream::ReadyStream;

/// How many workers there may be without any of them being held up.
const FEW: usize = 4;

/// How long the workers may take no connection before they count as held up.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// How long a worker waits for another connection before it ends. The last one stays: there may be no
/// thread to be had later.
const PATIENCE: Duration = Duration::from_secs(5);

/// A stream's stack, in bytes: its thread calls nothing deep. Only what is used takes memory.
const STREAM_STACK_BYTES: usize = 128 << 10;

/// A connection for a worker.
type Work = (Socket, Mode);

/// The workers of one server, as the one thread that brings them connections sees them.
#[derive(Debug)]
pub(super) struct Workers {
    bring: Sender<Work>,
    shared: Arc<Shared>,
    number: u64,
    /// How many connections had been taken when this was last looked at, and when that was.
    last_look: (u64, Instant),
}

#[derive(Debug)]
struct Shared {
    waiting: Receiver<Work>,
    /// Workers there are.
    count: AtomicUsize,
    /// Those of them that wait for a connection.
    idle: AtomicUsize,
    /// Connections that were ever taken.
    taken: AtomicU64,
}

impl Workers {
    pub fn new() -> Self {
        let (bring, waiting) = crossbeam_channel::unbounded();
        let shared = Shared {
            waiting,
            count: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
        };
        Self { bring, shared: Arc::new(shared), number: 0, last_look: (0, Instant::now()) }
    }

    /// Has a connection served.
    pub fn serve(&mut self, app: &Arc<App>, socket: Socket, mode: Mode) {
        let shared = &self.shared;
        let is_first = shared.waiting.is_empty();
        // Cannot fail: the receiving end is here.
        let _ = self.bring.send((socket, mode));
        if is_first {
            self.last_look = (shared.taken.load(Ordering::Relaxed), Instant::now());
        }
        if shared.idle.load(Ordering::Relaxed) < shared.waiting.len()
            && shared.count.load(Ordering::Relaxed) < FEW
        {
            self.spawn(app);
        }
    }

    /// Starts one more worker if connections wait and none was taken for a moment. Returns whether
    /// there are any that wait, and this must be asked again after that [`MOMENT`].
    pub fn relieve(&mut self, app: &Arc<App>) -> bool {
        if self.shared.waiting.is_empty() {
            return false;
        }
        let now = Instant::now();
        let (taken_then, then) = self.last_look;
        if now.saturating_duration_since(then) >= MOMENT {
            let taken = self.shared.taken.load(Ordering::Relaxed);
            if taken == taken_then {
                self.spawn(app);
            }
            self.last_look = (taken, now);
        }
        true
    }

    fn spawn(&mut self, app: &Arc<App>) {
        let name = format!("http-{}", self.number);
        self.number += 1;
        let (served, shared) = (app.clone(), self.shared.clone());
        self.shared.count.fetch_add(1, Ordering::Relaxed);
        let worker = Builder::new().name(name).stack_size(app.limits.thread_stack_bytes);
        if let Err(error) = worker.spawn(move || shared.work(&served)) {
            self.shared.count.fetch_sub(1, Ordering::Relaxed);
            log::warn!("cannot start a thread for connections: {error}; one is told to come back");
            if let Ok((socket, _)) = self.shared.waiting.try_recv() {
                app.traffic.note_turned_away();
                listener::turn_away(socket.tcp());
            }
        }
    }
}

impl Shared {
    /// Serves one connection after the other, until none comes for a while.
    fn work(&self, app: &Arc<App>) {
        let _present = Present(&self.count);
        while let Some((socket, mode)) = self.next() {
            match conversation::hold(app, &socket, mode) {
                Next::End => {}
                Next::Wait(mode) => app.reception.wait(app, socket, mode, app.limits.keep_alive),
                Next::Upgrade(connection, take_over, ticket) => {
                    take_over(connection);
                    drop(ticket);
                }
            }
        }
    }

    fn next(&self) -> Option<Work> {
        self.idle.fetch_add(1, Ordering::Relaxed);
        let work = loop {
            match self.waiting.recv_timeout(PATIENCE) {
                Ok(work) => break Some(work),
                Err(RecvTimeoutError::Timeout) if self.count.load(Ordering::Relaxed) == 1 => {}
                Err(_) => break None,
            }
        };
        self.idle.fetch_sub(1, Ordering::Relaxed);
        self.taken.fetch_add(u64::from(work.is_some()), Ordering::Relaxed);
        work
    }
}

/// A worker that is there; not any more when this is dropped, also by a panic.
struct Present<'a>(&'a AtomicUsize);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Gives each stream a thread of its own, a moment after its client was answered: starting a thread
/// takes longer than anything else about a new stream, and in a storm of them nobody should wait for
/// the threads of those before.
#[derive(Debug)]
pub(super) struct StreamThreads(Sender<Starting>);

/// A stream without its thread.
struct Starting {
    app: Arc<App>,
    stream: ReadyStream,
    ticket: Ticket,
}

impl StreamThreads {
    /// Starts the thread that starts the others; it ends with the last [`StreamThreads`].
    pub fn new() -> io::Result<Self> {
        let (starting, streams) = crossbeam_channel::unbounded::<Starting>();
        Builder::new().name("starter".to_owned()).spawn(move || {
            for stream in streams {
                stream.start();
            }
        })?;
        Ok(Self(starting))
    }

    /// Has a stream served.
    pub fn start(&self, app: &Arc<App>, stream: ReadyStream, ticket: Ticket) {
        // Fails only when the thread has panicked; then the stream is dropped and its client returns.
        let _ = self.0.send(Starting { app: app.clone(), stream, ticket });
    }
}

impl Starting {
    fn start(self) {
        let name = format!("stream-{}", self.ticket.number());
        // Kept here as well, so that it is not lost with a thread that does not start.
        let kept = Arc::new(Mutex::new(Some(self)));
        let taken = kept.clone();
        let serve = move || {
            let starting = taken.lock().take();
            if let Some(Self { app, stream, ticket }) = starting {
                stream.serve(&app);
                drop(ticket);
            }
        };
        let thread = Builder::new().name(name).stack_size(STREAM_STACK_BYTES);
        if let Err(error) = thread.spawn(serve) {
            log::warn!(
                "cannot start a thread for a stream: {error}; its client is cut and returns"
            );
            if let Some(Self { app, stream, .. }) = kept.lock().take() {
                stream.give_up(&app);
            }
        }
    }
}
