//! Bytes to events, cheaply: a subscriber must cost less than the server it measures.
//!
//! Understands what the servers here send: an HTTP/1.1 head, then a body that is chunked or lasts
//! until the connection ends, in it events whose data is one line. Works on slices of any length.

use memchr::{memchr, memmem};

use super::stamp::{Stamp, number};

/// One received event.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// Its id, as two numbers that order it: `<ms>-<n>`, `<time>:<n>`, `<n>`.
    pub id: Option<(u64, u64)>,
    /// Which of ours it is; none for a greeting or a heartbeat.
    pub stamp: Option<Stamp>,
}

/// What a slice of bytes brought.
#[derive(Debug)]
pub enum Signal {
    /// The response's head, with its status.
    Head(u16),
    /// An event.
    Event(Received),
    /// The body is over.
    End,
}

/// One response on its way in.
#[derive(Debug, Default)]
pub struct Wire {
    part: Part,
    head: Vec<u8>,
    lines: Lines,
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy)]
enum Part {
    #[default]
    Head,
    /// A body that lasts until the connection ends.
    Rest,
    /// The line with a chunk's size, read so far.
    Size(usize),
    /// A chunk, and how much of it is still to come.
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd,
    Over,
}

impl Wire {
    /// Takes what arrived and says what it brought.
    pub fn feed(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Signal)) {
        while !bytes.is_empty() {
            bytes = match self.part {
                Part::Head => self.head(bytes, each),
                Part::Rest => {
                    self.lines.feed(bytes, each);
                    &[]
                }
                Part::Size(so_far) => self.size(so_far, bytes, each),
                Part::Chunk(left) => {
                    let (chunk, rest) = bytes.split_at(left.min(bytes.len()));
                    self.lines.feed(chunk, each);
                    let left = left - chunk.len();
                    self.part = if left == 0 { Part::ChunkEnd } else { Part::Chunk(left) };
                    rest
                }
                Part::ChunkEnd => {
                    let Some(end) = memchr(b'\n', bytes) else { return };
                    self.part = Part::Size(0);
                    &bytes[end + 1..]
                }
                Part::Over => return,
            };
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8], each: &mut impl FnMut(Signal)) -> &'a [u8] {
        const END: &[u8] = b"\r\n\r\n";
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.head, END) else { return &[] };
        let head = String::from_utf8_lossy(&self.head[..end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let chunked = head.contains("transfer-encoding: chunked");
        self.part = if chunked { Part::Size(0) } else { Part::Rest };
        self.head = Vec::new();
        each(Signal::Head(status));
        &bytes[end + END.len() - before..]
    }

    fn size<'a>(
        &mut self,
        so_far: usize,
        bytes: &'a [u8],
        each: &mut impl FnMut(Signal),
    ) -> &'a [u8] {
        let line = memchr(b'\n', bytes).unwrap_or(bytes.len());
        let digits = bytes[..line].iter().filter_map(|&byte| char::from(byte).to_digit(16));
        let size = digits.fold(so_far, |size, digit| size * 16 + digit as usize);
        if line == bytes.len() {
            self.part = Part::Size(size);
            return &[];
        }
        self.part = if size == 0 { Part::Over } else { Part::Chunk(size) };
        if size == 0 {
            each(Signal::End);
        }
        &bytes[line + 1..]
    }
}

/// The body's lines, as fields of events.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end did not arrive yet.
    begun: Vec<u8>,
    id: Option<(u64, u64)>,
    stamp: Option<Stamp>,
    has_data: bool,
}

impl Lines {
    fn feed(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Signal)) {
        while let Some(end) = memchr(b'\n', bytes) {
            if self.begun.is_empty() {
                self.line(&bytes[..end], each);
            } else {
                let mut line = std::mem::take(&mut self.begun);
                line.extend_from_slice(&bytes[..end]);
                self.line(&line, each);
            }
            bytes = &bytes[end + 1..];
        }
        self.begun.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(Signal)) {
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let received = Received { id: self.id.take(), stamp: self.stamp.take() };
                each(Signal::Event(received));
            }
        } else if let Some(data) = line.strip_prefix(b"data:") {
            self.has_data = true;
            self.stamp = Stamp::read(data.trim_ascii_start());
        } else if let Some(id) = line.strip_prefix(b"id:") {
            self.id = number(id.trim_ascii_start()).map(|(high, rest)| {
                (high, rest.get(1..).and_then(number).map_or(0, |(low, _)| low))
            });
        }
    }
}
