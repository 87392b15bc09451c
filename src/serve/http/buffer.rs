//! Bytes that were read and not yet used.
//!
//! It costs nothing until the first read, starts small and grows only for those who send much,
//! because most connections are idle most of the time.

use std::io::{self, Read};

/// What a fresh buffer takes.
const FIRST_BYTES: usize = 2 << 10;

/// Up to here it grows so as to read more at once; beyond, only because something must fit.
const MOST_EAGER_BYTES: usize = 32 << 10;

/// A queue of bytes: read at one end, used at the other.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Always wholly initialised, so that it can be read into.
    storage: Vec<u8>,
    start: usize,
    end: usize,
    /// The last read took all the room there was: more is probably waiting.
    was_filled: bool,
}

impl Buffer {
    /// What was read and not used.
    pub fn data(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// Whether everything that was read was used.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Uses the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Takes the first bytes, at most `count`.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.data()[..count.min(self.end - self.start)].to_vec();
        self.consume(taken.len());
        taken
    }

    /// Reads once; 0 is the end of the stream.
    pub fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        self.make_room();
        let room = self.storage.len() - self.end;
        let count = source.read(&mut self.storage[self.end..])?.min(room);
        self.was_filled = count == room;
        self.end += count;
        Ok(count)
    }

    /// Gives memory back that only a large request needed.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.storage.len() > FIRST_BYTES {
            self.storage = Vec::new();
        }
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.storage.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let worth_more = self.was_filled && self.storage.len() < MOST_EAGER_BYTES;
        if self.end == self.storage.len() || worth_more {
            let wanted = (self.storage.len() * 2).max(FIRST_BYTES);
            self.storage.resize(wanted, 0);
        }
    }
}
