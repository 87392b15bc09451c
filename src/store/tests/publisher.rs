//! A publisher, a hub and the store together.

use super::*;
use crate::publish::{self, NotStored, Publisher};

#[test]
fn a_second_try_is_known_after_a_restart() {
    let place = Place::new();
    // Whatever the history holds.
    let open = || place.open_with(&Limits::default(), Recent { events: 1, ..RECENT });
    let (store, past) = open();
    let start = |store: &Store, mut past: Past| {
        let journal: Arc<dyn Journal> = Arc::new(store.clone());
        let asked = std::mem::take(&mut past.asked);
        let (limits, clock) = (hub::Limits::default(), place.clock.clone());
        let hub = Hub::start_after(past, Some(journal.clone()), limits, clock.clone()).unwrap();
        let limits = publish::Limits::default();
        let publisher = Publisher::new(hub.clone(), Some(journal), &limits, clock);
        publisher.recall(asked);
        (hub, publisher)
    };
    let request = RequestKey { key: "order-7".into(), digest: [1; 32] };
    let body = NewEvent {
        request: Some(Box::new(request)),
        ..event(id(0, 0), "events", "a").body.clone()
    };
    let (hub, publisher) = start(&store, past);
    let first = publisher.publish_as(body.clone(), Keeping::Awaited).unwrap();
    assert_eq!((first.stored.clone(), first.is_repeat), (Some(Ok(())), false));
    // One that would be kept nowhere without its key.
    let request = RequestKey { key: "ping-1".into(), digest: [2; 32] };
    let ping = NewEvent {
        request: Some(Box::new(request)),
        ..event(id(0, 0), "events", "ping").body.clone()
    };
    let pinged = publisher.publish(ping.clone()).unwrap();
    publisher.publish_as(event(id(0, 0), "events", "a").body.clone(), Keeping::Awaited).unwrap();
    hub.stop();
    drop((hub, publisher, store));
    let (store, past) = open();
    assert_eq!((past.recent.len(), past.asked.len()), (1, 2));
    let (hub, publisher) = start(&store, past);
    let again = publisher.publish(ping.clone()).unwrap();
    assert_eq!((again.id, again.is_repeat), (pinged.id, true));
    let second = publisher.publish_as(body, Keeping::Awaited).unwrap();
    assert_eq!((second.id, second.stored, second.is_repeat), (first.id, Some(Ok(())), true));
    place.clock.advance(publish::Limits::default().request_key_age);
    assert!(!publisher.publish(ping).unwrap().is_repeat, "it was too long ago");
    hub.stop();
}

#[test]
fn a_second_try_is_known_when_the_disk_can_be_read_again() {
    let place = Place::new();
    let (store, past) = place.open();
    let (hub, publisher) = hasty(&place, &store, past);
    let first = publisher.publish_as(awaited(Some("order-7")), Keeping::Awaited).unwrap();
    hub.stop();
    drop((hub, publisher, store));
    // A file that cannot be read now, and then can.
    let (file, aside) = (place.file("tidings.db"), place.file("elsewhere"));
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    let (store, past) = no_log::open_later(&place, &Limits::default());
    assert_eq!(past.asked, []);
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    no_log::until_it_is_well(&store);
    let (hub, publisher) = hasty(&place, &store, past);
    let second = publisher.publish(awaited(Some("order-7"))).unwrap();
    assert_eq!((second.id, second.is_repeat), (first.id, true));
    hub.stop();
}

/// A publisher that never waits long enough, as with a slow disk, and a history of one event.
fn hasty(place: &Place, store: &Store, past: Past) -> (Hub, Publisher) {
    let journal: Arc<dyn Journal> = Arc::new(store.clone());
    let limits = hub::Limits { history_events: 1, ..hub::Limits::default() };
    let hub = Hub::start_after(past, Some(journal.clone()), limits, place.clock.clone()).unwrap();
    let store_wait = Duration::from_nanos(1);
    let limits = publish::Limits { store_wait, ..publish::Limits::default() };
    let publisher = Publisher::new(hub.clone(), Some(journal), &limits, place.clock.clone());
    (hub, publisher)
}

fn awaited(key: Option<&str>) -> NewEvent {
    let request = key.map(|key| Box::new(RequestKey { key: key.into(), digest: [1; 32] }));
    NewEvent { request, ..event(id(0, 0), "events", "a").body.clone() }
}

#[test]
fn a_second_try_learns_that_the_event_is_on_disk_after_the_history_let_it_go() {
    let place = Place::new();
    let (store, past) = place.open();
    let (hub, publisher) = hasty(&place, &store, past);
    // The disk may be faster than a publisher that does not wait, now and then.
    let not_yet = (0..1_000).find_map(|n| {
        let key = format!("order-{n}");
        let first = publisher.publish_as(awaited(Some(&key)), Keeping::Awaited).unwrap();
        matches!(first.stored, Some(Err(NotStored::NotYet(_)))).then_some((key, first))
    });
    let (key, first) = not_yet.unwrap();
    // The history lets go of it as soon as it is on disk and others are newer.
    for _ in 0..3 {
        let other = publisher.publish_as(awaited(None), Keeping::Awaited).unwrap();
        while store.find(other.id).unwrap().is_none() {
            std::thread::yield_now();
        }
    }
    let second = publisher.publish_as(awaited(Some(&key)), Keeping::Awaited).unwrap();
    assert_eq!((second.id, second.stored, second.is_repeat), (first.id, Some(Ok(())), true));
    hub.stop();
}
