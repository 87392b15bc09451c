//! Batches, without a network.

mod making;
mod restart;
mod watching;

use std::path::Path;

use super::*;
use crate::clock::ManualClock;
use crate::event::batch_update::Counts;
use crate::event::dialect::{Dialect, Envelope};
use crate::event::job_update::JobUpdate;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::topic::Topic;
use crate::hub::tests::Nowhere;
use crate::hub::{self, Hub, Joined, Profile, Resume};
use crate::publish;
use crate::publish::jobs::{self, NewJob, Report};
use crate::publish::queues::{NewTask, NewWork};
use crate::store;
use crate::store::records::{Certainty, Records, Then};

const A_MINUTE: Duration = Duration::from_secs(60);

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

/// Batches in memory or in a folder, on a clock that is moved by hand.
struct House {
    hub: Hub,
    records: Records,
    jobs: Jobs,
    queues: Queues,
    batches: Batches,
    clock: Arc<ManualClock>,
}

impl House {
    fn new() -> Self {
        Self::open(None, Limits::default(), jobs::Limits::default())
    }

    fn open(folder: Option<&Path>, limits: Limits, job_limits: jobs::Limits) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        let shared: Arc<dyn Clock> = clock.clone();
        let hub = Hub::start(hub::Limits::default(), shared.clone()).unwrap();
        let publish_limits = publish::Limits::default();
        let publisher = Publisher::new(hub.clone(), None, &publish_limits, shared.clone());
        let (records, found) = match folder {
            None => (Records::in_memory().unwrap(), Vec::new()),
            Some(folder) => Records::open(folder, &store::Limits::default(), &*clock).unwrap(),
        };
        let jobs =
            Jobs::start(publisher.clone(), records.clone(), &found, job_limits, 0, shared.clone())
                .unwrap();
        let queues = Queues::in_memory(&jobs, &publisher, shared.clone()).unwrap();
        let ground =
            Ground { jobs: jobs.clone(), publisher, records: records.clone(), clock: shared };
        let batches = Batches::start(ground, queues.clone(), &found, limits).unwrap();
        Self { hub, records, jobs, queues, batches, clock }
    }

    /// Makes jobs with these ids.
    fn create(&self, ids: &[&str]) {
        let new = ids.iter().map(|name| NewJob { id: Some(id(name)), ..NewJob::default() });
        self.jobs.create_all(new.collect()).unwrap();
    }

    /// Makes a batch of jobs that are there, each as `weight id` or `id`.
    fn batch(&self, jobs: &[&str]) -> Identifier {
        let new = NewBatch {
            jobs: jobs.iter().map(|job| existing(job)).collect(),
            ..NewBatch::default()
        };
        self.batches.make(new).unwrap().present.batch_id
    }

    /// `job processing 50`
    fn report(&self, text: &str) {
        let mut words = text.split(' ');
        let job = id(words.next().unwrap());
        let mut report = Report::of(serde_json::from_value(words.next().unwrap().into()).unwrap());
        for word in words {
            match word {
                "retryable" => report.retryable = true,
                "again" => {
                    report.attempt = Some(self.jobs.get(&job).unwrap().present.attempt + 1);
                }
                percent => report.progress = Some(percent.parse().unwrap()),
            }
        }
        self.jobs.update(&job, &report).unwrap();
    }

    /// Waits until everything that was reported is told, and does what is due.
    fn tick(&self) {
        // What is to be done once a state is written is done in order; but only behind this first one is it
        // sure that all of it is.
        for _ in 0..2 {
            let (done, shown) = std::sync::mpsc::channel();
            let then: Then = Box::new(move |_| done.send(()).unwrap());
            self.records.put("none", &id("none"), String::new(), Certainty::Process, Some(then));
            shown.recv_timeout(A_MINUTE).unwrap();
        }
        self.batches.tick();
        let batches = self.batches.0.table.lock().before(None, usize::MAX);
        self.await_that(|| batches.iter().all(|batch| !self.batches.0.is_due(batch)));
    }

    /// Waits until so many batches are open and ended.
    fn await_counts(&self, expected: (usize, usize)) {
        self.await_that(|| self.batches.counts() == expected);
    }

    /// The thread of the batches may be at work on it.
    fn await_that(&self, is_so: impl Fn() -> bool) {
        let begun = std::time::Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < A_MINUTE, "{:?}", self.batches.counts());
            self.batches.tick();
            std::thread::yield_now();
        }
    }

    fn pass(&self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
    }

    fn get(&self, batch: &Identifier) -> BatchUpdate {
        self.batches.get(batch).unwrap()
    }

    /// Where a batch is, its progress and how many of its jobs have ended.
    fn check(&self, batch: &Identifier, status: JobStatus, progress: f64, ended: usize) {
        let seen = self.get(batch);
        assert_eq!((seen.status, seen.progress, seen.ended), (status, progress, ended), "{seen:?}");
    }
}

