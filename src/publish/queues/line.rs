//! The order in which one queue's jobs begin: who waits, who waits until later, who is at work.
//!
//! Pure bookkeeping over job ids; the clock is passed in and nothing here waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::config::RateLimit;
use crate::event::topic::Identifier;

/// One queue's jobs that have not ended.
#[derive(Debug, Default)]
pub(super) struct Line {
    rate: RateLimit,
    is_paused: bool,
    /// By priority and then by the order of coming.
    waiting: BTreeMap<(u32, u64), Identifier>,
    /// By the time they are due.
    delayed: BTreeMap<(Instant, u64), (u32, Identifier)>,
    /// Where each of these stands.
    places: HashMap<Identifier, Place>,
    next_number: u64,
    /// When the latest jobs began, as many as the rate limit looks at.
    begun: VecDeque<Instant>,
    /// Places that are promised to jobs on their way to the disk.
    promised: usize,
    active: usize,
}

/// Where a job stands.
#[derive(Debug)]
enum Place {
    /// And since when it could begin.
    Waiting(u32, u64, Instant),
    Delayed(Instant, u64),
    /// And since when, if it has begun in this process's time.
    Active(Arc<AtomicBool>, Option<Instant>),
}

/// What there is for whoever asks for a job.
#[derive(Debug)]
pub(super) enum Next {
    /// This one, the flag that says that nobody wants it any more, and how long it could have begun.
    Job(Identifier, Arc<AtomicBool>, Duration),
    /// None before that time; `None`: none until something changes.
    NotBefore(Option<Instant>),
}

/// How many jobs are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Could begin now.
    pub waiting: usize,
    /// Wait for their time.
    pub delayed: usize,
    /// Are being done.
    pub active: usize,
}

impl Line {
    pub fn new(rate: RateLimit, is_paused: bool) -> Self {
        Self { rate, is_paused, ..Self::default() }
    }

    /// Promises places to so many jobs, unless more than `at_most` (0: no limit) would wait then.
    pub fn promise(&mut self, jobs: usize, at_most: usize) -> bool {
        let waiting = self.waiting.len() + self.delayed.len() + self.promised;
        let fits = at_most == 0 || waiting + jobs <= at_most;
        if fits {
            self.promised += jobs;
        }
        fits
    }

    /// Takes promises back, or the jobs have come.
    pub fn release(&mut self, jobs: usize) {
        self.promised = self.promised.saturating_sub(jobs);
    }

    /// Puts a job in its place, wherever it was before; it is not to begin before `due`.
    pub fn put(&mut self, id: Identifier, priority: u32, due: Instant, now: Instant) {
        self.take_out(&id);
        let number = self.next_number;
        self.next_number += 1;
        let place = if due > now {
            self.delayed.insert((due, number), (priority, id.clone()));
            Place::Delayed(due, number)
        } else {
            self.waiting.insert((priority, number), id.clone());
            Place::Waiting(priority, number, now)
        };
        self.places.insert(id, place);
    }

    /// Takes back a job that is at work already, after a restart.
    pub fn put_active(&mut self, id: Identifier) {
        self.take_out(&id);
        self.active += 1;
        self.places.insert(id, Place::Active(Arc::default(), None));
    }

    /// Takes a job out, wherever it is. One that is at work is told that nobody wants it any more. False if
    /// it was not there.
    pub fn take_out(&mut self, id: &Identifier) -> bool {
        match self.places.remove(id) {
            None => return false,
            Some(Place::Waiting(priority, number, _)) => {
                self.waiting.remove(&(priority, number));
            }
            Some(Place::Delayed(due, number)) => {
                self.delayed.remove(&(due, number));
            }
            Some(Place::Active(unwanted, _)) => {
                unwanted.store(true, std::sync::atomic::Ordering::Relaxed);
                self.active -= 1;
            }
        }
        true
    }

