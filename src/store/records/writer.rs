//! The tray on which states are put, and the thread that writes them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::super::Sync;
use super::super::figures::COMMIT_BOUNDS;
use super::table::Table;
use super::{Certainty, Figures, Kind, Then, Ticket};
use crate::event::topic::Identifier;
use crate::histogram::{Histogram, micros};

/// How long after a failure the disk is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long what nobody waits for may lie.
const FLUSH: Duration = Duration::from_millis(50);

/// A record's kind and id.
pub(super) type Name = (Kind, Identifier);

/// Where states lie until they are written.
#[derive(Debug)]
pub(super) struct Tray {
    /// States that may lie here before no more are welcome; 0 is no limit.
    max_waiting: usize,
    sync: Sync,
    waiting: AtomicUsize,
    is_failing: AtomicBool,
    failures: AtomicU64,
    commits: Histogram,
    content: Mutex<Content>,
    /// Wakes the writer.
    wake: Condvar,
    /// Wakes those who wait for the disk.
    written: Condvar,
}

/// What lies on the tray.
#[derive(Default)]
struct Content {
    /// Of each record only the last state; none takes it away.
    states: HashMap<Name, Option<String>>,
    thens: Vec<Then>,
    certainty: Option<Certainty>,
    /// Somebody waits.
    is_urgent: bool,
    /// The last ticket that was given, and the last one that is written.
    given: u64,
    settled: u64,
    trouble: Option<String>,
    /// After a failure: when the disk is tried again.
    retry_at: Option<Instant>,
    is_stopping: bool,
    has_ended: bool,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("states", &self.states.len()).finish_non_exhaustive()
    }
}

/// What is written in one go.
struct Batch {
    states: HashMap<Name, Option<String>>,
    thens: Vec<Then>,
    certainty: Certainty,
    /// The last ticket of its states; none if the disk is not to be tried.
    up_to: Option<u64>,
}

impl Tray {
    pub fn new(max_waiting: usize, sync: Sync) -> Self {
        Self {
            max_waiting,
            sync,
            waiting: AtomicUsize::new(0),
            is_failing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            commits: Histogram::new(COMMIT_BOUNDS),
            content: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
        }
    }

    pub fn put(
        &self,
        name: Name,
        text: Option<String>,
        certainty: Certainty,
        then: Option<Then>,
    ) -> Ticket {
        let mut content = self.content.lock();
        content.given += 1;
        let ticket = Ticket(content.given);
        let was_idle = content.states.is_empty();
        content.is_urgent |= then.is_some();
        content.thens.extend(then);
        content.certainty = content.certainty.max(Some(certainty));
        content.states.insert(name, text);
        self.waiting.store(content.thens.len().max(content.states.len()), Ordering::Relaxed);
        if was_idle || content.is_urgent {
            self.wake.notify_one();
        }
        ticket
    }

    pub fn latest(&self) -> Ticket {
        Ticket(self.content.lock().given)
    }

    pub fn has_room(&self) -> bool {
        let is_full =
            self.max_waiting != 0 && self.waiting.load(Ordering::Relaxed) >= self.max_waiting;
        // On a disk that fails each record waits once, and nobody is held back for it.
        !is_full || self.is_failing.load(Ordering::Relaxed)
    }

    pub fn await_written(&self, ticket: Ticket, at_most: Duration) -> Result<(), String> {
        let deadline = (!at_most.is_zero()).then(|| Instant::now() + at_most);
        let mut content = self.content.lock();
        if content.settled < ticket.0 {
            content.is_urgent = true;
            self.wake.notify_one();
        }
        while content.settled < ticket.0 {
            if let Some(trouble) = &content.trouble {
                return Err(format!("the disk does not take it ({trouble})"));
            }
            if content.has_ended {
                return Err("the server is stopping".into());
            }
            // Without a deadline it is looked at now and then all the same.
            let until = deadline.unwrap_or_else(|| Instant::now() + RETRY_PAUSE);
            let is_late = self.written.wait_until(&mut content, until).timed_out();
            if is_late && deadline.is_some() && content.settled < ticket.0 {
                return Err(format!("it was not on disk after {} ms", at_most.as_millis()));
            }
        }
        Ok(())
    }

    pub fn trouble(&self) -> Option<String> {
        self.content.lock().trouble.clone()
    }

    pub fn figures(&self) -> Figures {
        Figures {
            waiting: self.waiting.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            commits: self.commits.read(),
        }
    }

    pub fn note_trouble(&self, trouble: &str) {
        let mut content = self.content.lock();
        content.trouble = Some(trouble.to_owned());
        content.retry_at = Some(Instant::now() + RETRY_PAUSE);
        self.is_failing.store(true, Ordering::Relaxed);
    }

    pub fn stop(&self) {
        self.content.lock().is_stopping = true;
        self.wake.notify_one();
    }

