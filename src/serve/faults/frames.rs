//! Where the frames of a stream begin and end, and what they are, from their bytes alone.

use crate::event::dialect::Envelope;

/// A frame at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// All of it, with its envelope.
    pub bytes: &'a [u8],
    /// What it is.
    pub kind: Kind,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A published event.
    Event,
    /// The sign of life.
    Heartbeat,
    /// The head of the answer, `connected`, `gap`, a goodbye, the end.
    Other,
}

/// The first frame of `bytes`, which begin with one. What cannot be told apart is one frame.
pub(super) fn first(bytes: &[u8], envelope: Envelope) -> Frame<'_> {
    let length = match envelope {
        Envelope::Sized => sized_length(bytes),
        Envelope::Bare => find(bytes, b"\n\n").map(|at| at + 2),
    };
    let (bytes, _) = bytes.split_at(length.unwrap_or(bytes.len()).min(bytes.len()));
    Frame { bytes, kind: kind(bytes) }
}

/// The head of the answer, which comes before the first frame.
pub(super) fn head(bytes: &[u8]) -> Frame<'_> {
    let length = find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    Frame { bytes: &bytes[..length], kind: Kind::Other }
}

fn sized_length(bytes: &[u8]) -> Option<usize> {
    let head = find(bytes, b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&bytes[..head]).ok()?, 16).ok()?;
    head.checked_add(size)?.checked_add(4)
}

fn kind(frame: &[u8]) -> Kind {
    let value =
        |field: &[u8]| frame.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(field));
    match (value(b"id: "), value(b"event: ")) {
        (Some(_), Some(b"connected" | b"gap")) => Kind::Other,
        (Some(_), _) => Kind::Event,
        (None, Some(b"ping" | b"heartbeat")) => Kind::Heartbeat,
        (None, _) => Kind::Other,
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::EventId;
    use crate::event::dialect::{Block, Dialect};

    fn check(name: &str, id: Option<EventId>, data: &str, expected: Kind) {
        let block = Block { id, retry: Some(Duration::from_secs(1)), name, data };
        let frame = Dialect::Events.encode_block(&block);
        for envelope in [Envelope::Bare, Envelope::Sized] {
            let followed = [frame.bytes(envelope), b"rest"].concat();
            let found = first(&followed, envelope);
            assert_eq!((found.bytes, found.kind), (frame.bytes(envelope), expected), "{name}");
        }
    }

    #[test]
    fn frames_are_told_apart() {
        let id = Some(EventId { ms: 1, n: 0 });
        check("test", id, "1", Kind::Event);
        check("test", id, "a\nid: 2-0\n\nevent: ping\n\n", Kind::Event);
        check("ping", None, "keep-alive", Kind::Heartbeat);
        check("heartbeat", None, "{}", Kind::Heartbeat);
        check("ping", id, "published", Kind::Event);
        check("connected", id, "{}", Kind::Other);
        check("gap", id, "{}", Kind::Other);
        check("system", None, "{}", Kind::Other);
    }

    #[test]
    fn a_head_and_an_end_are_frames_too() {
        let head_bytes = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        assert_eq!(head(&[head_bytes, &b"id: 1-0\n"[..]].concat()).bytes, head_bytes);
        let end = first(b"0\r\n\r\n", Envelope::Sized);
        assert_eq!((end.bytes, end.kind), (&b"0\r\n\r\n"[..], Kind::Other));
    }

    #[test]
    fn what_is_no_frame_is_taken_whole() {
        for bytes in [&b""[..], b"x", b"zz\r\nabc", b"ffffffffffffffff\r\n"] {
            assert_eq!(first(bytes, Envelope::Sized).bytes, bytes);
        }
        assert_eq!(first(b"data: 1\n", Envelope::Bare).bytes, b"data: 1\n");
    }
}
