//! A hub that goes on after another: nothing that was kept is missed or repeated, and what a crash
//! took is announced.

use std::sync::atomic::Ordering;

use super::order::{Client, Published, TOPICS, TYPES, topic};
use super::shelf::Shelf;
use super::*;

/// How sure the events of each type in [`TYPES`] are: committed before the publisher is told; kept, but
/// not waited for; not kept.
const SURE: usize = 0;
const KEPT: usize = 1;

fn publish(hub: &Hub, shelf: &Shelf, published: &Published, random: &mut fastrand::Rng) {
    for n in 0..random.usize(0..300) {
        let (topic_number, kind) = (random.usize(0..TOPICS), random.usize(0..TYPES.len()));
        let event = event(&topic(topic_number), TYPES[kind], n);
        let event = NewEvent {
            keeping: if kind <= KEPT { Keeping::Kept } else { Keeping::Passing },
            ..event
        };
        let receipt = hub.publish(event).unwrap();
        if kind == SURE || random.u8(..) < 50 {
            shelf.commit(usize::MAX);
        }
        published.lock().push((receipt.id(), topic_number, kind));
    }
}

/// Several lives of a server, some of which end in a crash, and clients that come back to each.
fn run(seed: u64, crashes: bool, history_events: usize) -> (usize, usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let limits = Limits { history_events, ..Limits::default() };
    let shelf = Arc::new(Shelf::default());
    let published = Published::default();
    let mut clients: Vec<Client> = (0..8).map(|n| Client::new(seed * 1_000 + n)).collect();
    let mut past = Past::default();
    for _ in 0..6 {
        let hub =
            Hub::start_after(past, Some(shelf.clone()), limits.clone(), Arc::new(SystemClock))
                .unwrap();
        for _ in 0..3 {
            publish(&hub, &shelf, &published, &mut random);
            for client in &mut clients {
                client.connect(&hub, None);
            }
        }
        publish(&hub, &shelf, &published, &mut random);
        hub.stop();
        let remains = hub.remains();
        let recent = random.usize(0..100);
        past = if crashes {
            shelf.commit(random.usize(0..5));
            shelf.pending.lock().clear();
            let unsure = TYPES[KEPT..].iter().map(|text| (name(text), remains.last)).collect();
            shelf.past(remains.last, recent, unsure)
        } else {
            for event in remains.unstored {
                event.note_stored();
                shelf.committed.lock().push(event);
            }
            shelf.pending.lock().clear();
            shelf.committed.lock().sort_by_key(|event| event.id);
            Past { gone: remains.gone, ..shelf.past(remains.last, recent, Vec::new()) }
        };
    }
    let hub = Hub::start_after(past, Some(shelf), limits, Arc::new(SystemClock)).unwrap();
    let published = published.into_inner();
    // A last word in every topic, for which each client waits.
    let last: Vec<_> = (0..TOPICS)
        .map(|n| (hub.publish(event(&topic(n), TYPES[SURE], n)).unwrap().id(), n, SURE))
        .collect();
    let published = [published, last].concat();
    for client in &mut clients {
        let wanted = published.iter().rev().find(|(_, topic, kind)| client.wants(*topic, *kind));
        if let Some((id, _, SURE)) = wanted {
            client.connect(&hub, Some(*id));
        }
        client.check(&published);
        client.check_complete(&published, SURE);
    }
    let alarms = clients.iter().map(|client| client.gaps.len()).sum();
    let only_sure = clients.iter().filter(|client| client.types == [SURE]);
    (alarms, only_sure.map(|client| client.gaps.len()).sum())
}

#[test]
fn an_end_in_order_loses_nothing_and_alarms_nobody() {
    for seed in 0..8 {
        assert_eq!(run(seed, false, 0).0, 0, "seed {seed}");
    }
}

#[test]
fn a_crash_is_announced_to_those_who_may_have_lost_something() {
    let runs = (100..110).map(|seed| run(seed, true, 0));
    let (alarms, false_alarms) = runs.fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    assert!(alarms > 0);
    assert_eq!(false_alarms, 0, "whoever wants only what is committed first has lost nothing");
}

#[test]
fn what_a_short_history_lets_go_comes_from_the_journal() {
    for seed in 200..210 {
        // Events that are not kept are lost and announced, all others are to be had.
        run(seed, seed % 2 == 0, 20);
    }
}

