//! Event to bytes, for each family of clients. No I/O.
//!
//! The rules are the WHATWG HTML standard's, section 9.2 "Server-sent events". Two are ours:
//! every block dispatches exactly one event (blocks of only comments or only `retry:` make some
//! client libraries dispatch an empty one), and nothing a publisher sends can start a field of its
//! own, because every line of its data is given its `data:`.

use std::ops::Range;
use std::time::Duration;

use super::{Event, EventId};

/// How events look on the wire for one family of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The events door (seed 004): `id`, `event` and `data`.
    Events,
}

impl Dialect {
    /// How many dialects there are.
    pub const COUNT: usize = 1;

    /// Encodes an event, once for all streams of this dialect.
    pub fn encode(self, event: &Event) -> Frame {
        self.encode_block(&Block::of(event))
    }

    /// Encodes an event that stands for `stands_for` events of one stream, itself included, and says
    /// so: in its data if that is an object, otherwise in a comment that scripts do not see.
    pub fn encode_conflated(self, event: &Event, stands_for: u32) -> Frame {
        match conflated_data(event.body.data.as_str(), stands_for) {
            Some(data) => self.encode_block(&Block { data: &data, ..Block::of(event) }),
            None => self.frame(&Block::of(event), Some(&format!("conflated {stands_for}"))),
        }
    }

    /// Encodes something only one stream says, such as `connected`.
    pub fn encode_block(self, block: &Block<'_>) -> Frame {
        self.frame(block, None)
    }

    /// A comment is for people who look at the wire. It stands inside a block that has data: one that
    /// stood alone would make an empty event in some clients.
    fn frame(self, block: &Block<'_>, comment: Option<&str>) -> Frame {
        let mut bytes = Vec::with_capacity(block.data.len() + 96);
        self.write_block(&mut bytes, block, comment);
        Frame::new(&bytes)
    }

    /// The sign of life when nothing else was sent: an event that scripts can see, without an id so
    /// that it cannot move a client's resume point.
    pub fn heartbeat(self) -> Frame {
        match self {
            Self::Events => Frame::new(b"event: ping\ndata: keep-alive\n\n"),
        }
    }

    fn write_block(self, out: &mut Vec<u8>, block: &Block<'_>, comment: Option<&str>) {
        match self {
            Self::Events => {
                if let Some(id) = block.id {
                    field(out, "id", &id.to_string());
                }
                if let Some(retry) = block.retry {
                    field(out, "retry", &retry.as_millis().to_string());
                }
                if let Some(comment) = comment {
                    field(out, "", comment);
                }
                field(out, "event", block.name);
                for line in lines(block.data) {
                    field(out, "data", line);
                }
                out.push(b'\n');
            }
        }
    }
}

/// One event as fields, before it is bytes.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// Moves the client's resume point here.
    pub id: Option<EventId>,
    /// Sets how long the client waits before it reconnects.
    pub retry: Option<Duration>,
    /// The event type; must not contain a line break (an [`super::EventName`] never does).
    pub name: &'a str,
    /// The data; may contain any line break.
    pub data: &'a str,
}

impl<'a> Block<'a> {
    fn of(event: &'a Event) -> Self {
        Self {
            id: Some(event.id),
            retry: None,
            name: event.body.name.as_str(),
            data: event.body.data.as_str(),
        }
    }
}

/// JSON data that says how many events it stands for: as the last member `conflated`, if it is an
/// object. A member of that name that was there before is overruled, as the last one counts.
pub fn conflated_data(data: &str, stands_for: u32) -> Option<String> {
    let members = data.trim().strip_prefix('{')?.strip_suffix('}')?;
    let comma = if members.trim().is_empty() { "" } else { ", " };
    Some(format!("{{{members}{comma}\"conflated\": {stands_for}}}"))
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// Splits at every line end the standard knows: CR LF, LF and CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let Some(end) = current.find(['\r', '\n']) else {
            rest = None;
            return Some(current);
        };
        let after = &current[end..];
        rest = Some(after.strip_prefix("\r\n").unwrap_or(&after[1..]));
        Some(&current[..end])
    })
}

