//! Queues and their workers, without a network.

mod behind;
mod outside;
mod pauses;
mod races;
mod restart;

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};

use serde_json::{Value, json};

use super::config::{Backoff, BackoffKind, ProcessorChoice, RateLimit};
use super::processor::{Desk, Failure, Progress, Task};
use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::event::RequestKey;
use crate::hub::{self, Hub};
use crate::publish;
use crate::publish::jobs::{self, Job, UpdateError};
use crate::store;

/// The longest that anything here can take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A processor that hands each of its tasks to the test, and does with it what the test says.
#[derive(Debug)]
struct Puppet {
    begun: Mutex<Sender<Task>>,
    told: Mutex<Receiver<Order>>,
}

/// What the test has the processor do.
#[derive(Debug)]
enum Order {
    Report(f64),
    Complete(Value),
    Fail(Failure),
    Panic,
    /// Go on until it is cancelled.
    AwaitCancel,
}

impl Processor for Puppet {
    fn process(&self, task: &Task, desk: &dyn Desk) -> Result<Value, Failure> {
        self.begun.lock().send(task.clone()).unwrap();
        loop {
            let order = self.told.lock().recv();
            match order.map_err(|_| Failure::for_good("the test is over"))? {
                Order::Report(percent) => {
                    desk.report(Progress { percent: Some(percent), ..Progress::default() });
                }
                Order::Complete(result) => return Ok(result),
                Order::Fail(failure) => return Err(failure),
                Order::Panic => panic!("as the test wants it"),
                Order::AwaitCancel => {
                    while !desk.is_cancelled() {
                        std::thread::yield_now();
                    }
                    return Err(Failure::retryable("cancelled"));
                }
            }
        }
    }
}

/// Queues with one worker that is the test's puppet, and the strings to it.
struct House {
    jobs: Jobs,
    records: Records,
    queues: Queues,
    begun: Receiver<Task>,
    orders: Sender<Order>,
}

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

/// The puppet's queue.
fn config() -> QueueConfig {
    let backoff = Backoff { kind: BackoffKind::Exponential, first: Duration::ZERO };
    let processor = ProcessorChoice::BuiltIn("puppet".into());
    QueueConfig { processor, backoff, ..QueueConfig::named(id("q")) }
}

impl House {
    fn new(folder: Option<&Path>, config: QueueConfig, clock: Arc<dyn Clock>) -> Self {
        Self::with(folder, &store::Limits::default(), config, clock)
    }

    fn with(
        folder: Option<&Path>,
        disk: &store::Limits,
        config: QueueConfig,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let publisher = Publisher::new(hub, None, &publish::Limits::default(), clock.clone());
        let (records, found) = match folder {
            None => (Records::in_memory().unwrap(), Vec::new()),
            Some(folder) => Records::open(folder, disk, &*clock).unwrap(),
        };
        let limits = jobs::Limits { stall_grace: Duration::from_secs(1), ..Default::default() };
        let jobs =
            Jobs::start(publisher.clone(), records.clone(), &found, limits, 1 << 20, clock.clone())
                .unwrap();
        let ((begun_to, begun), (orders, told)) = (mpsc::channel(), mpsc::channel());
        let puppet = Puppet { begun: Mutex::new(begun_to), told: Mutex::new(told) };
        let processors: HashMap<_, Arc<dyn Processor>> =
            HashMap::from([(config.name.clone(), Arc::new(puppet) as Arc<dyn Processor>)]);
        let ground = Ground { jobs: jobs.clone(), publisher, records: records.clone(), clock };
        let queues =
            Queues::start(ground, vec![config], processors, &found, Limits::default()).unwrap();
        Self { jobs, records, queues, begun, orders }
    }

    fn in_memory(config: QueueConfig) -> Self {
        Self::new(None, config, Arc::new(SystemClock))
    }

    /// Leaves everything as a crash does: nothing is ended, and nothing is written any more.
    fn crash(self) {
        self.queues.0.stop.trigger();
        let board = self.queues.0.threads.lock().remove(0);
        board.join().unwrap();
        let ticket = self.records.remove("none", &id("none"));
        self.records.await_written(ticket, PATIENCE).unwrap();
        std::mem::forget(self);
    }

    fn add_to(&self, queue: &str, task: NewTask) -> Identifier {
        let created = self.queues.add(&id(queue), vec![task], true).unwrap();
        created[0].present.job_id.clone()
    }

    fn add(&self, name: &str) -> Identifier {
        self.add_to("q", NewTask { id: Some(id(name)), ..NewTask::default() })
    }

    /// The next attempt that the puppet begins.
    fn next(&self) -> Task {
        self.begun.recv_timeout(PATIENCE).unwrap()
    }

    fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
    }

    fn job(&self, id: &Identifier) -> Job {
        self.jobs.get(id).unwrap()
    }

    /// Waits until a job is so.
    fn await_job(&self, id: &Identifier, is_so: impl Fn(&Job) -> bool) -> Job {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let job = self.job(id);
            if is_so(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "{job:?}");
            std::thread::yield_now();
        }
    }

    fn await_status(&self, id: &Identifier, status: JobStatus) -> Job {
        self.await_job(id, |job| job.present.status == status && !job.present.retryable)
    }

    fn counts(&self) -> (usize, usize, u64, u64, usize) {
        let report = self.queues.describe(&id("q")).unwrap().1;
        (report.waiting, report.active, report.completed, report.failed, report.delayed)
    }

    /// Waits until the queue stands so.
    fn await_counts(&self, expected: (usize, usize, u64, u64, usize)) {
        let deadline = Instant::now() + PATIENCE;
        while self.counts() != expected {
            assert!(Instant::now() < deadline, "{:?} instead of {expected:?}", self.counts());
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_job_is_done_with_progress_and_result() {
    let house = House::in_memory(config());
    let data = serde_json::value::to_raw_value(&json!({"n": 1})).unwrap();
    let task = NewTask {
        id: Some(id("a")),
        job_name: "double".into(),
        data: Some(data.into()),
        ..NewTask::default()
    };
    let job = house.add_to("q", task);
    let task = house.next();
    assert_eq!((task.job_name.as_str(), &task.data), ("double", &json!({"n": 1})));
    assert_eq!((task.attempt, task.attempts, task.queue_name), (1, 3, id("q")));
    house.order(Order::Report(40.0));
    house.await_job(&job, |job| job.present.progress > 39.0);
    house.order(Order::Report(10.0));
    house.order(Order::Complete(json!({"n": 2})));
    let done = house.await_status(&job, JobStatus::Completed);
    assert_eq!(done.present.result.unwrap().get(), r#"{"n":2}"#);
    house.await_counts((0, 0, 1, 0, 0));
}

#[test]
fn a_failed_attempt_is_followed_by_another_until_there_were_enough() {
    let house = House::in_memory(config());
    let job = house.add("a");
    for attempt in 1..=3 {
        assert_eq!(house.next().attempt, attempt);
        house.order(Order::Fail(Failure::retryable(format!("no {attempt}"))));
    }
    let failed = house.await_status(&job, JobStatus::Failed);
    assert_eq!(failed.present.error.as_deref(), Some("no 3"));
    assert_eq!(failed.assignment.unwrap().failures, 3);
    house.await_counts((0, 0, 0, 1, 0));
    let hopeless = house.add("b");
    house.next();
    house.order(Order::Fail(Failure::for_good("never")));
    house.await_status(&hopeless, JobStatus::Failed);
    house.await_counts((0, 0, 0, 2, 0));
}

#[test]
fn code_that_panics_fails_the_attempt_and_not_the_worker() {
    let house = House::in_memory(QueueConfig { attempts: 1, ..config() });
    let job = house.add("a");
    house.next();
    house.order(Order::Panic);
    house.await_status(&job, JobStatus::Failed);
    let job = house.add("b");
    house.next();
    house.order(Order::Complete(Value::Null));
    house.await_status(&job, JobStatus::Completed);
}

#[test]
fn a_job_is_cancelled_while_it_waits_and_while_it_is_done() {
    let house = House::in_memory(config());
    let (first, second) = (house.add("a"), house.add("b"));
    house.next();
    house.order(Order::AwaitCancel);
    let cancel = Report::of(JobStatus::Cancelled);
    house.queues.report(&second, &cancel, None).unwrap();
    house.queues.report(&first, &cancel, None).unwrap();
    house.await_counts((0, 0, 0, 0, 0));
    assert_eq!(house.job(&first).present.status, JobStatus::Cancelled);
    assert_eq!(house.job(&second).present.status, JobStatus::Cancelled);
    house.add("c");
    assert_eq!(house.next().job_id, id("c"), "the worker goes on with the next");
    house.order(Order::Complete(Value::Null));
}

#[test]
fn an_attempt_that_takes_too_long_is_left_off() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let config = QueueConfig { timeout: Duration::from_secs(10), attempts: 1, ..config() };
    let house = House::new(None, config, clock.clone());
    let job = house.add("a");
    house.next();
    house.order(Order::AwaitCancel);
    clock.advance(Duration::from_secs(10));
    let failed = house.await_status(&job, JobStatus::Failed);
    assert_eq!(failed.present.error.as_deref(), Some("It was not done after 10 s."));
}

#[test]
fn the_next_attempt_waits_longer_each_time() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let backoff = Backoff { kind: BackoffKind::Exponential, first: Duration::from_secs(100) };
    let house = House::new(None, QueueConfig { backoff, ..config() }, clock.clone());
    let job = house.add("a");
    for pause in [100, 200] {
        house.next();
        house.order(Order::Fail(Failure::retryable("not now")));
        house.await_counts((0, 0, 0, 0, 1));
        clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(house.counts(), (0, 0, 0, 0, 1));
        clock.advance(Duration::from_secs(1));
    }
    house.next();
    house.order(Order::Complete(Value::Null));
    assert_eq!(house.await_status(&job, JobStatus::Completed).present.attempt, 3);
}

#[test]
fn a_failed_job_is_tried_again_as_a_new_one_and_only_once() {
    let house = House::in_memory(QueueConfig { attempts: 1, ..config() });
    let job = house.add("a");
    house.next();
    house.order(Order::Fail(Failure::retryable("no")));
    house.await_status(&job, JobStatus::Failed);
    let again = house.queues.retry(&job).unwrap().present.job_id;
    assert_eq!(house.queues.retry(&job).unwrap_err(), RetryError::Already(again.clone()));
    assert_eq!(house.next().job_id, again);
    house.order(Order::Complete(Value::Null));
    house.await_status(&again, JobStatus::Completed);
    let done = house.queues.retry(&again).unwrap_err();
    assert!(matches!(done, RetryError::NotFailed(job) if job.status == JobStatus::Completed));
    assert_eq!(house.job(&job).present.status, JobStatus::Failed);
}

#[test]
fn what_was_to_be_tried_again_and_was_not_made_can_still_be() {
    let house = House::in_memory(QueueConfig { attempts: 1, ..config() });
    let job = house.add("a");
    house.next();
    house.order(Order::Fail(Failure::retryable("no")));
    house.await_status(&job, JobStatus::Failed);
    // As a crash leaves it.
    let noted = house.jobs.alter(&job, |job| {
        job.assignment.as_mut().unwrap().retried_as = Some(id("again"));
        Ok::<_, UpdateError>(Vec::new())
    });
    noted.unwrap();
    assert_eq!(house.queues.retry(&job).unwrap().present.job_id, id("again"));
    assert_eq!(house.queues.retry(&job).unwrap_err(), RetryError::Already(id("again")));
    assert_eq!(house.next().job_id, id("again"));
    house.order(Order::Complete(Value::Null));
}

#[test]
fn jobs_of_several_queues_are_taken_all_or_none() {
    let house = House::in_memory(QueueConfig { max_waiting_jobs: 2, ..config() });
    house.queues.pause(&id("q"), true);
    let tasks = |names: &[(&str, &str)]| -> Vec<_> {
        let task = |name: &str| NewTask { id: Some(id(name)), ..NewTask::default() };
        names.iter().map(|(queue, name)| (id(queue), task(name))).collect()
    };
    let too_many = tasks(&[("other", "x"), ("q", "a"), ("q", "b"), ("q", "c")]);
    let refused = house.queues.add_all(too_many, true).unwrap_err();
    assert_eq!(refused, AddError::QueueFull(id("q")));
    let twice = tasks(&[("other", "x"), ("q", "x")]);
    let refused = house.queues.add_all(twice, true).unwrap_err();
    assert_eq!(refused, AddError::Create(CreateError::Exists(id("x"))));
    assert_eq!(house.jobs.open_count(), 0);
    // Nothing is left promised.
    let fits = tasks(&[("q", "a"), ("other", "x"), ("q", "b")]);
    let created = house.queues.add_all(fits, true).unwrap();
    let names: Vec<_> = created.iter().map(|job| job.present.job_id.as_str()).collect();
    assert_eq!(names, ["a", "x", "b"]);
    assert_eq!(house.counts(), (2, 0, 0, 0, 0));
    assert_eq!(house.queues.describe(&id("other")).unwrap().1.waiting, 1);
}

#[test]
fn no_more_wait_than_there_may_and_a_key_makes_one_job() {
    let house = House::in_memory(QueueConfig { max_waiting_jobs: 2, ..config() });
    house.queues.pause(&id("q"), true);
    house.add("a");
    let two = || vec![NewTask::default(), NewTask::default()];
    let full = house.queues.add(&id("q"), two(), true);
    assert_eq!(full.unwrap_err(), AddError::QueueFull(id("q")));
    let keyed = || NewTask {
        request: Some(RequestKey { key: "k".into(), digest: [1; 32] }),
        ..NewTask::default()
    };
    let first = house.queues.add(&id("q"), vec![keyed()], true).unwrap();
    assert_eq!(house.counts(), (2, 0, 0, 0, 0));
    house.queues.remove(&id("a")).unwrap();
    let again = house.queues.add(&id("q"), vec![keyed()], true).unwrap();
    assert_eq!(first[0].present.job_id, again[0].present.job_id);
    assert_eq!(house.counts(), (1, 0, 0, 0, 0), "it stands in the line once");
}

#[test]
fn a_rate_limit_holds_jobs_back() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let rate_limit = RateLimit { jobs: 1, period: Duration::from_secs(10) };
    let house = House::new(None, QueueConfig { rate_limit, ..config() }, clock.clone());
    house.add("a");
    house.add("b");
    house.next();
    house.order(Order::Complete(Value::Null));
    house.await_counts((1, 0, 1, 0, 0));
    clock.advance(Duration::from_secs(10));
    assert_eq!(house.next().job_id, id("b"));
    house.order(Order::Complete(Value::Null));
}
