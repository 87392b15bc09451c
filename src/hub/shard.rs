//! A dispatcher and the streams that belong to it.
//!
//! The dispatcher takes what waits in its inbox, sorts it by topic to the groups of streams that want
//! it, and writes each stream once per round. It never waits for a socket and holds no lock that a
//! publisher waits for. Its tables belong to its thread alone: streams join and leave by messages,
//! in their place among the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::Limits;
use super::batch::{Batch, Wire};
use super::bell::Bell;
use super::snapshot::Totals;
use super::stream::{EndReason, Stream};
use crate::clock::Clock;
use crate::event::Event;
use crate::event::subscription::NameFilter;
use crate::event::topic::Topic;

/// What a dispatcher is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Deliver this.
    Event(Arc<Event>),
    /// From here on, deliver to this stream too.
    Join(Arc<Stream>),
    /// From here on, do not.
    Leave(Arc<Stream>),
    /// End these streams, after everything before has been delivered to them.
    End(Vec<Arc<Stream>>, EndReason),
    /// End yourself.
    Stop,
}

/// The way into a dispatcher, bounded in events and bytes for those who ask first.
#[derive(Debug)]
pub(super) struct Inbox {
    messages: Sender<Message>,
    /// Wakes the dispatcher.
    bell: Bell,
    pub waiting: AtomicUsize,
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
            waiting: AtomicUsize::new(0),
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
        self.put(Message::Event(event));
        self.bell.ring();
    }

    /// Puts a message without waking the dispatcher: it takes joins and leaves together with the
    /// next event, or when the reaper rings.
    pub fn put(&self, message: Message) {
        // Fails only when the dispatcher has ended, and then there is nobody to deliver to.
        let _ = self.messages.send(message);
        if self.messages.len() >= MANY {
            self.bell.ring();
        }
    }

    /// Wakes the dispatcher.
    pub fn ring(&self) {
        self.bell.ring();
    }

    fn taken(&self, events: &[Arc<Event>]) {
        self.waiting.fetch_sub(events.len(), Ordering::Relaxed);
        self.waiting_bytes
            .fetch_sub(events.iter().map(|event| event.weight()).sum(), Ordering::Relaxed);
    }
}

/// As many messages are not left lying, even if none of them is an event.
const MANY: usize = 1_024;

/// The most events of one round. What a round brings a stream should fit into its socket's buffer:
/// rounds of 1,024 events of 200 bytes made half of the streams lag, and halved the throughput.
const ROUND_EVENTS: usize = 256;
/// The most bytes of one round, by their weight; one event more may pass it.
const ROUND_BYTES: usize = 256 << 10;

/// One dispatcher's tables.
#[derive(Debug)]
pub(super) struct Shard {
    inbox: Arc<Inbox>,
    messages: Receiver<Message>,
    clock: Arc<dyn Clock>,
    totals: Arc<Totals>,
    groups: Vec<Group>,
    /// Places in `groups` whose last member has left.
    vacant: Vec<usize>,
    by_topic: HashMap<Topic, Vec<usize>>,
    /// This round's events, in their order.
    round: Vec<Arc<Event>>,
    /// The groups that this round's events are for.
    touched: Vec<usize>,
}

/// The streams that want the same types of one topic in the same form.
#[derive(Debug)]
struct Group {
    names: NameFilter,
    wire: Wire,
    /// Sorted by the streams' numbers.
    members: Vec<Arc<Stream>>,
    /// What this round brings them.
    due: Vec<Arc<Event>>,
}