/// How a transport delimits what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Envelope {
    /// Not at all: the end of the connection is the end of the stream.
    Bare,
    /// By size: each frame follows its length in hexadecimal and CR LF, and is followed by CR LF.
    Sized,
}

/// An encoded event: one allocation that serves both envelopes, shared by all streams.
#[derive(Debug, Clone)]
pub struct Frame {
    sized: Box<[u8]>,
    bare: Range<usize>,
}

impl Frame {
    fn new(block: &[u8]) -> Self {
        let head = format!("{:x}\r\n", block.len());
        let sized = [head.as_bytes(), block, b"\r\n"].concat().into_boxed_slice();
        Self { sized, bare: head.len()..head.len() + block.len() }
    }

    /// The bytes to send.
    pub fn bytes(&self, envelope: Envelope) -> &[u8] {
        match envelope {
            Envelope::Bare => &self.sized[self.bare.clone()],
            Envelope::Sized => &self.sized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::topic::Topic;
    use crate::event::{EventData, NewEvent};

    fn frame(data: &str) -> Frame {
        let data = EventData::from_json(data, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "note".parse().unwrap(), data);
        Dialect::Events.encode(&Event::new(EventId { ms: 7, n: 1 }, 7, body))
    }

    fn check(data: &str, expected: &str) {
        assert_eq!(std::str::from_utf8(frame(data).bytes(Envelope::Bare)).unwrap(), expected);
    }

    #[test]
    fn an_event_is_a_block_with_an_id() {
        check(r#"{"a":1}"#, "id: 7-1\nevent: note\ndata: {\"a\":1}\n\n");
    }

    #[test]
    fn every_line_end_starts_a_data_line() {
        check(
            "[1,\n2,\r\n3,\r4]",
            "id: 7-1\nevent: note\ndata: [1,\ndata: 2,\ndata: 3,\ndata: 4]\n\n",
        );
        check("[\n\n1]", "id: 7-1\nevent: note\ndata: [\ndata: \ndata: 1]\n\n");
    }

    fn check_conflated(data: &str, expected: &str) {
        let data = EventData::from_json(data, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "note".parse().unwrap(), data);
        let event = Event::new(EventId { ms: 7, n: 1 }, 7, body);
        let frame = Dialect::Events.encode_conflated(&event, 3);
        let bytes = std::str::from_utf8(frame.bytes(Envelope::Bare)).unwrap();
        assert_eq!(bytes, format!("id: 7-1\n{expected}\n\n"));
    }

    #[test]
    fn a_conflated_event_says_how_many_it_stands_for() {
        check_conflated(r#"{"a":1}"#, "event: note\ndata: {\"a\":1, \"conflated\": 3}");
        check_conflated("{}", "event: note\ndata: {\"conflated\": 3}");
        check_conflated(" { }\t", "event: note\ndata: { \"conflated\": 3}");
        check_conflated(
            "{\"a\":\n{}\n}\n",
            "event: note\ndata: {\"a\":\ndata: {}\ndata: , \"conflated\": 3}",
        );
        for data in ["1", "[{}]", r#""{}""#, "null"] {
            check_conflated(data, &format!(": conflated 3\nevent: note\ndata: {data}"));
        }
    }

    #[test]
    fn what_is_sized_says_its_size() {
        assert_eq!(
            frame("1").bytes(Envelope::Sized),
            b"1d\r\nid: 7-1\nevent: note\ndata: 1\n\n\r\n"
        );
        assert_eq!(frame("1").bytes(Envelope::Bare).len(), 0x1d);
    }

    #[test]
    fn a_retry_travels_inside_a_real_event() {
        let block = Block {
            id: Some(EventId { ms: 1, n: 0 }),
            retry: Some(Duration::from_millis(2500)),
            name: "connected",
            data: "{}",
        };
        let frame = Dialect::Events.encode_block(&block);
        assert_eq!(
            frame.bytes(Envelope::Bare),
            b"id: 1-0\nretry: 2500\nevent: connected\ndata: {}\n\n"
        );
    }
}
