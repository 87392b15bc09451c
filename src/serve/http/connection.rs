//! Requests in, responses out, one after the other.
//!
//! Every wait has a limit, and it is a limit on the whole: a head may take so long, not each of its
//! bytes, so that nobody holds a thread by sending one byte now and then.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buffer::Buffer;
use super::chunked::ChunkedDecoder;
use super::response::Asked;
use super::{
    Framing, Limits, Request, RequestError, Response, Transport, at_most, head, unless_zero,
};
use crate::clock::Clock;

/// How many empty lines may precede a request; some clients send one after a body.
const EMPTY_LINES: usize = 4;

/// How much of a body that nobody wanted is read so that the connection can go on.
const DRAIN_BYTES: usize = 64 << 10;

/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How much is read after the last answer, so that it reaches a client that is still sending.
const LINGER_BYTES: usize = 16 << 20;

/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(5);

/// How much room a body is given before any of it has arrived.
const BODY_ROOM: usize = 16 << 10;

/// What happens to the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// The next request may come.
    KeepAlive,
    /// It is over.
    Close,
}

/// One client's connection, while it speaks HTTP.
#[derive(Debug)]
pub struct Connection<T> {
    transport: T,
    buffer: Buffer,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// How the request that came last is to be answered; before the first, as one would be.
    asked: Asked,
    /// Its body was not read yet.
    unread: bool,
    /// The time limit that is set on the transport's reads.
    read_timeout: Option<Duration>,
    /// The time limit on the transport's writes was set.
    writes_limited: bool,
}

