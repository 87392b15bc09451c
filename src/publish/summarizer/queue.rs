//! The items that wait for a worker: bounded in number and bytes, taken in order.
//!
//! A request is put in as a whole or not at all, so the room is counted here, under one lock; the
//! channel underneath has the same bound and is never full when the count is not.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;

use super::batch::Batch;

/// One item to be made.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Arc<Batch>,
    pub(super) index: usize,
}

/// Why jobs were not put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unqueued {
    Full { waiting: usize },
    Closed,
}

#[derive(Debug)]
pub(super) struct Queue {
    max_items: usize,
    max_bytes: usize,
    inner: Mutex<Inner>,
    jobs: Receiver<Job>,
}

#[derive(Debug)]
struct Inner {
    /// Gone once the queue is closed.
    sender: Option<Sender<Job>>,
    waiting_items: usize,
    waiting_bytes: usize,
}

impl Queue {
    /// A queue for so many items and bytes; 0 is no limit.
    pub(super) fn new(max_items: usize, max_bytes: usize) -> Self {
        let (sender, jobs) = match max_items {
            0 => crossbeam_channel::unbounded(),
            _ => crossbeam_channel::bounded(max_items),
        };
        let inner = Inner { sender: Some(sender), waiting_items: 0, waiting_bytes: 0 };
        Self { max_items, max_bytes, inner: Mutex::new(inner), jobs }
    }

    /// Puts in all jobs, whose transcripts have so many bytes together, or none. Never waits.
    pub(super) fn put_all(&self, jobs: Vec<Job>, bytes: usize) -> Result<(), Unqueued> {
        let fits = |waiting: usize, more: usize, max: usize| max == 0 || waiting + more <= max;
        let mut inner = self.inner.lock();
        let sender = inner.sender.clone().ok_or(Unqueued::Closed)?;
        if !fits(inner.waiting_items, jobs.len(), self.max_items)
            || !fits(inner.waiting_bytes, bytes, self.max_bytes)
        {
            return Err(Unqueued::Full { waiting: inner.waiting_items });
        }
        inner.waiting_items += jobs.len();
        inner.waiting_bytes += bytes;
        for job in jobs {
            // There is room, as counted, and the receiver is a field of this queue.
            let sent = sender.try_send(job);
            debug_assert!(sent.is_ok(), "the count and the channel disagree");
        }
        Ok(())
    }

    /// Jobs that no worker has taken yet.
    pub(super) fn waiting_items(&self) -> usize {
        self.inner.lock().waiting_items
    }

    /// The next job; waits for one. None once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Job> {
        let job = self.jobs.recv().ok()?;
        self.inner.lock().waiting_items -= 1;
        Some(job)
    }

    /// So many bytes of transcripts no longer wait: they are being read, or were cancelled.
    pub(super) fn release(&self, bytes: usize) {
        self.inner.lock().waiting_bytes -= bytes;
    }

    /// Takes no more jobs. Those that wait can still be taken.
    pub(super) fn close(&self) {
        self.inner.lock().sender = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(count: usize) -> Vec<Job> {
        let batch = Arc::new(Batch::new("me".parse().unwrap(), 0, Vec::new()));
        (0..count).map(|index| Job { batch: batch.clone(), index }).collect()
    }

    #[test]
    fn jobs_go_in_together_or_not_at_all() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.put_all(jobs(2), 50), Ok(()));
        assert_eq!(queue.put_all(jobs(2), 1), Err(Unqueued::Full { waiting: 2 }), "items");
        assert_eq!(queue.put_all(jobs(1), 51), Err(Unqueued::Full { waiting: 2 }), "bytes");
        assert_eq!(queue.put_all(jobs(1), 50), Ok(()));
        assert_eq!(queue.jobs.len(), 3);
    }

    #[test]
    fn what_was_taken_makes_room() {
        let queue = Queue::new(2, 100);
        queue.put_all(jobs(2), 100).unwrap();
        assert_eq!(queue.take().unwrap().index, 0);
        assert_eq!(queue.put_all(jobs(1), 10), Err(Unqueued::Full { waiting: 1 }), "bytes");
        queue.release(50);
        assert_eq!(queue.put_all(jobs(1), 10), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let queue = Queue::new(0, 0);
        assert_eq!(queue.put_all(jobs(10_000), 1 << 40), Ok(()));
    }

    #[test]
    fn a_closed_queue_is_emptied_and_ends() {
        let queue = Queue::new(2, 0);
        queue.put_all(jobs(1), 0).unwrap();
        queue.close();
        assert_eq!(queue.put_all(jobs(1), 0), Err(Unqueued::Closed));
        assert!(queue.take().is_some());
        assert!(queue.take().is_none());
    }
}
