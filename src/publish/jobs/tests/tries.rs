//! What is asked twice is done once, and the second answer promises no more than the first.

use super::*;

#[test]
fn a_report_that_comes_again_is_taken_once() {
    let house = House::in_memory();
    let id = house.create("a");
    let report = |name: &str| Report {
        update_id: Some(name.into()),
        progress: Some(5.0),
        ..Report::of(JobStatus::Processing)
    };
    assert!(!house.jobs.update(&id, &report("x")).unwrap().is_repeat);
    house.jobs.update(&id, &report("y")).unwrap();
    let again = house.jobs.update(&id, &report("x")).unwrap();
    assert_eq!((again.is_repeat, again.present.revision), (true, 3));
    house.report(&id, JobStatus::Completed, 100.0).unwrap();
    assert!(house.jobs.update(&id, &report("x")).unwrap().is_repeat, "after the end as well");
}

#[test]
fn so_many_reports_are_remembered_and_the_oldest_is_forgotten_first() {
    let limits = Limits { update_ids: 2, ..Limits::default() };
    let house = House::new(None, limits, Arc::new(ManualClock::at(1_000)));
    let id = house.create("a");
    let is_repeat = |name: &str| {
        let report = Report { update_id: Some(name.into()), ..Report::of(JobStatus::Processing) };
        house.jobs.update(&id, &report).unwrap().is_repeat
    };
    assert_eq!(["x", "y", "z"].map(is_repeat), [false; 3]);
    assert_eq!(["y", "z"].map(is_repeat), [true; 2]);
    assert!(!is_repeat("x"), "it was forgotten");
    assert!(!is_repeat("y") && is_repeat("x"), "and now the next one is");
}

#[test]
fn what_comes_again_is_not_called_stored_before_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let house =
        House::new(Some(folder.path()), Limits::default(), Arc::new(ManualClock::at(1_000)));
    let id = house.create("a");
    let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let report = Report { update_id: Some("x".into()), ..Report::of(JobStatus::Processing) };
    let new = || NewJob {
        request: Some(crate::event::RequestKey { key: "k".into(), digest: [1; 32] }),
        ..NewJob::default()
    };
    for is_repeat in [false, true] {
        let updated = house.jobs.update(&id, &report).unwrap();
        assert_eq!((updated.is_repeat, updated.stored.is_ok()), (is_repeat, false));
        let created = house.jobs.create(new()).unwrap();
        assert_eq!((created.is_repeat, created.stored.is_ok()), (is_repeat, false));
    }
    drop(other);
    while house.records.trouble().is_some() {
        std::thread::yield_now();
    }
    assert_eq!(house.jobs.update(&id, &report).unwrap().stored, Ok(()));
    assert_eq!(house.jobs.create(new()).unwrap().stored, Ok(()));
}

#[test]
fn a_request_with_a_key_makes_one_job() {
    let house = House::in_memory();
    let new = |key: &str, digest: u8| NewJob {
        request: Some(crate::event::RequestKey { key: key.into(), digest: [digest; 32] }),
        ..NewJob::default()
    };
    let first = house.jobs.create(new("k", 1)).unwrap();
    let again = house.jobs.create(new("k", 1)).unwrap();
    assert_eq!(first.present.job_id, again.present.job_id);
    assert_eq!((first.is_repeat, again.is_repeat), (false, true));
    assert_eq!(house.jobs.create(new("k", 2)).unwrap_err(), CreateError::KeyReused);
    assert_ne!(house.jobs.create(new("l", 1)).unwrap().present.job_id, first.present.job_id);
    house.create("mine");
    let named = |request| NewJob { id: Some("mine".parse().unwrap()), ..request };
    for twice in [NewJob::default(), new("m", 3)] {
        assert!(matches!(house.jobs.create(named(twice)), Err(CreateError::Exists(_))));
    }
    let named = |request| NewJob { id: Some("named".parse().unwrap()), ..request };
    assert!(!house.jobs.create(named(new("n", 4))).unwrap().is_repeat);
    assert!(house.jobs.create(named(new("n", 4))).unwrap().is_repeat);
}
