//! What happens at the same time, and what comes later than it was meant to.

use super::*;

/// A job that has failed for good.
fn failed_job(house: &House) -> Identifier {
    let job = house.add("a");
    house.next();
    house.order(Order::Fail(Failure::for_good("no")));
    house.await_status(&job, JobStatus::Failed).present.job_id
}

#[test]
fn who_tries_a_job_again_and_who_makes_one_do_not_wait_for_each_other() {
    let house = House::in_memory(config());
    let job = failed_job(&house);
    house.queues.retry(&job).unwrap();
    let (done, both) = mpsc::channel();
    let (queues, retried, retriers_done) = (house.queues.clone(), job.clone(), done.clone());
    std::thread::spawn(move || {
        for _ in 0..100_000 {
            assert!(matches!(queues.retry(&retried), Err(RetryError::Already(_))));
        }
        retriers_done.send(()).unwrap();
    });
    let jobs = house.jobs.clone();
    std::thread::spawn(move || {
        for _ in 0..100_000 {
            let new = jobs::NewJob { id: Some(job.clone()), ..jobs::NewJob::default() };
            assert!(matches!(jobs.create(new), Err(CreateError::Exists(_))));
        }
        done.send(()).unwrap();
    });
    for _ in 0..2 {
        both.recv_timeout(PATIENCE).expect("they wait for each other");
    }
    house.order(Order::Complete(Value::Null));
}

#[test]
fn a_job_that_was_cancelled_meanwhile_does_not_stand_in_line() {
    let house = House::in_memory(config());
    let job = house.add_to("q", NewTask { delay: PATIENCE, ..NewTask::default() });
    let before = house.job(&job);
    house.queues.report(&job, &Report::of(JobStatus::Cancelled), None).unwrap();
    // Who made it so that it waits comes last.
    house.queues.0.follow(&before);
    assert_eq!(house.counts(), (0, 0, 0, 0, 0));
}

#[test]
fn what_others_do_with_a_waiting_job_is_counted() {
    let house = House::in_memory(config());
    house.queues.pause(&id("q"), true);
    let job = house.add("a");
    let report = |status| house.queues.report(&job, &Report::of(status), None).unwrap();
    report(JobStatus::Processing);
    assert_eq!(house.counts(), (0, 1, 0, 0, 0));
    report(JobStatus::Completed);
    assert_eq!(house.counts(), (0, 0, 1, 0, 0));
    let job = house.add("b");
    let report = |status| house.queues.report(&job, &Report::of(status), None).unwrap();
    report(JobStatus::Processing);
    report(JobStatus::Cancelled);
    assert_eq!(house.counts(), (0, 0, 1, 0, 0), "there is nobody here who leaves it off");
}

#[test]
fn a_failure_for_which_there_is_no_room_beside_what_was_said_before_is_told() {
    let house = House::in_memory(config());
    let job = house.add("a");
    house.next();
    let data = format!("{:?}", "x".repeat((1 << 20) - 400));
    let data = serde_json::value::RawValue::from_string(data).unwrap();
    let large = Report { data: Some(data.into()), ..Report::of(JobStatus::Processing) };
    house.queues.report(&job, &large, None).unwrap();
    house.order(Order::Fail(Failure::for_good("y".repeat(1_000))));
    let failed = house.await_status(&job, JobStatus::Failed).present;
    assert_eq!(failed.error.unwrap().len(), 1_000);
    assert!(failed.data.is_none(), "it gave way");
}

#[test]
fn jobs_of_one_moment_keep_their_order_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let house = House::new(Some(folder.path()), config(), clock.clone());
    let tasks = (0..20).map(|_| NewTask::default()).collect();
    let made = house.queues.add(&id("out"), tasks, true).unwrap();
    let made: Vec<_> = made.into_iter().map(|job| job.present.job_id).collect();
    house.crash();
    let house = House::new(Some(folder.path()), config(), clock.clone());
    let lease = || house.queues.lease(&id("out"), &id("w"), PATIENCE, clock.now());
    let begun: Vec<_> =
        std::iter::from_fn(|| lease().unwrap()).map(|leased| leased.task.job_id).collect();
    assert_eq!(begun, made);
}