    /// Tells whoever does a job that nobody wants it any more. It keeps its place until it is done. One
    /// that nobody does is taken out.
    pub fn cancel(&mut self, id: &Identifier) {
        match self.places.get(id) {
            Some(Place::Active(unwanted, _)) => {
                unwanted.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            _ => {
                self.take_out(id);
            }
        }
    }

    /// The job that begins now, if one may.
    pub fn next(&mut self, now: Instant) -> Next {
        self.promote(now);
        if self.is_paused {
            return Next::NotBefore(None);
        }
        if self.waiting.is_empty() {
            return Next::NotBefore(self.delayed.keys().next().map(|(due, _)| *due));
        }
        if let Some(free) = self.rate_frees(now) {
            return Next::NotBefore(Some(free));
        }
        let Some((_, id)) = self.waiting.pop_first() else { return Next::NotBefore(None) };
        if self.rate.jobs > 0 {
            self.begun.push_back(now);
        }
        let unwanted = Arc::new(AtomicBool::new(false));
        self.active += 1;
        let place = self.places.insert(id.clone(), Place::Active(unwanted.clone(), Some(now)));
        let waited = match place {
            Some(Place::Waiting(.., since)) => now.saturating_duration_since(since),
            _ => Duration::ZERO,
        };
        Next::Job(id, unwanted, waited)
    }

    /// Those whose time has come wait like the others, behind those of their priority who are there.
    fn promote(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((due, _), (priority, id)) = entry.remove_entry();
            let number = self.next_number;
            self.next_number += 1;
            self.waiting.insert((priority, number), id.clone());
            self.places.insert(id, Place::Waiting(priority, number, due));
        }
    }

    /// When the rate limit lets the next job begin, if not now.
    fn rate_frees(&mut self, now: Instant) -> Option<Instant> {
        if self.rate.jobs == 0 || self.rate.period.is_zero() {
            return None;
        }
        let frees = |begun: &Instant| *begun + self.rate.period;
        while self.begun.front().is_some_and(|begun| frees(begun) <= now) {
            self.begun.pop_front();
        }
        let is_full = self.begun.len() >= self.rate.jobs;
        self.begun.front().filter(|_| is_full).map(frees)
    }

    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// How many jobs are where.
    pub fn standing(&mut self, now: Instant) -> Standing {
        self.promote(now);
        Standing { waiting: self.waiting.len(), delayed: self.delayed.len(), active: self.active }
    }

    /// Whether it is at work.
    pub fn is_active(&self, id: &Identifier) -> bool {
        matches!(self.places.get(id), Some(Place::Active(..)))
    }

    /// How long it has been at work; none if it is not, or was when this process began.
    pub fn worked(&self, id: &Identifier, now: Instant) -> Option<Duration> {
        match self.places.get(id) {
            Some(Place::Active(_, since)) => {
                since.map(|since| now.saturating_duration_since(since))
            }
            _ => None,
        }
    }

    /// How many waited for their time when anyone last looked.
    pub fn delayed_count(&self) -> usize {
        self.delayed.len()
    }
}

