//! What waits for a dispatcher, and what wakes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::Limits;
use super::bell::Bell;
use super::stream::{EndReason, Stream};
use crate::event::Event;
use crate::event::subscription::Change;

/// What a dispatcher is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Deliver this.
    Event(Arc<Event>),
    /// From here on, deliver to this stream too.
    Join(Arc<Stream>),
    /// From here on, do not.
    Leave(Arc<Stream>),
    /// From here on, deliver to this stream for other topics.
    Change(Box<Turn>),
    /// End these streams, after everything before has been delivered to them.
    End(Vec<Arc<Stream>>, EndReason),
    /// End yourself.
    Stop,
}

/// A stream that wants something else from its place among the events on.
#[derive(Debug)]
pub(super) struct Turn {
    pub stream: Arc<Stream>,
    /// What makes the difference.
    pub change: Change,
}

/// The way into a dispatcher, bounded in events and bytes for those who ask first.
#[derive(Debug)]
pub(super) struct Inbox {
    messages: Sender<Message>,
    /// Wakes the dispatcher.
    bell: Bell,
    /// The next leave wakes the dispatcher.
    awaits_leaves: AtomicBool,
    pub waiting: AtomicUsize,
    /// Events that came after the dispatcher had ended, though it was not told to: their streams
    /// are open and never get them.
    pub dropped: AtomicU64,
    waiting_bytes: AtomicUsize,
    max_events: usize,
    max_bytes: usize,
}

impl Inbox {
    pub fn new(limits: &Limits) -> (Arc<Self>, Receiver<Message>) {
        // Unbounded, because joins and leaves must never be refused; events are bounded by count.
        let (messages, receiver) = crossbeam_channel::unbounded();
        let inbox = Self {
            messages,
            bell: Bell::default(),
            awaits_leaves: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            waiting_bytes: AtomicUsize::new(0),
            max_events: limits.inbox_events,
            max_bytes: limits.inbox_bytes,
        };
        (Arc::new(inbox), receiver)
    }

    /// Whether one more event is welcome.
    pub fn has_room(&self) -> bool {
        let below =
            |value: &AtomicUsize, limit| limit == 0 || value.load(Ordering::Relaxed) < limit;
        below(&self.waiting, self.max_events) && below(&self.waiting_bytes, self.max_bytes)
    }

    pub fn put_event(&self, event: Arc<Event>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waiting_bytes.fetch_add(event.weight(), Ordering::Relaxed);
        if !self.put(Message::Event(event)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.bell.ring();
    }

    /// Puts a message. A join or a change does not wake the dispatcher: it is taken together with the next
    /// event.
    /// A leave does, soon: the stream's descriptor is free again only when all have let go of it.
    /// False if the dispatcher has ended.
    pub fn put(&self, message: Message) -> bool {
        let is_leave = matches!(message, Message::Leave(_));
        let is_put = self.messages.send(message).is_ok();
        // Pairs with the fence in `sleep`: either the dispatcher finds the message when it looks next,
        // or this finds that it must be woken.
        fence(Ordering::SeqCst);
        let wakes = is_leave && self.awaits_leaves.swap(false, Ordering::Relaxed);
        if wakes || self.messages.len() >= MANY {
            self.bell.ring();
        }
        is_put
    }

    /// The dispatcher's sleep, until the bell rings or `at_most` is over. After it was woken for a leave
    /// it lets others gather for a moment: when thousands leave at once, they are taken together.
    pub fn sleep(&self, at_most: Option<Duration>) {
        if self.awaits_leaves.load(Ordering::Relaxed) {
            return Bell::sleep(at_most);
        }
        Bell::sleep(Some(at_most.map_or(LEAVES_GATHER, |limit| limit.min(LEAVES_GATHER))));
        self.awaits_leaves.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The calling thread is the dispatcher, from now on.
    pub fn answer(&self) {
        self.bell.answer();
    }

    /// Wakes the dispatcher.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// Notes that the dispatcher has taken these.
    pub fn taken(&self, events: &[Arc<Event>]) {
        self.waiting.fetch_sub(events.len(), Ordering::Relaxed);
        self.waiting_bytes
            .fetch_sub(events.iter().map(|event| event.weight()).sum(), Ordering::Relaxed);
    }
}

/// How long a dispatcher that was woken for a leave lets others gather.
const LEAVES_GATHER: Duration = Duration::from_millis(10);

/// As many messages are not left lying, even if none of them is an event.
const MANY: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::topic::Topic;
    use crate::event::{EventData, EventId, NewEvent};

    #[test]
    fn an_event_that_nobody_will_ever_take_counts_as_dropped() {
        let (inbox, messages) = Inbox::new(&Limits::default());
        let data = EventData::encode(&1, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "e".parse().unwrap(), data);
        let event = Arc::new(Event::new(EventId { ms: 1, n: 0 }, 1, body));
        inbox.put_event(event.clone());
        assert_eq!(inbox.dropped.load(Ordering::Relaxed), 0);
        // As when the dispatcher's thread has panicked.
        drop(messages);
        inbox.put_event(event);
        assert_eq!(inbox.dropped.load(Ordering::Relaxed), 1);
    }
}
