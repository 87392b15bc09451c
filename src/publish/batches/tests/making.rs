//! What batches are made of.

use super::*;
use crate::event::RequestKey;
use crate::publish::jobs::CreateError;
use crate::publish::queues::AddError;

impl House {
    fn make(&self, jobs: Vec<NewMember>) -> Result<Made, MakeError> {
        self.batches.make(NewBatch { jobs, ..NewBatch::default() })
    }
}

fn named(name: &str) -> NewMember {
    let job = NewJob { id: Some(id(name)), ..NewJob::default() };
    NewMember { weight: Weight::default(), work: Work::New(Box::new(NewWork::Job(job))) }
}

#[test]
fn a_batch_has_old_and_new_jobs_and_those_of_queues() {
    let house = House::new();
    house.create(&["a"]);
    house.report("a completed");
    let made =
        house.make(vec![new_job(), existing("3 a"), new_task("q"), new_task("r"), named("b")]);
    let made = made.unwrap();
    assert_eq!((made.jobs.len(), made.is_repeat, &made.stored), (5, false, &Ok(())));
    assert_eq!((made.jobs[1].as_str(), made.jobs[4].as_str()), ("a", "b"));
    let present = &made.present;
    assert_eq!((present.ended, present.completed_weight, present.total_weight), (1, 3.0, 7.0));
    assert_eq!(present.status, JobStatus::Processing);
    let waiting = |queue: &str| house.queues.describe(&id(queue)).unwrap().1.waiting;
    assert_eq!((waiting("q"), waiting("r")), (1, 1));
    for job in made.jobs.iter().filter(|job| job.as_str() != "a") {
        house.report(&format!("{job} completed"));
    }
    house.check(&made.present.batch_id, JobStatus::Completed, 100.0, 5);
}

#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let house = House::open(None, Limits { max_jobs: 4, ..Limits::default() }, {
        jobs::Limits { max_open: 3, ..jobs::Limits::default() }
    });
    house.create(&["a"]);
    let check = |jobs: Vec<NewMember>, expected: MakeError| {
        assert_eq!(house.make(jobs).unwrap_err(), expected);
        assert_eq!(house.jobs.open_count(), 1);
        assert_eq!(house.batches.counts(), (0, 0));
        assert!(house.queues.reports().iter().all(|queue| queue.waiting == 0));
        assert_eq!(house.batches.0.index.read().len(), 0);
    };
    check(vec![], MakeError::Empty);
    check(vec![new_job(), existing("x")], MakeError::NoSuchJob(1, id("x")));
    check(vec![existing("a"), new_task("q"), existing("a")], MakeError::Twice(2, id("a")));
    check(vec![named("b"), named("b")], MakeError::Twice(1, id("b")));
    let exists = AddError::Create(CreateError::Exists(id("a")));
    check(vec![new_task("q"), named("a")], MakeError::Add(exists));
    let full = AddError::Create(CreateError::Full(1));
    check(vec![new_task("q"), new_task("r"), new_job()], MakeError::Add(full));
    check(vec![existing("a"); 5], MakeError::TooManyJobs(5, 4));
    house.report("a completed");
    house.make(vec![new_task("q"), new_task("r"), new_job()]).unwrap();
}

#[test]
fn a_batch_of_what_has_ended_has_ended() {
    let house = House::new();
    house.create(&["a", "b"]);
    house.report("a completed");
    house.report("b cancelled");
    let batch = house.batch(&["a", "b"]);
    house.check(&batch, JobStatus::Cancelled, 100.0, 2);
    assert!(house.get(&batch).rate_per_minute.abs() < 1e-9);
    house.await_counts((0, 1));
}

/// Jobs end, are forgotten and begin again under the same id while batches are made of them: whatever a batch
/// got hold of, it ends, and each of its jobs counts once.
#[test]
fn batches_are_made_of_jobs_that_are_ending() {
    let house = House::new();
    let names = ["a", "b", "c"];
    std::thread::scope(|scope| {
        for name in names {
            let house = &house;
            scope.spawn(move || {
                for _ in 0..200 {
                    house.create(&[name]);
                    house.report(&format!("{name} processing 50"));
                    house.report(&format!("{name} completed"));
                    house.jobs.remove(&id(name)).unwrap();
                }
            });
        }
        let mut made = 0;
        while made < 50 && house.jobs.figures().created < 600 {
            let jobs = names.iter().filter(|_| fastrand::bool()).map(|name| existing(name));
            made += usize::from(house.make(jobs.collect()).is_ok());
        }
    });
    let (batches, _) = house.batches.list(None, usize::MAX).unwrap();
    assert!(!batches.is_empty());
    for batch in &batches {
        let seen = (batch.status, batch.ended, batch.counts.of(JobStatus::Completed));
        assert_eq!(seen, (JobStatus::Completed, batch.total, batch.total), "{batch:?}");
        assert_eq!(batch.revision, 3 * batch.total as u64);
    }
    house.await_counts((0, batches.len()));
    assert_eq!(house.batches.0.index.read().len(), 0);
}

#[test]
fn a_request_with_a_key_makes_one_batch() {
    let house = House::new();
    let make = |key: &str, digest: u8| {
        house.batches.make(NewBatch {
            id: None,
            title: Some("Talks".into()),
            jobs: vec![new_job(), new_task("q")],
            request: Some(RequestKey { key: key.into(), digest: [digest; 32] }),
        })
    };
    let (first, again) = (make("k", 1).unwrap(), make("k", 1).unwrap());
    assert_eq!((first.is_repeat, again.is_repeat), (false, true));
    assert_eq!(first.present.batch_id, again.present.batch_id);
    assert_eq!((first.jobs, first.present.title), (again.jobs, again.present.title));
    assert_eq!(make("k", 2).unwrap_err(), MakeError::KeyReused);
    assert_ne!(make("l", 1).unwrap().present.batch_id, first.present.batch_id);
    assert_eq!(house.jobs.open_count(), 4);
}

#[test]
fn cancelling_a_batch_cancels_what_has_not_ended() {
    let house = House::new();
    house.create(&["a", "b"]);
    let made = house.make(vec![existing("a"), existing("b"), new_task("q"), new_job()]).unwrap();
    house.report("a completed");
    house.report("b processing 10");
    let end = house.batches.cancel(&made.present.batch_id).unwrap();
    let count = |status| end.counts.of(status);
    assert_eq!((count(JobStatus::Completed), count(JobStatus::Cancelled)), (1, 3));
    assert_eq!(end.status, JobStatus::Cancelled);
    assert_eq!(house.queues.describe(&id("q")).unwrap().1.waiting, 0);
    assert_eq!(house.batches.cancel(&made.present.batch_id).unwrap(), end);
    assert_eq!(house.batches.cancel(&id("x")), Err(CancelError::Unknown));
}
