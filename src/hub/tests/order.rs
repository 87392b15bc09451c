//! Order, no gap, no repeat: whatever joins, leaves, lags and resumes at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::*;

/// Everything that was published, as the publishers were told: id, topic and type.
pub(super) type Published = Mutex<Vec<(EventId, usize, usize)>>;

pub(super) const TYPES: [&str; 3] = ["a", "b", "c"];
pub(super) const TOPICS: usize = 4;

pub(super) fn topic(number: usize) -> Topic {
    if number == 0 { Topic::events() } else { session(&format!("s{number}")) }
}

/// A client as a browser is one: it takes what comes, loses its connection, and resumes with the id
/// it had last.
pub(super) struct Client {
    topics: Vec<usize>,
    /// After which event it wanted which topics, of what it has.
    wanted: Vec<(EventId, Vec<usize>)>,
    pub(super) types: Vec<usize>,
    /// It has everything that it asked for after this id …
    first: Option<EventId>,
    /// … up to this one.
    last: Option<EventId>,
    received: Vec<EventId>,
    /// It was told that everything up to the second id may be missing after the first.
    pub(super) gaps: Vec<(EventId, EventId)>,
    random: fastrand::Rng,
}

impl Client {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let topics = (0..TOPICS).filter(|_| random.bool()).collect();
        let types = (0..TYPES.len()).filter(|_| random.bool()).collect();
        Self {
            topics,
            wanted: Vec::new(),
            types,
            first: None,
            last: None,
            received: Vec::new(),
            gaps: Vec::new(),
            random,
        }
    }

    fn profile(&self) -> Profile {
        let topics: Vec<Topic> = self.topics.iter().map(|&number| topic(number)).collect();
        let types: Vec<&str> = self.types.iter().map(|&number| TYPES[number]).collect();
        profile(&topics, &types, self.last.map_or(Resume::FromNow, Resume::After))
    }

    /// One connection of random patience and speed; afterwards all it got is accounted for.
    pub(super) fn connect(&mut self, hub: &Hub, until: Option<EventId>) {
        let sink = if self.random.bool() {
            Memory::endless()
        } else {
            Memory::with_room(self.random.usize(0..2_000))
        };
        let joined = hub.join(self.profile(), sink.clone()).unwrap();
        self.first.get_or_insert(joined.after);
        // What it misses from before comes by what it wants now.
        self.note_wanted(self.last.unwrap_or(joined.after));
        if let Some(gap) = joined.replay.gap {
            assert_eq!(gap.from, self.last);
            self.gaps.push((self.last.unwrap(), gap.to));
        }
        let left_off = self.last.unwrap_or(joined.after);
        let opened = joined.replay.resume_point(left_off);
        let complete_from = joined.replay.gap_id().unwrap_or(opened);
        let stream = joined.writer.stream().clone();
        let thread = serve(joined);
        match until {
            Some(id) => {
                sink.make_room(usize::MAX);
                sink.wait_for_id(&id.to_string());
            }
            None => self.dawdle(hub, &stream, &sink),
        }
        if self.random.bool() {
            self.end_in_order(hub, &stream, &sink);
        } else {
            stream.end(EndReason::ClientGone);
        }
        thread.join().unwrap();
        assert_eq!(hub.resubscribe(&stream, &Change::default(), TOPICS), Err(NotChanged::Gone));
        let ids: Vec<EventId> = sink.ids().iter().map(|id| id.parse().unwrap()).collect();
        self.last = Some(ids.last().copied().unwrap_or(complete_from));
        self.received.extend(ids);
    }

    /// Ends the stream in its place in the order, while it still changes its mind.
    fn end_in_order(&mut self, hub: &Hub, stream: &Arc<Stream>, sink: &Memory) {
        hub.0.sequencer.end(vec![stream.clone()], EndReason::Lifetime);
        if self.random.bool() {
            self.resubscribe(hub, stream);
        }
        sink.make_room(usize::MAX);
    }

    /// Some topics join and some leave, maybe the same.
    fn resubscribe(&mut self, hub: &Hub, stream: &Arc<Stream>) {
        let mut some = || (0..TOPICS).filter(|_| self.random.u8(..) < 80).collect::<Vec<_>>();
        let (add, remove) = (some(), some());
        let topics = |numbers: &[usize]| numbers.iter().map(|&number| topic(number)).collect();
        let change = Change { add: topics(&add), remove: topics(&remove) };
        let Ok(Resubscribed { after, .. }) = hub.resubscribe(stream, &change, TOPICS) else {
            return;
        };
        self.topics.retain(|number| !remove.contains(number));
        self.topics.extend(add);
        self.note_wanted(after);
    }

    fn note_wanted(&mut self, after: EventId) {
        self.wanted.retain(|(start, _)| *start < after);
        self.wanted.push((after, self.topics.clone()));
    }

    fn dawdle(&mut self, hub: &Hub, stream: &Arc<Stream>, sink: &Memory) {
        for _ in 0..self.random.usize(0..30) {
            if self.random.u8(..) < 40 {
                self.resubscribe(hub, stream);
            }
            sink.make_room(self.random.usize(0..500));
            thread::yield_now();
            if self.random.u8(..) < 8 {
                sink.make_room(1 << 20);
                thread::sleep(Duration::from_micros(self.random.u64(0..2_000)));
            }
        }
    }

    /// Whether it wants such an event now.
    pub(super) fn wants(&self, topic: usize, type_number: usize) -> bool {
        self.topics.contains(&topic) && (self.types.is_empty() || self.types.contains(&type_number))
    }

    /// Whether it wanted this event when it was published, or when it came back for it.
    fn wanted(&self, (id, topic, type_number): (EventId, usize, usize)) -> bool {
        let in_force = self.wanted.iter().rfind(|(after, _)| *after < id);
        let of_type = self.types.is_empty() || self.types.contains(&type_number);
        of_type && in_force.is_some_and(|(_, topics)| topics.contains(&topic))
    }

    /// Nothing of this type is missing, announced or not.
    pub(super) fn check_complete(&self, published: &[(EventId, usize, usize)], kind: usize) {
        let (Some(first), Some(last)) = (self.first, self.last) else { return };
        let span = published.iter().filter(|(id, ..)| *id > first && *id <= last);
        for (id, topic, _) in span.filter(|event| event.2 == kind && self.wanted(**event)) {
            assert!(self.received.binary_search(id).is_ok(), "{id} for {topic} is missing");
        }
    }

    pub(super) fn check(&self, published: &[(EventId, usize, usize)]) {
        let (Some(first), Some(last)) = (self.first, self.last) else { return };
        assert!(self.received.is_sorted_by(|a, b| a < b), "out of order or twice");
        let told_of = |id: EventId| self.gaps.iter().any(|(from, to)| id > *from && id <= *to);
        let owed = published
            .iter()
            .filter(|event| event.0 > first && event.0 <= last && self.wanted(**event));
        let mut received = self.received.iter().peekable();
        for (id, _, _) in owed {
            if received.next_if_eq(&id).is_none() {
                assert!(told_of(*id), "{id} is missing and no gap covers it");
            }
        }
        assert_eq!(received.next(), None, "something came that was not asked for");
    }
}

