//! What waits for one stream: in the order of ids, and of each subject only the newest update.
//!
//! An *update* is an event with a key that is not terminal. As soon as a newer event with the same
//! subject (key, topic and type) joins it in the backlog, the older one goes, and the newer one stands
//! for both, in its own place. Nothing else ever goes: an event without a key stays, a terminal one
//! stays, and so does what is partly with the client or in its writer's hands.
//!
//! Not only when the bound is reached: what waits here waits behind a full socket, so a client that
//! reads on after a while should find the newest, not an hour of superseded progress.
//!
//! Costs: constant time an event; no allocation while nothing waits; hashing for keyed events only.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::batch::Wire;
use crate::event::dialect::conflated_data;
use crate::event::topic::Topic;
use crate::event::{Event, EventKey, EventName, NewEvent};

/// The events that wait, and the rest of one that is partly written.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Goes out before everything else.
    rest: Option<Rest>,
    /// Empty places are those of events that were replaced.
    places: VecDeque<Option<Due>>,
    /// The number of the first place.
    first: u64,
    /// Every update that waits, and in which place: at most one of each subject.
    updates: HashSet<Update>,
    events: usize,
    bytes: usize,
}

/// An event that is due to a stream.
#[derive(Debug, Clone)]
pub struct Due {
    /// The event itself.
    pub event: Arc<Event>,
    /// How many events it stands for, itself included.
    pub stands_for: u32,
    /// What it was counted as while it waited.
    bytes: u32,
}

/// Bytes that go out as they are, because the client has the first of their events in part.
#[derive(Debug)]
struct Rest {
    bytes: Box<[u8]>,
    events: usize,
}

/// What one write is to carry: out of the backlog, and so replaced by nothing any more.
#[derive(Debug, Default)]
pub(super) struct Load {
    rest: Box<[u8]>,
    pub due: Vec<Due>,
    /// How many events it carries, wholly or in part.
    pub events: usize,
    /// What they were counted as while they waited.
    pub queued_bytes: usize,
}

/// An update by its subject, and its place.
#[derive(Debug)]
struct Update {
    event: Arc<Event>,
    place: u64,
}

impl Backlog {
    /// How many events wait; one that is partly written counts too.
    pub fn events(&self) -> usize {
        self.events
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Takes in an event whose frame has this size; its id is greater than all before. True if it
    /// has replaced one.
    pub fn push(&mut self, event: &Arc<Event>, frame_bytes: usize) -> bool {
        // Without a key, nothing is hashed.
        let replaced = event.body.key.as_ref().map_or(0, |_| self.replace(event));
        let bytes = u32::try_from(frame_bytes).unwrap_or(u32::MAX);
        self.places.push_back(Some(Due {
            event: event.clone(),
            stands_for: replaced.saturating_add(1),
            bytes,
        }));
        self.events += 1;
        self.bytes += bytes as usize;
        self.trim();
        replaced > 0
    }

    /// Takes in what remains of these many events, of which the first is written in part. Nothing
    /// waits at that time.
    pub fn put_rest(&mut self, bytes: &[u8], events: usize) {
        debug_assert!(self.is_empty());
        self.events += events;
        self.bytes += bytes.len();
        self.rest = Some(Rest { bytes: bytes.into(), events });
    }

    /// Hands out from the front about as much as `max_bytes`, but at least one event if there is any.
    pub fn take(&mut self, max_bytes: usize) -> Load {
        let mut load = Load::default();
        if let Some(rest) = self.rest.take() {
            load.events = rest.events;
            load.queued_bytes = rest.bytes.len();
            load.rest = rest.bytes;
        }
        while load.events == 0 || load.queued_bytes < max_bytes {
            let Some(place) = self.places.pop_front() else { break };
            self.first += 1;
            let Some(due) = place else { continue };
            if due.event.body.is_update() {
                self.updates.remove(&Update { event: due.event.clone(), place: 0 });
            }
            load.events += 1;
            load.queued_bytes += due.bytes as usize;
            load.due.push(due);
        }
        self.events -= load.events;
        self.bytes -= load.queued_bytes;
        load
    }

    /// Gives back the memory of what has waited, once nothing does.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Takes away the update that this event, which comes next, replaces; returns how many events that
    /// one stood for. From now on this one is what the subject's next event replaces, unless it is
    /// terminal.
    fn replace(&mut self, event: &Arc<Event>) -> u32 {
        let place = self.first + self.places.len() as u64;
        let next = Update { event: event.clone(), place };
        let older = if event.body.is_update() {
            self.updates.replace(next)
        } else {
            self.updates.take(&next)
        };
        let index = older.map(|older| (older.place - self.first) as usize);
        let Some(gone) = index.and_then(|index| self.places.get_mut(index)?.take()) else {
            return 0;
        };
        self.events -= 1;
        self.bytes -= gone.bytes as usize;
        gone.stands_for
    }

    /// Keeps empty places few: at the front there are none, elsewhere no more than others.
    fn trim(&mut self) {
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
        }
        if self.places.len() > FEW_PLACES && self.places.len() > self.events * 2 {
            self.close_ranks();
        }
    }

