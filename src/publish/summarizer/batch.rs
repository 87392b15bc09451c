//! What one request became: its items and how far they are.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use uuid::Uuid;

use super::request::{Draft, Input};
use crate::event::topic::Identifier;

/// One request's items. What it is stands first; how far it is lies behind the lock.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) id: Identifier,
    pub(super) session: Identifier,
    pub(super) created_ms: u64,
    /// Held while a worker reports on the batch, so that its events come in the order of what they
    /// tell, whichever workers tell it. Never taken while `state` is held.
    pub(super) turn: Mutex<()>,
    cancelled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    items: Vec<Item>,
    /// Its first event has been published, or is about to be.
    begun: bool,
    /// Its last event has been published, or is about to be.
    closed: bool,
}

#[derive(Debug)]
struct Item {
    id: Identifier,
    title: String,
    status: ItemStatus,
    error: Option<String>,
    /// Until a worker takes it or it is cancelled.
    input: Option<Input>,
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemStatus {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Processing,
    /// Its summary is there.
    Completed,
    /// There will be no summary; its error says why.
    Failed,
    /// There will be no summary; it was not wanted any more.
    Cancelled,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatus {
    /// No item was begun.
    Queued,
    /// Some items are not ended.
    Processing,
    /// All items are ended, some may have failed.
    Completed,
    /// All items are ended, some because the batch was cancelled.
    Cancelled,
}

/// An item as its session may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemReport {
    /// Names the item, and its summary once there is one.
    pub id: Identifier,
    /// What to call it.
    pub title: String,
    /// How far it is.
    pub status: ItemStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A batch as its session may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchReport {
    /// Names the batch.
    #[serde(rename = "batch_id")]
    pub id: Identifier,
    /// How far it is.
    pub status: BatchStatus,
    /// When it was asked for: milliseconds since 1970-01-01 UTC.
    #[serde(skip)]
    pub created_ms: u64,
    /// How many items are ended, in whatever way.
    pub progress: usize,
    /// How many items there are.
    pub total: usize,
    /// How many have their summary.
    pub completed: usize,
    /// How many failed.
    pub failed: usize,
    /// The items, in the order of the request.
    pub items: Vec<ItemReport>,
}

impl Batch {
    pub(super) fn new(session: Identifier, created_ms: u64, drafts: Vec<Draft>) -> Self {
        let item = |draft: Draft| Item {
            id: Uuid::new_v4().into(),
            title: draft.title,
            status: ItemStatus::Queued,
            error: None,
            input: Some(draft.input),
        };
        let items = drafts.into_iter().map(item).collect();
        Self {
            id: Uuid::new_v4().into(),
            session,
            created_ms,
            turn: Mutex::default(),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State { items, begun: false, closed: false }),
        }
    }

    pub(super) fn report(&self) -> BatchReport {
        let state = self.state.lock();
        let item = |item: &Item| ItemReport {
            id: item.id.clone(),
            title: item.title.clone(),
            status: item.status,
            error: item.error.clone(),
        };
        BatchReport {
            id: self.id.clone(),
            status: state.status(),
            created_ms: self.created_ms,
            progress: state.ended(),
            total: state.items.len(),
            completed: state.count(ItemStatus::Completed),
            failed: state.count(ItemStatus::Failed),
            items: state.items.iter().map(item).collect(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let state = self.state.lock();
        Counts {
            ended: state.ended(),
            total: state.items.len(),
            completed: state.count(ItemStatus::Completed),
            failed: state.count(ItemStatus::Failed),
        }
    }

    /// Whether its items are no longer wanted.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Gives a worker what an item is made from; nothing if it is no longer wanted.
    pub(super) fn begin(&self, index: usize) -> Option<Begun> {
        let mut state = self.state.lock();
        let item = state.items.get_mut(index)?;
        let input = item.input.take()?;
        item.status = ItemStatus::Processing;
        let (id, title) = (item.id.clone(), item.title.clone());
        let first = !std::mem::replace(&mut state.begun, true);
        Some(Begun { id, title, input, first })
    }

    /// Notes how an item ended.
    pub(super) fn end(&self, index: usize, status: ItemStatus, error: Option<String>) {
        if let Some(item) = self.state.lock().items.get_mut(index) {
            (item.status, item.error) = (status, error);
        }
    }

    /// Ends what waits and asks workers to leave off. Returns the bytes of transcripts that no longer
    /// wait, or nothing if the batch had ended by itself.
    pub(super) fn cancel(&self) -> Option<usize> {
        let mut state = self.state.lock();
        if state.status() == BatchStatus::Completed {
            return None;
        }
        self.cancelled.store(true, Ordering::Relaxed);
        let mut bytes = 0;
        for item in &mut state.items {
            if let Some(input) = item.input.take() {
                item.status = ItemStatus::Cancelled;
                bytes += input.body.len();
            }
        }
        Some(bytes)
    }

    /// How the batch ended, once: for the one who then publishes its last event.
    pub(super) fn close(&self) -> Option<BatchStatus> {
        let mut state = self.state.lock();
        let ended = state.ended() == state.items.len();
        (ended && !std::mem::replace(&mut state.closed, true)).then(|| state.status())
    }

    fn is_ended(&self) -> bool {
        let state = self.state.lock();
        state.ended() == state.items.len()
    }

    fn len(&self) -> usize {
        self.state.lock().items.len()
    }
}

/// How many of a batch's items are where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) ended: usize,
    pub(super) total: usize,
    pub(super) completed: usize,
    pub(super) failed: usize,
}

/// An item that a worker has begun.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) id: Identifier,
    pub(super) title: String,
    pub(super) input: Input,
    /// It is the first of its batch.
    pub(super) first: bool,
}

impl State {
    fn count(&self, status: ItemStatus) -> usize {
        self.items.iter().filter(|item| item.status == status).count()
    }

