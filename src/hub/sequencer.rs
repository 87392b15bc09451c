//! Gives each event its id and keeps the one order.
//!
//! One short critical section numbers an event, appends it to the history and hands it to the
//! dispatchers, in this order; streams join and leave in the same section. So all streams see one
//! order, and a stream that joins gets everything up to its place from the history and everything
//! after it from its dispatcher.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::audience::Audience;
use super::gap::GapReason;
use super::history::History;
use super::inbox::{Inbox, Message, Turn};
use super::journal::{Journal, Past, Remains};
use super::replay::{Owed, Page, Replay};
use super::stream::{EndReason, Stream};
use super::{Limits, NotChanged, Receipt, Refused, Resubscribed};
use crate::clock::Clock;
use crate::event::subscription::{Change, Subscription};
use crate::event::topic::Topic;
use crate::event::{Event, EventId, Keeping, NewEvent};

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
    /// Every id up to here was given before this process began.
    began_after: EventId,
    /// Of what had an id up to here, a crash may have taken some without a trace.
    lost_up_to: EventId,
    /// Takes what is to be kept beyond this process.
    journal: Option<Arc<dyn Journal>>,
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
    pub owed: Owed,
}

impl Place {
    pub fn replay(&self) -> Replay {
        Replay::new(self.owed, self.after)
    }
}

/// Where the next piece of a replay comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// This is it.
    History(Page),
    /// It was let go: everything up to here is for the journal to tell.
    Journal { up_to: EventId },
    /// It is nowhere any more.
    Gone,
}

/// Where an event is.
#[derive(Debug)]
pub(super) enum Found {
    /// In the history.
    Kept {
        event: Arc<Event>,
        /// When its time there began, on the steady clock.
        since: Instant,
        /// When it was published, if this process took it.
        published: Option<Instant>,
    },
    /// In the journal only.
    Stored { event: Arc<Event> },
    /// In the journal, if it is anywhere; and that cannot be read.
    Unreadable,
    /// Its id is still to be given.
    NotYet { newest: EventId },
    /// There never was one with this id.
    Never,
    /// Nowhere any more, if it ever was; and why, if that is known.
    Gone { because: Option<GapReason> },
}

impl Sequencer {
    /// An order that goes on after `past`.
    pub fn new(
        limits: &Limits,
        clock: Arc<dyn Clock>,
        inboxes: Vec<Arc<Inbox>>,
        past: Past,
        journal: Option<Arc<dyn Journal>>,
    ) -> Self {
        let began_after = past.last;
        let is_unknown = past.unknown_because == GapReason::Restart;
        let unknown = is_unknown.then_some(past.unknown_up_to);
        let lost = past.lost.iter().map(|(_, id)| *id).chain(unknown);
        let lost_up_to = lost.max().unwrap_or_default();
        let history = History::new(limits, past, journal.is_some(), clock.now(), clock.unix_ms());
        let audience = Audience::default();
        let order = Mutex::new(Order { history, audience, closed: false, stopped: false });
        let (publish_wait, room) = (limits.publish_wait, Condvar::new());
        Self { clock, inboxes, publish_wait, room, began_after, lost_up_to, journal, order }
    }

