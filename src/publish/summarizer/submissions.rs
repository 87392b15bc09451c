//! The requests that are open, and those that ended not long ago.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::RwLock;

use super::submission::{Part, Submission};
use crate::event::topic::Identifier;
use crate::store::records::{Certainty, Record, Records};

/// The kind of a submission's record.
const KIND: &str = "submission";

/// Keeps submissions, also over a restart.
#[derive(Debug)]
pub(super) struct Submissions {
    records: Records,
    /// So many items of ended ones are remembered; 0 is no limit.
    max_items: usize,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<Identifier, Arc<Submission>>,
    by_job: HashMap<Identifier, Part>,
    /// Oldest first.
    order: VecDeque<Arc<Submission>>,
    items: usize,
}

impl Submissions {
    /// Goes on with those of an earlier process that are among `found`.
    pub fn open(records: Records, found: &[Record], max_items: usize) -> Self {
        let read = |record: &Record| {
            let read = Submission::read(record.id.clone(), &record.text);
            read.map_err(|e| log::error!("the record of submission {} is broken: {e}", record.id))
        };
        let found = found.iter().filter(|record| record.kind == KIND);
        let mut found: Vec<_> = found.filter_map(|record| read(record).ok()).collect();
        found.sort_by_key(|submission| submission.what.created_ms);
        let mut table = Table::default();
        for submission in found {
            table.add(Arc::new(submission));
        }
        Self { records, max_items, table: RwLock::new(table) }
    }

    /// Keeps one more; the oldest ended ones may have to go. Fails if one of its jobs is another's already.
    pub fn add(&self, submission: Arc<Submission>) -> Result<(), Identifier> {
        let mut table = self.table.write();
        if let Some(taken) = table.taken(&submission) {
            return Err(taken);
        }
        self.save(&submission);
        table.add(submission);
        for forgotten in table.forget_oldest(self.max_items) {
            self.records.remove(KIND, &forgotten);
        }
        Ok(())
    }

    /// Takes one back that could not be begun.
    pub fn remove(&self, id: &Identifier) {
        self.table.write().remove(id);
        self.records.remove(KIND, id);
    }

    /// Notes that its last event was published.
    pub fn close(&self, submission: &Submission) {
        submission.close();
        self.save(submission);
    }

    fn save(&self, submission: &Submission) {
        let text = submission.write();
        self.records.put(KIND, &submission.id, text, Certainty::Process, None);
    }

    /// The submission of a session, by its batch.
    pub fn find(&self, session: &Identifier, id: &Identifier) -> Option<Arc<Submission>> {
        let found = self.table.read().by_id.get(id).cloned();
        found.filter(|submission| submission.session == *session)
    }

    /// Whether there is such a submission.
    pub fn has(&self, id: &Identifier) -> bool {
        self.table.read().by_id.contains_key(id)
    }

    /// The item that a job is for.
    pub fn of_job(&self, job: &Identifier) -> Option<Part> {
        self.table.read().by_job.get(job).cloned()
    }

    /// The session's, newest first, so many at most.
    pub fn of_session(&self, session: &Identifier, at_most: usize) -> Vec<Arc<Submission>> {
        let table = self.table.read();
        let mine = table.order.iter().rev().filter(|submission| submission.session == *session);
        mine.take(at_most).cloned().collect()
    }

    /// Those whose last event was not published.
    pub fn open_ones(&self) -> Vec<Arc<Submission>> {
        let table = self.table.read();
        table.order.iter().filter(|submission| !submission.is_closed()).cloned().collect()
    }
}

impl Table {
    /// A job of a submission that is another's.
    fn taken(&self, submission: &Submission) -> Option<Identifier> {
        let mut jobs = submission.what.items.iter().map(|item| &item.id);
        jobs.find(|id| self.by_job.contains_key(*id)).cloned()
    }

    fn add(&mut self, submission: Arc<Submission>) {
        for (index, item) in submission.what.items.iter().enumerate() {
            let part = Part { submission: submission.clone(), index };
            self.by_job.insert(item.id.clone(), part);
        }
        self.items += submission.what.items.len();
        self.by_id.insert(submission.id.clone(), submission.clone());
        self.order.push_back(submission);
    }

    fn remove(&mut self, id: &Identifier) {
        let Some(submission) = self.by_id.remove(id) else { return };
        self.items -= submission.what.items.len();
        for item in &submission.what.items {
            self.by_job.remove(&item.id);
        }
        self.order.retain(|other| other.id != *id);
    }

    /// Forgets the oldest that have ended, until no more items are left than may; 0: all may.
    fn forget_oldest(&mut self, max_items: usize) -> HashSet<Identifier> {
        let mut forgotten = HashSet::new();
        let mut items = self.items;
        for submission in &self.order {
            if max_items == 0 || items <= max_items {
                break;
            }
            if submission.is_closed() {
                items -= submission.what.items.len();
                forgotten.insert(submission.id.clone());
            }
        }
        for id in &forgotten {
            self.remove(id);
        }
        forgotten
    }
}
