//! The listening socket, and what is done when accept(2) fails.
//!
//! When descriptors run out, one that was kept in reserve is given up for a moment, so that a client
//! can be told instead of left hanging; when memory runs out, accepting pauses; and both recover by
//! themselves.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// How long accepting pauses when the system is out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// What a client is told when there is no thread to talk to it.
pub(super) const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/problem+json\r\n\
    Content-Length: 108\r\n\
    Retry-After: 5\r\n\
    Connection: close\r\n\r\n\
    {\"status\":503,\"code\":\"overloaded\",\"title\":\"Overloaded\",\"detail\":\"The server is busy; come back in a moment\"}";

/// A socket that accepts: the one that was passed to us, with the backlog it has, or one of our own.
pub fn open(
    passed: Option<TcpListener>,
    address: SocketAddr,
    backlog: i32,
) -> io::Result<TcpListener> {
    match passed {
        Some(listener) => listener.set_nonblocking(true).map(|()| listener),
        None => bind(address, backlog),
    }
}

/// Binds `address` with room for `backlog` connections that wait to be accepted (the standard
/// library's 128 makes the rest wait for a retransmission).
pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    // Readiness is waited for, so that a stop is noticed; accepting itself must not block.
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What an error of accept(2) means for the next one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody waits.
    Nothing,
    /// This client was gone before it was accepted; the next is not concerned.
    ThatClient,
    /// The process or the system is out of descriptors.
    Descriptors,
    /// Anything else: memory, buffers, or something unheard of.
    System,
}

impl Trouble {
    pub fn of(error: &io::Error) -> Self {
        if error.kind() == ErrorKind::WouldBlock {
            return Self::Nothing;
        }
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => Self::Descriptors,
            Some(
                Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::INTR
                | Errno::PROTO
                | Errno::PERM
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::OPNOTSUPP
                | Errno::NETUNREACH,
            ) => Self::ThatClient,
            _ => Self::System,
        }
    }
}

/// A descriptor kept for the moment when there is no other.
pub(super) struct Reserve(Option<File>);

impl Reserve {
    pub fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Accepts one client with the reserve's descriptor, and tells it to come back.
    pub fn turn_away(&mut self, listener: &TcpListener) {
        self.0 = None;
        if let Ok((socket, _)) = listener.accept() {
            log::warn!(
                "out of descriptors; a client was told to come back. Raise `ulimit -n` or lower max_connections"
            );
            turn_away(&socket);
        }
        std::thread::sleep(PAUSE);
        *self = Self::new();
    }
}

/// Tells a client that cannot be served to come back. Does not wait for it.
pub(super) fn turn_away(mut socket: &TcpStream) {
    // A client that does not take even this is not told.
    let _ = socket.set_nonblocking(true);
    let _ = socket.write(BUSY);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    // A request that is left unread when the socket is closed takes the answer back.
    let mut request = [0; 4 << 10];
    for _ in 0..MAX_UNREAD_BYTES / request.len() {
        match socket.read(&mut request) {
            Ok(1..) => {}
            _ => return,
        }
    }
}

/// How much of the request of a client that is turned away is read over.
const MAX_UNREAD_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_last_resort_is_well_formed() {
        let text = std::str::from_utf8(BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "the body has {} bytes",
            body.len()
        );
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }

    fn check(errno: Errno, expected: &Trouble) {
        assert_eq!(Trouble::of(&errno.into()), *expected, "{errno}");
    }

    #[test]
    fn every_error_of_accept_has_a_remedy() {
        check(Errno::AGAIN, &Trouble::Nothing);
        check(Errno::CONNABORTED, &Trouble::ThatClient);
        check(Errno::MFILE, &Trouble::Descriptors);
        check(Errno::NFILE, &Trouble::Descriptors);
        check(Errno::NOMEM, &Trouble::System);
        check(Errno::NOBUFS, &Trouble::System);
    }
}
