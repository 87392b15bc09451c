//! Reading for clients that come back, while others write.

use std::thread;

use super::*;

#[test]
fn pages_of_any_size_bring_what_matches_once_and_in_order() {
    let place = Place::new();
    let (store, _) = place.open();
    let (topics, names) = (["events", "session:me", "session:you"], ["a", "b", "c"]);
    let put: Vec<_> = (0..300)
        .map(|n: u32| event(id(1, n), topics[n as usize % 3], names[(n / 3) as usize % 3]))
        .collect();
    for event in &put {
        store.append(event);
    }
    store.await_stored(&put[299], FOR_EVER).unwrap();
    for chosen in [&[][..], &["a", "c", "unknown"]] {
        let wants = wants(&["events", "session:me"], chosen);
        let inside = put.iter().filter(|event| event.id > id(1, 10) && event.id <= id(1, 280));
        let matching = inside.filter(|event| wants.matches(&event.body));
        let expected: Vec<_> = matching.map(|event| event.id).collect();
        for limit in [1, 7, 1_000] {
            let (mut found, mut after) = (Vec::new(), id(1, 10));
            loop {
                let page = store.read(after, id(1, 280), &wants, limit).unwrap();
                found.extend(ids(&page.events));
                if page.complete_to == id(1, 280) {
                    break;
                }
                after = page.complete_to;
            }
            assert_eq!(found, expected, "{chosen:?} {limit}");
        }
    }
}

#[test]
fn many_publishers_and_readers_at_once_see_one_order() {
    let place = Place::new();
    let (store, _) = place.open();
    let next = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let event = {
                        let mut next = next.lock();
                        *next += 1;
                        let event = event(id(1, *next), "events", "a");
                        store.append(&event);
                        event
                    };
                    store.await_stored(&event, FOR_EVER).unwrap();
                    let seen =
                        store.read(id(1, 0), event.id, &wants(&["events"], &[]), 1_000).unwrap();
                    let seen: Vec<_> = seen.events.iter().map(|event| event.id.n).collect();
                    assert!(seen.iter().copied().eq(1..=event.id.n), "{seen:?}");
                }
            });
        }
    });
    assert_eq!(store.figures().events, 200);
}

#[test]
fn a_type_that_is_rare_is_found_without_reading_the_others() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, (0..5_000).map(|n| id(n, 0)));
    keep(&store, &event(id(6_000, 0), "events", "rare"));
    // A row that cannot be read is in the way of whoever reads the common type.
    let other = rusqlite::Connection::open(place.file("tidings.db")).unwrap();
    let harm = "UPDATE event SET data = 'no JSON' WHERE matched = 'e'";
    other.execute(harm, []).unwrap();
    let read = |names: &[&str]| store.read(id(0, 0), id(9_000, 0), &wants(&["events"], names), 10);
    assert_eq!(ids(&read(&["rare"]).unwrap().events), [id(6_000, 0)]);
    assert!(read(&[]).is_err(), "and is not left out in silence");
    // What is looked at is in the index: by topic, type and id.
    let plan = "EXPLAIN QUERY PLAN SELECT ms, n FROM event WHERE topic = 't' AND matched = 'm' \
                AND (ms, n) > (1, 1) ORDER BY ms, n";
    let plan: String = other.query_row(plan, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("COVERING INDEX event_by_topic (topic=? AND matched=? AND"), "{plan}");
}

#[test]
fn one_event_is_found_by_its_id() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, [id(1, 0), id(1, 1), id(2, 0)]);
    let found = store.find(id(1, 1)).unwrap().unwrap();
    assert_eq!((found.id, found.is_stored()), (id(1, 1), true));
    assert!(store.find(id(1, 2)).unwrap().is_none());
    assert_eq!(store.age(), Limits::default().log_age);
}
