//! The threads that read requests, and those that serve streams.
//!
//! A connection has one thread at any time: a worker while it speaks HTTP, and a thread of its own
//! once it is a stream. The worker goes back to reading requests, for two reasons: a stream's
//! thread that never parsed anything sleeps with two pages of stack and an empty allocator cache
//! (8 KiB less for each of ten thousand), and a plain request finds a thread waiting.
//!
//! There is no queue in front of the workers. A connection is handed to one that stands waiting, or
//! does so a moment later, or else to a new one: none is ever stuck behind a busy worker.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::App;
use super::conversation::{self, Mode, Next};
use super::listener;
use super::socket::Socket;

/// How long a connection waits for a worker before there is a new one. Most requests take less, so
/// in a storm of them a few workers do it all, as fast as the processors can.
const MOMENT: Duration = Duration::from_millis(1);

/// How long a worker waits for another connection before it ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// A stream's stack, in bytes: its thread calls nothing deep. Only what is used takes memory.
const STREAM_STACK_BYTES: usize = 128 << 10;

/// A connection for a worker.
type Work = (Socket, Mode);

/// The workers of one server.
#[derive(Debug)]
pub(super) struct Workers {
    hand_over: Sender<Work>,
    waiting: Receiver<Work>,
    number: AtomicU64,
}

impl Workers {
    pub fn new() -> Self {
        let (hand_over, waiting) = crossbeam_channel::bounded(0);
        Self { hand_over, waiting, number: AtomicU64::new(0) }
    }

    /// Has a connection served.
    pub fn serve(&self, app: &Arc<App>, socket: Socket, mode: Mode) {
        if let Err(refused) = self.hand_over.send_timeout((socket, mode), MOMENT) {
            self.spawn(app, refused.into_inner());
        }
    }

    fn spawn(&self, app: &Arc<App>, work: Work) {
        let name = format!("http-{}", self.number.fetch_add(1, Ordering::Relaxed));
        let (app_of_worker, waiting, socket) = (app.clone(), self.waiting.clone(), work.0.clone());
        let worker = Builder::new().name(name).stack_size(app.limits.thread_stack_bytes);
        if let Err(error) = worker.spawn(move || run(&app_of_worker, &waiting, work)) {
            log::warn!(
                "cannot start a thread for a connection: {error}; the client was told to come back"
            );
            listener::turn_away(socket.tcp());
        }
    }
}

/// Serves one connection after the other, until none comes for a while.
fn run(app: &Arc<App>, waiting: &Receiver<Work>, first: Work) {
    let mut work = Some(first);
    while let Some((socket, mode)) = work {
        match conversation::hold(app, &socket, mode) {
            Next::End => {}
            Next::Wait(mode) => app.reception.wait(app, socket, mode, app.limits.keep_alive),
            Next::Upgrade(connection, take_over) => take_over(connection),
        }
        work = waiting.recv_timeout(PATIENCE).ok();
    }
}

/// Gives a stream a thread of its own.
pub(super) fn spawn_stream(number: u64, serve: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new()
        .name(format!("stream-{number}"))
        .stack_size(STREAM_STACK_BYTES)
        .spawn(serve)
        .map(drop)
}
