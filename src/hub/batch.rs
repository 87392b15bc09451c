//! The events of one round for one group of streams, as one run of bytes that all of them share.

use std::borrow::Cow;
use std::sync::Arc;

use super::stream::Profile;
use crate::event::Event;
use crate::event::dialect::{Dialect, Envelope};

/// How a group's events become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wire {
    pub dialect: Dialect,
    pub envelope: Envelope,
}

impl Wire {
    /// How a stream wants its events.
    pub fn of(profile: &Profile) -> Self {
        Self { dialect: profile.dialect, envelope: profile.envelope }
    }
}

/// Some events in their order, encoded one behind the other.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    events: &'a [Arc<Event>],
    wire: Wire,
    bytes: Cow<'a, [u8]>,
    /// Where each event's bytes end. Empty for a single event.
    ends: Vec<usize>,
    updates: usize,
}

/// What a client did not take of a batch.
#[derive(Debug)]
pub(super) struct Unwritten<'a> {
    /// The rest of the event in whose middle the write ended.
    pub partial: &'a [u8],
    /// The events of which nothing was written.
    pub whole: &'a [Arc<Event>],
}

impl Unwritten<'_> {
    pub fn is_empty(&self) -> bool {
        self.partial.is_empty() && self.whole.is_empty()
    }

    /// How many events are not written, or not wholly.
    pub fn events(&self) -> usize {
        self.whole.len() + usize::from(!self.partial.is_empty())
    }
}

impl<'a> Batch<'a> {
    /// Encodes `events`, which are not empty. A single event's bytes are not copied.
    pub fn new(events: &'a [Arc<Event>], wire: Wire) -> Self {
        let updates = events.iter().filter(|event| event.body.is_update()).count();
        if let [event] = events {
            let bytes = event.frame(wire.dialect).bytes(wire.envelope);
            return Self { events, wire, bytes: bytes.into(), ends: Vec::new(), updates };
        }
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(events.len());
        for event in events {
            bytes.extend_from_slice(event.frame(wire.dialect).bytes(wire.envelope));
            ends.push(bytes.len());
        }
        Self { events, wire, bytes: bytes.into(), ends, updates }
    }

    pub fn events(&self) -> &[Arc<Event>] {
        self.events
    }

    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// How many of its events are updates.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// Whether its streams end with it: it has the last word about what they are about.
    pub fn is_last(&self) -> bool {
        let is_terminal = |event: &Arc<Event>| event.body.terminal;
        self.wire.dialect.ends_after_terminal() && self.events.iter().any(is_terminal)
    }

    /// How many events it carries.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The whole batch as one run of bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One event's own bytes.
    pub fn frame<'e>(&self, event: &'e Event) -> &'e [u8] {
        event.frame(self.wire.dialect).bytes(self.wire.envelope)
    }

    /// What remains when a client took `written` bytes.
    pub fn unwritten(&self, written: usize) -> Unwritten<'_> {
        if written >= self.bytes.len() {
            return Unwritten { partial: &[], whole: &[] };
        }
        if self.ends.is_empty() {
            let whole = if written == 0 { self.events } else { &[] };
            return Unwritten {
                partial: if written == 0 { &[] } else { &self.bytes[written..] },
                whole,
            };
        }
        let complete = self.ends.partition_point(|&end| end <= written);
        let start = if complete == 0 { 0 } else { self.ends[complete - 1] };
        if written == start {
            return Unwritten { partial: &[], whole: &self.events[complete..] };
        }
        Unwritten {
            partial: &self.bytes[written..self.ends[complete]],
            whole: &self.events[complete + 1..],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::topic::Topic;
    use crate::event::{EventData, EventId, NewEvent};

    const WIRE: Wire = Wire { dialect: Dialect::Events, envelope: Envelope::Sized };

    fn events(count: u32) -> Vec<Arc<Event>> {
        let event = |n| {
            let data = EventData::encode(&n, 0).unwrap();
            Event::new(
                EventId { ms: 1, n },
                1,
                NewEvent::new(Topic::events(), "e".parse().unwrap(), data),
            )
        };
        (0..count).map(|n| Arc::new(event(n))).collect()
    }

    /// Wherever a write ends, what was written and what remains are the whole, with no byte twice.
    #[test]
    fn written_and_unwritten_are_the_whole() {
        for count in 1..4 {
            let events = events(count);
            let batch = Batch::new(&events, WIRE);
            for written in 0..=batch.bytes().len() {
                let rest = batch.unwritten(written);
                let mut bytes = batch.bytes()[..written].to_vec();
                bytes.extend_from_slice(rest.partial);
                rest.whole.iter().for_each(|event| bytes.extend_from_slice(batch.frame(event)));
                assert_eq!(bytes, batch.bytes(), "{count} events, {written} bytes written");
            }
        }
    }

    #[test]
    fn an_event_of_which_nothing_was_written_stays_whole() {
        let events = events(3);
        let batch = Batch::new(&events, WIRE);
        assert_eq!(batch.unwritten(0).whole.len(), 3);
        let first = batch.frame(&events[0]).len();
        assert!(batch.unwritten(first).partial.is_empty());
        assert_eq!(batch.unwritten(first + 1).whole.len(), 1);
        assert!(batch.unwritten(batch.bytes().len()).is_empty());
    }
}
