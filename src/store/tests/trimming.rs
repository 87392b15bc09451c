//! The writer lets go of what is too much without being asked, and keeps up.

use super::*;

#[test]
fn a_log_far_beyond_its_bound_shrinks_at_once() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, (0..10_000).map(|n| id(n, 0)));
    let all = store.figures();
    drop(store);
    let bound = all.bytes / 100;
    let limits = Limits { log_bytes: bound as usize, ..Limits::default() };
    let (store, _) = place.open_with(&limits, RECENT);
    // Nothing comes in; the writer would sleep.
    keep(&store, &event(id(20_000, 0), "events", "e"));
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    while store.figures().bytes > bound {
        assert!(std::time::Instant::now() < patience, "{:?}", store.figures());
        std::thread::yield_now();
    }
    let figures = store.figures();
    let kept =
        store.read(id(0, 0), id(30_000, 0), &wants(&["events"], &[]), 100_000).unwrap().events;
    assert_eq!((kept.len() as u64, store.begins_after().1), (figures.events, GapReason::Overflow));
    assert!(kept[0].id > figures.begins_after);
}

#[test]
fn a_log_that_was_trimmed_never_begins_earlier_again() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, [10, 20, 30].map(|n| id(n, 0)));
    drop(store);
    let mut log = EventLog::open(&place.file("tidings.db"), id(0, 0)).unwrap();
    let each = log.size().bytes / 3;
    let begins = |log: &EventLog| log.begins_after().unwrap().0;
    let early = log.overdue(NOW + 15, 0).unwrap().unwrap();
    let late = log.overdue(0, each).unwrap().unwrap();
    log.trim(late).unwrap();
    assert_eq!(begins(&log), id(20, 0));
    log.trim(early).unwrap();
    assert_eq!(begins(&log), id(20, 0));
    // What was passing and is still in the history, at an end in order.
    let unstored = [15, 20, 25].map(|n| event(id(n, 0), "events", "p")).to_vec();
    log.end(&Remains { last: id(30, 0), unstored, ..Remains::default() }).unwrap();
    drop(log);
    let (_store, past) = place.open();
    assert_eq!(ids(&past.recent), [id(25, 0), id(30, 0)]);
}
