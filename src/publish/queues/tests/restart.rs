//! What becomes of queues and their jobs when the process ends, in order or not.

use super::*;

#[test]
fn a_paused_queue_begins_nothing_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let house = House::new(Some(folder.path()), config(), clock.clone());
    assert!(house.queues.pause(&id("q"), true).unwrap().paused);
    assert!(house.queues.pause(&id("none"), true).is_none());
    house.add("a");
    house.crash();
    let house = House::new(Some(folder.path()), config(), clock);
    assert_eq!(house.counts(), (1, 0, 0, 0, 0));
    house.queues.pause(&id("q"), false);
    assert_eq!(house.next().job_id, id("a"));
    house.order(Order::Complete(Value::Null));
    house.await_counts((0, 0, 1, 0, 0));
}

#[test]
fn a_crash_loses_no_accepted_job_and_repeats_none_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let house = House::new(Some(folder.path()), config(), clock.clone());
    for name in ["done", "under-way", "waiting"] {
        house.add(name);
    }
    house.next();
    house.order(Order::Complete(Value::Null));
    house.await_status(&id("done"), JobStatus::Completed);
    assert_eq!(house.next().job_id, id("under-way"));
    house.await_status(&id("under-way"), JobStatus::Processing);
    house.crash();
    let house = House::new(Some(folder.path()), config(), clock);
    let mut begun = Vec::new();
    for _ in 0..2 {
        let task = house.next();
        begun.push((task.job_id.to_string(), task.attempt));
        house.order(Order::Complete(Value::Null));
    }
    begun.sort();
    assert_eq!(begun, [("under-way".into(), 2), ("waiting".into(), 1)]);
    house.await_status(&id("under-way"), JobStatus::Completed);
    assert_eq!(house.job(&id("under-way")).assignment.unwrap().losses, 1);
    house.await_counts((0, 0, 3, 0, 0));
}

#[test]
fn what_ended_just_before_a_crash_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let house = House::new(Some(folder.path()), config(), clock.clone());
    for name in ["a", "b", "c"] {
        house.add(name);
        house.next();
        house.order(Order::Complete(Value::Null));
        house.await_status(&id(name), JobStatus::Completed);
    }
    let records = house.records.clone();
    house.crash();
    // The totals as they were before all that.
    let before = r#"{"is_paused": false, "completed": 0, "failed": 0}"#;
    let ticket = records.put("queue", &id("q"), before.into(), Certainty::Process, None);
    records.await_written(ticket, PATIENCE).unwrap();
    let house = House::new(Some(folder.path()), config(), clock);
    house.await_counts((0, 0, 3, 0, 0));
}

#[test]
fn a_job_that_brings_its_worker_down_each_time_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for life in 0..=Limits::default().max_losses {
        let house = House::new(Some(folder.path()), config(), clock.clone());
        if life == 0 {
            house.add("bad");
        }
        house.next();
        house.await_status(&id("bad"), JobStatus::Processing);
        house.crash();
    }
    let house = House::new(Some(folder.path()), config(), clock);
    let given_up = house.await_status(&id("bad"), JobStatus::Failed);
    assert_eq!(given_up.present.error.as_deref(), Some(crate::publish::jobs::LOST_WORKER));
}

#[test]
fn an_ordered_stop_gives_jobs_back_without_counting() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let house = House::new(Some(folder.path()), config(), clock.clone());
    let job = house.add("a");
    house.next();
    house.order(Order::AwaitCancel);
    assert!(house.queues.stop(PATIENCE));
    house.records.close().unwrap();
    let given_back = house.job(&job);
    assert_eq!(given_back.present.status, JobStatus::Pending);
    let assignment = given_back.assignment.unwrap();
    assert_eq!((assignment.failures, assignment.losses), (0, 0));
    drop(house);
    let house = House::new(Some(folder.path()), config(), clock);
    assert_eq!(house.next().job_id, job);
    house.order(Order::Complete(Value::Null));
    house.await_status(&job, JobStatus::Completed);
}