/// A hub that remembers two events, and has all others from its journal.
fn with_short_history() -> (Hub, Arc<Shelf>) {
    let shelf = Arc::new(Shelf::default());
    let limits = Limits { history_events: 2, ..Limits::default() };
    let clock = Arc::new(SystemClock);
    let hub = Hub::start_after(Past::default(), Some(shelf.clone()), limits, clock);
    (hub.unwrap(), shelf)
}

/// Publishes events and has them on disk, one after the other.
fn publish_and_commit(hub: &Hub, shelf: &Shelf, count: usize) -> Vec<EventId> {
    let publish = |n| {
        let event = NewEvent { keeping: Keeping::Kept, ..event(&Topic::events(), "a", n) };
        let id = hub.publish(event).unwrap().id();
        shelf.commit(1);
        id
    };
    (0..count).map(publish).collect()
}

#[test]
fn a_journal_that_cannot_be_read_is_a_gap() {
    let (hub, shelf) = with_short_history();
    let ids = publish_and_commit(&hub, &shelf, 6);
    let resume = || {
        let profile = profile(&[Topic::events()], &[], Resume::After(ids[0]));
        let mut joined = hub.join(profile, Memory::endless()).unwrap();
        let events: Vec<_> = owed(&mut joined).iter().map(|event| event.id).collect();
        (joined.replay.gap, events)
    };
    assert_eq!(resume(), (None, ids[1..].to_vec()));
    shelf.is_unreadable.store(true, Ordering::Relaxed);
    let gap = Gap { from: Some(ids[0]), to: ids[3], reason: GapReason::Expired };
    assert_eq!(resume(), (Some(gap), ids[4..].to_vec()));
}

#[test]
fn what_is_trimmed_while_it_is_read_is_no_end() {
    let (hub, shelf) = with_short_history();
    let ids = publish_and_commit(&hub, &shelf, 30);
    let profile = profile(&[Topic::events()], &[], Resume::After(ids[0]));
    let mut joined = hub.join(profile, Memory::endless()).unwrap();
    let first = joined.next_piece().unwrap().unwrap();
    assert!(first.len() < 29, "there is more to come");
    shelf.trims.store(true, Ordering::Relaxed);
    assert_eq!(joined.next_piece().err(), Some(EndReason::SlowConsumer));
}

#[test]
fn what_is_on_its_way_to_the_disk_stays_in_the_history() {
    let (hub, shelf) = with_short_history();
    let publish = |n| {
        let event = NewEvent { keeping: Keeping::Kept, ..event(&Topic::events(), "a", n) };
        hub.publish(event).unwrap().event
    };
    let events: Vec<_> = (0..6).map(publish).collect();
    assert_eq!(hub.snapshot().history.events, 6);
    let profile = profile(&[Topic::events()], &[], Resume::After(events[0].id));
    let mut joined = hub.join(profile, Memory::endless()).unwrap();
    assert_eq!((joined.replay.gap, owed(&mut joined).len()), (None, 5));
    shelf.commit(2);
    events[2].note_given_up();
    publish(6);
    assert_eq!(hub.snapshot().history.events, 4, "two are on disk, one never will be");
}

#[test]
fn no_id_is_later_than_the_journal_allows() {
    #[derive(Debug)]
    struct Ceiling;
    impl Journal for Ceiling {
        fn has_room(&self) -> bool {
            true
        }
        fn append(&self, _: &Arc<Event>) {}
        fn await_stored(&self, _: &Event, _: Duration) -> Result<(), String> {
            Ok(())
        }
        fn note_unsure(&self, _: &EventName) {}
        fn latest_ms(&self) -> u64 {
            1_000
        }
        fn find(&self, _: EventId) -> io::Result<Option<Arc<Event>>> {
            Ok(None)
        }

        fn age(&self) -> Duration {
            Duration::ZERO
        }

        fn begins_after(&self) -> (EventId, GapReason) {
            (EventId::default(), GapReason::Restart)
        }
        fn read(&self, _: EventId, _: EventId, _: &Subscription, _: usize) -> io::Result<Page> {
            Ok(Page::default())
        }
    }
    let past = Past { last: EventId { ms: 990, n: 7 }, ..Past::default() };
    let clock = Arc::new(ManualClock::at(995));
    let hub =
        Hub::start_after(past, Some(Arc::new(Ceiling)), Limits::default(), clock.clone()).unwrap();
    let id = || hub.publish(event(&Topic::events(), "a", 1)).unwrap().id();
    assert_eq!(id(), EventId { ms: 995, n: 0 });
    clock.advance(Duration::from_secs(5));
    assert_eq!(id(), EventId { ms: 1_000, n: 0 });
    assert_eq!(id(), EventId { ms: 1_000, n: 1 });
}

