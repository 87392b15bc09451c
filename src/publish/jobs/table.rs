//! The jobs there are: by id, in the order of their making, and which have ended.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::job::Job;
use crate::event::job_update::JobUpdate;
use crate::event::topic::Identifier;

/// A job's place in the table; it stays what it is while the job changes.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its place in the order of making.
    pub number: u64,
    pub id: Identifier,
    /// What its record takes, in bytes.
    pub weight: AtomicUsize,
    pub kept: Mutex<Kept>,
}

/// A job and what was told of it.
#[derive(Debug)]
pub(super) struct Kept {
    pub job: Job,
    /// What its watchers know: the latest state that a crash would not take back. None while the job
    /// itself is on its way to the disk.
    pub shown: Option<JobUpdate>,
    /// When something was heard of it.
    pub heard_at: Instant,
    /// It is not in the table any more: nothing is written of it.
    pub is_forgotten: bool,
}

/// The jobs there are.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_id: HashMap<Identifier, Arc<Slot>>,
    by_number: BTreeMap<u64, Arc<Slot>>,
    next_number: u64,
    /// Those that have ended, the first ended first, by number and when in milliseconds since 1970.
    ended: VecDeque<(u64, u64)>,
}

impl Table {
    pub fn find(&self, id: &Identifier) -> Option<&Arc<Slot>> {
        self.by_id.get(id)
    }

    pub fn numbered(&self, number: u64) -> Option<&Arc<Slot>> {
        self.by_number.get(&number)
    }

    /// How many have not ended.
    pub fn open_count(&self) -> usize {
        self.by_number.len() - self.ended.len()
    }

    /// Takes in a job whose id is not there yet.
    pub fn add(&mut self, job: Job, shown: Option<JobUpdate>, now: Instant) -> Arc<Slot> {
        let number = self.next_number;
        self.next_number += 1;
        let id = job.present.job_id.clone();
        let kept = Mutex::new(Kept { job, shown, heard_at: now, is_forgotten: false });
        let slot = Arc::new(Slot { number, id: id.clone(), weight: AtomicUsize::new(0), kept });
        self.by_id.insert(id, slot.clone());
        self.by_number.insert(number, slot.clone());
        slot
    }

    /// Notes that a job has ended.
    pub fn note_ended(&mut self, number: u64, at_ms: u64) {
        if self.by_number.contains_key(&number) {
            self.ended.push_back((number, at_ms));
        }
    }

    /// Takes a job out, if it is this one.
    pub fn remove(&mut self, number: u64) -> Option<Arc<Slot>> {
        let slot = self.by_number.remove(&number)?;
        self.by_id.remove(&slot.id);
        self.ended.retain(|(ended, _)| *ended != number);
        Some(slot)
    }

    /// Takes out those that ended before this time, and the first of those that are too many or must make
    /// room for so many bytes; at most a thousand at once, so that nobody waits long for the table.
    pub fn expire(&mut self, before_ms: u64, max_ended: usize, mut bytes: usize) -> Vec<Arc<Slot>> {
        let mut expired = Vec::new();
        while let Some((number, at_ms)) = self.ended.front() {
            let is_too_many = max_ended != 0 && self.ended.len() > max_ended;
            let is_to_go = *at_ms < before_ms || is_too_many || bytes > 0;
            if !is_to_go || expired.len() >= 1_000 {
                break;
            }
            let number = *number;
            self.ended.pop_front();
            if let Some(slot) = self.by_number.remove(&number) {
                self.by_id.remove(&slot.id);
                bytes = bytes.saturating_sub(slot.weight.load(Ordering::Relaxed));
                expired.push(slot);
            }
        }
        expired
    }

    /// The jobs that were made before the one with this number, the newest first, and so many at most.
    pub fn before(&self, number: u64, at_most: usize) -> Vec<Arc<Slot>> {
        let earlier = self.by_number.range(..number).rev();
        earlier.map(|(_, slot)| slot.clone()).take(at_most).collect()
    }
}
