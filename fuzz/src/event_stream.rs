//! Event streams: what was published is what a client reads, whatever it was.
//!
//! The first byte is the size of the pieces, the second the length of the event's name, then come
//! name and data. Promises: an event is read back as one event with the same id, name and data, in
//! both envelopes; the parser does not care about pieces, nor does it panic on anything.

use serde_json::Value;
use tidings::event::dialect::{Block, Dialect, Envelope};
use tidings::event::parser::{EventStreamParser, ReceivedEvent};
use tidings::event::topic::Topic;
use tidings::event::{Event, EventData, EventId, EventName, NewEvent};
use tidings::serve::http::chunked::ChunkedDecoder;

use super::split_size;

/// Publishes, encodes, reads back; and reads the bytes themselves.
pub fn check(data: &[u8]) {
    let Some((piece, rest)) = split_size(data) else { return };
    check_parser(rest, piece);
    let Some((length, rest)) = split_size(rest) else { return };
    let (name, data) = rest.split_at(length.min(rest.len()));
    let name = event_name(name);
    check_event(&name, &event_data(data), piece);
    check_block(&name, &String::from_utf8_lossy(data), piece);
}

fn check_parser(bytes: &[u8], piece: usize) {
    let whole = read(bytes, usize::MAX);
    assert_eq!(read(bytes, piece), whole, "the pieces make a difference");
}

/// What every publisher goes through.
fn check_event(name: &EventName, data: &EventData, piece: usize) {
    let id = EventId { ms: 1_700_000_000_000, n: 7 };
    let body = NewEvent::new(Topic::events(), name.clone(), data.clone());
    let frame = Dialect::Events.encode(&Event::new(id, id.ms, body));
    let received = only(read(frame.bytes(Envelope::Bare), piece));
    assert_eq!(received.id, id.to_string());
    assert_eq!(received.name, name.as_str());
    assert_eq!(received.data, normal_lines(data.as_str()));
    let said: Value = parse(data.as_str());
    assert_eq!(parse(&received.data), said, "it says the same");
    assert_eq!(unsized_bytes(frame.bytes(Envelope::Sized), piece), frame.bytes(Envelope::Bare));
}

/// What one stream says by itself: any text at all.
fn check_block(name: &EventName, text: &str, piece: usize) {
    let block = Block { id: None, retry: None, name: name.as_str(), data: text };
    let frame = Dialect::Events.encode_block(&block);
    let received = only(read(frame.bytes(Envelope::Bare), piece));
    assert_eq!((received.name.as_str(), received.id.as_str()), (name.as_str(), ""));
    assert_eq!(received.data, normal_lines(text));
    assert_eq!(unsized_bytes(frame.bytes(Envelope::Sized), piece), frame.bytes(Envelope::Bare));
}

/// The bytes as a name: what a name cannot have is replaced.
fn event_name(bytes: &[u8]) -> EventName {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(byte);
    let text: String = bytes
        .iter()
        .map(|byte| if allowed(byte) { char::from(*byte) } else { '_' })
        .take(63)
        .collect();
    format!("n{text}").parse().expect("only what a name can have")
}

/// The bytes as data: as they are if they are JSON, else as a JSON string.
fn event_data(bytes: &[u8]) -> EventData {
    let text = String::from_utf8_lossy(bytes);
    EventData::from_json(&text, 0)
        .or_else(|_| EventData::encode(&text, 0))
        .expect("a string can always be JSON")
}

fn parse(text: &str) -> Value {
    // Numbers beyond a double and nesting beyond the parser's limit are JSON that no `Value` holds.
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn read(bytes: &[u8], piece: usize) -> Vec<ReceivedEvent> {
    let mut parser = EventStreamParser::default();
    bytes.chunks(piece).flat_map(|part| parser.feed(part)).collect()
}

fn only(mut events: Vec<ReceivedEvent>) -> ReceivedEvent {
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn unsized_bytes(bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut decoder = ChunkedDecoder::new(usize::MAX);
    let mut body = Vec::new();
    for part in bytes.chunks(piece).chain([b"0\r\n\r\n".as_slice()]) {
        assert_eq!(decoder.decode(part, &mut body).expect("our own chunks"), part.len());
    }
    assert!(decoder.is_done());
    body
}

/// Text with every line end as a line feed: all that a stream can keep of them.
fn normal_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
