//! A TCP connection, shared by its thread, the hub's dispatcher, and whoever shuts it down.
//!
//! To the conversation it is a transport that blocks; to the hub it is a sink that is written
//! without blocking by whoever has the turn.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
#[cfg(target_os = "linux")]
use socket2::TcpKeepalive;

use super::http::Transport;
use crate::hub::Sink;

/// A connection. Cheap to clone; closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Socket(Arc<TcpStream>);

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self(Arc::new(socket))
    }
}

impl Socket {
    /// The connection itself.
    pub fn tcp(&self) -> &TcpStream {
        &self.0
    }

    /// What would be read now. Nothing is.
    pub fn peek(&self) -> Prospect {
        match recv(&*self.0, &mut [0], RecvFlags::DONTWAIT | RecvFlags::PEEK) {
            Ok((1.., _)) => Prospect::Bytes,
            Err(Errno::AGAIN | Errno::INTR) => Prospect::Silence,
            Ok((0, _)) | Err(_) => Prospect::End,
        }
    }

    /// Whether the peer will say no more than it has said already, which stays unread.
    pub fn peer_is_done(&self) -> bool {
        let mut descriptors = [PollFd::new(&*self.0, PEER_IS_DONE)];
        // An error is none of the peer's doing.
        let ready = poll(&mut descriptors, Some(&Timespec::default())).unwrap_or(0);
        ready > 0 && descriptors[0].revents().intersects(PEER_IS_DONE | PollFlags::ERR)
    }

    /// Has the kernel give the connection up when the peer acknowledges nothing for this long: a
    /// client that vanished without a word is then noticed by its unanswered heartbeat. Where there are
    /// no heartbeats the kernel asks the peer itself, after as long a silence.
    #[cfg(target_os = "linux")]
    pub fn limit_silence(&self, at_most: Duration, has_heartbeats: bool) {
        if at_most.is_zero() {
            return;
        }
        let socket = socket2::SockRef::from(&*self.0);
        // Where it cannot be set, the kernel's own limit of some minutes holds.
        let _ = socket.set_tcp_user_timeout(Some(at_most));
        if !has_heartbeats {
            let second = Duration::from_secs(1);
            let probes = TcpKeepalive::new().with_time(at_most.max(second)).with_interval(second);
            let _ = socket.set_tcp_keepalive(&probes);
        }
    }

    /// Elsewhere than on Linux the kernel's own limit of some minutes holds.
    #[cfg(not(target_os = "linux"))]
    pub fn limit_silence(&self, _: Duration, _: bool) {}

    /// Makes every read from now on find the end of the stream.
    pub fn stop_reading(&self) {
        // Fails only if the peer is gone already.
        let _ = self.0.shutdown(Shutdown::Read);
    }
}

/// What a socket would give to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// Nothing yet.
    Silence,
    /// At least one byte.
    Bytes,
    /// The end: the peer has hung up.
    End,
}

/// Only Linux tells of a peer that is done writing and reads on.
#[cfg(target_os = "linux")]
const PEER_IS_DONE: PollFlags = PollFlags::RDHUP.union(PollFlags::HUP);
#[cfg(not(target_os = "linux"))]
const PEER_IS_DONE: PollFlags = PollFlags::HUP;

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Socket {
    fn set_read_timeout(&self, at_most: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(at_most)
    }

    fn set_write_timeout(&self, at_most: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(at_most)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// What a client may say after its request before it is cut off: a stream reads no requests.
const MAX_CHATTER_BYTES: usize = 64 << 10;

impl Sink for Socket {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        // The descriptor itself stays blocking; only this call does not.
        Ok(send(&*self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn wait_writable(&self, at_most: Option<Duration>) -> io::Result<bool> {
        let timeout = at_most.and_then(|limit| Timespec::try_from(limit).ok());
        let mut descriptors = [PollFd::new(&*self.0, PollFlags::OUT)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn close(&self) {
        // Fails only if the peer is gone already.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    fn hung_up(&self) -> bool {
        let mut discarded = [0; 512];
        let mut chatter = 0;
        while chatter < MAX_CHATTER_BYTES {
            match recv(&*self.0, &mut discarded, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return true,
                Ok((received, _)) => chatter += received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Err(_) => return true,
            }
        }
        true
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Both ends of a connection, the peer's first.
    fn pair() -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (peer, listener.accept().unwrap().0.into())
    }

    /// Waits until the socket has something to tell.
    fn wait(socket: &Socket) {
        poll(&mut [PollFd::new(socket.tcp(), PollFlags::IN)], None).unwrap();
    }

    #[test]
    fn a_prospect_is_silence_then_bytes_then_the_end() {
        let (mut peer, mut socket) = pair();
        assert_eq!(socket.peek(), Prospect::Silence);
        peer.write_all(b"x").unwrap();
        drop(peer);
        wait(&socket);
        assert_eq!(socket.peek(), Prospect::Bytes);
        socket.read_exact(&mut [0]).unwrap();
        wait(&socket);
        assert_eq!(socket.peek(), Prospect::End);
    }

    #[test]
    fn a_peer_is_done_when_it_has_hung_up_even_with_bytes_unread() {
        let (mut peer, mut socket) = pair();
        peer.write_all(b"xy").unwrap();
        wait(&socket);
        assert!(!socket.peer_is_done());
        peer.shutdown(Shutdown::Write).unwrap();
        let patience = Timespec::try_from(Duration::from_secs(20)).unwrap();
        poll(&mut [PollFd::new(socket.tcp(), PEER_IS_DONE)], Some(&patience)).unwrap();
        assert!(socket.peer_is_done());
        let mut said = [0; 2];
        socket.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"xy");
    }
}