fn existing(text: &str) -> NewMember {
    let (weight, job) = text.split_once(' ').unwrap_or(("1", text));
    let weight = Weight::new(weight.parse().unwrap()).unwrap();
    NewMember { weight, work: Work::Existing(id(job)) }
}

fn new_job() -> NewMember {
    NewMember {
        weight: Weight::default(),
        work: Work::New(Box::new(NewWork::Job(NewJob::default()))),
    }
}

fn new_task(queue: &str) -> NewMember {
    let work = NewWork::Task { queue: id(queue), task: NewTask::default() };
    NewMember { weight: Weight::default(), work: Work::New(Box::new(work)) }
}

#[test]
fn a_batch_goes_as_its_jobs_go() {
    let house = House::new();
    house.create(&["a", "b", "c"]);
    let batch = house.batch(&["2 a", "1 b", "1 c"]);
    house.check(&batch, JobStatus::Pending, 0.0, 0);
    house.report("a processing 50");
    house.check(&batch, JobStatus::Processing, 25.0, 0);
    house.report("b failed 10 retryable");
    house.check(&batch, JobStatus::Processing, 27.5, 0);
    house.report("b processing 0 again");
    // It goes back, and it is said why.
    house.check(&batch, JobStatus::Processing, 25.0, 0);
    assert_eq!(house.get(&batch).retries, 1);
    house.report("b failed");
    house.report("c cancelled");
    house.check(&batch, JobStatus::Processing, 75.0, 2);
    house.report("a completed");
    house.check(&batch, JobStatus::Failed, 100.0, 3);
    let end = house.get(&batch);
    assert_eq!((end.completed_weight, end.eta_seconds), (2.0, Some(0)));
    assert!(end.is_terminal());
}

#[test]
fn jobs_are_looked_at_one_by_one() {
    let house = House::new();
    house.create(&["a", "b", "c", "d"]);
    let batch = house.batch(&["a", "3 b", "c", "d"]);
    for job in ["b", "d"] {
        house.report(&format!("{job} completed"));
    }
    let page = |after: Option<&str>, limit, status: Option<JobStatus>| {
        let after = after.map(id);
        let wanted = |seen| status.is_none_or(|status| status == seen);
        let (parts, more) = house.batches.parts(&batch, after.as_ref(), limit, wanted).unwrap();
        let names: Vec<_> = parts.iter().map(|part| part.job_id.to_string()).collect();
        (names.join(" "), more)
    };
    assert_eq!(page(None, 3, None), ("a b c".into(), true));
    assert_eq!(page(Some("c"), 3, None), ("d".into(), false));
    assert_eq!(page(None, 1, Some(JobStatus::Completed)), ("b".into(), true));
    assert_eq!(page(Some("b"), 1, Some(JobStatus::Completed)), ("d".into(), false));
    assert_eq!(house.batches.parts(&batch, Some(&id("x")), 1, |_| true).unwrap_err(), Unknown);
    house.tick();
    house.jobs.remove(&id("b")).unwrap();
    // Another job gets its id.
    house.create(&["b"]);
    house.report("b processing 1");
    let (parts, _) = house.batches.parts(&batch, Some(&id("a")), 1, |_| true).unwrap();
    assert!(parts[0].job.is_none());
    assert_eq!((parts[0].status, parts[0].weight.get()), (JobStatus::Completed, 3.0));
}

