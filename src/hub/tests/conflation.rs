//! Conflation under chance: what slow clients are not sent, and that they are told how much it was.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::thread;

use parking_lot::Mutex;
use serde_json::Value;

use super::*;
use crate::event::EventKey;
use crate::event::parser::ReceivedEvent;

const TYPES: [&str; 2] = ["a", "b"];
const TOPICS: usize = 3;
const KEYS: usize = 4;

/// How many events an event stands for, as its data says.
pub(super) fn stands_for(event: &ReceivedEvent) -> u64 {
    let data: Value = serde_json::from_str(&event.data).unwrap();
    data["conflated"].as_u64().unwrap_or(1)
}

/// What an event is about. No key: only about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Subject {
    topic: usize,
    kind: usize,
    key: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Published {
    id: EventId,
    subject: Subject,
    terminal: bool,
}

impl Published {
    fn is_update(&self) -> bool {
        self.subject.key.is_some() && !self.terminal
    }
}

fn topic(number: usize) -> Topic {
    if number == 0 { Topic::events() } else { session(&format!("s{number}")) }
}

/// What the publishers have done.
#[derive(Default)]
struct Plan {
    /// So far.
    published: Mutex<Vec<Published>>,
    /// Once they have finished: everything, in order.
    all: OnceLock<Vec<Published>>,
}

/// Publishes at random.
fn publish(hub: &Hub, plan: &Plan, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..3_000 {
        let subject = Subject {
            topic: random.usize(0..TOPICS),
            kind: random.usize(0..TYPES.len()),
            key: (random.u8(..) < 200).then(|| random.usize(0..KEYS)),
        };
        let terminal = random.u8(..) < 20;
        // Some long ones, so that writes end in the middle of an event.
        let padding = if random.u8(..) < 16 { random.usize(0..3_000) } else { 0 };
        let data = serde_json::json!({ "n": n, "padding": "x".repeat(padding) });
        let event = NewEvent {
            key: subject.key.map(|key| EventKey::new(&key.to_string())),
            terminal,
            data: EventData::encode(&data, 0).unwrap(),
            ..event(&topic(subject.topic), TYPES[subject.kind], n)
        };
        let receipt = loop {
            match hub.publish(event.clone()) {
                Err(Refused::Busy) => thread::yield_now(),
                outcome => break outcome.unwrap(),
            }
        };
        plan.published.lock().push(Published { id: receipt.id(), subject, terminal });
    }
}

/// One client: what it asked for and what it has got, over all its connections.
struct Client {
    topics: Vec<usize>,
    kinds: Vec<usize>,
    received: Vec<ReceivedEvent>,
    /// What the hub says it has replaced on the way to this client.
    conflated: u64,
    random: fastrand::Rng,
}

impl Client {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut some = |of: usize| -> Vec<usize> { (0..of).filter(|_| random.bool()).collect() };
        let (topics, kinds) = (some(TOPICS), some(TYPES.len()));
        Self { topics, kinds, received: Vec::new(), conflated: 0, random }
    }

    fn wants(&self, event: &Published) -> bool {
        self.topics.contains(&event.subject.topic)
            && (self.kinds.is_empty() || self.kinds.contains(&event.subject.kind))
    }

    fn join(&self, hub: &Hub, sink: &Arc<Memory>, resume: Resume) -> Joined {
        let topics: Vec<Topic> = self.topics.iter().map(|&number| topic(number)).collect();
        let types: Vec<&str> = self.kinds.iter().map(|&kind| TYPES[kind]).collect();
        hub.join(profile(&topics, &types, resume), sink.clone()).unwrap()
    }

    /// One connection: reads until all is published, then the rest. True if it was not cut.
    fn read(&mut self, joined: Joined, sink: &Memory, plan: &Plan) -> bool {
        let stream = joined.writer.stream().clone();
        let thread = serve(joined);
        // Takes fewer bytes than are published, however fast that goes.
        let mut seen = plan.published.lock().len();
        while stream.end_reason().is_none() && plan.all.get().is_none() {
            let published = plan.published.lock().len();
            sink.make_room(self.random.usize(0..=40) * (published - seen));
            seen = published;
            thread::sleep(Duration::from_micros(self.random.u64(0..200)));
        }
        sink.make_room(usize::MAX);
        let all = plan.all.get();
        let newest = all.and_then(|all| all.iter().rfind(|event| self.wants(event)));
        let is_complete = newest.is_none_or(|newest| {
            let had = self.received.last().is_some_and(|last| last.id == newest.id.to_string());
            had || sink.wait_for_id(&newest.id.to_string())
        });
        stream.end(EndReason::Finished);
        let reason = thread.join().unwrap();
        self.received.extend(sink.take_events());
        self.conflated += stream.events_conflated();
        assert!([EndReason::Finished, EndReason::SlowConsumer].contains(&reason), "{reason:?}");
        is_complete && all.is_some()
    }

    /// Reads until all is published and has come, returning whenever it is cut.
    fn live(&mut self, hub: &Hub, first: (Joined, Arc<Memory>), plan: &Plan) {
        let (mut joined, mut sink) = first;
        let mut resume = Resume::After(joined.after);
        while !self.read(joined, &sink, plan) {
            if let Some(last) = self.received.last() {
                resume = Resume::After(last.id.parse().unwrap());
            }
            sink = Memory::with_room(0);
            joined = self.join(hub, &sink, resume.clone());
            assert_eq!(joined.replay.gap, None);
        }
    }

    /// Everything but superseded updates has come, once and in order; and of those, the last.
    fn check(&self, published: &[Published]) {
        let ids: Vec<EventId> = self.received.iter().map(|e| e.id.parse().unwrap()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "out of order or twice");
        let mut newest: HashMap<Subject, EventId> = HashMap::new();
        for event in published.iter().filter(|event| self.wants(event)) {
            newest.insert(event.subject, event.id);
            let has_come = ids.binary_search(&event.id).is_ok();
            assert!(has_come || event.is_update(), "{event:?} is missing");
        }
        for id in newest.values() {
            assert!(ids.binary_search(id).is_ok(), "{id} is the last of its subject and missing");
        }
    }

    /// What the client's events stand for is what was published for it, subject by subject.
    fn check_counts(&self, published: &[Published]) {
        let by_id: HashMap<EventId, Subject> =
            published.iter().map(|e| (e.id, e.subject)).collect();
        let mut counted: HashMap<Subject, u64> = HashMap::new();
        for event in &self.received {
            *counted.entry(by_id[&event.id.parse().unwrap()]).or_default() += stands_for(event);
        }
        let mut expected: HashMap<Subject, u64> = HashMap::new();
        let wanted = published.iter().filter(|event| self.wants(event));
        wanted.for_each(|event| *expected.entry(event.subject).or_default() += 1);
        assert_eq!(counted, expected);
        let replaced: u64 = self.received.iter().map(|event| stands_for(event) - 1).sum();
        assert_eq!(replaced, self.conflated);
    }
}

