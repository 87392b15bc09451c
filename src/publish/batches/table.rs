//! The batches there are: by id, in the order of their making, which have ended, and which jobs they have.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::batch::{Batch, State};
use crate::event::topic::Identifier;

/// The batches there are.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_id: HashMap<Identifier, Arc<Batch>>,
    by_number: BTreeMap<u64, Arc<Batch>>,
    next_number: u64,
    /// Those that have ended, the first ended first, by number and when in milliseconds since 1970.
    ended: VecDeque<(u64, u64)>,
    /// The jobs of all of them; one that is in two batches counts twice.
    jobs: usize,
}

/// What of the batches that have ended is kept; 0 is no limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    /// Those that ended before go.
    pub since_ms: u64,
    pub max_ended: usize,
    /// The jobs of all batches.
    pub max_jobs: usize,
}

impl Table {
    pub fn find(&self, id: &Identifier) -> Option<&Arc<Batch>> {
        self.by_id.get(id)
    }

    pub fn numbered(&self, number: u64) -> Option<&Arc<Batch>> {
        self.by_number.get(&number)
    }

    /// The next number, which nobody gets again.
    pub fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// How many have not ended, and how many have.
    pub fn counts(&self) -> (usize, usize) {
        (self.by_number.len() - self.ended.len(), self.ended.len())
    }

    /// The jobs of all batches.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    pub fn add(&mut self, batch: Arc<Batch>) {
        self.jobs += batch.size;
        self.by_id.insert(batch.id.clone(), batch.clone());
        self.by_number.insert(batch.number, batch);
    }

    /// Notes that a batch has ended.
    pub fn note_ended(&mut self, number: u64, at_ms: u64) {
        self.ended.push_back((number, at_ms));
    }

    /// Takes out those that are kept no longer.
    pub fn expire(&mut self, keep: Keep) -> Vec<Arc<Batch>> {
        let mut expired = Vec::new();
        while let Some((number, at_ms)) = self.ended.front().copied() {
            let is_beyond = |count: usize, limit: usize| limit != 0 && count > limit;
            let is_too_many = is_beyond(self.ended.len(), keep.max_ended);
            if at_ms >= keep.since_ms && !is_too_many && !is_beyond(self.jobs, keep.max_jobs) {
                break;
            }
            self.ended.pop_front();
            if let Some(batch) = self.by_number.remove(&number) {
                self.by_id.remove(&batch.id);
                self.jobs -= batch.size;
                expired.push(batch);
            }
        }
        expired
    }

    /// The batches that were made before the one with this number, the newest first.
    pub fn before(&self, number: Option<u64>, limit: usize) -> Vec<Arc<Batch>> {
        let range = self.by_number.range(..number.unwrap_or(u64::MAX));
        range.rev().map(|(_, batch)| batch.clone()).take(limit).collect()
    }
}

/// Which batches a job is in, and at which place in each.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Identifier, Vec<(Arc<Batch>, usize)>>);

impl Index {
    /// Notes a batch with the jobs that it has and that have not ended.
    pub fn add(&mut self, batch: &Arc<Batch>, state: &State) {
        for (place, member) in state.members.iter().enumerate().filter(|(_, job)| !job.is_over) {
            self.0.entry(member.job.clone()).or_default().push((batch.clone(), place));
        }
    }

    /// Forgets a batch.
    pub fn remove(&mut self, batch: &Batch, state: &State) {
        for member in &state.members {
            let Some(places) = self.0.get_mut(&member.job) else { continue };
            places.retain(|(other, _)| other.number != batch.number);
            if places.is_empty() {
                self.0.remove(&member.job);
            }
        }
    }

    /// How many jobs it knows.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The batches that a job is in.
    pub fn of(&self, job: &Identifier) -> Vec<(Arc<Batch>, usize)> {
        self.0.get(job).cloned().unwrap_or_default()
    }
}