#[test]
fn how_fast_it_goes_is_said_when_it_is_known() {
    let house = House::new();
    let names: Vec<String> = (0..10).map(|n| format!("job-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    house.create(&names);
    house.report("job-9 completed");
    let batch = house.batch(&names);
    let seen = || {
        let update = house.get(&batch);
        (update.rate_per_minute, update.eta_seconds)
    };
    // One has ended already, but not as one of the batch.
    assert_eq!(seen(), (0.0, None));
    for job in 0..3 {
        house.pass(10.0);
        house.report(&format!("job-{job} completed"));
    }
    // Three in half a minute, and six are left.
    assert_eq!(seen(), (6.0, Some(60)));
    house.pass(90.0);
    assert_eq!(seen(), (0.0, Some(240)), "as on the whole: three in two minutes");
    for job in 3..9 {
        house.report(&format!("job-{job} completed"));
    }
    assert_eq!(seen(), (4.5, Some(0)), "nine in two minutes");
}

/// Whatever happens to the jobs of batches that share some of them: what a batch says is what its jobs say.
#[test]
fn the_roll_up_is_what_its_jobs_say() {
    let house = House::new();
    let names: Vec<String> = (0..30).map(|n| format!("job-{n}")).collect();
    house.create(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let words = ["pending", "processing", "completed", "failed", "cancelled"];
    let mut batches = Vec::new();
    for round in 0..600 {
        if round % 60 == 0 {
            let some: Vec<String> = names.iter().filter(|_| fastrand::bool()).cloned().collect();
            let weights: Vec<u32> = some.iter().map(|_| fastrand::u32(1..9)).collect();
            let jobs: Vec<_> =
                some.iter().zip(&weights).map(|(job, weight)| format!("{weight} {job}")).collect();
            let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
            if !jobs.is_empty() {
                batches.push((house.batch(&jobs), some, weights));
            }
        }
        let word =
            if fastrand::u8(..8) == 0 { *fastrand::choice(&words).unwrap() } else { "processing" };
        let status: JobStatus = serde_json::from_value(word.into()).unwrap();
        let job = id(fastrand::choice(&names).unwrap());
        let present = house.jobs.get(&job).unwrap().present;
        let report = Report {
            progress: Some((present.progress + fastrand::f64() * 9.0).min(100.0)),
            retryable: status == JobStatus::Failed && fastrand::bool(),
            attempt: (fastrand::u8(..10) == 0).then_some(present.attempt + 1),
            ..Report::of(status)
        };
        // Not all of it can be.
        let _ = house.jobs.update(&job, &report);
        house.pass(fastrand::f64());
        for (batch, jobs, weights) in &batches {
            recount(&house, &house.get(batch), jobs, weights);
        }
    }
}

fn recount(house: &House, seen: &BatchUpdate, jobs: &[String], weights: &[u32]) {
    let updates: Vec<JobUpdate> =
        jobs.iter().map(|job| house.jobs.get(&id(job)).unwrap().present).collect();
    let mut counts = Counts::default();
    for update in &updates {
        counts.add(update.status);
    }
    assert_eq!(seen.counts, counts);
    assert_eq!(seen.revision, updates.iter().map(|update| update.revision).sum::<u64>());
    assert_eq!(seen.ended, updates.iter().filter(|update| update.is_terminal()).count());
    let share = |update: &JobUpdate| if update.is_terminal() { 100.0 } else { update.progress };
    let weighed =
        updates.iter().zip(weights).map(|(update, weight)| share(update) * f64::from(*weight));
    let progress = weighed.sum::<f64>() / f64::from(weights.iter().sum::<u32>());
    assert!((seen.progress - progress).abs() < 0.011, "{} for {progress}", seen.progress);
    assert_eq!(seen.is_terminal(), seen.ended == seen.total);
}

#[test]
fn ended_batches_go_when_they_are_too_old_or_too_many() {
    let limits =
        Limits { max_ended: 2, ended_age: A_MINUTE, max_jobs_in_all: 6, ..Limits::default() };
    let house = House::open(None, limits, jobs::Limits::default());
    house.create(&["a", "b", "c", "d", "open"]);
    let mut batches = Vec::new();
    for job in ["a", "b", "c"] {
        batches.push(house.batch(&[job]));
        house.report(&format!("{job} completed"));
        house.await_counts((0, batches.len().min(2)));
    }
    let left = || {
        let found = house.batches.list(None, 10).unwrap().0;
        found.into_iter().map(|batch| batch.batch_id).collect::<Vec<_>>()
    };
    assert_eq!(left(), [batches[2].clone(), batches[1].clone()]);
    // A new one needs the room of one of them.
    let jobs = ["a", "b", "c", "d", "open"];
    let open = house.batch(&jobs);
    assert_eq!(left(), [open.clone(), batches[2].clone()]);
    let new = NewBatch { jobs: vec![existing("open"), existing("d")], ..NewBatch::default() };
    assert_eq!(house.batches.make(new).unwrap_err(), MakeError::Full);
    house.pass(61.0);
    house.await_counts((1, 0));
    assert_eq!(left(), [open]);
}