impl<T: Transport> Connection<T> {
    /// A connection on which nothing was read or written; `transport` has no time limits yet.
    pub fn new(transport: T, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            buffer: Buffer::default(),
            limits,
            clock,
            asked: Asked::default(),
            unread: false,
            read_timeout: None,
            writes_limited: false,
        }
    }

    /// Waits for the next request. `None` when there is none: the client hung up or was silent for
    /// too long. After an error: [`Connection::refuse`].
    pub fn next_request(&mut self) -> Result<Option<Request>, RequestError> {
        self.buffer.shrink();
        self.asked = Asked::default();
        if !self.request_begins()? {
            return Ok(None);
        }
        let length = self.head_arrives()?;
        let request = head::parse(&self.buffer.data()[..length])?;
        self.buffer.consume(length);
        self.unread = request.framing != Framing::None;
        self.asked = Asked::by(&request);
        Ok(Some(request))
    }

    /// Reads the body of the request that came last, once; a second time there is nothing. After an
    /// error: [`Connection::refuse`].
    pub fn read_body(&mut self, request: &Request) -> Result<Vec<u8>, RequestError> {
        self.read_body_within(request, self.limits.body_bytes)
    }

    /// The same for a body that may have another size than most, in bytes; `0` is no limit.
    pub fn read_body_within(
        &mut self,
        request: &Request,
        max_bytes: usize,
    ) -> Result<Vec<u8>, RequestError> {
        self.body_within(request, at_most(max_bytes), self.limits.body_timeout)
    }

    /// Answers the request that came last, and reads what is left of it if that is little. If the
    /// connection cannot go on, it is ended as by [`Connection::close_lingering`].
    pub fn respond(&mut self, request: &Request, response: &Response) -> io::Result<Persistence> {
        let keep = request.keep_alive && self.can_pass_over_body(request);
        self.write_response(response, keep)?;
        if keep && self.body_within(request, DRAIN_BYTES, DRAIN_TIME).is_ok() {
            return Ok(Persistence::KeepAlive);
        }
        self.linger();
        Ok(Persistence::Close)
    }

    /// Says why there is no request, if anyone is there to read it, and closes.
    pub fn refuse(self, error: &RequestError) {
        if let Some(response) = error.response() {
            self.close_with(&response);
        }
    }

    /// Answers what the client asked last, or was about to ask, and closes.
    pub fn close_with(mut self, response: &Response) {
        // A client that is gone needs no answer.
        if self.write_response(response, false).is_ok() {
            self.linger();
        }
    }

    /// Sends an answer that is bytes already, and closes.
    pub fn close_with_bytes(mut self, answer: &[u8]) {
        // A client that is gone needs no answer.
        if self.write_all(answer, b"").is_ok() {
            self.linger();
        }
    }

    /// Closes so that the last answer arrives: a socket closed with unread bytes would take back
    /// what the client has not read yet. Reads over, for a while, what still comes.
    pub fn close_lingering(mut self) {
        self.linger();
    }

    /// Hands over the transport and what was read from it and not used. The transport's time limits
    /// stay as they are.
    pub fn into_parts(self) -> (T, Vec<u8>) {
        let unused = self.buffer.data().to_vec();
        (self.transport, unused)
    }

    /// What the connection runs over.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    fn linger(&mut self) {
        if self.transport.shutdown_write().is_err() {
            return;
        }
        let deadline = self.deadline(LINGER_TIME);
        let mut left = LINGER_BYTES;
        while let Ok(count @ 1..) = self.fill(deadline) {
            self.buffer.clear();
            match left.checked_sub(count) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }

    /// Waits for a first byte that is no empty line.
    fn request_begins(&mut self) -> Result<bool, RequestError> {
        let deadline = self.deadline(self.limits.keep_alive);
        let mut empty_lines = 0;
        loop {
            while empty_lines < EMPTY_LINES && self.buffer.data().starts_with(b"\r\n") {
                self.buffer.consume(2);
                empty_lines += 1;
            }
            if !matches!(self.buffer.data(), [] | [b'\r']) {
                return Ok(true);
            }
            match self.fill(deadline) {
                Ok(1..) => {}
                Ok(0) | Err(RequestError::Disconnected | RequestError::Timeout) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the whole head is there; its length.
    fn head_arrives(&mut self) -> Result<usize, RequestError> {
        let deadline = self.deadline(self.limits.head_timeout);
        let max_bytes = at_most(self.limits.head_bytes);
        let mut looked_at = 0;
        loop {
            let data = self.buffer.data();
            let visible = &data[..data.len().min(max_bytes)];
            if let Some(length) = head::find_end(visible, looked_at)? {
                return Ok(length);
            }
            if visible.len() == max_bytes {
                return Err(head_too_large(visible));
            }
            looked_at = visible.len();
            if self.fill(deadline)? == 0 {
                return Err(RequestError::Disconnected);
            }
        }
    }

    fn body_within(
        &mut self,
        request: &Request,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, RequestError> {
        if !std::mem::take(&mut self.unread) {
            return Ok(Vec::new());
        }
        match request.framing {
            Framing::None => Ok(Vec::new()),
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= max_bytes => self.sized_body(request, length, timeout),
                _ => Err(RequestError::BodyTooLarge { max_bytes }),
            },
            Framing::Chunked => self.chunked_body(request, max_bytes, timeout),
        }
    }

    fn sized_body(
        &mut self,
        request: &Request,
        length: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, RequestError> {
        let deadline = self.deadline(timeout);
        self.encourage(request)?;
        // The client's word alone gets no memory: the room grows with what arrives.
        let mut body = Vec::with_capacity(length.min(BODY_ROOM));
        loop {
            body.extend_from_slice(&self.buffer.take(length - body.len()));
            if body.len() == length {
                return Ok(body);
            }
            if self.fill(deadline)? == 0 {
                return Err(RequestError::Disconnected);
            }
        }
    }

    fn chunked_body(
        &mut self,
        request: &Request,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, RequestError> {
        let deadline = self.deadline(timeout);
        self.encourage(request)?;
        let mut body = Vec::new();
        let mut decoder = ChunkedDecoder::new(max_bytes);
        loop {
            let used = decoder.decode(self.buffer.data(), &mut body)?;
            self.buffer.consume(used);
            if decoder.is_done() {
                return Ok(body);
            }
            if self.fill(deadline)? == 0 {
                return Err(RequestError::Disconnected);
            }
        }
    }

    /// Tells a client that waits for it to send the body.
    fn encourage(&mut self, request: &Request) -> io::Result<()> {
        if request.expects_continue && self.buffer.is_empty() {
            self.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", b"")?;
        }
        Ok(())
    }

    /// Whether the place where the next request begins can be found cheaply. A client that was not
    /// told to continue may send its body or not: nobody can know.
    fn can_pass_over_body(&self, request: &Request) -> bool {
        let little = match request.framing {
            Framing::None | Framing::Chunked => true,
            Framing::Length(length) => length <= DRAIN_BYTES as u64,
        };
        !self.unread || (little && !request.expects_continue)
    }

    fn write_response(&mut self, response: &Response, keep: bool) -> io::Result<()> {
        let head = response.head(self.asked, keep, self.clock.unix_ms());
        self.write_all(&head, response.content(self.asked))
    }

    /// Writes both, in one go where the transport can.
    fn write_all(&mut self, head: &[u8], content: &[u8]) -> io::Result<()> {
        if !std::mem::replace(&mut self.writes_limited, true) {
            self.transport.set_write_timeout(unless_zero(self.limits.write_timeout))?;
        }
        let mut slices = [IoSlice::new(head), IoSlice::new(content)];
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.transport.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.transport.flush()
    }

    fn deadline(&self, timeout: Duration) -> Option<Instant> {
        unless_zero(timeout).and_then(|timeout| self.clock.now().checked_add(timeout))
    }

    /// Reads once, waiting until `deadline` at most; 0 is the end of the stream.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<usize, RequestError> {
        loop {
            self.limit_reads(deadline)?;
            match self.buffer.fill(&mut self.transport) {
                Ok(count) => return Ok(count),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        return Err(RequestError::Timeout);
                    }
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::NotConnected
                    | ErrorKind::UnexpectedEof => return Err(RequestError::Disconnected),
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Sets the transport's time limit to what is left. Rounded up to whole milliseconds, so that a
    /// limit that is the same again, as between any two requests, costs no system call.
    fn limit_reads(&mut self, deadline: Option<Instant>) -> Result<(), RequestError> {
        let left = match deadline {
            None => None,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(self.clock.now());
                let milliseconds = left.as_nanos().div_ceil(1_000_000);
                if milliseconds == 0 {
                    return Err(RequestError::Timeout);
                }
                Some(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX)))
            }
        };
        if self.read_timeout != left {
            self.transport.set_read_timeout(left)?;
            self.read_timeout = left;
        }
        Ok(())
    }
}

/// Which limit a head exceeded that does not end within it.
fn head_too_large(seen: &[u8]) -> RequestError {
    let max_bytes = seen.len();
    if seen.contains(&b'\n') {
        RequestError::HeadTooLarge { max_bytes }
    } else {
        RequestError::TargetTooLong { max_bytes }
    }
}
