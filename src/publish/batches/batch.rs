//! One batch: its jobs as it knows them, and the roll-up that follows from them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::pace::{self, Pace};
use super::tally::{Member, Tally};
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;

/// A batch's place in the table; it stays what it is while its jobs change.
#[derive(Debug)]
pub(super) struct Batch {
    /// Its place in the order of making.
    pub number: u64,
    pub id: Identifier,
    pub title: Option<Arc<str>>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// SHA-256 of the request that made it, in hexadecimal, if that had a key.
    pub request_digest: Option<String>,
    /// How many jobs it has; that never changes.
    pub size: usize,
    pub state: Mutex<State>,
}

/// What changes of a batch.
#[derive(Debug)]
pub(super) struct State {
    pub members: Vec<Member>,
    /// Jobs that have not ended.
    pub open: usize,
    /// Jobs that had ended when the batch was made: they say nothing of how fast it goes.
    pub ended_before: usize,
    pub started_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub updated_ms: u64,
    /// From when it begins, or from when this process knows it.
    pub pace: Option<Pace>,
    /// Something changed since it was last told.
    pub is_dirty: bool,
    pub told_at: Option<Instant>,
    /// Jobs have ended since its record was written.
    pub has_unsaved_ends: bool,
}

/// The time by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub steady: Instant,
    pub unix_ms: u64,
}

/// What a change of a job means for the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is no news.
    None,
    /// It is news.
    News,
    /// The first of its jobs has begun.
    Begun,
    /// The last of its jobs has ended.
    Ended,
}

impl State {
    /// Jobs of which nothing is known yet.
    pub fn new(members: Vec<Member>, now_ms: u64) -> Self {
        Self {
            open: members.len(),
            members,
            ended_before: 0,
            started_ms: None,
            ended_ms: None,
            updated_ms: now_ms,
            pace: None,
            is_dirty: false,
            told_at: None,
            has_unsaved_ends: false,
        }
    }

    /// Takes over a job's state as it was before the batch was made, or before this process: since when, in
    /// milliseconds since 1970.
    pub fn take_up(&mut self, index: usize, update: &JobUpdate, since_ms: u64) {
        self.updated_ms = self.updated_ms.max(since_ms);
        let Some(member) = self.members.get_mut(index) else { return };
        let was_over = member.is_over;
        if member.take(update) && member.is_over && !was_over {
            self.open -= 1;
            self.has_unsaved_ends = true;
        }
    }

    /// Begins to be told of changes, when everything of before is taken up.
    pub fn settle(&mut self, now: Instant) {
        if self.ended_ms.is_some() {
            return;
        }
        let has_begun = |member: &Member| member.status != JobStatus::Pending;
        if self.started_ms.is_none() && self.members.iter().any(has_begun) {
            self.started_ms = Some(self.updated_ms);
        }
        if self.started_ms.is_some() && self.pace.is_none() {
            self.pace = Some(Pace::new(now, Tally::of(&self.members).done_weight));
        }
        if self.open == 0 {
            self.ended_ms = Some(self.updated_ms);
            self.is_dirty = true;
        }
    }

    /// Takes over a job's newer state.
    pub fn change(&mut self, index: usize, update: &JobUpdate, now: Now) -> Effect {
        let begins = self.started_ms.is_none() && update.status != JobStatus::Pending;
        if begins {
            // What was done before it began.
            self.pace = Some(Pace::new(now.steady, Tally::of(&self.members).done_weight));
        }
        let Some(member) = self.members.get_mut(index) else { return Effect::None };
        let was_over = member.is_over;
        if !member.take(update) {
            return Effect::None;
        }
        let ends = member.is_over && !was_over;
        self.updated_ms = now.unix_ms;
        self.is_dirty = true;
        if begins {
            self.started_ms = Some(now.unix_ms);
        }
        if ends {
            self.open -= 1;
            self.has_unsaved_ends = true;
        }
        self.keep_pace(now.steady, ends);
        if ends && self.open == 0 {
            self.ended_ms = Some(now.unix_ms);
            return Effect::Ended;
        }
        if begins { Effect::Begun } else { Effect::News }
    }

    /// Whether there is news, and it is time to tell.
    pub fn is_due(&self, now: Instant, pause: Duration) -> bool {
        let is_early = self.told_at.is_some_and(|told| now < told + pause);
        self.is_dirty && (self.ended_ms.is_some() || !is_early)
    }

    fn keep_pace(&mut self, now: Instant, ends: bool) {
        let Some(pace) = &mut self.pace else { return };
        if ends {
            pace.note_end(now);
        }
        if pace.wants_step(now) {
            pace.step(now, Tally::of(&self.members).done_weight);
        }
    }
}

impl Batch {
    /// How the batch is.
    pub fn roll_up(&self, state: &State, now: Instant) -> BatchUpdate {
        let tally = Tally::of(&state.members);
        let (rate, eta_seconds) = speed(state, &tally, now);
        BatchUpdate {
            batch_id: self.id.clone(),
            revision: tally.revision,
            title: self.title.clone(),
            status: tally.status(state.started_ms.is_some()),
            progress: tally.progress(),
            total: tally.total,
            ended: tally.ended,
            counts: tally.counts,
            total_weight: tally.weight,
            completed_weight: tally.completed_weight,
            retries: tally.retries,
            rate_per_minute: (rate * 10.0).round() / 10.0,
            eta_seconds,
            created_ms: self.created_ms,
            started_ms: state.started_ms,
            ended_ms: state.ended_ms,
            updated_ms: state.updated_ms,
        }
    }
}

/// How many jobs end in a minute, and in how many seconds it will be over.
fn speed(state: &State, tally: &Tally, now: Instant) -> (f64, Option<u64>) {
    if let Some(ended_ms) = state.ended_ms {
        let life_ms = ended_ms.saturating_sub(state.started_ms.unwrap_or(ended_ms));
        let count = tally.total - state.ended_before.min(tally.total);
        return (pace::per_minute(count, Duration::from_millis(life_ms)), Some(0));
    }
    let Some(pace) = &state.pace else { return (0.0, None) };
    let left = tally.weight - tally.done_weight;
    (pace.ends_per_minute(now), pace.seconds_left(now, tally.done_weight, left))
}
