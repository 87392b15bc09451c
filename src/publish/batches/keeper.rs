//! What all handles on the batches share: they hear of every change of a job, and tell of their own ones.
//!
//! What a job's change means is worked out where it is told, on the thread that writes records, and takes a
//! moment. A thread of the batches' own tells their watchers: of each batch at most once in a while, and of
//! its end at once.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::Limits;
use super::batch::{Batch, Effect, Now, State};
use super::record::{self, KIND, STATE_KIND};
use super::table::{Index, Keep, Table};
use crate::clock::Clock;
use crate::event::batch_update::BatchUpdate;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::{Identifier, Topic};
use crate::event::{EventKey, EventName, NewEvent};
use crate::publish::Publisher;
use crate::publish::alarms::Alarms;
use crate::publish::jobs::Jobs;
use crate::publish::queues::Queues;
use crate::shutdown::Shutdown;
use crate::store::records::{Certainty, Record, Records};

/// How often batches that are too old are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// When a batch is told again that could not be told because the dispatchers are behind.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// More than any job's revision has been, so that nobody who comes back has seen the batch's last one.
const BEYOND: u64 = 1 << 32;

/// What all handles share.
#[derive(Debug)]
pub(super) struct Shared {
    pub jobs: Jobs,
    pub queues: Queues,
    pub publisher: Publisher,
    pub records: Records,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub update_name: EventName,
    /// Held while a batch is made: of two requests with one key the second finds what the first has made.
    pub making: Mutex<()>,
    pub table: Mutex<Table>,
    pub index: RwLock<Index>,
    pub alarms: Alarms,
    pub stop: Shutdown,
    pub thread: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    /// Goes on with the batches of an earlier process.
    pub fn load(&self, records: &[Record]) {
        for found in record::read(records) {
            let batch = Arc::new(Batch {
                number: self.table.lock().take_number(),
                id: found.id,
                title: found.title,
                created_ms: found.created_ms,
                request_digest: found.request_digest,
                size: found.state.members.len(),
                state: Mutex::new(found.state),
            });
            if batch.state.lock().ended_ms.is_none() {
                self.register(&batch);
                self.take_up(&batch);
            }
            self.table.lock().add(batch.clone());
            self.begin(&batch);
        }
        self.sort_ended();
    }

    fn sort_ended(&self) {
        let mut table = self.table.lock();
        let ended_ms = |batch: &Arc<Batch>| {
            let state = batch.state.lock();
            // Of the end of those that have only just ended their watchers are still to be told.
            let ended_ms = state.ended_ms.filter(|_| !state.is_dirty)?;
            Some((ended_ms, batch.number))
        };
        let batches = table.before(None, usize::MAX);
        let mut ended: Vec<_> = batches.iter().filter_map(ended_ms).collect();
        ended.sort_unstable();
        for (at_ms, number) in ended {
            table.note_ended(number, at_ms);
        }
    }

    /// Has the changes of a batch's jobs told to it.
    pub fn register(&self, batch: &Arc<Batch>) {
        // In this order, as everywhere.
        let mut index = self.index.write();
        index.add(batch, &batch.state.lock());
    }

    pub fn deregister(&self, batch: &Batch) {
        let mut index = self.index.write();
        index.remove(batch, &batch.state.lock());
    }

    /// Asks the jobs how they are. Changes that are told meanwhile are not undone by that: the newer state
    /// counts.
    fn take_up(&self, batch: &Batch) {
        let open = |state: &State| {
            let members = state.members.iter().enumerate().filter(|(_, member)| !member.is_over);
            members.map(|(index, member)| (index, member.job.clone())).collect::<Vec<_>>()
        };
        let open = open(&batch.state.lock());
        for (index, job) in open {
            let (update, since_ms) = match self.jobs.get(&job) {
                Some(job) => (job.present, job.updated_ms),
                None => (lost(&batch.id, job), 0),
            };
            batch.state.lock().take_up(index, &update, since_ms);
        }
    }

    /// Begins to tell of a batch that is in the table.
    pub fn begin(&self, batch: &Batch) {
        let mut state = batch.state.lock();
        state.settle(self.clock.now());
        if state.is_dirty {
            self.alarms.set(self.clock.now(), batch.number);
        }
    }

    pub fn now(&self) -> Now {
        Now { steady: self.clock.now(), unix_ms: self.clock.unix_ms() }
    }

    /// A job has changed.
    pub fn note(&self, update: &JobUpdate) {
        let places = self.index.read().of(&update.job_id);
        for (batch, place) in places {
            let mut state = batch.state.lock();
            let was_dirty = state.is_dirty;
            let now = self.now();
            let effect = state.change(place, update, now);
            if effect == Effect::Begun {
                self.save_state(&batch, &mut state, Certainty::Process);
            }
            let pause_ends = state.told_at.map(|told| told + self.limits.report_pause);
            match effect {
                Effect::Ended => self.alarms.set(now.steady, batch.number),
                Effect::News | Effect::Begun if !was_dirty => {
                    self.alarms.set(pause_ends.unwrap_or(now.steady), batch.number);
                }
                _ => {}
            }
        }
    }

