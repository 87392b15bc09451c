//! Second tries: a request that its publisher names is one event, however often it comes.
//!
//! A publisher whose connection broke does not know whether its event was taken. It says the same
//! again under the same key and gets the first answer. The draft "The Idempotency-Key HTTP Header
//! Field" of the IETF's httpapi working group is followed where it speaks: a key that comes back with
//! another request is a mistake, one whose first request is still under way is to be tried later.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::event::{Event, EventId, RequestKey};
use crate::hub::Asked;

/// The requests of late, by the names their publishers gave them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Requests(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    window: Duration,
    max_keys: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_key: HashMap<String, Request>,
    /// The keys of answered requests, the first answered first. What is under way is never forgotten:
    /// its next try would be another event.
    oldest: VecDeque<(Instant, String)>,
}

#[derive(Debug)]
struct Request {
    digest: [u8; 32],
    since: Instant,
    /// None while it is under way.
    outcome: Option<Taken>,
}

/// The event that a request became. It does not hold the event: a key is a few bytes, whatever the
/// event weighs.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub id: EventId,
    /// Not known after a restart.
    pub event: Weak<Event>,
    /// How many streams it was for; not known after a restart.
    pub matched: Option<usize>,
    /// Somebody has waited until it was on disk.
    pub is_stored: bool,
}

/// Why a request with a key is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// The key was used for something else.
    #[error("this key was used for another event; a new event needs a new key")]
    Reused,
    /// The first request with this key has not been answered yet.
    #[error("the first request with this key is still under way; try again in a moment")]
    UnderWay,
}

/// What a request with a key turned out to be.
#[derive(Debug)]
pub(super) enum Begun {
    /// The first with its key.
    First(Ticket),
    /// A second try.
    Again(Taken),
}

/// The first request's right to say what became of it. If it is dropped without a word, nothing was
/// published and the next try is the first.
#[derive(Debug)]
pub(super) struct Ticket {
    requests: Requests,
    key: String,
    is_done: bool,
}

impl Requests {
    /// Remembers at most `max_keys` keys (zero: as many as come) besides those of requests that are under
    /// way, for `window` (zero: none at all).
    pub fn new(window: Duration, max_keys: usize) -> Self {
        Self(Arc::new(Shared { window, max_keys, known: Mutex::default() }))
    }

    /// Begins a request.
    pub fn begin(&self, request: &RequestKey, now: Instant) -> Result<Begun, KeyRefused> {
        let mut known = self.0.known.lock();
        known.forget(now, self.0.window, 0);
        match known.by_key.get(&request.key) {
            Some(first) if first.digest != request.digest => Err(KeyRefused::Reused),
            Some(Request { outcome: None, .. }) => Err(KeyRefused::UnderWay),
            Some(Request { outcome: Some(taken), .. }) => Ok(Begun::Again(taken.clone())),
            None => {
                // Only now: a second try does not push out its own key.
                known.forget(now, self.0.window, self.0.max_keys);
                if !self.0.window.is_zero() {
                    let begun = Request { digest: request.digest, since: now, outcome: None };
                    known.by_key.insert(request.key.clone(), begun);
                }
                let key = request.key.clone();
                Ok(Begun::First(Ticket { requests: self.clone(), key, is_done: false }))
            }
        }
    }

    /// Takes over what an earlier process was asked, `age` ago, unless the key is in use by now.
    pub fn recall(&self, asked: Asked, now: Instant, age: Duration) {
        let Asked { request, id, .. } = asked;
        let Some(since) = now.checked_sub(age).filter(|_| age < self.0.window) else { return };
        let taken = Taken { id, event: Weak::new(), matched: None, is_stored: true };
        let entry = Request { digest: request.digest, since, outcome: Some(taken) };
        let mut known = self.0.known.lock();
        if let Entry::Vacant(vacant) = known.by_key.entry(request.key.clone()) {
            vacant.insert(entry);
            known.oldest.push_back((since, request.key));
        }
    }

    /// Notes that what the request became is on disk: this event, not one of a later use of the key.
    pub fn note_stored(&self, request: &RequestKey, id: EventId) {
        if let Some(known) = self.0.known.lock().by_key.get_mut(&request.key)
            && let Some(taken) = known.outcome.as_mut().filter(|taken| taken.id == id)
        {
            taken.is_stored = true;
        }
    }
}

impl Known {
    /// Lets go of what is too old, and of the oldest if there are too many.
    fn forget(&mut self, now: Instant, window: Duration, max_keys: usize) {
        while let Some((since, _)) = self.oldest.front() {
            let is_old = now.saturating_duration_since(*since) >= window;
            if !is_old && (max_keys == 0 || self.oldest.len() < max_keys) {
                break;
            }
            let Some((since, key)) = self.oldest.pop_front() else { break };
            // The key may be in use again since.
            if self.by_key.get(&key).is_some_and(|request| request.since == since) {
                self.by_key.remove(&key);
            }
        }
    }
}