    fn ended(&self) -> usize {
        self.items.len() - self.count(ItemStatus::Queued) - self.count(ItemStatus::Processing)
    }

    fn status(&self) -> BatchStatus {
        if self.count(ItemStatus::Queued) == self.items.len() {
            BatchStatus::Queued
        } else if self.ended() < self.items.len() {
            BatchStatus::Processing
        } else if self.count(ItemStatus::Cancelled) > 0 {
            BatchStatus::Cancelled
        } else {
            BatchStatus::Completed
        }
    }
}

/// The batches that are open, and those that ended not long ago.
#[derive(Debug)]
pub(super) struct Batches {
    by_id: HashMap<Identifier, Arc<Batch>>,
    /// Oldest first.
    order: VecDeque<Identifier>,
    items: usize,
    max_items: usize,
}

impl Batches {
    /// Remembers batches with so many items in all, and open ones always; 0 is no limit. How many can
    /// be open is bounded by the queue.
    pub(super) fn new(max_items: usize) -> Self {
        Self { by_id: HashMap::new(), order: VecDeque::new(), items: 0, max_items }
    }

    pub(super) fn add(&mut self, batch: Arc<Batch>) {
        self.items += batch.len();
        self.order.push_back(batch.id.clone());
        self.by_id.insert(batch.id.clone(), batch);
        self.forget_oldest();
    }

    pub(super) fn find(&self, session: &Identifier, id: &str) -> Option<Arc<Batch>> {
        let batch = self.by_id.get(&id.parse::<Identifier>().ok()?)?;
        (batch.session == *session).then(|| batch.clone())
    }

    pub(super) fn all(&self) -> Vec<Arc<Batch>> {
        self.by_id.values().cloned().collect()
    }

    fn forget_oldest(&mut self) {
        let mut at = 0;
        while self.max_items != 0 && self.items > self.max_items && at < self.order.len() {
            let ended = |id: &Identifier| self.by_id.get(id).is_none_or(|batch| batch.is_ended());
            if !ended(&self.order[at]) {
                at += 1;
            } else if let Some(id) = self.order.remove(at)
                && let Some(batch) = self.by_id.remove(&id)
            {
                self.items -= batch.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::summarizer::transcript::Format;

    fn batch(items: usize) -> Arc<Batch> {
        let input = || Input { format: Format::Text, body: "Hello.".into() };
        let drafts = (0..items).map(|_| Draft { title: "T".into(), input: input() }).collect();
        Arc::new(Batch::new("me".parse().unwrap(), 0, drafts))
    }

    fn ended(items: usize) -> Arc<Batch> {
        let batch = batch(items);
        (0..items).for_each(|index| end(&batch, index, ItemStatus::Completed));
        batch
    }

    fn end(batch: &Batch, index: usize, status: ItemStatus) {
        batch.begin(index).unwrap();
        batch.end(index, status, None);
    }

    #[test]
    fn a_batch_goes_from_queued_to_completed() {
        let batch = batch(2);
        assert_eq!(batch.report().status, BatchStatus::Queued);
        assert!(batch.begin(0).unwrap().first);
        assert_eq!(batch.report().status, BatchStatus::Processing);
        batch.end(0, ItemStatus::Failed, Some("why".into()));
        assert_eq!(batch.close(), None);
        end(&batch, 1, ItemStatus::Completed);
        let report = batch.report();
        assert_eq!((report.progress, report.completed, report.failed), (2, 1, 1));
        assert_eq!(batch.close(), Some(BatchStatus::Completed));
        assert_eq!(batch.close(), None, "only once");
        assert_eq!(batch.cancel(), None, "too late");
    }

    #[test]
    fn cancelling_ends_what_waits_and_asks_the_rest_to_leave_off() {
        let batch = batch(3);
        batch.begin(0).unwrap();
        assert_eq!(batch.cancel(), Some(12), "two transcripts of six bytes");
        assert!(batch.is_cancelled() && batch.begin(1).is_none());
        assert_eq!(batch.close(), None);
        batch.end(0, ItemStatus::Cancelled, None);
        assert_eq!(batch.close(), Some(BatchStatus::Cancelled));
        assert_eq!(batch.cancel(), Some(0), "again changes nothing");
    }

    #[test]
    fn a_batch_is_there_for_its_session_only() {
        let mut batches = Batches::new(0);
        let batch = batch(1);
        batches.add(batch.clone());
        let find = |session: &str, id: &str| batches.find(&session.parse().unwrap(), id).is_some();
        assert!(find("me", batch.id.as_str()));
        assert!(!find("you", batch.id.as_str()));
        assert!(!find("me", "nonsense/") && !find("me", "other"));
    }

    #[test]
    fn the_oldest_ended_batches_are_forgotten() {
        let mut batches = Batches::new(5);
        let list = [batch(2), ended(2), ended(1), ended(2), batch(4)];
        for batch in &list {
            batches.add(batch.clone());
        }
        let left: Vec<_> = list.iter().map(|b| batches.by_id.contains_key(&b.id)).collect();
        assert_eq!(left, [true, false, false, false, true], "open ones stay");
        assert_eq!((batches.items, batches.order.len()), (6, 2));
    }
}