/// How far in the future a time in milliseconds since 1970 is, on the steady clock.
pub(super) fn steady(due_ms: u64, now: Instant, now_ms: u64) -> Instant {
    now + Duration::from_millis(due_ms.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    fn line(rate: RateLimit) -> (Line, Instant) {
        (Line::new(rate, false), Instant::now())
    }

    /// The names of the jobs that begin now, in order.
    fn begin_all(line: &mut Line, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| match line.next(now) {
            Next::Job(id, ..) => Some(id.to_string()),
            Next::NotBefore(_) => None,
        })
        .collect()
    }

    #[test]
    fn the_smallest_number_comes_first_and_among_equals_the_first() {
        let (mut line, now) = line(RateLimit::default());
        for (name, priority) in [("a", 5), ("b", 0), ("c", 5), ("d", 1), ("e", 0)] {
            line.put(id(name), priority, now, now);
        }
        assert_eq!(begin_all(&mut line, now), ["b", "e", "d", "a", "c"]);
        assert_eq!(line.standing(now), Standing { active: 5, ..Standing::default() });
    }

    #[test]
    fn a_delayed_job_waits_for_its_time() {
        let (mut line, now) = line(RateLimit::default());
        line.put(id("later"), 0, now + SECOND * 2, now);
        line.put(id("sooner"), 9, now + SECOND, now);
        assert!(matches!(line.next(now), Next::NotBefore(Some(at)) if at == now + SECOND));
        assert_eq!(begin_all(&mut line, now + SECOND), ["sooner"]);
        line.put(id("other"), 0, now, now);
        assert_eq!(begin_all(&mut line, now + SECOND * 2), ["other", "later"]);
    }

    #[test]
    fn no_more_begin_than_the_rate_limit_lets() {
        let (mut line, now) = line(RateLimit { jobs: 2, period: SECOND });
        for name in ["a", "b", "c", "d", "e"] {
            line.put(id(name), 0, now, now);
        }
        assert_eq!(begin_all(&mut line, now), ["a", "b"]);
        assert!(matches!(line.next(now), Next::NotBefore(Some(at)) if at == now + SECOND));
        assert_eq!(begin_all(&mut line, now + SECOND / 2), [""; 0]);
        assert_eq!(begin_all(&mut line, now + SECOND), ["c", "d"]);
        assert_eq!(begin_all(&mut line, now + SECOND * 2), ["e"]);
    }

    #[test]
    fn nothing_begins_while_it_is_paused() {
        let (mut line, now) = line(RateLimit::default());
        line.put(id("a"), 0, now, now);
        line.pause(true);
        assert!(matches!(line.next(now), Next::NotBefore(None)));
        line.pause(false);
        assert_eq!(begin_all(&mut line, now), ["a"]);
    }

    #[test]
    fn a_job_is_taken_out_wherever_it_is() {
        let (mut line, now) = line(RateLimit::default());
        line.put(id("waiting"), 0, now, now);
        line.put(id("delayed"), 0, now + SECOND, now);
        line.put(id("active"), 0, now, now);
        line.cancel(&id("waiting"));
        line.cancel(&id("delayed"));
        let Next::Job(_, unwanted, _) = line.next(now) else { panic!("none begins") };
        line.cancel(&id("active"));
        assert!(unwanted.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(line.standing(now), Standing { active: 1, ..Standing::default() });
        assert!(line.take_out(&id("active")));
        assert!(!line.take_out(&id("active")));
        assert_eq!(line.standing(now), Standing::default());
    }

    #[test]
    fn how_long_a_job_waits_and_takes_is_known() {
        let (mut line, now) = line(RateLimit::default());
        line.put(id("a"), 0, now, now);
        line.put(id("b"), 9, now + SECOND, now);
        let mut waited = || match line.next(now + SECOND * 3) {
            Next::Job(_, _, waited) => waited,
            other @ Next::NotBefore(_) => panic!("{other:?}"),
        };
        // One that was not to begin has not waited before that.
        assert_eq!([waited(), waited()], [SECOND * 3, SECOND * 2]);
        line.put_active(id("c"));
        let worked = |name| line.worked(&id(name), now + SECOND * 7);
        assert_eq!([worked("a"), worked("c"), worked("d")], [Some(SECOND * 4), None, None]);
    }

    #[test]
    fn a_job_stands_in_one_place() {
        let (mut line, now) = line(RateLimit::default());
        line.put(id("a"), 3, now, now);
        line.put(id("a"), 0, now + SECOND, now);
        assert_eq!(line.standing(now), Standing { delayed: 1, ..Standing::default() });
        assert_eq!(begin_all(&mut line, now + SECOND), ["a"]);
        line.put(id("a"), 0, now, now);
        assert_eq!(line.standing(now), Standing { waiting: 1, ..Standing::default() });
    }

    #[test]
    fn no_more_wait_than_there_may() {
        let (mut line, now) = line(RateLimit::default());
        assert!(line.promise(2, 3));
        assert!(!line.promise(2, 3), "promised places count");
        line.put(id("a"), 0, now, now);
        line.put(id("b"), 0, now + SECOND, now);
        line.release(2);
        assert!(line.promise(1, 3));
        assert!(!line.promise(1, 3));
        assert!(line.promise(1_000, 0));
    }
}
