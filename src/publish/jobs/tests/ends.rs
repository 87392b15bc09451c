//! Jobs that are nearly over, or just are.

use super::*;

#[test]
fn a_job_whose_next_attempt_never_comes_is_given_up() {
    let limits = Limits { stall_grace: Duration::from_secs(5), ..Limits::default() };
    let (house, clock) = house_with_clock(limits);
    let new = NewJob { id: Some("a".parse().unwrap()), lease_ms: 10_000, ..NewJob::default() };
    let id = house.jobs.create(new).unwrap().present.job_id;
    let failed =
        Report { retryable: true, error: Some("not yet".into()), ..Report::of(JobStatus::Failed) };
    house.jobs.update(&id, &failed).unwrap();
    for seconds in [10, 5] {
        clock.advance(Duration::from_secs(seconds));
        house.tick();
    }
    let present = house.jobs.get(&id).unwrap().present;
    assert!(present.is_terminal(), "{present:?}");
    assert_eq!((present.attempt, present.error.as_deref()), (1, Some(lease::LOST_WORKER)));
}

#[test]
fn what_is_forgotten_is_not_written_again() {
    let house = House::in_memory();
    let id = house.create("a");
    house.report(&id, JobStatus::Failed, 1.0).unwrap();
    // Somebody has found it and is about to change it.
    let slot = house.jobs.0.find(&id).unwrap();
    house.jobs.remove(&id).unwrap();
    let late = house.jobs.0.alter_found(&slot, |_| Ok::<_, UpdateError>(Vec::new()));
    assert_eq!(late.map(drop), Err(UpdateError::Unknown));
    assert_eq!(house.jobs.0.missing_bytes(Limits::default().max_bytes), 0, "it weighs nothing");
}
