//! One at a time for the same work: who comes second waits, and then finds what the first has made.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long somebody who waits does not look whether the work is still wanted.
const TICK: Duration = Duration::from_millis(50);

/// Who is at which work.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<String>>,
    ended: Condvar,
}

/// The right to do a work, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    work: String,
}

impl Turns {
    /// Waits until nobody else is at this work; none if it is not wanted any more by then.
    pub fn take(&self, work: String, is_cancelled: impl Fn() -> bool) -> Option<Turn<'_>> {
        let mut taken = self.taken.lock();
        while taken.contains(&work) {
            if is_cancelled() {
                return None;
            }
            self.ended.wait_for(&mut taken, TICK);
        }
        taken.insert(work.clone());
        Some(Turn { turns: self, work })
    }

    /// Whether somebody is at this work.
    pub fn is_taken(&self, work: &str) -> bool {
        self.taken.lock().contains(work)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken.lock().remove(&self.work);
        self.turns.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_same_work_is_done_by_one_at_a_time_and_other_work_by_others() {
        let turns = Turns::default();
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let turn = turns.take("a".into(), || false).unwrap();
                        most.fetch_max(
                            1 + at_work.fetch_add(1, Ordering::SeqCst),
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        at_work.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        let _a = turns.take("a".into(), || false).unwrap();
        assert!(turns.take("b".into(), || false).is_some() && turns.is_taken("a"));
    }

    #[test]
    fn who_is_not_wanted_any_more_does_not_wait() {
        let turns = Turns::default();
        let turn = turns.take("a".into(), || false);
        assert!(turns.take("a".into(), || true).is_none());
        drop(turn);
        assert!(turns.take("a".into(), || true).is_some(), "nobody has to wait");
    }
}