#[test]
fn an_event_that_only_the_journal_has_is_explained_too() {
    let (shelf, clock) = (Arc::new(Shelf::default()), Arc::new(ManualClock::at(1_000_000)));
    let limits = Limits { history_events: 1, ..Limits::default() };
    let hub = Hub::start_after(Past::default(), Some(shelf.clone()), limits, clock).unwrap();
    let joined =
        hub.join(profile(&[Topic::events()], &["a"], Resume::FromNow), Memory::endless()).unwrap();
    let connection = joined.writer.stream().id;
    let ids = ["a", "b", "a"].map(|name| {
        let event = NewEvent { keeping: Keeping::Kept, ..event(&Topic::events(), name, 1) };
        let id = hub.publish(event).unwrap().id();
        shelf.commit(1);
        id
    });
    let explain = |id| hub.explain(id, Who::Connection(connection));
    for id in ids {
        let until_ms = 1_000_000 + 86_400_000;
        assert_eq!(explain(id).event.unwrap().replayable_until_ms, Some(until_ms));
    }
    while explain(ids[2]).accounts[0].fate == Some(Fate::Queued(WaitsFor::Dispatcher)) {
        std::thread::yield_now();
    }
    let fates = ids.map(|id| explain(id).accounts[0].fate.clone().unwrap());
    let waits = Fate::Queued(WaitsFor::Client);
    assert_eq!(fates, [waits.clone(), Fate::Filtered(Rule::Type), waits]);
    serve(joined);
    let written = || explain(ids[0]).accounts[0].lag;
    while written().is_none() {
        std::thread::yield_now();
    }
    assert!(written().is_some_and(|lag| !lag.is_steady), "the journal knows no steady clock");
    shelf.is_unreadable.store(true, Ordering::Relaxed);
    let unreadable = explain(ids[0]);
    assert_eq!(unreadable.event.err(), Some(Unknown::Unreadable));
    assert_eq!(unreadable.verdict, Verdict::NotTraced);
    shelf.is_unreadable.store(false, Ordering::Relaxed);
    let never = explain(EventId { n: 7, ..ids[0].just_before() });
    assert_eq!(never.verdict, Verdict::Forgotten, "{:?}", never.event);
}

#[test]
fn what_stands_before_a_disk_that_hangs_is_bounded() {
    let (hub, _shelf) = with_short_history();
    let kept = NewEvent { keeping: Keeping::Kept, ..event(&Topic::events(), "a", 1) };
    hub.publish(kept).unwrap();
    for n in 0..1_000 {
        hub.publish(event(&Topic::events(), "progress", n)).unwrap();
    }
    assert!(hub.snapshot().history.events <= 102);
}

#[test]
fn what_is_trimmed_while_a_client_joins_does_not_withhold_the_rest() {
    let (hub, shelf) = with_short_history();
    let ids = publish_and_commit(&hub, &shelf, 6);
    *shelf.trims_up_to.lock() = Some(ids[1]);
    let profile = profile(&[Topic::events()], &[], Resume::After(ids[0]));
    let mut joined = hub.join(profile, Memory::endless()).unwrap();
    let gap = Gap { from: Some(ids[0]), to: ids[1], reason: GapReason::Overflow };
    assert_eq!(joined.replay.gap, Some(gap));
    let events: Vec<_> = owed(&mut joined).iter().map(|event| event.id).collect();
    assert_eq!(events, ids[2..]);
}

#[test]
fn what_a_crash_took_is_told_even_if_the_journal_cannot_be_read() {
    let shelf = Arc::new(Shelf::default());
    let limits = Limits { history_events: 2, ..Limits::default() };
    let clock = Arc::new(SystemClock);
    let hub = Hub::start_after(Past::default(), Some(shelf.clone()), limits.clone(), clock.clone())
        .unwrap();
    let ids = publish_and_commit(&hub, &shelf, 6);
    hub.stop();
    let last = EventId { ms: ids[5].ms + 90_000, n: u32::MAX };
    let past = shelf.past(last, 2, vec![(name("a"), last)]);
    let hub = Hub::start_after(past, Some(shelf.clone()), limits, clock).unwrap();
    let gap = || {
        hub.join(profile(&[Topic::events()], &[], Resume::After(ids[0])), Memory::endless())
            .unwrap()
            .replay
            .gap
            .unwrap()
    };
    assert_eq!(gap().to, last);
    shelf.is_unreadable.store(true, Ordering::Relaxed);
    assert_eq!(gap().to, last, "the crash's gap is still told");
}
