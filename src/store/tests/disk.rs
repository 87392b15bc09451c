//! A disk that is full for a while, under a store whose writer goes on.

use super::event_log::MAX_UNSURE;
use super::*;

/// A desk whose database cannot grow, and what was put on it until the disk refused one. That events of
/// this type may be lost is known on disk.
fn full_desk(place: &Place, limits: &Limits) -> (Arc<Desk>, JoinHandle<Option<EventLog>>, u32) {
    full_desk_knowing(&["e"], place, limits)
}

/// The same, with these types noted as unsure while there was room.
fn full_desk_knowing(
    names: &[&str],
    place: &Place,
    limits: &Limits,
) -> (Arc<Desk>, JoinHandle<Option<EventLog>>, u32) {
    let mut log = EventLog::open(&place.file("tidings.db"), id(0, 0)).unwrap();
    log.begin(NOW + 90_000).unwrap();
    log.limit_pages(40);
    let begins_after = log.begins_after().unwrap();
    let clock = place.clock.clone();
    let mut desk = Desk::new(limits, clock, NOW + 90_000, begins_after, log.size());
    desk.mark = Mark::set(place.file("certain"));
    let desk = Arc::new(desk);
    let writer = writer::start(desk.clone(), Ok(log)).unwrap();
    for name in names {
        desk.note_unsure(&name.parse().unwrap());
    }
    let refused = (0..1_000).find(|n| {
        let event = large(*n);
        desk.append(&event);
        desk.await_stored(&event, FOR_EVER).is_err()
    });
    (desk, writer, refused.unwrap())
}

fn large(n: u32) -> Arc<Event> {
    let data = EventData::encode(&"x".repeat(10_000), 0).unwrap();
    let body = NewEvent::new(topic("events"), "e".parse().unwrap(), data);
    Arc::new(Event::new(id(1, n), NOW, NewEvent { keeping: Keeping::Awaited, ..body }))
}

/// Makes room on the disk behind the writer's back, as an operator does.
fn make_room(place: &Place) {
    let other = rusqlite::Connection::open(place.file("tidings.db")).unwrap();
    other.execute("DELETE FROM event", []).unwrap();
}

#[test]
fn a_disk_that_has_room_again_takes_what_waits() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk(&place, &Limits::default());
    let next = large(refused + 1);
    desk.append(&next);
    assert!(desk.await_stored(&next, FOR_EVER).is_err(), "nobody waits for a disk that fails");
    desk.note_unsure(&"progress".parse().unwrap());
    make_room(&place);
    while desk.trouble().is_some() {
        std::thread::yield_now();
    }
    desk.await_stored(&next, FOR_EVER).unwrap();
    let figures = desk.figures();
    assert_eq!((figures.pending_events, figures.given_up), (0, 0));
    assert!(figures.failures > 0 && desk.latest_ms() < u64::MAX);
    desk.stop();
    drop(writer.join().unwrap());
    let (_store, past) = place.open();
    assert_eq!(ids(&past.recent), [id(1, refused), id(1, refused + 1)]);
    assert_eq!(past.lost.len(), 2, "the note was made, too");
}

#[test]
fn what_was_given_up_is_known_to_be_missing() {
    let place = Place::new();
    let limits = Limits { pending_events: 3, ..Limits::default() };
    let (desk, writer, refused) = full_desk(&place, &limits);
    let events: Vec<_> = (1..=5).map(|n| large(refused + n)).collect();
    for event in &events {
        desk.append(event);
    }
    make_room(&place);
    while desk.trouble().is_some() {
        std::thread::yield_now();
    }
    let stored: Vec<_> = events.iter().map(|event| event.is_stored()).collect();
    assert_eq!(stored, [false, false, true, true, true], "the oldest go first");
    // Nobody waits for ever for what will never be there.
    assert!(desk.await_stored(&events[0], FOR_EVER).is_err());
    assert!(desk.await_stored(&large(refused + 9), FOR_EVER).is_err());
    desk.stop();
    drop(writer.join().unwrap());
    let (_store, past) = place.open();
    assert_eq!(past.lost, [("e".parse().unwrap(), past.last)]);
}

#[test]
fn what_a_full_disk_cannot_be_told_is_taken_for_unsure_after_a_crash() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk(&place, &Limits::default());
    let mark = place.file("certain");
    assert!(mark.exists(), "nothing is unknown so far");
    desk.note_unsure(&"progress".parse().unwrap());
    assert!(!mark.exists(), "the type could not be noted");
    // A crash: what is on the desk is gone, and the process after it comes later.
    desk.stop();
    drop(writer.join().unwrap());
    place.clock.advance(Duration::from_secs(200));
    let (store, past) = place.open();
    assert_eq!(past.unknown_because, GapReason::Restart);
    assert!(past.unknown_up_to >= id(200_000, 0), "whatever ids were given: {past:?}");
    assert!(mark.exists());
    drop(store);
    let (_store, again) = place.open();
    assert_eq!(again.unknown_up_to, past.unknown_up_to, "a crash with the mark is like any other");
    assert_eq!(ids(&again.recent).last(), Some(&id(1, refused - 1)));
}

#[test]
fn ids_that_pass_what_is_reserved_take_the_mark_away_until_there_is_room() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk(&place, &Limits::default());
    let mark = place.file("certain");
    place.clock.advance(Duration::from_secs(200));
    while mark.exists() {
        std::thread::yield_now();
    }
    make_room(&place);
    while !mark.exists() {
        std::thread::yield_now();
    }
    assert!(refused > 0 && desk.trouble().is_none());
    desk.stop();
    drop(writer.join().unwrap());
}

#[test]
fn an_awaited_event_that_a_full_disk_refused_is_announced_after_a_crash() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk_knowing(&[], &place, &Limits::default());
    assert!(!place.file("certain").exists(), "before its publisher is told");
    let lost = large(refused);
    desk.stop();
    drop(writer.join().unwrap());
    let (_store, past) = place.open();
    assert!(!ids(&past.recent).contains(&lost.id));
    assert!(past.unknown_up_to >= lost.id, "{past:?}");
}

#[test]
fn an_awaited_event_that_comes_later_is_announced_after_a_crash() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk(&place, &Limits::default());
    assert!(place.file("certain").exists(), "its type is known");
    let other = event(id(1, refused + 1), "events", "other");
    desk.append(&other);
    assert!(desk.await_stored(&other, FOR_EVER).is_err());
    assert!(!place.file("certain").exists());
    desk.stop();
    drop(writer.join().unwrap());
}

#[test]
fn more_unsure_types_than_can_be_listed_stand_for_all() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk(&place, &Limits::default());
    for n in 0..MAX_UNSURE + 10 {
        desk.note_unsure(&format!("type-{n}").parse().unwrap());
    }
    assert!(desk.unsure_pending() <= MAX_UNSURE + 1, "{} wait", desk.unsure_pending());
    make_room(&place);
    while desk.trouble().is_some() {
        std::thread::yield_now();
    }
    desk.stop();
    drop(writer.join().unwrap());
    let (_store, past) = place.open();
    assert!(past.unknown_up_to >= id(1, refused), "{past:?}");
}

#[test]
fn a_stop_right_after_room_was_made_tries_once_more() {
    let place = Place::new();
    let (desk, writer, refused) = full_desk(&place, &Limits::default());
    make_room(&place);
    desk.stop();
    drop(writer.join().unwrap());
    assert_eq!((desk.trouble(), desk.figures().pending_events), (None, 0));
    let (_store, past) = place.open();
    assert_eq!(ids(&past.recent), [id(1, refused)]);
}
