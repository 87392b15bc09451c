//! One queue: its line, its workers, and what is told of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use super::board::{QueueReport, WorkerReport};
use super::config::{ProcessorChoice, QueueConfig};
use super::figures::{Ended, Times};
use super::line::{Line, Next, Standing};
use crate::clock::Clock;
use crate::event::job_update::JobStatus;
use crate::event::topic::Identifier;

/// How long a sleeping worker sleeps at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a worker outside that has no job is still listed after it asked for one.
const WORKER_MEMORY: Duration = Duration::from_secs(120);

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub config: QueueConfig,
    clock: Arc<dyn Clock>,
    times: Arc<Times>,
    state: Mutex<State>,
    /// Wakes who waits for a job.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    line: Line,
    totals: Totals,
    /// What of the totals is of this process's time.
    ended: Ended,
    workers: BTreeMap<Identifier, Worker>,
    /// Something changed since it was last told.
    is_dirty: bool,
    is_stopped: bool,
}

/// What a queue keeps in its own record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub is_paused: bool,
    pub completed: u64,
    pub failed: u64,
    /// Jobs that ended after this are not counted yet: milliseconds since 1970.
    #[serde(default)]
    pub as_of_ms: u64,
}

impl Totals {
    fn count(&mut self, status: JobStatus) {
        self.completed += u64::from(status == JobStatus::Completed);
        self.failed += u64::from(status == JobStatus::Failed);
    }
}

/// Somebody who does jobs.
#[derive(Debug)]
struct Worker {
    concurrency: usize,
    current: Vec<Identifier>,
    /// Outside: when it was last heard of.
    seen_at: Option<Instant>,
    is_dirty: bool,
}

/// What was not told yet.
pub(super) struct News {
    pub queue: QueueReport,
    pub workers: Vec<WorkerReport>,
    pub totals: Totals,
}

impl Queue {
    pub fn new(
        config: QueueConfig,
        totals: Totals,
        times: Arc<Times>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let line = Line::new(config.rate_limit, totals.is_paused);
        let mut workers = BTreeMap::new();
        if config.processor != ProcessorChoice::Outside {
            let worker = Worker {
                concurrency: config.concurrency,
                current: Vec::new(),
                seen_at: None,
                is_dirty: false,
            };
            workers.insert(own_worker(&config.name), worker);
        }
        let ended = Ended::default();
        let state = State { line, totals, ended, workers, is_dirty: false, is_stopped: false };
        Self { config, clock, times, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Promises places to so many jobs; false if there is no room.
    pub fn promise(&self, jobs: usize) -> bool {
        self.state.lock().line.promise(jobs, self.config.max_waiting_jobs)
    }

    /// Takes promises back.
    pub fn release(&self, jobs: usize) {
        self.state.lock().line.release(jobs);
    }

    /// Puts jobs in their places: id, priority, and when they may begin in milliseconds since 1970.
    pub fn put(&self, jobs: impl IntoIterator<Item = (Identifier, u32, u64)>) {
        let (now, now_ms) = (self.clock.now(), self.clock.unix_ms());
        let mut state = self.state.lock();
        let mut count = 0;
        for (id, priority, due_ms) in jobs {
            self.times.note_worked(state.line.worked(&id, now));
            state.let_go_of(&id);
            state.line.put(id, priority, super::line::steady(due_ms, now, now_ms), now);
            count += 1;
        }
        state.is_dirty = true;
        drop(state);
        match count {
            1 => drop(self.changed.notify_one()),
            _ => drop(self.changed.notify_all()),
        }
    }

    /// Takes back a job that somebody outside has, after a restart.
    pub fn put_active(&self, id: &Identifier, worker: &Identifier) {
        let mut state = self.state.lock();
        state.line.put_active(id.clone());
        state.take_on(id, worker, Some(self.clock.now()));
        state.is_dirty = true;
    }

    /// A job has ended.
    pub fn finish(&self, id: &Identifier, status: JobStatus) {
        let mut state = self.state.lock();
        self.times.note_worked(state.line.worked(id, self.clock.now()));
        state.let_go_of(id);
        let was_there = state.line.take_out(id);
        if was_there {
            state.totals.count(status);
            state.ended.completed += u64::from(status == JobStatus::Completed);
            state.ended.failed += u64::from(status == JobStatus::Failed);
        }
        state.is_dirty = true;
    }

    /// Somebody who did not ask for a job has begun it all the same.
    pub fn take_elsewhere(&self, id: &Identifier) {
        let mut state = self.state.lock();
        if !state.line.is_active(id) && state.line.take_out(id) {
            state.line.put_active(id.clone());
            state.is_dirty = true;
        }
    }

    /// Nobody wants a job any more: whoever does it is told so; otherwise it leaves the line.
    pub fn cancel(&self, id: &Identifier) {
        let mut state = self.state.lock();
        if state.is_taken_on(id) {
            state.line.cancel(id);
        } else {
            // Whoever does it elsewhere does not say when it has left off.
            state.line.take_out(id);
        }
        state.is_dirty = true;
    }

    /// The next job for this worker. Waits for one, at most until `deadline` (`None`: until the queue is
    /// stopped).
    pub fn next(
        &self,
        worker: &Identifier,
        is_outside: bool,
        deadline: Option<Instant>,
    ) -> Option<(Identifier, Arc<AtomicBool>)> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            let now = self.clock.now();
            match state.line.next(now) {
                Next::Job(id, unwanted, waited) => {
                    self.times.note_waited(waited);
                    state.take_on(&id, worker, is_outside.then_some(now));
                    state.is_dirty = true;
                    return Some((id, unwanted));
                }
                Next::NotBefore(at) => {
                    let until = [at, deadline].into_iter().flatten().min();
                    if deadline.is_some_and(|deadline| deadline <= now) {
                        return None;
                    }
                    let wait = until.map_or(LOOK_AGAIN, |at| at.saturating_duration_since(now));
                    self.changed.wait_for(&mut state, wait.min(LOOK_AGAIN));
                }
            }
        }
    }

