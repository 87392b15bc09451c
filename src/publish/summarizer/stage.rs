//! How far a job is: the steps of making a summary, what each weighs, and telling it now and then.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::clock::Clock;
use crate::publish::queues::processor::{Desk, Failure, Progress};

/// A step of making a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What the video is: its title, its length, its chapters, which captions it has.
    Lookup,
    /// Its captions, or what was sent along, are read.
    Transcript,
    /// Whether the same engine has made the same before.
    Cache,
    /// The engine works.
    Summarize,
    /// The summary is kept.
    Store,
}

impl Stage {
    /// The word for it in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Transcript => "transcript",
            Self::Cache => "cache",
            Self::Summarize => "summarize",
            Self::Store => "store",
        }
    }

    /// What of a job it is, in percent: from where to where.
    ///
    /// A guess at how long each takes; what was sent along needs no network.
    fn span(self, is_video: bool) -> (f64, f64) {
        let (looked_up, read, searched) =
            if is_video { (10.0, 25.0, 27.0) } else { (0.0, 5.0, 7.0) };
        match self {
            Self::Lookup => (0.0, looked_up),
            Self::Transcript => (looked_up, read),
            Self::Cache => (read, searched),
            Self::Summarize => (searched, 97.0),
            Self::Store => (97.0, 100.0),
        }
    }
}

/// Tells how far a job is, at every step and now and then within one.
pub(super) struct Course<'a> {
    desk: &'a dyn Desk,
    clock: &'a dyn Clock,
    /// Between two reports within one step; zero: none.
    pause: Duration,
    is_video: bool,
    stage: Cell<Stage>,
    told_at: Cell<Instant>,
}

impl<'a> Course<'a> {
    pub fn new(desk: &'a dyn Desk, clock: &'a dyn Clock, pause: Duration, is_video: bool) -> Self {
        let (stage, told_at) = (Cell::new(Stage::Lookup), Cell::new(clock.now()));
        Self { desk, clock, pause, is_video, stage, told_at }
    }

    /// A step begins.
    pub fn enter(&self, stage: Stage, message: &str) -> Result<(), Failure> {
        self.check()?;
        self.stage.set(stage);
        self.tell(0, Some(message.to_owned()), None);
        Ok(())
    }

    /// What became known of the talk, for those who watch.
    pub fn note(&self, facts: Value) {
        self.tell(0, None, Some(facts));
    }

    /// What is going on within the present step, for people.
    pub fn say(&self, message: &str) {
        self.tell(0, Some(message.to_owned()), None);
    }

    /// So much of the present step is done, in percent. Says whether to leave off.
    pub fn within(&self, percent: u8) -> ControlFlow<()> {
        if self.desk.is_cancelled() {
            return ControlFlow::Break(());
        }
        let since = self.clock.now().saturating_duration_since(self.told_at.get());
        if since >= self.pause {
            self.tell(percent, None, None);
        }
        ControlFlow::Continue(())
    }

    /// Whether nobody wants the summary any more.
    pub fn is_cancelled(&self) -> bool {
        self.desk.is_cancelled()
    }

    /// Fails if nobody wants the summary any more.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_cancelled() { Err(Failure::retryable("It was left off.")) } else { Ok(()) }
    }

    fn tell(&self, percent: u8, message: Option<String>, data: Option<Value>) {
        self.told_at.set(self.clock.now());
        let stage = self.stage.get();
        let (from, to) = stage.span(self.is_video);
        let percent = from + (to - from) * f64::from(percent.min(100)) / 100.0;
        self.desk.report(Progress {
            percent: Some(percent.round()),
            stage: Some(stage.as_str().to_owned()),
            message,
            data,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::publish::processors::tests::Notebook;

    #[test]
    fn the_steps_of_a_job_fill_it_without_a_gap() {
        let all = [Stage::Lookup, Stage::Transcript, Stage::Cache, Stage::Summarize, Stage::Store];
        for is_video in [true, false] {
            let mut at = 0.0;
            for (from, to) in all.map(|stage| stage.span(is_video)) {
                assert!((from - at).abs() < f64::EPSILON && to >= from, "{from}");
                at = to;
            }
            assert!((at - 100.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn within_a_step_it_is_told_now_and_then() {
        let (desk, clock) = (Notebook::default(), ManualClock::at(0));
        let course = Course::new(&desk, &clock, Duration::from_secs(1), true);
        course.enter(Stage::Summarize, "Summarizing").unwrap();
        for percent in 0..=100 {
            assert!(course.within(percent).is_continue());
            clock.advance(Duration::from_millis(100));
        }
        // At the start, and then every second of ten.
        assert_eq!(
            desk.percents(),
            [27.0, 34.0, 41.0, 48.0, 55.0, 62.0, 69.0, 76.0, 83.0, 90.0, 97.0]
        );
    }

    #[test]
    fn who_is_not_wanted_any_more_leaves_off() {
        let (desk, clock) = (Notebook::cancelled_after(1), ManualClock::at(0));
        let course = Course::new(&desk, &clock, Duration::ZERO, false);
        course.enter(Stage::Transcript, "Reading").unwrap();
        assert!(course.within(1).is_break() && course.check().is_err());
        assert!(course.enter(Stage::Cache, "Looking").is_err());
        assert_eq!(desk.stages(), ["transcript"]);
    }
}
