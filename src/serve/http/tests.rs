//! Connections to a client that is a script: what it sends and when, and what it got.

mod connection;
mod hostile;
mod pace;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;

use super::{Connection, Limits, Persistence, Request, Response, Transport};
use crate::clock::ManualClock;

/// One thing the client does.
#[derive(Debug, Clone)]
enum Step {
    /// Sends these bytes; they arrive together, as far as the reader has room.
    Send(Vec<u8>),
    /// Does nothing for this long.
    Wait(Duration),
    /// Resets the connection.
    Reset,
}

/// The client's end; it hangs up after its last step.
#[derive(Debug, Clone)]
struct Script {
    steps: VecDeque<Step>,
    clock: Arc<ManualClock>,
    wire: Arc<Mutex<Wire>>,
}

/// What happened on the wire, for the test to look at.
#[derive(Debug, Default)]
struct Wire {
    /// What the server wrote.
    written: Vec<u8>,
    /// How many writes that took.
    writes: usize,
    /// Set by the server.
    read_timeout: Option<Duration>,
    /// The server said that it will write no more.
    shut: bool,
    /// The server read to the end of what the client did.
    hung_up: bool,
    /// Writes take at most so many bytes; 0 is no limit.
    write_at_most: usize,
}

/// Limits small enough to be reached.
const LIMITS: Limits = Limits {
    head_bytes: 16 << 10,
    head_timeout: Duration::from_secs(10),
    body_bytes: 1 << 20,
    body_timeout: Duration::from_secs(30),
    keep_alive: Duration::from_secs(60),
    write_timeout: Duration::from_secs(30),
};

/// A connection to a client that does these steps, and what it will see.
fn connect(
    steps: impl IntoIterator<Item = Step>,
    limits: Limits,
) -> (Connection<Script>, Arc<Mutex<Wire>>) {
    let clock = Arc::new(ManualClock::at(784_111_777_000));
    let wire = Arc::new(Mutex::new(Wire::default()));
    let steps = steps.into_iter().collect();
    let script = Script { steps, clock: Arc::clone(&clock), wire: Arc::clone(&wire) };
    (Connection::new(script, limits, clock), wire)
}

/// A connection to a client that sends these bytes at once and hangs up.
fn sends(bytes: &[u8]) -> (Connection<Script>, Arc<Mutex<Wire>>) {
    connect([Step::Send(bytes.to_vec())], LIMITS)
}

/// A connection to a client that sends these bytes one by one and hangs up.
fn dribbles(bytes: &[u8]) -> (Connection<Script>, Arc<Mutex<Wire>>) {
    connect(bytes.iter().map(|&byte| Step::Send(vec![byte])), LIMITS)
}

/// What a server makes of these bytes: each request with its body, then how it ended: `end` or
/// the status of the refusal. The same whether they come at once, one by one or in odd pieces.
fn outcome(bytes: &[u8]) -> String {
    let (mut connection, _) = sends(bytes);
    let whole = converse(&mut connection);
    let (mut connection, _) = dribbles(bytes);
    assert_eq!(converse(&mut connection), whole, "one by one: {:?}", text(bytes));
    let pieces = bytes.chunks(7).map(|piece| Step::Send(piece.to_vec()));
    let (mut connection, _) = connect(pieces, LIMITS);
    assert_eq!(converse(&mut connection), whole, "by sevens: {:?}", text(bytes));
    whole
}

/// Serves a connection to its end, reading every body.
fn converse(connection: &mut Connection<Script>) -> String {
    let mut seen = String::new();
    loop {
        let error = match connection.next_request() {
            Ok(None) => return seen + "end",
            Ok(Some(request)) => match connection.read_body(&request) {
                Ok(body) => {
                    let Request { method, target, .. } = &request;
                    seen = format!("{seen}{method} {} [{}], ", target.path(), text(&body));
                    let response = Response::text(StatusCode::OK, "ok");
                    match connection.respond(&request, &response).unwrap() {
                        Persistence::KeepAlive => continue,
                        Persistence::Close => return seen + "closed",
                    }
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        return match error.response() {
            Some(response) => seen + response.status.as_str(),
            None => seen + "gone",
        };
    }
}

/// Bytes for a message.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Read for Script {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.steps.front_mut() {
            None => {
                self.wire.lock().hung_up = true;
                Ok(0)
            }
            Some(Step::Reset) => Err(ErrorKind::ConnectionReset.into()),
            Some(Step::Send(bytes)) => {
                let count = bytes.len().min(room.len());
                room[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    self.steps.pop_front();
                }
                Ok(count)
            }
            Some(Step::Wait(left)) => match self.wire.lock().read_timeout {
                Some(at_most) if at_most < *left => {
                    *left -= at_most;
                    self.clock.advance(at_most);
                    Err(ErrorKind::WouldBlock.into())
                }
                _ => {
                    self.clock.advance(*left);
                    self.steps.pop_front();
                    Err(ErrorKind::Interrupted.into())
                }
            },
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.wire.lock();
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let at_most = if wire.write_at_most == 0 { usize::MAX } else { wire.write_at_most };
        let count = bytes.len().min(at_most);
        wire.written.extend_from_slice(&bytes[..count]);
        wire.writes += 1;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Script {
    fn set_read_timeout(&self, at_most: Option<Duration>) -> io::Result<()> {
        self.wire.lock().read_timeout = at_most;
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.wire.lock().shut = true;
        Ok(())
    }
}