    /// Notes a worker outside that asks for jobs.
    pub fn greet(&self, worker: &Identifier) {
        let mut state = self.state.lock();
        let now = self.clock.now();
        let known = state.workers.entry(worker.clone()).or_insert_with(|| Worker {
            concurrency: 1,
            current: Vec::new(),
            seen_at: None,
            is_dirty: true,
        });
        known.seen_at = Some(now);
    }

    /// Counts a job that ended after the totals were written, in a process that has crashed since.
    pub fn count_ended(&self, status: JobStatus, at_ms: u64) {
        let mut state = self.state.lock();
        if at_ms > state.totals.as_of_ms {
            state.totals.count(status);
            state.is_dirty = true;
        }
    }

    /// Lets no job begin, or lets them again.
    pub fn pause(&self, is_paused: bool) -> Totals {
        let mut state = self.state.lock();
        state.line.pause(is_paused);
        state.totals.is_paused = is_paused;
        state.is_dirty = true;
        state.workers.values_mut().for_each(|worker| worker.is_dirty = true);
        let totals = Totals { as_of_ms: self.clock.unix_ms(), ..state.totals };
        drop(state);
        self.changed.notify_all();
        totals
    }

    /// Lets nobody have another job.
    pub fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// How it is, and what has ended in this process's time.
    pub fn figures(&self) -> (QueueReport, Ended) {
        let mut state = self.state.lock();
        (self.describe(&mut state), state.ended)
    }

    /// How the queue is.
    pub fn report(&self) -> QueueReport {
        self.watch(Clone::clone)
    }

    /// Looks at how the queue is and does something in the same moment: what it does comes before every
    /// later news.
    pub fn watch<T>(&self, look: impl FnOnce(&QueueReport) -> T) -> T {
        let mut state = self.state.lock();
        let report = self.describe(&mut state);
        look(&report)
    }

    /// Whether a worker of this name works for the queue.
    pub fn knows(&self, worker: &Identifier) -> bool {
        self.state.lock().workers.contains_key(worker)
    }