    fn close_ranks(&mut self) {
        self.places.retain(Option::is_some);
        self.first = 0;
        self.updates.clear();
        for (place, due) in (0..).zip(self.places.iter().flatten()) {
            if due.event.body.is_update() {
                self.updates.insert(Update { event: due.event.clone(), place });
            }
        }
    }
}

/// So few places are not worth the closing of ranks.
const FEW_PLACES: usize = 64;

impl Due {
    /// The event's data, which says how many events it stands for if it is more than one.
    pub fn data(&self) -> Cow<'_, str> {
        let data = self.event.body.data.as_str();
        match conflated_data(data, self.stands_for) {
            Some(conflated) if self.stands_for > 1 => conflated.into(),
            _ => data.into(),
        }
    }
}

impl Load {
    /// Its bytes. The shared frames are copied; one that stands for several events is made for this
    /// stream alone.
    pub fn encode(&self, wire: Wire) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.queued_bytes + 64);
        bytes.extend_from_slice(&self.rest);
        for Due { event, stands_for, .. } in &self.due {
            if *stands_for > 1 {
                let frame = wire.dialect.encode_conflated(event, *stands_for);
                bytes.extend_from_slice(frame.bytes(wire.envelope));
            } else {
                bytes.extend_from_slice(event.frame(wire.dialect).bytes(wire.envelope));
            }
        }
        bytes
    }
}

/// What two updates must have in common to be about the same. The type as scripts see it, too: who
/// listens for one would not notice the other.
pub(super) fn subject(body: &NewEvent) -> (Option<&EventKey>, &Topic, &EventName, &EventName) {
    (body.key.as_ref(), &body.target, body.matched_name(), &body.name)
}

impl Hash for Update {
    fn hash<H: Hasher>(&self, state: &mut H) {
        subject(&self.event.body).hash(state);
    }
}

impl PartialEq for Update {
    fn eq(&self, other: &Self) -> bool {
        subject(&self.event.body) == subject(&other.event.body)
    }
}

impl Eq for Update {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::dialect::{Dialect, Envelope};
    use crate::event::{EventData, EventId};

    const WIRE: Wire = Wire { dialect: Dialect::Events, envelope: Envelope::Bare };

    /// `k` is an update with the key k, `k!` a terminal event with it, `-` an event without a key;
    /// `k@me` is for another topic, `k/type` of another type.
    fn event(n: u32, text: &str) -> Arc<Event> {
        let (text, target) = match text.split_once('@') {
            Some((text, session)) => (text, Topic::session(session.parse().unwrap())),
            None => (text, Topic::events()),
        };
        let (text, name) = text.split_once('/').unwrap_or((text, "e"));
        let data = EventData::encode(&serde_json::json!({ "n": n }), 0).unwrap();
        let body = NewEvent {
            key: (text != "-").then(|| EventKey::new(text.trim_end_matches('!'))),
            terminal: text.ends_with('!'),
            ..NewEvent::new(target, name.parse().unwrap(), data)
        };
        Arc::new(Event::new(EventId { ms: 1, n }, 1, body))
    }

    fn push(backlog: &mut Backlog, n: usize, text: &str) {
        let event = event(n as u32, text);
        backlog.push(&event, event.frame(WIRE.dialect).bytes(WIRE.envelope).len());
    }

    /// What waits after these events: each by its number, and `*` how many it stands for.
    fn show(load: &Load) -> String {
        let due = load.due.iter().map(|due| match due.stands_for {
            1 => due.event.id.n.to_string(),
            many => format!("{}*{many}", due.event.id.n),
        });
        due.collect::<Vec<_>>().join(" ")
    }

