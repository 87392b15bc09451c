//! A dispatcher and the streams that belong to it.
//!
//! The dispatcher takes what waits in its inbox, sorts it by topic to the groups of streams that want
//! it, and writes each stream once per round. It never waits for a socket and holds no lock that a
//! publisher waits for. Its tables belong to its thread alone: streams join and leave by messages,
//! in their place among the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::batch::{Batch, Wire};
use super::inbox::{Inbox, Message};
use super::outbox::Delivery;
use super::pace::{Pace, Period};
use super::snapshot::Totals;
use super::stream::{EndReason, Stream};
use super::trace::{self, Rounds};
use crate::clock::Clock;
use crate::event::Event;
use crate::event::subscription::NameFilter;
use crate::event::topic::Topic;

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
    trace: Arc<Rounds>,
    /// If there is a ceiling on updates.
    pace: Option<Pace>,
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
        pace: Option<Pace>,
        clock: Arc<dyn Clock>,
        totals: Arc<Totals>,
        trace: Arc<Rounds>,
    ) -> Self {
        Self {
            inbox,
            messages,
            clock,
            totals,
            trace,
            pace,
            groups: Vec::new(),
            vacant: Vec::new(),
            by_topic: HashMap::new(),
            round: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Dispatches until told to stop. `made_room` is called after each round is taken.
    pub fn run(mut self, made_room: impl Fn()) {
        self.inbox.answer();
        loop {
            let patience = self.release_due();
            let Ok(first) = self.messages.try_recv() else {
                self.inbox.sleep(patience);
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
                    self.seat(&stream, stream.profile.subscription.topics());
                }
                Message::Leave(stream) => {
                    self.deliver();
                    self.leave(&stream);
                }
                Message::Change(turn) => {
                    self.deliver();
                    self.unseat(&turn.stream, &turn.change.remove);
                    self.seat(&turn.stream, &turn.change.add);
                }
                Message::End(streams, reason) => {
                    self.deliver();
                    for stream in streams {
                        stream.end(reason);
                    }
                }
                Message::Stop => {
                    self.deliver();
                    self.release();
                    return false;
                }
            }
            next = self.messages.try_recv().ok();
        }
        self.deliver();
        true
    }

    fn seat<'a>(&mut self, stream: &Arc<Stream>, topics: impl IntoIterator<Item = &'a Topic>) {
        let wire = Wire::of(&stream.profile);
        let names = stream.profile.subscription.names();
        for topic in topics {
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

    fn leave(&mut self, stream: &Arc<Stream>) {
        if let Some(pace) = &mut self.pace {
            pace.forget(stream);
        }
        // What it wants now: after it has left it changes no more, and all changes before were here.
        stream.with_subscription(|wants| self.unseat(stream, wants.topics()));
    }

    fn unseat<'a>(&mut self, stream: &Arc<Stream>, topics: impl IntoIterator<Item = &'a Topic>) {
        for topic in topics {
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
        let ends = (self.round[0].id, self.round[self.round.len() - 1].id);
        self.totals.rounds.note(self.round.len() as u64);
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
        if self.touched.is_empty() {
            return;
        }
        let mut round = Round::new(&self.clock, &self.totals, self.pace.as_mut());
        match self.touched[..] {
            [only] => self.deliver_group(only, &mut round),
            _ => self.deliver_groups(&mut round),
        }
        self.account(&round);
        if self.trace.is_on() {
            let (first, last) = ends;
            self.trace.note(trace::Round { first, last, taken: round.now, done: self.clock.now() });
        }
        for index in self.touched.drain(..) {
            self.groups[index].due.clear();
        }
    }

    fn deliver_group(&self, index: usize, round: &mut Round) {
        let group = &self.groups[index];
        round.write(&Batch::new(&group.due, group.wire), &group.members);
    }

    /// Several groups have something due: a stream that is in more than one gets it all in one order.
    fn deliver_groups(&self, round: &mut Round) {
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
                round.write(&shared[&index], std::slice::from_ref(stream));
            } else {
                let due =
                    seats.iter().flat_map(|(_, index)| self.groups[*index].due.iter().cloned());
                let mut due: Vec<_> = due.collect();
                due.sort_unstable_by_key(|event| event.id);
                round.write(
                    &Batch::new(&due, self.groups[index].wire),
                    std::slice::from_ref(stream),
                );
            }
        }
    }

    /// Releases what was held back, if it is time; returns how long to wait until it will be.
    fn release_due(&mut self) -> Option<Duration> {
        let due = self.pace.as_ref()?.due()?;
        let patience = due.saturating_duration_since(self.clock.now());
        if patience.is_zero() {
            self.release();
            return None;
        }
        Some(patience)
    }

    fn release(&mut self) {
        let Some(pace) = &mut self.pace else { return };
        let mut round = Round::new(&self.clock, &self.totals, None);
        let (period, streams) = pace.release(round.now);
        round.period = Some(period);
        for stream in streams {
            round.note(&stream, stream.outbox.release(Wire::of(&stream.profile), period));
        }
        self.account(&round);
    }

    fn account(&mut self, round: &Round) {
        self.totals.note_delivered(round.events, round.bytes);
        if round.conflated > 0 {
            self.totals.conflated.fetch_add(round.conflated, Ordering::Relaxed);
        }
        if let Some(pace) = &mut self.pace {
            for stream in &round.holding {
                pace.hold(stream);
            }
        }
    }
}

/// After so many streams the clock is looked at again: the last of thousands is served tens of
/// milliseconds after the first.
const CLOCK_STREAMS: usize = 64;

/// What is written, and what comes of it.
#[derive(Debug)]
struct Round {
    clock: Arc<dyn Clock>,
    totals: Arc<Totals>,
    /// Not long ago.
    now: Instant,
    period: Option<Period>,
    events: u64,
    bytes: u64,
    conflated: u64,
    /// Those who hold something back.
    holding: Vec<Arc<Stream>>,
}

impl Round {
    fn new(clock: &Arc<dyn Clock>, totals: &Arc<Totals>, pace: Option<&mut Pace>) -> Self {
        let now = clock.now();
        Self {
            clock: clock.clone(),
            totals: totals.clone(),
            now,
            period: pace.map(|pace| pace.period(now)),
            events: 0,
            bytes: 0,
            conflated: 0,
            holding: Vec::new(),
        }
    }

    fn write(&mut self, batch: &Batch<'_>, members: &[Arc<Stream>]) {
        let is_last = batch.is_last();
        for members in members.chunks(CLOCK_STREAMS) {
            let mut whole = 0;
            for stream in members {
                let delivery = stream.outbox.deliver(batch, self.period);
                if delivery.of_batch == batch.len() {
                    whole += 1;
                } else {
                    let taken = &batch.events()[..delivery.of_batch];
                    self.totals.note_delays(taken, self.now, u64::from(!taken.is_empty()));
                }
                self.note(stream, delivery);
                if is_last {
                    stream.end(EndReason::Finished);
                }
            }
            self.now = self.clock.now();
            self.totals.note_delays(batch.events(), self.now, whole);
        }
    }

    fn note(&mut self, stream: &Arc<Stream>, delivery: Delivery) {
        if delivery.bytes > 0 {
            stream.note_sent(self.now, delivery.events, delivery.bytes);
            self.events += delivery.events as u64;
            self.bytes += delivery.bytes as u64;
        }
        self.conflated += delivery.conflated as u64;
        if delivery.holds_back {
            self.holding.push(stream.clone());
        }
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
