//! A publisher, a hub and the store together.

use super::*;
use crate::publish::{self, Publisher};

#[test]
fn a_second_try_is_known_after_a_restart() {
    let place = Place::new();
    let (store, past) = place.open();
    let start = |store: &Store, past: Past| {
        let journal: Arc<dyn Journal> = Arc::new(store.clone());
        let recent = past.recent.clone();
        let (limits, clock) = (hub::Limits::default(), place.clock.clone());
        let hub = Hub::start_after(past, Some(journal.clone()), limits, clock.clone()).unwrap();
        let limits = publish::Limits::default();
        let publisher = Publisher::new(hub.clone(), Some(journal), &limits, clock);
        publisher.recall(&recent);
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
    hub.stop();
    drop((hub, publisher, store));
    let (store, past) = place.open();
    let (hub, publisher) = start(&store, past);
    let second = publisher.publish_as(body, Keeping::Awaited).unwrap();
    assert_eq!((second.id, second.stored, second.is_repeat), (first.id, Some(Ok(())), true));
    hub.stop();
}