    fn check(events: &str, expected: &str) {
        let mut backlog = Backlog::default();
        for (n, text) in events.split_whitespace().enumerate() {
            push(&mut backlog, n, text);
        }
        let (waiting, bytes) = (backlog.events(), backlog.bytes());
        let load = backlog.take(usize::MAX);
        assert_eq!(show(&load), expected, "{events}");
        assert_eq!((waiting, bytes), (load.events, load.queued_bytes), "{events}");
        let frames = load.due.iter().map(|due| due.event.frame(WIRE.dialect).bytes(WIRE.envelope));
        assert_eq!(bytes, frames.map(<[u8]>::len).sum::<usize>(), "{events}");
        assert_eq!((backlog.events(), backlog.bytes(), backlog.updates.len()), (0, 0, 0));
    }

    #[test]
    fn of_each_subject_only_the_newest_update_stays() {
        check("", "");
        check("- - -", "0 1 2");
        check("a", "0");
        check("a a", "1*2");
        check("a a a a", "3*4");
        check("a - a", "1 2*2");
        check("- a - a -", "0 2 3*2 4");
        check("a b a b", "2*2 3*2");
        check("a b b a", "2*2 3*2");
        check("a b c", "0 1 2");
        check("a b c b", "0 2 3*2");
    }

    #[test]
    fn what_is_terminal_stays_and_stands_for_the_updates_before_it() {
        check("a!", "0");
        check("a! a!", "0 1");
        check("a a!", "1*2");
        check("a a a! a!", "2*3 3");
        check("a! a", "0 1");
        check("a a! a a", "1*2 3*2");
        check("b a! b", "1 2*2");
    }

    #[test]
    fn a_key_means_something_within_its_topic_and_type_only() {
        check("a a@me", "0 1");
        check("a@me a@you a@me", "1 2*2");
        check("a/x a/y a/x", "1 2*2");
        check("a/x a!/y", "0 1");
    }

    #[test]
    fn what_is_handed_out_is_replaced_by_nothing() {
        let mut backlog = Backlog::default();
        for (n, text) in ["a", "b"].into_iter().enumerate() {
            push(&mut backlog, n, text);
        }
        assert_eq!(show(&backlog.take(1)), "0");
        for (n, text) in [(2, "a"), (3, "b"), (4, "a")] {
            push(&mut backlog, n, text);
        }
        assert_eq!(show(&backlog.take(usize::MAX)), "3*2 4*2");
    }

    #[test]
    fn a_rest_goes_first_and_keeps_its_bytes() {
        let mut backlog = Backlog::default();
        backlog.put_rest(b"rest", 1);
        push(&mut backlog, 0, "a");
        push(&mut backlog, 1, "a");
        assert_eq!(backlog.events(), 2);
        let load = backlog.take(1);
        assert_eq!((&*load.encode(WIRE), load.events), (&b"rest"[..], 1));
        let load = backlog.take(1);
        let expected = b"id: 1-1\nevent: e\ndata: {\"n\":1, \"conflated\": 2}\n\n";
        assert_eq!((&*load.encode(WIRE), load.events), (&expected[..], 1));
    }

    /// However many updates come, the places they leave behind do not pile up.
    #[test]
    fn empty_places_are_reused() {
        let mut backlog = Backlog::default();
        // What was there before must not confuse the numbers of places.
        push(&mut backlog, 0, "k1");
        backlog.take(1);
        let mut expected = 0;
        for n in 0..10_000 {
            // Something at the front that stays, and every now and then something new.
            let text = match n {
                0 => "-".to_owned(),
                n if n % 100 == 0 => format!("k{n}"),
                n => format!("k{}", n % 7),
            };
            expected += usize::from(n % 100 == 0 || n < 8);
            push(&mut backlog, n, &text);
            assert!(backlog.places.len() <= FEW_PLACES.max(2 * backlog.events()) + 1);
        }
        assert_eq!(backlog.events(), expected);
        let load = backlog.take(usize::MAX);
        assert!(load.due.is_sorted_by_key(|due| due.event.id));
        assert_eq!(load.due.iter().map(|due| due.stands_for).sum::<u32>(), 10_000);
        backlog.shrink();
        assert_eq!(backlog.places.capacity() + backlog.updates.capacity(), 0);
    }
}
