//! A number of events, as fast as they go or at a given rate. Travels as one line of text to the
//! servers that publish on command.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::stamp::Stamp;

/// What is to be published.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// The number of the first event.
    pub first: u64,
    /// How many events.
    pub count: u64,
    /// The size of each one's data.
    pub bytes: usize,
    /// How many a second; 0 is as fast as they go.
    pub per_second: u64,
    /// Publishing ends after this time even if events remain.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Published {
    /// How many events the server took.
    pub accepted: u64,
    /// How often it said that it was full; each time the event was offered again.
    pub held_back: u64,
    /// From the first event to the answer to the last.
    pub elapsed: Duration,
}

impl Flood {
    /// When the event `index` is due, in nanoseconds after the start.
    pub fn due(&self, index: u64) -> u64 {
        (index * 1_000_000_000).checked_div(self.per_second).unwrap_or(0)
    }

    /// Publishes through `publish`, which says whether the event was taken.
    pub fn run(&self, publish: impl Fn(&str) -> bool) -> Published {
        let start = clock::now();
        let elapsed = || Duration::from_nanos(clock::now() - start);
        let mut published = Published::default();
        while published.accepted < self.count && elapsed() < self.limit {
            let early = self.due(published.accepted).saturating_sub(clock::now() - start);
            if early > 0 {
                thread::sleep(Duration::from_nanos(early));
            }
            let stamp = Stamp { seq: self.first + published.accepted, at: clock::now() };
            if publish(&stamp.data(self.bytes)) {
                published.accepted += 1;
            } else {
                published.held_back += 1;
                thread::sleep(PAUSE);
            }
        }
        published.elapsed = elapsed();
        published
    }
}

/// How long a publisher waits that was told to come again. The server's own `Retry-After` counts in
/// whole seconds, which suits strangers; this one wants to know how much the server can take.
pub const PAUSE: Duration = Duration::from_millis(1);

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, count, bytes, per_second, limit } = self;
        write!(f, "{first} {count} {bytes} {per_second} {}", limit.as_nanos())
    }
}

impl FromStr for Flood {
    type Err = io::Error;

    fn from_str(line: &str) -> io::Result<Self> {
        let [first, count, bytes, per_second, limit] = numbers(line)?;
        let limit = Duration::from_nanos(limit);
        Ok(Self { first, count, bytes: bytes as usize, per_second, limit })
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.accepted, self.held_back, self.elapsed.as_nanos())
    }
}

impl FromStr for Published {
    type Err = io::Error;

    fn from_str(line: &str) -> io::Result<Self> {
        let [accepted, held_back, elapsed] = numbers(line)?;
        Ok(Self { accepted, held_back, elapsed: Duration::from_nanos(elapsed) })
    }
}

fn numbers<const N: usize>(line: &str) -> io::Result<[u64; N]> {
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    numbers.try_into().map_err(|_| io::Error::other(format!("{N} numbers expected, not {line:?}")))
}