    /// A job is let go of: what it came to is kept where it counts.
    pub fn inherit(&self, last: &JobUpdate) {
        self.note(last);
        let places = self.index.read().of(&last.job_id);
        for (batch, _) in places {
            let mut state = batch.state.lock();
            if state.has_unsaved_ends {
                self.save_state(&batch, &mut state, Certainty::Process);
            }
        }
    }

    pub fn save(&self, batch: &Batch) {
        let mut state = batch.state.lock();
        self.records.put(KIND, &batch.id, record::write(batch, &state), Certainty::Power, None);
        if state.started_ms.is_some() || state.has_unsaved_ends {
            self.save_state(batch, &mut state, Certainty::Power);
        }
    }

    fn save_state(&self, batch: &Batch, state: &mut State, certainty: Certainty) {
        state.has_unsaved_ends = false;
        self.records.put(STATE_KIND, &batch.id, record::write_state(state), certainty, None);
    }

    /// Takes a batch's records away.
    pub fn forget(&self, batch: &Batch) {
        self.records.remove(KIND, &batch.id);
        self.records.remove(STATE_KIND, &batch.id);
    }

    /// Does what is due.
    pub fn tick(&self) {
        for number in self.alarms.take_due(self.clock.now()) {
            let batch = self.table.lock().numbered(number).cloned();
            if let Some(batch) = batch {
                self.tell(&batch);
            }
        }
        self.let_go(0);
    }

    /// Tells a batch's watchers how it is, if that is due.
    fn tell(&self, batch: &Batch) {
        let mut state = batch.state.lock();
        let now = self.clock.now();
        if !state.is_due(now, self.limits.report_pause) {
            return;
        }
        if !self.show(&batch.roll_up(&state, now)) {
            self.alarms.set(now + RETRY_PAUSE, batch.number);
            return;
        }
        state.is_dirty = false;
        // What nobody hears does not keep the next watcher waiting.
        if self.publisher.is_heard(&Topic::batch(batch.id.clone())) {
            state.told_at = Some(now);
        }
        if let Some(ended_ms) = state.ended_ms {
            self.save_state(batch, &mut state, Certainty::Process);
            drop(state);
            // Nothing can change any more.
            self.deregister(batch);
            self.table.lock().note_ended(batch.number, ended_ms);
        }
    }

    #[cfg(test)]
    pub fn is_due(&self, batch: &Batch) -> bool {
        batch.state.lock().is_due(self.clock.now(), self.limits.report_pause)
    }

    /// Shows a roll-up to those who watch; false if it could not be shown now.
    fn show(&self, update: &BatchUpdate) -> bool {
        let topic = Topic::batch(update.batch_id.clone());
        if !self.publisher.is_heard(&topic) {
            return true;
        }
        let Ok(data) = update.encode() else { return true };
        let event = NewEvent {
            key: Some(EventKey::new(update.batch_id.as_str())),
            terminal: update.is_terminal(),
            ..NewEvent::new(topic, self.update_name.clone(), data)
        };
        self.publisher.show(event).is_ok()
    }

    /// Lets go of ended batches that are too old or too many, and of as many more as a new one with so many
    /// jobs needs.
    pub fn let_go(&self, new_jobs: usize) {
        let age_ms = self.limits.ended_age.as_millis() as u64;
        let since_ms = if age_ms == 0 { 0 } else { self.clock.unix_ms().saturating_sub(age_ms) };
        // 0 is no limit, and so cannot stand for none left.
        let max_jobs = match self.limits.max_jobs_in_all {
            0 => 0,
            most => most.saturating_sub(new_jobs).max(1),
        };
        let keep = Keep { since_ms, max_ended: self.limits.max_ended, max_jobs };
        let expired = self.table.lock().expire(keep);
        for batch in expired {
            self.forget(&batch);
        }
    }
}

/// The last state of a job that is gone. Its end is always written before it is let go of, so only its own
/// record can have broken.
fn lost(batch: &Identifier, job: Identifier) -> JobUpdate {
    log::error!(batch:% = batch, job:% = job; "a batch's job is gone; it counts as failed");
    JobUpdate { revision: BEYOND, status: JobStatus::Failed, ..JobUpdate::pending(job, 0) }
}

/// Starts the thread that tells of batches; it ends when it is told to, or when nobody has them any more.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let batches = Arc::downgrade(shared);
    std::thread::Builder::new().name("batches".into()).spawn(move || run(&batches))
}

fn run(batches: &Weak<Shared>) {
    while let Some(batches) = batches.upgrade() {
        batches.tick();
        if batches.stop.is_triggered() {
            return;
        }
        let now = batches.clock.now();
        batches.alarms.sleep(now, SWEEP_PAUSE, || batches.stop.is_triggered());
    }
}