impl Ticket {
    /// Says what the request became.
    pub fn done(mut self, taken: Taken) {
        self.is_done = true;
        let known = &mut *self.requests.0.known.lock();
        if let Some(request) = known.by_key.get_mut(&self.key) {
            request.outcome = Some(taken);
            known.oldest.push_back((request.since, self.key.clone()));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_done {
            self.requests.0.known.lock().by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::topic::Topic;
    use crate::event::{EventData, EventId, NewEvent};

    const WINDOW: Duration = Duration::from_secs(300);

    fn request(key: &str, digest: u8) -> RequestKey {
        RequestKey { key: key.into(), digest: [digest; 32] }
    }

    fn event(n: u32) -> Arc<Event> {
        let data = EventData::encode(&n, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "e".parse().unwrap(), data);
        Arc::new(Event::new(EventId { ms: 1, n }, 1, body))
    }

    fn taken(n: u32) -> Taken {
        let event = event(n);
        let (id, event) = (event.id, Arc::downgrade(&event));
        Taken { id, event, matched: Some(3), is_stored: false }
    }

    fn first(requests: &Requests, request: &RequestKey, now: Instant) -> Ticket {
        match requests.begin(request, now).unwrap() {
            Begun::First(ticket) => ticket,
            Begun::Again(taken) => panic!("{} was there already", taken.id),
        }
    }

    fn again(requests: &Requests, request: &RequestKey, now: Instant) -> Option<u32> {
        match requests.begin(request, now) {
            Ok(Begun::Again(taken)) => Some(taken.id.n),
            _ => None,
        }
    }

    #[test]
    fn a_second_try_gets_the_first_answer_until_the_window_ends() {
        let (requests, start) = (Requests::new(WINDOW, 0), Instant::now());
        first(&requests, &request("a", 1), start).done(taken(7));
        assert_eq!(again(&requests, &request("a", 1), start + WINDOW / 2), Some(7));
        first(&requests, &request("a", 1), start + WINDOW).done(taken(8));
        assert_eq!(again(&requests, &request("a", 1), start + WINDOW), Some(8));
    }

    #[test]
    fn a_key_stands_for_one_request() {
        let (requests, now) = (Requests::new(WINDOW, 0), Instant::now());
        first(&requests, &request("a", 1), now).done(taken(7));
        assert_eq!(requests.begin(&request("a", 2), now).unwrap_err(), KeyRefused::Reused);
    }

    #[test]
    fn what_is_under_way_is_to_be_tried_later_and_what_failed_at_once() {
        let (requests, now) = (Requests::new(WINDOW, 0), Instant::now());
        let ticket = first(&requests, &request("a", 1), now);
        assert_eq!(requests.begin(&request("a", 1), now).unwrap_err(), KeyRefused::UnderWay);
        drop(ticket);
        first(&requests, &request("a", 1), now).done(taken(1));
        assert_eq!(again(&requests, &request("a", 1), now), Some(1));
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let (requests, now) = (Requests::new(WINDOW, 2), Instant::now());
        for (n, key) in ["a", "b", "c"].into_iter().enumerate() {
            first(&requests, &request(key, 1), now).done(taken(n as u32));
        }
        assert_eq!(again(&requests, &request("c", 1), now), Some(2));
        assert_eq!(again(&requests, &request("a", 1), now), None);
    }

    #[test]
    fn what_is_under_way_is_not_forgotten_for_others() {
        let (requests, now) = (Requests::new(WINDOW, 1), Instant::now());
        let ticket = first(&requests, &request("a", 1), now);
        for (n, key) in ["b", "c"].into_iter().enumerate() {
            first(&requests, &request(key, 1), now).done(taken(n as u32));
        }
        let later = now + WINDOW;
        assert_eq!(requests.begin(&request("a", 1), later).unwrap_err(), KeyRefused::UnderWay);
        ticket.done(taken(7));
        assert_eq!(again(&requests, &request("a", 1), now), Some(7));
    }

    #[test]
    fn what_failed_pushes_nothing_out() {
        let (requests, now) = (Requests::new(WINDOW, 2), Instant::now());
        first(&requests, &request("a", 1), now).done(taken(1));
        for key in ["b", "c", "d"] {
            drop(first(&requests, &request(key, 1), now));
        }
        assert_eq!(again(&requests, &request("a", 1), now), Some(1));
    }

    #[test]
    fn without_a_window_keys_mean_nothing() {
        let (requests, now) = (Requests::new(Duration::ZERO, 0), Instant::now());
        let _under_way = first(&requests, &request("a", 1), now);
        first(&requests, &request("a", 2), now).done(taken(1));
        first(&requests, &request("a", 1), now).done(taken(2));
    }

    #[test]
    fn only_the_event_that_is_on_disk_is_noted() {
        let (requests, now) = (Requests::new(WINDOW, 0), Instant::now());
        let (key, stored, id) = (request("a", 1), taken(1), taken(2).id);
        let is_stored = || match requests.begin(&key, now) {
            Ok(Begun::Again(taken)) => taken.is_stored,
            other => panic!("{other:?}"),
        };
        first(&requests, &key, now).done(stored.clone());
        requests.note_stored(&key, id);
        assert!(!is_stored(), "another event");
        requests.note_stored(&key, stored.id);
        assert!(is_stored());
    }

    #[test]
    fn a_key_that_is_in_use_is_not_taken_back() {
        let (requests, now) = (Requests::new(WINDOW, 0), Instant::now() + WINDOW);
        first(&requests, &request("old", 1), now).done(taken(3));
        let asked = Asked { request: request("old", 1), id: EventId { ms: 1, n: 9 }, time_ms: 1 };
        requests.recall(asked, now, WINDOW / 2);
        assert_eq!(again(&requests, &request("old", 1), now), Some(3));
    }

    #[test]
    fn what_an_earlier_process_was_asked_is_known() {
        let (requests, now) = (Requests::new(WINDOW, 0), Instant::now() + WINDOW);
        let asked =
            || Asked { request: request("old", 1), id: EventId { ms: 1, n: 9 }, time_ms: 1 };
        requests.recall(asked(), now, WINDOW);
        assert_eq!(again(&requests, &request("old", 1), now), None, "too long ago");
        let requests = Requests::new(WINDOW, 0);
        requests.recall(asked(), now, WINDOW / 2);
        assert_eq!(again(&requests, &request("old", 1), now), Some(9));
        first(&requests, &request("old", 1), now + WINDOW / 2).done(taken(1));
    }
}