impl Shard {
    pub fn new(
        inbox: Arc<Inbox>,
        messages: Receiver<Message>,
        clock: Arc<dyn Clock>,
        totals: Arc<Totals>,
    ) -> Self {
        Self {
            inbox,
            messages,
            clock,
            totals,
            groups: Vec::new(),
            vacant: Vec::new(),
            by_topic: HashMap::new(),
            round: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Dispatches until told to stop. `made_room` is called after each round is taken.
    pub fn run(mut self, made_room: impl Fn()) {
        self.inbox.bell.answer();
        loop {
            let Ok(first) = self.messages.try_recv() else {
                Bell::sleep(None);
                continue;
            };
            let go_on = self.round(first);
            made_room();
            if !go_on {
                break;
            }
        }
    }

    /// Takes what waits, within bounds, and delivers it. False when told to stop.
    fn round(&mut self, first: Message) -> bool {
        let mut next = Some(first);
        let mut bytes = 0;
        while let Some(message) = next {
            match message {
                Message::Event(event) => {
                    bytes += event.weight();
                    self.round.push(event);
                    if self.round.len() >= ROUND_EVENTS || bytes >= ROUND_BYTES {
                        break;
                    }
                }
                Message::Join(stream) => {
                    self.deliver();
                    self.seat(&stream);
                }
                Message::Leave(stream) => {
                    self.deliver();
                    self.unseat(&stream);
                }
                Message::End(streams, reason) => {
                    self.deliver();
                    for stream in streams {
                        stream.end(reason);
                    }
                }
                Message::Stop => {
                    self.deliver();
                    return false;
                }
            }
            next = self.messages.try_recv().ok();
        }
        self.deliver();
        true
    }

    fn seat(&mut self, stream: &Arc<Stream>) {
        let wire = Wire { dialect: stream.profile.dialect, envelope: stream.profile.envelope };
        let names = stream.profile.subscription.names();
        for topic in stream.profile.subscription.topics() {
            let of_topic =
                self.by_topic.entry(topic.clone()).or_insert_with(|| Vec::with_capacity(1));
            let same = |group: &Group| group.wire == wire && group.names == *names;
            let found = of_topic.iter().copied().find(|&index| same(&self.groups[index]));
            let index = found.unwrap_or_else(|| {
                let group = Group {
                    names: names.clone(),
                    wire,
                    members: Vec::with_capacity(1),
                    due: Vec::new(),
                };
                let index = place(&mut self.groups, &mut self.vacant, group);
                of_topic.push(index);
                index
            });
            let members = &mut self.groups[index].members;
            let position = members.partition_point(|member| member.number < stream.number);
            members.insert(position, stream.clone());
        }
    }

    fn unseat(&mut self, stream: &Arc<Stream>) {
        for topic in stream.profile.subscription.topics() {
            let Some(of_topic) = self.by_topic.get_mut(topic) else { continue };
            of_topic.retain(|&index| {
                let members = &mut self.groups[index].members;
                if let Ok(position) =
                    members.binary_search_by_key(&stream.number, |member| member.number)
                {
                    members.remove(position);
                }
                if members.is_empty() {
                    self.groups[index].members = Vec::new();
                    self.vacant.push(index);
                }
                !self.groups[index].members.is_empty()
            });
            if of_topic.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }

    /// Delivers this round's events.
    fn deliver(&mut self) {
        if self.round.is_empty() {
            return;
        }
        self.inbox.taken(&self.round);
        for event in self.round.drain(..) {
            for &index in self.by_topic.get(&event.body.target).into_iter().flatten() {
                let group = &mut self.groups[index];
                if group.names.allows(event.body.matched_name()) {
                    if group.due.is_empty() {
                        self.touched.push(index);
                    }
                    group.due.push(event.clone());
                }
            }
        }
        match self.touched[..] {
            [] => return,
            [only] => self.deliver_group(only),
            _ => self.deliver_groups(),
        }
        for index in self.touched.drain(..) {
            self.groups[index].due.clear();
        }
    }

    fn deliver_group(&self, index: usize) {
        let group = &self.groups[index];
        self.write(&Batch::new(&group.due, group.wire), &group.members);
    }

    /// Several groups have something due: a stream that is in more than one gets it all in one order.
    fn deliver_groups(&self) {
        let mut seats: Vec<(&Arc<Stream>, usize)> = Vec::new();
        for &index in &self.touched {
            seats.extend(self.groups[index].members.iter().map(|member| (member, index)));
        }
        // Stable, because each group's members are sorted already and are only merged.
        seats.sort_by_key(|(member, _)| member.number);
        let shared: HashMap<usize, Batch<'_>> = self
            .touched
            .iter()
            .map(|&index| {
                let group = &self.groups[index];
                (index, Batch::new(&group.due, group.wire))
            })
            .collect();
        for seats in seats.chunk_by(|a, b| a.0.number == b.0.number) {
            let (stream, index) = seats[0];
            if let [_] = seats {
                self.write(&shared[&index], std::slice::from_ref(stream));
            } else {
                let due =
                    seats.iter().flat_map(|(_, index)| self.groups[*index].due.iter().cloned());
                let mut due: Vec<_> = due.collect();
                due.sort_unstable_by_key(|event| event.id);
                self.write(
                    &Batch::new(&due, self.groups[index].wire),
                    std::slice::from_ref(stream),
                );
            }
        }
    }

    fn write(&self, batch: &Batch<'_>, members: &[Arc<Stream>]) {
        let now = self.clock.now();
        let mut delivered = (0, 0);
        for stream in members {
            let (events, bytes) = stream.outbox.deliver(batch);
            if bytes > 0 {
                stream.note_sent(now, events, bytes);
                delivered.0 += events as u64;
                delivered.1 += bytes as u64;
            }
        }
        self.totals.note_delivered(delivered.0, delivered.1);
    }
}

fn place(groups: &mut Vec<Group>, vacant: &mut Vec<usize>, group: Group) -> usize {
    if let Some(index) = vacant.pop() {
        groups[index] = group;
        return index;
    }
    groups.push(group);
    groups.len() - 1
}
