//! Bytes to events: the client's side of the wire, as a browser does it.
//!
//! Follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream", line by line.
//! The tests, the benchmark and the fuzzer judge the server with it.

/// An event as a client's script sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceivedEvent {
    /// The client's last event id after this event; empty if it never got one.
    pub id: String,
    /// The event type; `message` if the stream named none.
    pub name: String,
    /// The data lines, joined by line feeds.
    pub data: String,
}

/// Reads an event stream that arrives in pieces of any size.
///
/// ```
/// let mut parser = tidings::event::parser::EventStreamParser::default();
/// assert!(parser.feed(b"id: 1-0\nevent: note\nda").is_empty());
/// let events = parser.feed(b"ta: 1\n\n");
/// assert_eq!((events[0].name.as_str(), events[0].data.as_str()), ("note", "1"));
/// ```
#[derive(Debug, Default)]
pub struct EventStreamParser {
    /// What came after the last line end.
    partial: Vec<u8>,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_carriage_return: bool,
    /// The byte order mark at the very start was looked for.
    past_start: bool,
    name: String,
    data: String,
    last_id: String,
    retry_ms: Option<u64>,
}

impl EventStreamParser {
    /// Takes the next bytes and returns the events they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<ReceivedEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            let swallow = std::mem::take(&mut self.after_carriage_return) && byte == b'\n';
            if swallow {
                continue;
            }
            if byte == b'\n' || byte == b'\r' {
                self.after_carriage_return = byte == b'\r';
                let line = std::mem::take(&mut self.partial);
                events.extend(self.line(&line));
            } else {
                self.partial.push(byte);
            }
        }
        events
    }

    /// The reconnection time the stream set last, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// How much has come of the event that is not complete yet.
    pub fn waiting_bytes(&self) -> usize {
        self.partial.len() + self.data.len() + self.name.len()
    }

    /// What the client would send as `Last-Event-ID`; empty if nothing.
    pub fn last_event_id(&self) -> &str {
        &self.last_id
    }

    fn line(&mut self, line: &[u8]) -> Option<ReceivedEvent> {
        let mut line = line;
        if !std::mem::replace(&mut self.past_start, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        self.field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn field(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_id),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry_ms = value.parse().ok().or(self.retry_ms);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<ReceivedEvent> {
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(ReceivedEvent { id: self.last_id.clone(), name, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the events as `name/id/data`, fed whole and byte by byte.
    fn check(stream: &[u8], expected: &[&str]) {
        let show = |e: &ReceivedEvent| format!("{}/{}/{}", e.name, e.id, e.data);
        let whole: Vec<_> = EventStreamParser::default().feed(stream).iter().map(show).collect();
        assert_eq!(whole, expected);
        let mut parser = EventStreamParser::default();
        let bytewise: Vec<_> =
            stream.chunks(1).flat_map(|b| parser.feed(b)).map(|e| show(&e)).collect();
        assert_eq!(bytewise, expected);
    }

    // The streams are the standard's own examples where it has them.

    #[test]
    fn data_lines_are_joined_and_named_events_keep_their_name() {
        check(b"data: YHOO\ndata: +2\ndata: 10\n\n", &["message//YHOO\n+2\n10"]);
        check(b"event: add\ndata: 73857293\n\n", &["add//73857293"]);
    }

    #[test]
    fn a_block_without_data_dispatches_nothing() {
        check(b": test stream\n\nretry: 10\n\nevent: x\n\n", &[]);
        check(b"data\n\ndata\ndata\n\ndata:", &["message//", "message//\n"]);
    }

    #[test]
    fn ids_stay_until_changed_and_nul_is_refused() {
        check(
            b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
            &["message/1/a", "message/1/b", "message//c"],
        );
        check(b"id: 1\ndata: a\n\nid: \0\ndata: b\n\n", &["message/1/a", "message/1/b"]);
    }

    #[test]
    fn every_line_end_counts_and_one_space_is_dropped() {
        check(
            b"data:a\r\rdata: b\r\n\r\ndata:  c\n\n",
            &["message//a", "message//b", "message// c"],
        );
    }

    #[test]
    fn a_byte_order_mark_is_dropped_at_the_start_only() {
        check(b"\xEF\xBB\xBFdata: a\n\n", &["message//a"]);
        check(b"data: a\n\n\xEF\xBB\xBFdata: b\n\n", &["message//a"]);
    }
}
