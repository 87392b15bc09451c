//! As much HTTP as a fleet needs: answers, and the bytes of a stream as they come.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A connection on which a read waits no longer than `patience`; `buffer_bytes` is what the kernel
/// takes for a client that does not read.
pub(super) fn connect(
    to: SocketAddr,
    patience: Duration,
    buffer_bytes: Option<usize>,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
        // Of the loopback's huge segments not one would fit, and each would wait for a timer.
        socket.set_tcp_mss(1_400)?;
    }
    socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
    let connection = TcpStream::from(socket);
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(patience))?;
    connection.set_write_timeout(Some(Duration::from_secs(20)))?;
    Ok(connection)
}

/// Sends a request on a connection that stays open; the answer's status and body.
pub(super) fn ask(connection: &mut TcpStream, request: &str) -> io::Result<(u16, String)> {
    connection.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = connection.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
        let Some(head) = Head::find(&bytes) else { continue };
        let length = head.header("content-length").and_then(|length| length.parse().ok());
        let end = head.len + length.unwrap_or(0);
        if let Some(body) = bytes.get(head.len..end) {
            return Ok((head.status, String::from_utf8_lossy(body).into_owned()));
        }
    }
}

/// An answer's head.
struct Head<'a> {
    status: u16,
    lines: &'a str,
    len: usize,
}

impl<'a> Head<'a> {
    fn find(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let lines = std::str::from_utf8(&bytes[..end]).ok()?;
        let status = lines.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, lines, len: end + 4 })
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.lines.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Takes a stream's bytes as they come and gives back those of its events.
#[derive(Debug, Default)]
pub(super) struct Unwrapped {
    /// What is not understood yet.
    waiting: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// Everything is the stream's, up to the connection's end.
    Bare,
    /// A line with a chunk's size is next.
    Size,
    /// So many bytes of the chunk are next, with the line end behind it.
    Chunk(usize),
    End,
}

impl Unwrapped {
    /// Fails with a sentence if it is no stream.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.waiting.extend_from_slice(bytes);
        let mut events = Vec::new();
        while self.step(&mut events)? {}
        Ok(events)
    }

    /// Whether the head has come.
    pub fn is_open(&self) -> bool {
        self.state != State::Head
    }

    /// Whether the end has been told.
    pub fn has_ended(&self) -> bool {
        self.state == State::End
    }

    fn step(&mut self, events: &mut Vec<u8>) -> Result<bool, String> {
        match self.state {
            State::Head => {
                let Some(head) = Head::find(&self.waiting) else { return Ok(false) };
                if head.status != 200 {
                    return Err(format!("status {}", head.status));
                }
                let is_chunked = head.header("transfer-encoding") == Some("chunked");
                self.state = if is_chunked { State::Size } else { State::Bare };
                let len = head.len;
                self.waiting.drain(..len);
            }
            State::Bare => {
                events.append(&mut self.waiting);
                return Ok(false);
            }
            State::Size => {
                let Some(end) = self.waiting.windows(2).position(|window| window == b"\r\n") else {
                    return Ok(false);
                };
                let size = String::from_utf8_lossy(&self.waiting[..end]).into_owned();
                let size = usize::from_str_radix(&size, 16).map_err(|e| format!("{size}: {e}"))?;
                self.waiting.drain(..end + 2);
                self.state = if size == 0 { State::End } else { State::Chunk(size + 2) };
            }
            State::Chunk(size) => {
                let count = size.min(self.waiting.len());
                let data = count.min(size.saturating_sub(2));
                events.extend_from_slice(&self.waiting[..data]);
                self.waiting.drain(..count);
                self.state = if count == size { State::Size } else { State::Chunk(size - count) };
                return Ok(count == size);
            }
            State::End => return Ok(false),
        }
        Ok(true)
    }
}