/// Publishers and slow clients on many threads. Returns how many events were conflated and how many
/// streams were cut.
fn run(seed: u64, limits: Limits) -> (u64, u64) {
    let hub = hub(limits);
    let plan = Plan::default();
    let clients: Vec<Client> = thread::scope(|scope| {
        let (hub, plan) = (&hub, &plan);
        let client = |n| {
            let mut client = Client::new(seed * 1_000 + n);
            let sink = Memory::with_room(0);
            // Before anything is published, so that it is owed everything.
            let joined = client.join(hub, &sink, Resume::FromNow);
            scope.spawn(move || {
                client.live(hub, (joined, sink), plan);
                client
            })
        };
        let clients: Vec<_> = (0..8).map(client).collect();
        let run = |n| scope.spawn(move || publish(hub, plan, seed * 100 + n));
        let publishers: Vec<_> = (0..2).map(run).collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        let mut published = plan.published.lock().clone();
        published.sort_unstable_by_key(|event| event.id);
        plan.all.set(published).unwrap();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let published = plan.all.into_inner().unwrap();
    hub.stop();
    let counts = hub.snapshot().counts;
    let cut = counts.ended[EndReason::SlowConsumer as usize].1;
    for client in &clients {
        client.check(&published);
        if cut == 0 {
            client.check_counts(&published);
        }
    }
    assert_eq!(counts.conflated, clients.iter().map(|client| client.conflated).sum::<u64>());
    (counts.conflated, cut)
}

#[test]
fn what_slow_clients_are_sent_stands_for_all_that_was_published() {
    for seed in 0..4 {
        let shards = 1 + seed as usize % 2;
        let limits =
            Limits { shards, lone_shard_streams: 0, outbox_events: 0, ..Limits::default() };
        let (conflated, cut) = run(seed, limits);
        assert!(conflated > 0 && cut == 0, "{conflated} conflated, {cut} cut");
    }
}

#[test]
fn with_a_ceiling_too_the_events_stand_for_all_that_was_published() {
    for (seed, max_updates_per_second) in (10..).zip([1, 50, 1_000]) {
        let limits = Limits { max_updates_per_second, outbox_events: 0, ..Limits::default() };
        let (conflated, cut) = run(seed, limits);
        assert!(conflated > 0 && cut == 0, "{conflated} conflated, {cut} cut");
    }
}

#[test]
fn who_is_cut_nevertheless_resumes_and_misses_only_what_was_superseded() {
    for seed in 20..23 {
        let limits = Limits { outbox_events: 40, outbox_bytes: 8_192, ..Limits::default() };
        let (conflated, cut) = run(seed, limits);
        assert!(conflated > 0 && cut > 0, "{conflated} conflated, {cut} cut");
    }
}
