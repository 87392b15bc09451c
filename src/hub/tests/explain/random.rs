//! Explanations under chance: of every event and every stream, what is said is what happened.

use std::collections::{BTreeMap, HashSet};
use std::thread;

use super::*;

const TYPES: [&str; 2] = ["a", "b"];
const TOPICS: usize = 2;

fn topic(number: usize) -> Topic {
    if number == 0 { Topic::events() } else { session("me") }
}

/// Publishes at random: updates, last words, and events that are about nothing.
fn publish(hub: &Hub, seed: u64) -> Vec<EventId> {
    let mut random = fastrand::Rng::with_seed(seed);
    let events = (0..400).map(|n| {
        let key = random.bool().then(|| EventKey::new(&random.u8(0..3).to_string()));
        let target = topic(random.usize(0..TOPICS));
        let terminal = random.u8(0..10) == 0;
        let event = event(&target, TYPES[random.usize(0..TYPES.len())], n);
        NewEvent { key, terminal, ..event }
    });
    let events: Vec<_> = events.collect();
    let publish = |event: NewEvent| loop {
        match hub.publish(event.clone()) {
            Err(Refused::Busy) => thread::yield_now(),
            outcome => break outcome.unwrap().id(),
        }
    };
    events.into_iter().map(publish).collect()
}

/// A client's connections one after the other: each reads for a while, slowly, and is ended or cut.
fn live(hub: &Hub, seed: u64) -> Vec<(Uuid, HashSet<String>)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut resume = Resume::FromNow;
    let mut connections = Vec::new();
    for _ in 0..6 {
        let topics: Vec<Topic> = (0..TOPICS).filter(|_| random.bool()).map(topic).collect();
        let types: &[&str] = if random.bool() { &[] } else { &TYPES[..1] };
        let sink = Memory::with_room(0);
        let joined = hub.join(profile(&topics, types, resume.clone()), sink.clone()).unwrap();
        let stream = joined.writer.stream().clone();
        let thread = serve(joined);
        for _ in 0..random.usize(0..40) {
            if random.u8(..) < 50 {
                resubscribe(hub, &stream, &mut random);
            }
            sink.make_room(random.usize(0..400));
            thread::sleep(Duration::from_micros(random.u64(0..100)));
        }
        if random.bool() {
            // Keeps up from here on.
            sink.make_room(usize::MAX);
            thread::sleep(Duration::from_micros(random.u64(0..500)));
            stream.end(EndReason::Lifetime);
        }
        stream.end(EndReason::ClientGone);
        thread.join().unwrap();
        let had = sink.ids();
        resume = match (random.u8(0..8), had.last()) {
            (0, _) => Resume::FromNow,
            (1, _) => Resume::Unknown,
            (_, Some(last)) => Resume::After(last.parse().unwrap()),
            (_, None) => resume,
        };
        connections.push((stream.id, had.into_iter().collect()));
    }
    connections
}

fn resubscribe(hub: &Hub, stream: &Arc<Stream>, random: &mut fastrand::Rng) {
    let mut some = || (0..TOPICS).filter(|_| random.bool()).map(topic).collect();
    // One that is just being cut stays as it was.
    let _ = hub.resubscribe(stream, &Change { add: some(), remove: some() }, TOPICS);
}

/// Whether a fate agrees with what the client of that connection got.
fn agrees(id: EventId, fate: &Fate, had: &HashSet<String>) -> bool {
    let has = |id: EventId| had.contains(&id.to_string());
    match fate {
        Fate::Delivered(_) => has(id),
        Fate::Conflated { into, then } => !has(id) && *into > id && agrees(*into, then, had),
        Fate::Ended(Missed::InPart)
        | Fate::Untraced(Untraced::Forgotten | Untraced::Resubscribed) => true,
        Fate::Queued(_) | Fate::Untraced(_) => false,
        Fate::Filtered(_)
        | Fate::HadAlready { .. }
        | Fate::InGap(_)
        | Fate::OpenedLater
        | Fate::Ended(_) => !has(id),
    }
}

/// Returns how often each verdict was given.
fn run(seed: u64, limits: Limits) -> BTreeMap<Verdict, usize> {
    let hub = hub(limits);
    let (ids, connections) = thread::scope(|scope| {
        let hub = &hub;
        let clients: Vec<_> =
            (0..6).map(|n| scope.spawn(move || live(hub, seed * 10 + n))).collect();
        let publishers: Vec<_> =
            (0..4).map(|n| scope.spawn(move || publish(hub, seed * 10 + n))).collect();
        let ids: Vec<_> = publishers.into_iter().flat_map(|p| p.join().unwrap()).collect();
        (ids, clients.into_iter().flat_map(|c| c.join().unwrap()).collect::<Vec<_>>())
    });
    // Now every dispatcher has come to the end.
    hub.stop();
    let mut verdicts = BTreeMap::new();
    for (connection, had) in &connections {
        for &id in &ids {
            let account = account(&hub, id, *connection);
            let fate = account.fate.as_ref().unwrap();
            assert!(agrees(id, fate, had), "{id} on {connection}: {account:#?}");
            *verdicts.entry(fate.verdict()).or_default() += 1;
        }
    }
    verdicts
}

/// Room for everything.
fn limits() -> Limits {
    Limits { trace_notes: 10_000, outbox_events: 60, ..Limits::default() }
}

#[test]
fn what_is_said_is_what_happened() {
    let mut seen = BTreeMap::new();
    for seed in 0..3 {
        for (verdict, count) in run(seed, limits()) {
            assert_ne!(verdict, Verdict::NotTraced);
            *seen.entry(verdict).or_insert(0) += count;
        }
    }
    for verdict in [Verdict::Delivered, Verdict::Conflated, Verdict::EndedBefore, Verdict::Filtered]
    {
        assert!(seen.contains_key(&verdict), "nothing was {verdict:?}: {seen:?}");
    }
}

#[test]
fn what_is_said_with_few_notes_and_a_ceiling_is_what_happened_too() {
    for seed in 10..12 {
        run(seed, Limits { trace_notes: 1, ..limits() });
        run(seed, Limits { max_updates_per_second: 500, ..limits() });
    }
}