    /// Numbers an event and hands it on. Waits for no stream; when the dispatchers or the journal are
    /// behind, waits for them for a while.
    pub fn publish(&self, body: NewEvent) -> Result<Receipt, Refused> {
        let journal = self.journal.as_ref().filter(|_| body.keeping > Keeping::Passing);
        let mut order = self.order.lock();
        let mut deadline = None;
        let reach = loop {
            if order.stopped {
                return Err(Refused::Stopping);
            }
            let reach = order.audience.reach(&body);
            if self.reached(reach.shards).all(|inbox| inbox.has_room())
                && journal.is_none_or(|journal| journal.has_room())
            {
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
        let latest_ms = self.journal.as_ref().map_or(u64::MAX, |journal| journal.latest_ms());
        let id = order.history.last().next(unix_ms.min(latest_ms));
        let now = self.clock.now();
        let event = Arc::new(Event::new(id, unix_ms, body).taken_at(now));
        order.history.push(event.clone(), now);
        if let Some(journal) = journal {
            journal.append(&event);
        }
        for inbox in self.reached(reach.shards) {
            inbox.put_event(event.clone());
        }
        Ok(Receipt { event, matched: reach.streams })
    }

    fn reached(&self, shards: u64) -> impl Iterator<Item = &Arc<Inbox>> {
        let is_reached = move |shard: &usize| shards & (1 << *shard) != 0;
        self.inboxes
            .iter()
            .enumerate()
            .filter(move |(shard, _)| is_reached(shard))
            .map(|(_, inbox)| inbox)
    }

    /// Whether any stream wants something of this topic.
    pub fn is_heard(&self, topic: &Topic) -> bool {
        self.order.lock().audience.is_heard(topic)
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
        let owed = order.history.owed(&profile.resume, &profile.subscription, self.kept_after());
        let place = Place { after: order.history.last(), owed };
        stream.standing.take_place(place.after);
        order.audience.add(stream, profile.subscription.topics());
        self.inboxes[stream.shard].put(Message::Join(stream.clone()));
        Ok(place)
    }

    /// Changes what a stream wants, after what was published before; so many turns of it are remembered.
    pub fn change(
        &self,
        stream: &Arc<Stream>,
        wanted: &Change,
        max_topics: usize,
        max_turns: usize,
    ) -> Result<Resubscribed, NotChanged> {
        loop {
            // Outside of the order, for there may be many topics; then again, if it was not alone.
            let before = stream.standing.subscription();
            let wants = before.as_deref().unwrap_or(&stream.profile.subscription);
            let (now, change) = wants.changed(wanted);
            if now.topics().len() > max_topics && !change.add.is_empty() {
                return Err(NotChanged::TooMany);
            }
            let mut order = self.order.lock();
            let standing = stream.standing.subscription();
            if !stream.standing.is_seated() {
                return Err(NotChanged::Gone);
            }
            if standing.as_ref().map(Arc::as_ptr) != before.as_ref().map(Arc::as_ptr) {
                continue;
            }
            let after = order.history.last();
            if !change.is_empty() {
                order.audience.remove(stream, &change.remove);
                order.audience.add(stream, &change.add);
                stream.standing.change(now, &change, after, max_turns);
                let turn = Turn { stream: stream.clone(), change: change.clone() };
                self.inboxes[stream.shard].put(Message::Change(Box::new(turn)));
            }
            return Ok(Resubscribed { change, after });
        }
    }

    /// Where the next piece of a replay comes from, after `after`. A gap up to `announced` has been told
    /// of already.
    pub fn source(
        &self,
        after: EventId,
        announced: EventId,
        up_to: EventId,
        wants: &Subscription,
    ) -> Source {
        let order = self.order.lock();
        let begins_after = order.history.begins_after();
        if after >= begins_after {
            return Source::History(order.history.page(after, up_to, wants));
        }
        if order.history.gone_after(announced, wants, self.kept_after()).is_some() {
            return Source::Gone;
        }
        match self.journal {
            Some(_) => Source::Journal { up_to: up_to.min(begins_after) },
            None => Source::History(order.history.page(after, up_to, wants)),
        }
    }

    /// Reads what the history has let go, at most `limit` events of it; none if some has been trimmed
    /// meanwhile and a gap up to `announced` does not cover that.
    pub fn read_journal(
        &self,
        span: (EventId, EventId),
        announced: EventId,
        wants: &Subscription,
        limit: usize,
    ) -> io::Result<Option<Page>> {
        let Some(journal) = &self.journal else { return Ok(None) };
        let (after, up_to) = span;
        let page = journal.read(after, up_to, wants, limit)?;
        // Asked afterwards: what is trimmed is announced before it is gone.
        let is_whole = journal.begins_after().0 <= announced;
        Ok(is_whole.then_some(page))
    }

    /// Looks for an event.
    pub fn find(&self, id: EventId) -> Found {
        let is_ours = id > self.began_after;
        {
            let order = self.order.lock();
            if let Some((event, since)) = order.history.find(id) {
                let published = is_ours.then_some(since);
                return Found::Kept { event: event.clone(), since, published };
            }
            let newest = order.history.last();
            if id > newest {
                return Found::NotYet { newest };
            } else if id > order.history.begins_after() {
                let is_lost = id <= self.lost_up_to;
                let because = Some(GapReason::Restart);
                return if is_lost { Found::Gone { because } } else { Found::Never };
            }
        }
        let restart = (!is_ours).then_some(GapReason::Restart);
        let Some(journal) = &self.journal else { return Found::Gone { because: restart } };
        match journal.find(id) {
            Ok(Some(event)) => Found::Stored { event },
            Ok(None) => {
                let (begins_after, reason) = journal.begins_after();
                Found::Gone { because: if id <= begins_after { Some(reason) } else { restart } }
            }
            Err(error) => {
                log::error!("cannot look for an event: {error}");
                Found::Unreadable
            }
        }
    }

    /// How long the journal keeps an event that is on disk; zero: for ever. None: it does not.
    pub fn journal_age(&self, event: &Event) -> Option<Duration> {
        let journal = self.journal.as_ref().filter(|_| event.is_stored())?;
        Some(journal.age())
    }

    /// Up to where something after `id` is or may be gone for good, and why.
    pub fn gone_after(&self, id: EventId, wants: &Subscription) -> Option<(EventId, GapReason)> {
        let gone = self.order.lock().history.gone_after(id, wants, self.kept_after());
        gone.map(|horizon| (horizon.id, horizon.reason))
    }

    /// What is not in the history has an id up to this one.
    pub fn begins_after(&self) -> EventId {
        self.order.lock().history.begins_after()
    }

    /// Where the journal begins, and why not earlier.
    fn kept_after(&self) -> Option<(EventId, GapReason)> {
        self.journal.as_ref().map(|journal| journal.begins_after())
    }

    /// What a successor needs to know.
    pub fn remains(&self) -> Remains {
        self.order.lock().history.remains()
    }

    /// Takes a stream's place away; returns the newest event that was for it.
    pub fn leave(&self, stream: &Arc<Stream>) -> EventId {
        let mut order = self.order.lock();
        stream.with_subscription(|wants| order.audience.remove(stream, wants.topics()));
        stream.standing.leave();
        self.inboxes[stream.shard].put(Message::Leave(stream.clone()));
        order.history.last()
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

    /// The inboxes' events that no dispatcher has taken yet, and those that none ever will.
    pub fn waiting_and_dropped_events(&self) -> (usize, u64) {
        self.inboxes.iter().fold((0, 0), |(waiting, dropped), inbox| {
            let read = Ordering::Relaxed;
            (waiting + inbox.waiting.load(read), dropped + inbox.dropped.load(read))
        })
    }
}
