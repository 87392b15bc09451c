//! The store as the hub uses it: through crashes, full disks and clocks that step back.

mod broken;
mod disk;
mod lives;
mod no_log;
mod publisher;
mod reading;
mod trimming;

use std::fs::{self, OpenOptions};

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::event::subscription::NameFilter;
use crate::event::topic::Topic;
use crate::event::{EventData, EventKey, Keeping, NewEvent, RequestKey};
use crate::hub::{self, Gone, Hub};

const NOW: u64 = 1_700_000_000_000;
const FOR_EVER: Duration = Duration::ZERO;
const RECENT: Recent = Recent {
    age: Duration::from_secs(300),
    events: 0,
    bytes: 0,
    request_age: Duration::from_secs(300),
    requests: 0,
};

/// A data directory, and a clock that stands still.
struct Place {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(NOW)) }
    }

    fn open(&self) -> (Store, Past) {
        self.open_with(&Limits::default(), RECENT)
    }

    fn open_with(&self, limits: &Limits, recent: Recent) -> (Store, Past) {
        self.try_open(limits, recent).unwrap()
    }

    fn try_open(&self, limits: &Limits, recent: Recent) -> Result<(Store, Past), OpenError> {
        let limits = Limits { lock_wait: Duration::ZERO, ..limits.clone() };
        Store::open(self.folder.path(), &limits, recent, self.clock.clone(), &Shutdown::new())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn id(ms: u64, n: u32) -> EventId {
    EventId { ms: NOW + ms, n }
}

fn topic(text: &str) -> Topic {
    format!("default/{text}").parse().unwrap()
}

/// An event for which its publisher waits.
fn event(id: EventId, target: &str, name: &str) -> Arc<Event> {
    let data = EventData::encode(&id.to_string(), 0).unwrap();
    let body = NewEvent::new(topic(target), name.parse().unwrap(), data);
    Arc::new(Event::new(id, id.ms, NewEvent { keeping: Keeping::Awaited, ..body }))
}

/// Appends it and waits until it is on disk.
fn keep(store: &Store, event: &Arc<Event>) {
    store.append(event);
    store.await_stored(event, FOR_EVER).unwrap();
}

fn keep_many(store: &Store, ids: impl IntoIterator<Item = EventId>) {
    let events: Vec<_> = ids.into_iter().map(|id| event(id, "events", "e")).collect();
    for event in &events {
        store.append(event);
    }
    store.await_stored(events.last().unwrap(), FOR_EVER).unwrap();
}

fn ids(events: &[Arc<Event>]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

fn wants(topics: &[&str], names: &[&str]) -> Subscription {
    let names = match names {
        [] => NameFilter::All,
        names => NameFilter::only(names.iter().map(|name| name.parse().unwrap())),
    };
    Subscription::new(topics.iter().map(|text| topic(text)), names)
}

#[test]
fn an_event_comes_back_as_it_was() {
    let place = Place::new();
    let data = EventData::from_json(r#"{"n": 1.10, "text": "a\nb"}"#, 0).unwrap();
    let body = NewEvent {
        matched_as: Some("system".parse().unwrap()),
        key: Some(EventKey::new("job:1")),
        terminal: true,
        keeping: Keeping::Kept,
        request: Some(Box::new(RequestKey { key: "r-1".into(), digest: [7; 32] })),
        ..NewEvent::new(topic("session:me"), "test".parse().unwrap(), data)
    };
    let id = id(1, u32::MAX);
    let (store, _) = place.open();
    keep(&store, &Arc::new(Event::new(id, NOW + 5, body.clone())));
    drop(store);
    let (_store, past) = place.open();
    let [event] = &past.recent[..] else { panic!("{:?}", past.recent) };
    assert_eq!((event.id, event.time_ms, event.is_stored()), (id, NOW + 5, true));
    assert_eq!(format!("{:?}", event.body), format!("{body:?}"));
}

#[test]
fn what_a_client_is_owed_is_read_by_topic_and_type_in_order() {
    let place = Place::new();
    let (store, _) = place.open();
    let kept = [
        (1, "events", "a"),
        (2, "session:me", "b"),
        (3, "session:you", "a"),
        (4, "events", "b"),
        (5, "session:me", "a"),
    ];
    for (n, target, name) in kept {
        keep(&store, &event(id(0, n), target, name));
    }
    let check =
        |after: u32, up_to: u32, topics: &[&str], names: &[&str], limit, expected: &[u32]| {
            let events = store
                .read(id(0, after), id(0, up_to), &wants(topics, names), limit)
                .unwrap()
                .events;
            let got: Vec<_> = events.iter().map(|event| event.id.n).collect();
            assert_eq!(got, expected, "({after}, {up_to}] of {topics:?} {names:?}");
        };
    check(0, 9, &["events", "session:me"], &[], 10, &[1, 2, 4, 5]);
    check(1, 4, &["events", "session:me"], &[], 10, &[2, 4]);
    check(0, 9, &["events", "session:me"], &["a"], 10, &[1, 5]);
    check(0, 9, &["events", "session:me"], &["a", "b"], 3, &[1, 2, 4]);
    check(0, 9, &["session:nobody"], &[], 10, &[]);
}

#[test]
fn after_an_end_in_order_everything_is_known() {
    let place = Place::new();
    let (store, past) = place.open();
    assert_eq!(past.unknown_up_to, id(0, 0), "of the time before the first start nothing is known");
    keep(&store, &event(id(1, 0), "events", "a"));
    store.note_unsure(&"b".parse().unwrap());
    let gone = Gone {
        topic: topic("session:me"),
        name: "b".parse().unwrap(),
        id: id(1, 1),
        reason: GapReason::Expired,
    };
    let passing = event(id(1, 2), "events", "b");
    let remains = Remains {
        last: id(1, 3),
        unstored: vec![passing],
        gone: vec![gone.clone()],
        gone_up_to: None,
    };
    store.close(&remains).unwrap();
    drop(store);
    let (_store, past) = place.open();
    assert_eq!(ids(&past.recent), [id(1, 0), id(1, 2)]);
    assert_eq!((past.last, past.lost, past.gone), (id(1, 3), vec![], vec![gone]));
}

#[test]
fn after_a_crash_the_types_that_nobody_waited_for_may_be_missing() {
    let place = Place::new();
    let (store, _) = place.open();
    keep(&store, &event(id(1, 0), "events", "a"));
    store.note_unsure(&"b".parse().unwrap());
    drop(store);
    let (store, past) = place.open();
    assert_eq!(past.lost, [("b".parse().unwrap(), past.last)]);
    assert!(past.last > id(1, 0));
    // In its second life nobody publishes such events; what the first one lost is still lost.
    drop(store);
    assert_eq!(place.open().1.lost, past.lost);
}

#[test]
fn no_id_is_given_twice_whatever_the_clock_shows() {
    let place = Place::new();
    let (store, _) = place.open();
    let reserved = store.latest_ms();
    assert!(reserved > NOW);
    drop(store);
    place.clock.set_unix_ms(NOW - 3_600_000);
    let (store, past) = place.open();
    assert_eq!(past.last, EventId { ms: reserved, n: u32::MAX });
    assert_eq!(store.latest_ms(), reserved + 1, "crashes do not run away from the clock");
    let hub = Hub::start_after(past, None, hub::Limits::default(), place.clock.clone()).unwrap();
    let body = event(id(0, 0), "events", "a").body.clone();
    assert_eq!(hub.publish(body).unwrap().id(), EventId { ms: reserved + 1, n: 0 });
}

#[test]
fn reservations_follow_the_clock() {
    let place = Place::new();
    let (store, _) = place.open();
    let reserved = store.latest_ms();
    place.clock.advance(Duration::from_secs(60));
    keep(&store, &event(id(1, 0), "events", "a"));
    assert_eq!(store.latest_ms(), reserved + 60_000);
}

#[test]
fn the_history_is_filled_within_its_bounds() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, (0..10).map(|n| id(n * 1_000, 0)));
    drop(store);
    let check = |recent: Recent, later: u64, expected: usize| {
        place.clock.set_unix_ms(NOW + later);
        let (_store, past) = place.open_with(&Limits::default(), recent);
        assert_eq!(past.recent.len(), expected, "{recent:?} after {later} ms");
        let newest_before = 10_u64.checked_sub(expected as u64 + 1);
        let before = newest_before.map_or(EventId::default(), |n| id(n * 1_000, 0));
        assert_eq!(past.recent_after, before);
    };
    check(RECENT, 10_000, 10);
    check(Recent { events: 3, ..RECENT }, 10_000, 3);
    check(Recent { age: Duration::from_millis(3_500), ..RECENT }, 10_000, 3);
    check(Recent { age: Duration::ZERO, ..RECENT }, 10_000, 0);
    let weight = event(id(0, 0), "events", "e").weight();
    check(Recent { bytes: weight * 4 + 3, ..RECENT }, 10_000, 4);
    // A clock that was set back makes nothing too old.
    check(RECENT, 0, 10);
}

#[test]
fn a_torn_last_record_costs_that_record_only() {
    let place = Place::new();
    let (store, _) = place.open();
    for n in 0..5 {
        keep(&store, &event(id(1, n), "events", "a"));
    }
    // A crash leaves the files as they are; dropping the store would tidy them up.
    let copy = Place::new();
    fs::copy(place.file("tidings.db"), copy.file("tidings.db")).unwrap();
    fs::copy(place.file("tidings.db-wal"), copy.file("tidings.db-wal")).unwrap();
    let wal = OpenOptions::new().write(true).open(copy.file("tidings.db-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 7).unwrap();
    let (_store, past) = copy.open();
    assert_eq!(ids(&past.recent), (0..4).map(|n| id(1, n)).collect::<Vec<_>>());
}

#[test]
fn a_newer_database_is_left_alone() {
    let place = Place::new();
    drop(place.open());
    let file = rusqlite::Connection::open(place.file("tidings.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let error = place.try_open(&Limits::default(), RECENT).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
}

#[test]
fn a_directory_in_use_is_an_error() {
    let place = Place::new();
    let _store = place.open();
    let error = place.try_open(&Limits::default(), RECENT).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
}

/// Trims as the writer does, until nothing is left to do.
fn trim(log: &mut EventLog, oldest_ms: u64, max_bytes: u64) -> Option<GapReason> {
    let mut reason = None;
    while let Some(cut) = log.overdue(oldest_ms, max_bytes).unwrap() {
        reason = Some(cut.reason);
        log.trim(cut).unwrap();
    }
    reason
}

#[test]
fn the_log_lets_go_of_what_is_too_old_or_too_much() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, (0..2_500).map(|n| id(n, 0)));
    drop(store);
    let mut log = EventLog::open(&place.file("tidings.db"), id(0, 0)).unwrap();
    let all = log.size();
    assert_eq!(all.events, 2_500);
    assert_eq!(trim(&mut log, NOW + 1_700, 0), Some(GapReason::Expired));
    assert_eq!((log.size().events, log.begins_after().unwrap().0), (800, id(1_699, 0)));
    let each = all.bytes / all.events;
    assert_eq!(trim(&mut log, 0, each * 100), Some(GapReason::Overflow));
    assert!((99..=100).contains(&log.size().events), "{:?}", log.size());
    assert_eq!(trim(&mut log, 0, each * 100), None);
    drop(log);
    let (_store, past) = place.open();
    assert_eq!((past.unknown_because, past.recent.len()), (GapReason::Overflow, 100));
}

#[test]
fn a_full_disk_stops_nothing_and_is_taken_up_again() {
    let place = Place::new();
    let limits = Limits { pending_events: 10, lock_wait: Duration::ZERO, ..Limits::default() };
    // A log that cannot grow, and then can, under the same desk.
    let log = EventLog::open(&place.file("tidings.db"), id(0, 0)).unwrap();
    log.limit_pages(20);
    let begins_after = log.begins_after().unwrap();
    let clock = place.clock.clone();
    let desk = Arc::new(Desk::new(&limits, clock, NOW + 90_000, begins_after, log.size()));
    let writer = writer::start(desk.clone(), Ok(log)).unwrap();
    let big = |n: u32| {
        let data = EventData::encode(&"x".repeat(20_000), 0).unwrap();
        let body = NewEvent::new(topic("events"), "e".parse().unwrap(), data);
        let body = NewEvent { keeping: Keeping::Awaited, ..body };
        Arc::new(Event::new(id(1, n), NOW, body))
    };
    let events: Vec<_> = (0..40).map(big).collect();
    let first_failure = events.iter().position(|event| {
        desk.append(event);
        desk.await_stored(event, FOR_EVER).is_err()
    });
    let failed = first_failure.unwrap();
    assert!(desk.trouble().unwrap().contains("full"), "{:?}", desk.trouble());
    assert!(desk.has_room(), "nobody is held back by a disk that fails");
    assert_eq!(desk.latest_ms(), u64::MAX);
    for event in &events[failed + 1..] {
        desk.append(event);
    }
    let figures = desk.figures();
    assert_eq!(figures.pending_events, 10);
    assert_eq!(figures.given_up as usize, events.len() - failed - 10);
    desk.stop();
    let log = writer.join().unwrap().unwrap();
    log.limit_pages(10_000);
    // The disk has room again: what waits is written by the next one.
    let desk = Arc::new(Desk::new(&limits, place.clock.clone(), NOW, begins_after, log.size()));
    for event in &events[events.len() - 10..] {
        desk.append(event);
    }
    let writer = writer::start(desk.clone(), Ok(log)).unwrap();
    desk.await_stored(events.last().unwrap(), FOR_EVER).unwrap();
    assert_eq!((desk.trouble(), desk.figures().pending_events), (None, 0));
    desk.stop();
    writer.join().unwrap();
}