    /// Waits until there is something to write; none when it is time to end.
    fn next_batch(&self) -> Option<Batch> {
        let mut content = self.content.lock();
        if let Some(until) = content.retry_at {
            while !content.is_stopping && content.thens.is_empty() {
                if self.wake.wait_until(&mut content, until).timed_out() {
                    break;
                }
            }
            if !content.is_stopping && Instant::now() < until {
                return Some(Self::take_thens(&mut content));
            }
        } else {
            self.wait_for_work(&mut content);
        }
        let is_idle = content.states.is_empty() && content.thens.is_empty();
        if is_idle && content.is_stopping {
            return None;
        }
        Some(self.take(&mut content))
    }

    fn wait_for_work(&self, content: &mut MutexGuard<'_, Content>) {
        let is_hurried = |content: &Content| content.is_urgent || content.is_stopping;
        while content.states.is_empty() && !is_hurried(content) {
            self.wake.wait(content);
        }
        let until = Instant::now() + FLUSH;
        while !is_hurried(content) {
            if self.wake.wait_until(content, until).timed_out() {
                break;
            }
        }
    }

    /// After a failure what is to be done is done all the same, and at once; the states wait.
    fn take_thens(content: &mut Content) -> Batch {
        let thens = std::mem::take(&mut content.thens);
        Batch { states: HashMap::new(), thens, certainty: Certainty::Process, up_to: None }
    }

    fn take(&self, content: &mut Content) -> Batch {
        self.waiting.store(0, Ordering::Relaxed);
        content.is_urgent = false;
        let wanted = content.certainty.take().unwrap_or(Certainty::Process);
        Batch {
            states: std::mem::take(&mut content.states),
            thens: std::mem::take(&mut content.thens),
            certainty: if self.sync == Sync::Full { wanted } else { Certainty::Process },
            up_to: Some(content.given),
        }
    }

    fn settle(&self, batch: Batch) {
        // Before those who wait are told: what they then look at is there.
        for then in batch.thens {
            then(Ok(()));
        }
        let mut content = self.content.lock();
        content.settled = batch.up_to.unwrap_or(content.settled);
        content.retry_at = None;
        let was_trouble = content.trouble.take().is_some();
        self.is_failing.store(false, Ordering::Relaxed);
        self.written.notify_all();
        drop(content);
        if was_trouble {
            log::info!("the disk takes records again");
        }
    }

    /// Does what is to be done while the disk is not even tried.
    fn go_on(&self, batch: Batch) {
        let trouble = self.trouble().unwrap_or_default();
        for then in batch.thens {
            then(Err(&trouble));
        }
    }

    /// Does what is to be done, and keeps the states for another try. False when it was the last one.
    fn put_back(&self, batch: Batch, trouble: &str) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        for then in batch.thens {
            then(Err(trouble));
        }
        let mut content = self.content.lock();
        for (name, text) in batch.states {
            // A newer state may have come meanwhile.
            content.states.entry(name).or_insert(text);
        }
        self.waiting.store(content.states.len(), Ordering::Relaxed);
        content.certainty = content.certainty.max(Some(batch.certainty));
        content.retry_at = Some(Instant::now() + RETRY_PAUSE);
        let is_new = content.trouble.replace(trouble.to_owned()).as_deref() != Some(trouble);
        self.is_failing.store(true, Ordering::Relaxed);
        self.written.notify_all();
        let is_last_try = content.is_stopping;
        drop(content);
        if is_new {
            log::error!("the disk does not take records: {trouble}; everything else goes on");
        }
        !is_last_try
    }
}

/// Tells those who wait when the thread ends, whatever the reason.
struct Farewell<'a>(&'a Tray);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        let mut content = self.0.content.lock();
        content.has_ended = true;
        if std::thread::panicking() {
            content.trouble = Some("the thread that writes records has failed".into());
        }
        self.0.written.notify_all();
    }
}

/// Writes until told to stop. Without a place, what is put is forgotten.
pub(super) fn run(tray: &Tray, place: Option<(PathBuf, Option<Table>)>) {
    let _farewell = Farewell(tray);
    let Some((path, mut table)) = place else {
        while let Some(batch) = tray.next_batch() {
            tray.settle(batch);
        }
        return;
    };
    while let Some(batch) = tray.next_batch() {
        if batch.up_to.is_none() {
            tray.go_on(batch);
            continue;
        }
        let begun = Instant::now();
        let outcome = match &mut table {
            Some(table) => table.write(batch.states.iter(), batch.certainty),
            None => Table::open(&path).and_then(|opened| {
                table.insert(opened).write(batch.states.iter(), batch.certainty)
            }),
        };
        match outcome {
            Ok(()) => {
                tray.commits.note(micros(begun.elapsed()));
                tray.settle(batch);
            }
            Err(error) => {
                if !tray.put_back(batch, &error.to_string()) {
                    break;
                }
            }
        }
    }
    if let Some(table) = table {
        table.tidy_up();
    }
}