/// Publishers and clients on many threads; every client is checked against what was published.
fn run(seed: u64, limits: Limits, expect_gaps: bool) {
    let hub = hub(limits);
    let published = Published::default();
    let stop = AtomicBool::new(false);
    let gaps = thread::scope(|scope| {
        let publishers: Vec<_> = (0..3)
            .map(|n| {
                let (hub, published) = (&hub, &published);
                scope.spawn(move || publish(hub, published, seed * 100 + n))
            })
            .collect();
        let clients: Vec<_> = (0..12)
            .map(|n| {
                let (hub, published, stop) = (&hub, &published, &stop);
                scope.spawn(move || {
                    let mut client = Client::new(seed * 1_000 + n);
                    while !stop.load(Ordering::Relaxed) {
                        client.connect(hub, None);
                    }
                    let published = published.lock().clone();
                    let newest =
                        published.iter().rev().find(|(_, topic, kind)| client.wants(*topic, *kind));
                    // A last connection that stays until the newest event for this client has come.
                    if let Some((id, _, _)) =
                        newest.filter(|(id, _, _)| client.last.is_some_and(|last| last < *id))
                    {
                        client.connect(hub, Some(*id));
                        assert!(client.last >= Some(*id) || !client.gaps.is_empty());
                    }
                    client.check(&published);
                    client.gaps.len()
                })
            })
            .collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        published.lock().sort_unstable();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert_eq!(gaps > 0, expect_gaps, "{gaps} gaps");
    hub.stop();
}

fn publish(hub: &Hub, published: &Published, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..4_000 {
        let (topic_number, kind) = (random.usize(0..TOPICS), random.usize(0..TYPES.len()));
        // Some long ones, so that writes end in the middle of an event.
        let mut event = event(&topic(topic_number), TYPES[kind], n);
        if random.u8(..) < 16 {
            event.data = EventData::encode(&"x".repeat(random.usize(0..3_000)), 0).unwrap();
        }
        let receipt = loop {
            match hub.publish(event.clone()) {
                Err(Refused::Busy) => thread::yield_now(),
                outcome => break outcome.unwrap(),
            }
        };
        published.lock().push((receipt.id(), topic_number, kind));
        if random.u8(..) < 4 {
            thread::sleep(Duration::from_micros(random.u64(0..500)));
        }
    }
}

#[test]
fn with_a_long_history_nothing_is_missed_or_repeated() {
    for seed in 0..4 {
        run(
            seed,
            Limits { shards: 1 + seed as usize % 3, lone_shard_streams: 0, ..Limits::default() },
            false,
        );
    }
}

/// Some minutes: `cargo test --release --lib -- --ignored`.
#[test]
#[ignore = "takes minutes; the tests above are a sample of it"]
fn a_long_run_keeps_order_and_loses_nothing() {
    for seed in 100..400 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let limits = Limits {
            shards: random.usize(1..4),
            lone_shard_streams: random.usize(0..8),
            outbox_events: [0, 16, 256][random.usize(0..3)],
            outbox_bytes: [0, 4_096][random.usize(0..2)],
            inbox_events: [0, 8, 1_024][random.usize(0..3)],
            ..Limits::default()
        };
        run(seed, limits, false);
    }
}

#[test]
fn slow_streams_are_cut_and_resume_without_loss() {
    let limits =
        Limits { outbox_events: 16, outbox_bytes: 8_192, inbox_events: 64, ..Limits::default() };
    for seed in 10..13 {
        run(seed, limits.clone(), false);
    }
}

#[test]
fn with_a_short_history_every_loss_is_announced() {
    let limits = Limits { history_events: 40, outbox_events: 64, ..Limits::default() };
    for seed in 20..23 {
        run(seed, limits.clone(), true);
    }
}
