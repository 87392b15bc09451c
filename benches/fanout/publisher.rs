//! Publishing over HTTP: one connection, kept open, with many requests under way.
//!
//! One connection keeps the events in order without any help from the server, and requests that do
//! not wait for each other's answers keep it busy.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::flood::{Flood, PAUSE, Published};
use crate::stamp::Stamp;

/// Requests without an answer yet; more brings nothing, and their answers must fit the socket.
const WINDOW: usize = 64;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Where a server takes events, and how.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The request's path.
    pub path: &'static str,
    /// Header lines besides the necessary ones.
    pub headers: &'static str,
    /// What stands before the event's data in the body.
    pub before: &'static str,
    /// What stands after it.
    pub after: &'static str,
}

/// A connection to a server's door.
#[derive(Debug)]
pub struct Publisher {
    stream: TcpStream,
    door: Door,
    /// Arrived, but not yet understood.
    answers: Vec<u8>,
}

impl Publisher {
    /// Connects.
    pub fn connect(address: SocketAddr, door: Door) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        Ok(Self { stream, door, answers: Vec::new() })
    }

    /// Publishes all that `flood` says. What the server cannot take now is offered again.
    pub fn flood(&mut self, flood: &Flood) -> io::Result<Published> {
        let mut orders = Orders::new(flood);
        while !orders.is_done() {
            let mut requests = Vec::new();
            while let Some(index) = orders.next_due() {
                self.write_request(&mut requests, flood, index);
            }
            self.stream.write_all(&requests)?;
            orders.sleep_if_idle();
            while !orders.under_way.is_empty() {
                let accepted = self.is_accepted()?;
                orders.answered(accepted);
                if orders.under_way.len() <= WINDOW / 2 {
                    break;
                }
            }
        }
        Ok(orders.published())
    }

    fn write_request(&self, out: &mut Vec<u8>, flood: &Flood, index: u64) {
        let Door { path, headers, before, after } = self.door;
        let stamp = Stamp { seq: flood.first + index, at: clock::now() };
        let data = stamp.data(flood.bytes);
        let length = before.len() + data.len() + after.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{headers}\r\n{before}{data}{after}"
        );
        out.extend_from_slice(request.as_bytes());
    }

    /// Reads the next answer: true if the event was taken, false if it may be offered again.
    fn is_accepted(&mut self) -> io::Result<bool> {
        loop {
            if let Some((status, length)) = read_answer(&self.answers)? {
                let text = String::from_utf8_lossy(&self.answers[..length]).into_owned();
                self.answers.drain(..length);
                return match status {
                    200..=299 => Ok(true),
                    429 | 503 => Ok(false),
                    _ => Err(io::Error::other(format!("publishing was answered: {text}"))),
                };
            }
            let mut bytes = [0; 16 << 10];
            match self.stream.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.answers.extend_from_slice(&bytes[..read]),
            }
        }
    }
}

/// Which events of a flood are still to be offered.
#[derive(Debug)]
struct Orders<'a> {
    flood: &'a Flood,
    start: u64,
    /// The first event that was not offered yet.
    next: u64,
    /// Those to be offered again.
    again: VecDeque<u64>,
    /// Those without an answer, in the order in which the answers come.
    under_way: VecDeque<u64>,
    published: Published,
}

impl<'a> Orders<'a> {
    fn new(flood: &'a Flood) -> Self {
        Self {
            flood,
            start: clock::now(),
            next: 0,
            again: VecDeque::new(),
            under_way: VecDeque::new(),
            published: Published::default(),
        }
    }

    /// After the limit, what was offered is still waited for, so that the connection stays usable.
    fn is_done(&self) -> bool {
        self.under_way.is_empty() && (self.published.accepted == self.flood.count || self.is_late())
    }

    fn is_late(&self) -> bool {
        self.elapsed() > self.flood.limit.as_nanos() as u64
    }

    fn elapsed(&self) -> u64 {
        clock::now() - self.start
    }

    /// The event that is to be offered now, if there is one.
    fn next_due(&mut self) -> Option<u64> {
        if self.under_way.len() >= WINDOW || self.is_late() {
            return None;
        }
        let fresh = self.next < self.flood.count && self.flood.due(self.next) <= self.elapsed();
        let index = self.again.pop_front().or_else(|| {
            self.next += u64::from(fresh);
            fresh.then(|| self.next - 1)
        })?;
        self.under_way.push_back(index);
        Some(index)
    }

    fn sleep_if_idle(&self) {
        if self.under_way.is_empty() {
            let early = self.flood.due(self.next).saturating_sub(self.elapsed());
            thread::sleep(Duration::from_nanos(early));
        }
    }

    /// Notes the answer to the oldest request.
    fn answered(&mut self, accepted: bool) {
        let index = self.under_way.pop_front();
        if accepted {
            self.published.accepted += 1;
        } else {
            self.published.held_back += 1;
            self.again.extend(index);
            thread::sleep(PAUSE);
        }
    }

    fn published(&self) -> Published {
        Published { elapsed: Duration::from_nanos(self.elapsed()), ..self.published }
    }
}

/// The status and the size of the answer that `bytes` begins with, if all of it is there.
fn read_answer(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())
        .ok_or_else(|| io::Error::other("an answer to publishing has no length"))?;
    let complete = bytes.len() >= head + length;
    Ok(complete.then_some((response.code.unwrap_or(0), head + length)))
}
