//! How fast a batch goes, and when it will be over, as far as can be said.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What counts as of late.
const WINDOW: Duration = Duration::from_secs(60);
/// How exactly times are kept; and nobody is told how fast something is that began less than this ago.
const GRAIN: Duration = Duration::from_secs(1);
/// What takes longer than ten years is not foretold.
const LONGEST: u64 = 315_360_000;

/// How a batch has gone since it began, or since this process knows of it. Work is measured in weight: done,
/// with what jobs under way report, and left.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    done_before: f64,
    /// How much was done when, at most once each grain: of late, and the last one before that.
    steps: VecDeque<(Instant, f64)>,
    /// How many jobs ended of late, by the grain.
    ends: VecDeque<(Instant, usize)>,
}

impl Pace {
    /// Begins when so much is done.
    pub fn new(now: Instant, done: f64) -> Self {
        let steps = VecDeque::from([(now, done)]);
        Self { since: now, done_before: done, steps, ends: VecDeque::new() }
    }

    /// Whether it is time to say how much is done.
    pub fn wants_step(&self, now: Instant) -> bool {
        self.steps.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= GRAIN)
    }

    /// Notes how much is done.
    pub fn step(&mut self, now: Instant, done: f64) {
        self.steps.push_back((now, done));
        while self.steps.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW)
        {
            self.steps.pop_front();
        }
    }

    /// Notes that a job has ended.
    pub fn note_end(&mut self, now: Instant) {
        match self.ends.back_mut() {
            Some((at, count)) if now.saturating_duration_since(*at) < GRAIN => *count += 1,
            _ => self.ends.push_back((now, 1)),
        }
        while self.ends.front().is_some_and(|(at, _)| is_over(*at, now)) {
            self.ends.pop_front();
        }
    }

    /// How many jobs end in a minute, of late.
    pub fn ends_per_minute(&self, now: Instant) -> f64 {
        let recent = self.ends.iter().filter(|(at, _)| !is_over(*at, now));
        per_minute(recent.map(|(_, count)| count).sum(), self.age(now).min(WINDOW))
    }

    /// In how many seconds it will be over if it goes on as it went of late; or, when nothing happened of
    /// late, as it went on the whole. None if nothing was done yet, or less is done than before.
    pub fn seconds_left(&self, now: Instant, done: f64, left: f64) -> Option<u64> {
        let (at, done_then) = self
            .steps
            .iter()
            .rev()
            .find(|(at, _)| is_over(*at, now))
            .or_else(|| self.steps.front())?;
        // Between two steps nothing happened, so so much was also done when the window began.
        let late = now.saturating_duration_since(*at).min(WINDOW);
        let speed = speed(done - done_then, late)
            .or_else(|| speed(done - self.done_before, self.age(now)))?;
        #[expect(clippy::cast_sign_loss, reason = "neither what is left nor a speed is below zero")]
        let seconds = (left / speed).ceil() as u64;
        (seconds <= LONGEST).then_some(seconds)
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// So many in so long, by the minute.
pub(super) fn per_minute(count: usize, time: Duration) -> f64 {
    count as f64 * 60.0 / time.max(GRAIN).as_secs_f64()
}

fn is_over(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) >= WINDOW
}

/// Weight in a second, if that says anything.
fn speed(done: f64, time: Duration) -> Option<f64> {
    (time >= GRAIN && done > 0.0).then(|| done / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace, and the moments of its batch by the second.
    struct Course {
        begun: Instant,
        pace: Pace,
    }

    impl Course {
        fn new() -> Self {
            let begun = Instant::now();
            Self { begun, pace: Pace::new(begun, 0.0) }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.begun + Duration::from_secs_f64(seconds)
        }

        fn step(&mut self, seconds: f64, done: f64) {
            let at = self.at(seconds);
            if self.pace.wants_step(at) {
                self.pace.step(at, done);
            }
        }

        fn check_left(&self, seconds: f64, done: f64, expected: Option<u64>) {
            let left = self.pace.seconds_left(self.at(seconds), done, 100.0 - done);
            assert_eq!(left, expected, "{done} done after {seconds} s");
        }
    }

    #[test]
    fn nothing_is_foretold_before_something_is_done() {
        let course = Course::new();
        course.check_left(0.0, 0.0, None);
        course.check_left(100.0, 0.0, None);
        course.check_left(0.5, 10.0, None);
        course.check_left(1.0, 10.0, Some(9));
        // A job has begun again.
        course.check_left(5.0, -10.0, None);
        course.check_left(60.0, 1e-9, None);
    }

    #[test]
    fn what_happened_of_late_counts() {
        let mut course = Course::new();
        for second in 1..=100 {
            // Slow at first, and ten times as fast later.
            let done =
                if second <= 40 { f64::from(second) * 0.1 } else { f64::from(second) - 36.0 };
            course.step(f64::from(second), done);
        }
        course.check_left(40.0, 4.0, Some(960));
        course.check_left(100.0, 64.0, Some(36));
        assert!(course.pace.steps.len() <= 62, "{}", course.pace.steps.len());
    }

    #[test]
    fn when_nothing_happened_of_late_it_is_the_whole_that_counts() {
        let mut course = Course::new();
        course.step(10.0, 50.0);
        course.check_left(10.0, 50.0, Some(10));
        course.check_left(40.0, 50.0, Some(40));
        course.check_left(100.0, 50.0, Some(100));
        // And then it goes on: 10 in the last minute.
        course.step(100.0, 60.0);
        course.check_left(100.0, 60.0, Some(240));
    }

    #[test]
    fn ends_are_counted_over_the_last_minute() {
        let mut course = Course::new();
        let check = |course: &Course, seconds: f64, expected: f64| {
            let rate = course.pace.ends_per_minute(course.at(seconds));
            assert!((rate - expected).abs() < 1e-9, "{rate} after {seconds} s");
        };
        check(&course, 0.0, 0.0);
        for tenth in 1..=100 {
            course.pace.note_end(course.at(f64::from(tenth) / 10.0));
        }
        // A hundred in ten seconds; before a second is over it counts as one.
        check(&course, 10.0, 600.0);
        check(&course, 20.0, 300.0);
        check(&course, 60.0, 100.0);
        check(&course, 75.0, 0.0);
        course.pace.note_end(course.at(80.0));
        check(&course, 80.0, 1.0);
        assert_eq!(course.pace.ends.len(), 1);
        assert!((per_minute(5, Duration::ZERO) - 300.0).abs() < 1e-9);
    }
}
