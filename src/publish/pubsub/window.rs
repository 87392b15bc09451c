//! The messages of late, by their ids: which were taken, and which are being taken.
//!
//! A message is remembered once its update was taken, not before: if taking it fails, the next delivery is
//! the first again.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Remembers messages, so many and so long.
#[derive(Debug)]
pub(super) struct Window {
    age: Duration,
    max_messages: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    under_way: HashSet<Arc<str>>,
    taken: HashSet<Arc<str>>,
    /// Those taken, the first one first.
    oldest: VecDeque<(Instant, Arc<str>)>,
}

/// What a delivery turned out to be.
#[derive(Debug)]
pub(super) enum Begun<'a> {
    /// The first, as far as anybody knows.
    First(Ticket<'a>),
    /// One of a message that is being taken.
    UnderWay,
    /// One of a message that was taken.
    Again,
}

/// A message that is being taken. Dropped without a word, it was not taken.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    window: &'a Window,
    message: Arc<str>,
    begun: Instant,
}

impl Window {
    /// Remembers at most `max_messages` (zero: as many as come) for `age` (zero: none).
    pub fn new(age: Duration, max_messages: usize) -> Self {
        Self { age, max_messages, known: Mutex::default() }
    }

    /// Begins with a message.
    pub fn begin(&self, message: &str, now: Instant) -> Begun<'_> {
        let mut known = self.known.lock();
        known.forget(|taken, _| now.saturating_duration_since(taken) >= self.age);
        if known.taken.contains(message) {
            return Begun::Again;
        }
        let message: Arc<str> = message.into();
        if !known.under_way.insert(message.clone()) {
            return Begun::UnderWay;
        }
        Begun::First(Ticket { window: self, message, begun: now })
    }
}

impl Known {
    /// Lets go of the oldest as long as this says so of the time it was taken and of how many there are.
    fn forget(&mut self, is_over: impl Fn(Instant, usize) -> bool) {
        while self.oldest.front().is_some_and(|(taken, _)| is_over(*taken, self.oldest.len())) {
            if let Some((_, message)) = self.oldest.pop_front() {
                self.taken.remove(&message);
            }
        }
    }
}

impl Ticket<'_> {
    /// The message was taken.
    pub fn done(self) {
        let mut known = self.window.known.lock();
        if !self.window.age.is_zero() {
            known.taken.insert(self.message.clone());
            known.oldest.push_back((self.begun, self.message.clone()));
        }
        let most = self.window.max_messages;
        known.forget(|_, count| most != 0 && count > most);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.window.known.lock().under_way.remove(&self.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(600);

    fn take(window: &Window, message: &str, now: Instant) {
        match window.begin(message, now) {
            Begun::First(ticket) => ticket.done(),
            other => panic!("{message} is known: {other:?}"),
        }
    }

    fn is_known(window: &Window, message: &str, now: Instant) -> bool {
        matches!(window.begin(message, now), Begun::Again)
    }

    #[test]
    fn a_message_is_known_for_a_while_once_it_was_taken() {
        let (window, now) = (Window::new(AGE, 0), Instant::now());
        take(&window, "a", now);
        assert!(is_known(&window, "a", now + AGE / 2));
        assert!(!is_known(&window, "b", now + AGE / 2));
        take(&window, "a", now + AGE);
        assert!(is_known(&window, "a", now + AGE));
    }

    #[test]
    fn what_was_not_taken_is_not_known() {
        let (window, now) = (Window::new(AGE, 0), Instant::now());
        let ticket = window.begin("a", now);
        assert!(matches!(window.begin("a", now), Begun::UnderWay));
        drop(ticket);
        take(&window, "a", now);
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let (window, now) = (Window::new(AGE, 2), Instant::now());
        for message in ["a", "b", "c"] {
            take(&window, message, now);
        }
        let known = ["a", "b", "c"].map(|message| is_known(&window, message, now));
        assert_eq!(known, [false, true, true]);
        assert_eq!(window.known.lock().taken.len(), 2);
    }

    #[test]
    fn a_window_of_no_time_knows_nothing() {
        let (window, now) = (Window::new(Duration::ZERO, 0), Instant::now());
        take(&window, "a", now);
        take(&window, "a", now);
        assert!(window.known.lock().oldest.is_empty());
    }
}
