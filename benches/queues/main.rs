//! How many jobs a second the queues take and do, when the jobs themselves cost nothing.

#![allow(clippy::unwrap_used, reason = "a measurement that goes wrong ends by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tidings::clock::{Clock, SystemClock};
use tidings::event::topic::Identifier;
use tidings::hub::{self, Hub};
use tidings::publish::jobs::{self, Jobs};
use tidings::publish::queues::config::{ProcessorChoice, QueueConfig};
use tidings::publish::queues::processor::{Desk, Failure, Processor, Task};
use tidings::publish::queues::{Ground, Limits, NewTask, Queues};
use tidings::publish::{self, Publisher};
use tidings::store;
use tidings::store::records::Records;

/// Does nothing.
#[derive(Debug)]
struct Noop;

impl Processor for Noop {
    fn process(&self, _: &Task, _: &dyn Desk) -> Result<Value, Failure> {
        Ok(Value::Null)
    }
}

fn main() {
    let jobs: usize = 100_000;
    for (concurrency, is_durable, bulk) in [
        (1, false, 100),
        (10, false, 100),
        (50, false, 100),
        (10, false, 1),
        (10, true, 1),
        (50, true, 100),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let publisher = Publisher::new(hub, None, &publish::Limits::default(), clock.clone());
        let (records, found) =
            Records::open(folder.path(), &store::Limits::default(), &*clock).unwrap();
        let keeper = Jobs::start(
            publisher.clone(),
            records.clone(),
            &found,
            jobs::Limits::default(),
            1 << 18,
            clock.clone(),
        )
        .unwrap();
        let name: Identifier = "noop".parse().unwrap();
        let config = QueueConfig {
            processor: ProcessorChoice::BuiltIn("noop".into()),
            concurrency,
            max_waiting_jobs: 0,
            ..QueueConfig::named(name.clone())
        };
        let processors = HashMap::from([(name.clone(), Arc::new(Noop) as Arc<dyn Processor>)]);
        let ground = Ground { jobs: keeper.clone(), publisher, records: records.clone(), clock };
        let queues =
            Queues::start(ground, vec![config], processors, &found, Limits::default()).unwrap();
        let begun = Instant::now();
        let publishers = if is_durable { 16 } else { 1 };
        let total = if is_durable && bulk == 1 { jobs / 10 } else { jobs };
        std::thread::scope(|scope| {
            for _ in 0..publishers {
                scope.spawn(|| {
                    for _ in 0..total / publishers / bulk {
                        let tasks = vec![NewTask::default(); bulk];
                        loop {
                            match queues.add(&name, tasks.clone(), is_durable) {
                                Ok(_) => break,
                                Err(_) => std::thread::sleep(Duration::from_millis(1)),
                            }
                        }
                    }
                });
            }
        });
        let added = begun.elapsed();
        let expected = (total / publishers / bulk * bulk * publishers) as u64;
        while queues.reports()[0].completed < expected {
            std::thread::sleep(Duration::from_millis(1));
        }
        let done = begun.elapsed();
        println!(
            "concurrency {concurrency:3} durable {is_durable:5} bulk {bulk:4}: {:8.0} jobs/s (added in {added:?}, done in {done:?})",
            expected as f64 / done.as_secs_f64()
        );
        queues.stop(Duration::from_secs(10));
        keeper.stop();
        records.close().unwrap();
    }
}