    /// The same as [`Self::watch`] for a worker; nothing is shown if it is not known.
    pub fn watch_worker<T>(
        &self,
        worker: &Identifier,
        look: impl FnOnce(Option<&WorkerReport>) -> T,
    ) -> T {
        let state = self.state.lock();
        let known = state.workers.get(worker);
        look(known.map(|known| self.describe_worker(&state, worker, known)).as_ref())
    }

    /// How its workers are.
    pub fn workers(&self) -> Vec<WorkerReport> {
        let state = self.state.lock();
        let workers = state.workers.iter();
        workers.map(|(id, worker)| self.describe_worker(&state, id, worker)).collect()
    }

    /// Tells what has changed since this was asked last, in the moment that it is so; false from `tell` means
    /// that it could not be told.
    pub fn tell_news(&self, tell: impl FnOnce(&News) -> bool) {
        let mut state = self.state.lock();
        let now = self.clock.now();
        state.workers.retain(|_, worker| {
            let is_gone = |seen: Instant| now.saturating_duration_since(seen) > WORKER_MEMORY;
            !worker.current.is_empty() || !worker.seen_at.is_some_and(is_gone)
        });
        // A delayed job may have come to its time without anyone touching it.
        let queue = self.describe(&mut state);
        if !state.is_dirty && state.workers.values().all(|worker| !worker.is_dirty) {
            return;
        }
        let dirty = state.workers.iter().filter(|(_, worker)| worker.is_dirty);
        let workers = dirty.map(|(id, worker)| self.describe_worker(&state, id, worker)).collect();
        let news = News {
            queue,
            workers,
            totals: Totals { as_of_ms: self.clock.unix_ms(), ..state.totals },
        };
        if tell(&news) {
            state.is_dirty = false;
            state.workers.values_mut().for_each(|worker| worker.is_dirty = false);
        }
    }

    fn describe(&self, state: &mut State) -> QueueReport {
        let before = state.line.delayed_count();
        let Standing { waiting, delayed, active } = state.line.standing(self.clock.now());
        state.is_dirty |= before != delayed;
        QueueReport {
            queue_name: self.config.name.clone(),
            waiting,
            active,
            completed: state.totals.completed,
            failed: state.totals.failed,
            delayed,
            paused: state.line.is_paused(),
        }
    }

    fn describe_worker(&self, state: &State, id: &Identifier, worker: &Worker) -> WorkerReport {
        let status = match worker.current.is_empty() {
            false => "active",
            true if state.line.is_paused() => "paused",
            true => "idle",
        };
        WorkerReport {
            worker_id: id.clone(),
            queue_name: self.config.name.clone(),
            status,
            current_job: worker.current.last().cloned(),
            concurrency: worker.concurrency,
            is_outside: worker.seen_at.is_some(),
        }
    }
}

impl State {
    fn take_on(&mut self, id: &Identifier, worker: &Identifier, seen_at: Option<Instant>) {
        let worker = self.workers.entry(worker.clone()).or_insert_with(|| Worker {
            concurrency: 1,
            current: Vec::new(),
            seen_at,
            is_dirty: true,
        });
        worker.current.push(id.clone());
        worker.concurrency = worker.concurrency.max(worker.current.len());
        worker.is_dirty = true;
        if seen_at.is_some() {
            worker.seen_at = seen_at;
        }
    }

    fn is_taken_on(&self, id: &Identifier) -> bool {
        self.workers.values().any(|worker| worker.current.contains(id))
    }

    fn let_go_of(&mut self, id: &Identifier) {
        for worker in self.workers.values_mut() {
            if let Some(index) = worker.current.iter().position(|current| current == id) {
                worker.current.remove(index);
                worker.is_dirty = true;
                return;
            }
        }
    }
}

/// What this process's own worker of a queue is called.
pub(super) fn own_worker(queue: &Identifier) -> Identifier {
    let name: String = queue.as_str().chars().take(120).collect();
    // A valid id and three characters more that an id may have.
    format!("{name}-1").parse().unwrap_or_else(|_| queue.clone())
}
