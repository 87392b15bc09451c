//! Gives each event its id and keeps the one order.
//!
//! One short critical section numbers an event, appends it to the history and hands it to the
//! dispatchers, in this order; streams join and leave in the same section. So all streams see one
//! order, and a stream that joins gets everything up to its place from the history and everything
//! after it from its dispatcher.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::audience::Audience;
use super::history::{History, Replay};
use super::shard::{Inbox, Message};
use super::stream::{EndReason, Stream};
use super::{Limits, Receipt, Refused};
use crate::clock::Clock;
use crate::event::{Event, EventId, NewEvent};

/// How often a publisher that is held back looks again, in case it missed being told.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The one order.
#[derive(Debug)]
pub(super) struct Sequencer {
    clock: Arc<dyn Clock>,
    inboxes: Vec<Arc<Inbox>>,
    publish_wait: Duration,
    /// Told whenever a dispatcher has taken something from its inbox.
    room: Condvar,
    order: Mutex<Order>,
}

#[derive(Debug)]
struct Order {
    history: History,
    audience: Audience,
    /// No stream joins any more.
    closed: bool,
    /// No event is taken any more.
    stopped: bool,
}

/// Where a stream that joins stands in the order.
#[derive(Debug)]
pub(super) struct Place {
    /// The newest event at that moment.
    pub after: EventId,
    /// What it is owed from before.
    pub replay: Replay,
}

impl Sequencer {
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>, inboxes: Vec<Arc<Inbox>>) -> Self {
        let started = EventId { ms: clock.unix_ms(), n: 0 };
        let history = History::new(limits, started);
        let audience = Audience::default();
        let order = Mutex::new(Order { history, audience, closed: false, stopped: false });
        Self { clock, inboxes, publish_wait: limits.publish_wait, room: Condvar::new(), order }
    }

    /// Numbers an event and hands it on. Waits for no stream; when the dispatchers are behind, waits
    /// for them for a while.
    pub fn publish(&self, body: NewEvent) -> Result<Receipt, Refused> {
        let mut order = self.order.lock();
        let mut deadline = None;
        let reach = loop {
            if order.stopped {
                return Err(Refused::Stopping);
            }
            let reach = order.audience.reach(&body);
            if self.reached(reach.shards).all(|inbox| inbox.has_room()) {
                break reach;
            }
            let now = Instant::now();
            let deadline = *deadline.get_or_insert(now + self.publish_wait);
            if now >= deadline {
                return Err(Refused::Busy);
            }
            self.room.wait_until(&mut order, deadline.min(now + LOOK_AGAIN));
        };
        let unix_ms = self.clock.unix_ms();
        let id = order.history.last().next(unix_ms);
        let event = Arc::new(Event::new(id, unix_ms, body));
        order.history.push(event.clone(), self.clock.now());
        for inbox in self.reached(reach.shards) {
            inbox.put_event(event.clone());
        }
        Ok(Receipt { id, matched: reach.streams })
    }

    fn reached(&self, shards: u64) -> impl Iterator<Item = &Arc<Inbox>> {
        let is_reached = move |shard: &usize| shards & (1 << *shard) != 0;
        self.inboxes
            .iter()
            .enumerate()
            .filter(move |(shard, _)| is_reached(shard))
            .map(|(_, inbox)| inbox)
    }

    /// Tells publishers that a dispatcher has taken something.
    pub fn made_room(&self) {
        self.room.notify_all();
    }

    /// Gives a stream its place; from here on its dispatcher delivers to it.
    pub fn join(&self, stream: &Arc<Stream>) -> Result<Place, Refused> {
        let mut order = self.order.lock();
        if order.closed {
            return Err(Refused::Stopping);
        }
        let profile = &stream.profile;
        let place = Place {
            after: order.history.last(),
            replay: order.history.replay(&profile.resume, &profile.subscription),
        };
        order.audience.add(stream);
        self.inboxes[stream.shard].put(Message::Join(stream.clone()));
        Ok(place)
    }

    /// Takes a stream's place away.
    pub fn leave(&self, stream: &Arc<Stream>) {
        let mut order = self.order.lock();
        order.audience.remove(stream);
        self.inboxes[stream.shard].put(Message::Leave(stream.clone()));
    }

    /// Ends streams in their place in the order: what was published before is delivered before.
    pub fn end(&self, streams: Vec<Arc<Stream>>, reason: EndReason) {
        let mut by_shard: Vec<Vec<Arc<Stream>>> = self.inboxes.iter().map(|_| Vec::new()).collect();
        for stream in streams {
            by_shard[stream.shard].push(stream);
        }
        let _order = self.order.lock();
        for (inbox, streams) in self.inboxes.iter().zip(by_shard) {
            inbox.put(Message::End(streams, reason));
            inbox.ring();
        }
    }

    /// Lets go of what is too old, and has the dispatchers take what they were not woken for.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.order.lock().history.expire(now);
        for inbox in &self.inboxes {
            inbox.ring();
        }
    }

    /// Looks at the history.
    pub fn with_history<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.order.lock().history)
    }

    /// Lets no stream join any more: those that are known now are all there will ever be.
    pub fn close(&self) {
        self.order.lock().closed = true;
    }

    /// Takes no more events and streams, and lets the dispatchers end when they are done.
    pub fn stop(&self) {
        {
            let mut order = self.order.lock();
            order.closed = true;
            order.stopped = true;
        }
        for inbox in &self.inboxes {
            inbox.put(Message::Stop);
            inbox.ring();
        }
    }

    /// The inboxes' events that no dispatcher has taken yet.
    pub fn waiting_events(&self) -> usize {
        self.inboxes.iter().map(|inbox| inbox.waiting.load(Ordering::Relaxed)).sum()
    }
}
