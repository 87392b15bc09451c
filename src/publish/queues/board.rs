//! How queues and workers are, told to those who watch them: as it changes, but only a few times a second.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::house::House;
use super::queue::{News, Queue};
use crate::event::topic::{Identifier, Topic};
use crate::event::{EventData, EventKey, NewEvent};
use crate::store::records::Certainty;

/// The shortest pause between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// Starts the thread that tells; it ends when it is told to, or when nobody has the queues any more.
pub(super) fn start(house: &Arc<House>) -> io::Result<JoinHandle<()>> {
    let pause = house.limits.report_pause.max(SHORTEST_PAUSE);
    let (stop, house) = (house.stop.clone(), Arc::downgrade(house));
    let run = move || {
        while tell_all(&house) && !stop.wait_for(pause) {}
        // What happened since.
        tell_all(&house);
    };
    std::thread::Builder::new().name("queues".into()).spawn(run)
}

fn tell_all(house: &Weak<House>) -> bool {
    let Some(house) = house.upgrade() else { return false };
    for queue in house.all() {
        house.tell(&queue);
    }
    true
}

/// What is told of a queue (seed 001).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueReport {
    /// Its name.
    pub queue_name: Identifier,
    /// Jobs that could begin now.
    pub waiting: usize,
    /// Jobs that are being done.
    pub active: usize,
    /// Jobs that have come to their result, since the queue began.
    pub completed: u64,
    /// Jobs that have come to nothing, since the queue began.
    pub failed: u64,
    /// Jobs that wait for their time.
    pub delayed: usize,
    /// Whether no job begins.
    pub paused: bool,
}

/// What is told of a worker (seed 001).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReport {
    /// What it calls itself.
    pub worker_id: Identifier,
    /// The queue it works for.
    pub queue_name: Identifier,
    /// `active`, `idle` or `paused`.
    pub status: &'static str,
    /// The job that it has begun last, of those that it does.
    pub current_job: Option<Identifier>,
    /// How many jobs it can do at the same time.
    pub concurrency: usize,
    /// Whether it works in this process.
    pub is_outside: bool,
}

/// An event of seed 001: its type and time, and what it tells.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a, T> {
    r#type: &'static str,
    timestamp: u64,
    #[serde(flatten)]
    report: &'a T,
}

impl QueueReport {
    /// The type of the events that tell how a queue is.
    pub const EVENT: &str = "queue_update";

    /// The data of the event that tells it.
    pub fn to_json(&self, now_ms: u64) -> String {
        json(&Told { r#type: Self::EVENT, timestamp: now_ms, report: self })
    }
}

impl WorkerReport {
    /// The type of the events that tell how a worker is.
    pub const EVENT: &str = "worker_status";

    /// The data of the event that tells it.
    pub fn to_json(&self, now_ms: u64) -> String {
        json(&Told { r#type: Self::EVENT, timestamp: now_ms, report: self })
    }
}

/// Strings and numbers can always be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl House {
    /// Tells what has changed of a queue and its workers.
    fn tell(&self, queue: &Queue) {
        queue.tell_news(|news| {
            let News { queue, workers, totals } = news;
            let now_ms = self.clock.unix_ms();
            self.save(&queue.queue_name, *totals, Certainty::Process);
            let name = &queue.queue_name;
            let topic = Topic::queue(name.clone());
            let mut is_told = self.show(topic, QueueReport::EVENT, name, || queue.to_json(now_ms));
            for worker in workers {
                let topic = Topic::worker(worker.worker_id.clone());
                let key = &worker.worker_id;
                is_told &= self.show(topic, WorkerReport::EVENT, key, || worker.to_json(now_ms));
            }
            is_told
        });
    }

    /// Shows something to those who listen, if anyone does; false if it could not be shown now.
    fn show(
        &self,
        topic: Topic,
        name: &str,
        key: &Identifier,
        data: impl FnOnce() -> String,
    ) -> bool {
        if !self.publisher.is_heard(&topic) {
            return true;
        }
        let (Ok(name), Ok(data)) = (name.parse(), EventData::from_json(&data(), 0)) else {
            return true;
        };
        let key = Some(EventKey::new(key.as_str()));
        self.publisher.show(NewEvent { key, ..NewEvent::new(topic, name, data) }).is_ok()
    }
}
