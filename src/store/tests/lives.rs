//! One process after another, and time in between.

use super::*;

#[test]
fn ids_stay_reserved_as_time_goes_by() {
    let place = Place::new();
    let (store, _) = place.open();
    for n in 1..20 {
        place.clock.advance(Duration::from_secs(10));
        keep(&store, &event(id(n * 10_000, 0), "events", "a"));
        assert!(store.latest_ms() >= place.clock.unix_ms() + 45_000);
    }
    let reserved_ms = store.latest_ms();
    drop(store);
    place.clock.set_unix_ms(NOW - 3_600_000);
    let (_store, past) = place.open();
    assert_eq!(past.last, EventId { ms: reserved_ms, n: u32::MAX });
    assert_eq!(past.recent.len(), 19, "a clock that was set back drops nothing");
}

#[test]
fn what_was_lost_in_each_crash_stays_lost_until_the_log_begins_later() {
    let place = Place::new();
    let (store, _) = place.open();
    store.note_unsure(&"b".parse().unwrap());
    store.note_unsure(&"c".parse().unwrap());
    drop(store);
    let (store, first) = place.open();
    store.note_unsure(&"b".parse().unwrap());
    drop(store);
    let (store, second) = place.open();
    let (b, c) = ("b".parse().unwrap(), "c".parse().unwrap());
    let mut lost = second.lost.clone();
    lost.sort();
    assert_eq!(lost, [(b, second.last), (c, first.last)]);
    store.close(&Remains { last: second.last, ..Remains::default() }).unwrap();
    drop(store);
    let (_store, third) = place.open();
    assert_eq!(third.lost.len(), 2, "also after an end in order");
}

#[test]
fn closing_writes_what_waits_and_what_lies_between() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, [id(1, 0), id(1, 2)]);
    store.append(&event(id(1, 4), "events", "a"));
    let unstored = vec![event(id(1, 1), "events", "a"), event(id(1, 3), "events", "a")];
    let gone_up_to = Some((id(0, 7), GapReason::Overflow));
    let remains = Remains { last: id(1, 5), unstored, gone_up_to, ..Remains::default() };
    store.close(&remains).unwrap();
    store.close(&remains).unwrap();
    drop(store);
    let (store, past) = place.open();
    assert_eq!(ids(&past.recent), (0..5).map(|n| id(1, n)).collect::<Vec<_>>());
    assert_eq!((past.unknown_up_to, past.unknown_because), (id(0, 7), GapReason::Overflow));
    assert_eq!(store.figures().events, 5, "none counts twice");
}
