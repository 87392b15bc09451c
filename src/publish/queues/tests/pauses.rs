//! What must not be tried again before somebody wants it.

use super::*;

/// A queue whose own pause is 100 s, and its only job, which has just failed.
fn failed(failure: Failure) -> (House, Arc<ManualClock>, Identifier) {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let backoff = Backoff { kind: BackoffKind::Fixed, first: Duration::from_secs(100) };
    let house = House::new(None, QueueConfig { backoff, ..config() }, clock.clone());
    let job = house.add("a");
    house.next();
    house.order(Order::Fail(failure));
    (house, clock, job)
}

fn in_seconds(seconds: u64) -> Failure {
    Failure::retryable("busy").after(Some(Duration::from_secs(seconds)))
}

#[test]
fn an_attempt_waits_for_as_long_as_it_must_and_not_less_than_the_queue_wants() {
    for (wanted, pause) in [(600, 600), (3_600, 3_600), (5, 100)] {
        let (house, clock, job) = failed(in_seconds(wanted));
        house.await_counts((0, 0, 0, 0, 1));
        let present = house.await_job(&job, |job| job.present.attempt == 2).present;
        assert_eq!((present.status, present.stage.as_str()), (JobStatus::Pending, "waiting"));
        assert_eq!(present.message, format!("Attempt 2 of 3 begins in {pause}.0 s: busy"));
        clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(house.counts(), (0, 0, 0, 0, 1));
        clock.advance(Duration::from_secs(1));
        assert_eq!(house.next().attempt, 2);
        house.order(Order::Complete(Value::Null));
        house.await_status(&job, JobStatus::Completed);
    }
}

#[test]
fn what_must_wait_too_long_has_failed_and_says_so() {
    let (house, _clock, job) = failed(in_seconds(3_601));
    let failed = house.await_status(&job, JobStatus::Failed).present;
    let error = failed.error.unwrap();
    assert_eq!(error, "busy (It may be tried again only in 3601 s.)");
    assert_eq!(failed.attempt, 1);
    house.await_counts((0, 0, 0, 1, 0));
}

#[test]
fn what_has_failed_for_good_does_not_say_when_it_may_be_tried_again() {
    let never = Failure { is_retryable: false, ..in_seconds(9_999) };
    let (house, _clock, job) = failed(never);
    let failed = house.await_status(&job, JobStatus::Failed).present;
    assert_eq!(failed.error.as_deref(), Some("busy"));
}
