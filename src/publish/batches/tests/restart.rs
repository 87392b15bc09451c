//! Batches after a crash.

use super::*;

fn reopened(folder: &Path, house: House) -> House {
    // What the thread of the batches has begun is to be on disk; then it is as a crash leaves it.
    house.batches.stop();
    house.tick();
    std::mem::forget(house);
    House::open(Some(folder), Limits::default(), jobs::Limits::default())
}

#[test]
fn a_batch_goes_on_after_a_crash_where_its_jobs_are() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(Some(folder.path()), Limits::default(), jobs::Limits::default());
    house.create(&["a", "b", "c"]);
    let batch = house.batch(&["2 a", "b", "c"]);
    let over = house.batch(&["c"]);
    house.report("a processing 50");
    house.report("c completed");
    house.tick();
    let before = house.get(&batch);
    let (house, before_over) = {
        let seen = house.get(&over);
        (reopened(folder.path(), house), seen)
    };
    let after = house.get(&batch);
    let seen = |update: &BatchUpdate| {
        (update.revision, update.status, update.progress, update.counts, update.started_ms)
    };
    assert_eq!(seen(&after), seen(&before));
    assert_eq!(house.get(&over), before_over);
    house.await_counts((1, 1));
    house.report("a completed");
    house.report("b completed");
    house.check(&batch, JobStatus::Completed, 100.0, 3);
    assert!(house.get(&batch).revision > before.revision);
}

/// A job may be kept less long than its batch.
#[test]
fn what_a_job_came_to_outlives_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(Some(folder.path()), Limits::default(), jobs::Limits::default());
    house.create(&["a", "b", "c", "d"]);
    let batch = house.batch(&["a", "b", "c", "d"]);
    for (job, end) in [("a", "failed"), ("b", "cancelled"), ("c", "completed")] {
        house.report(&format!("{job} processing 20"));
        house.report(&format!("{job} {end}"));
        house.jobs.remove(&id(job)).unwrap();
    }
    let before = house.get(&batch);
    assert_eq!((before.ended, before.revision), (3, 10));
    house.tick();
    let house = reopened(folder.path(), house);
    let after = house.get(&batch);
    assert_eq!((after.counts, after.revision), (before.counts, 10));
    assert_eq!(after.started_ms, before.started_ms);
    house.report("d completed");
    house.check(&batch, JobStatus::Failed, 100.0, 4);
    house.tick();
    let house = reopened(folder.path(), house);
    house.check(&batch, JobStatus::Failed, 100.0, 4);
    house.await_counts((0, 1));
    // All of it goes in the end.
    house.pass(8.0 * 86_400.0);
    house.tick();
    assert!(house.batches.get(&batch).is_none());
    house.tick();
    let house = reopened(folder.path(), house);
    house.await_counts((0, 0));
}

/// The server was away when the last job ended: nobody but the job's record knows.
#[test]
fn an_end_that_was_not_told_is_known_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(Some(folder.path()), Limits::default(), jobs::Limits::default());
    house.create(&["a"]);
    let batch = house.batch(&["a"]);
    house.batches.stop();
    house.report("a completed");
    let house = reopened(folder.path(), house);
    house.check(&batch, JobStatus::Completed, 100.0, 1);
    house.await_counts((0, 1));
}

/// Its record broke: it cannot be said what became of it, and nobody waits for it for ever.
#[test]
fn a_job_that_is_gone_counts_as_failed() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(Some(folder.path()), Limits::default(), jobs::Limits::default());
    house.create(&["a", "b"]);
    let batch = house.batch(&["a", "b"]);
    house.report("b completed");
    let ticket = house.records.put("job", &id("a"), "{".into(), Certainty::Process, None);
    house.records.await_written(ticket, A_MINUTE).unwrap();
    let house = reopened(folder.path(), house);
    house.check(&batch, JobStatus::Failed, 100.0, 2);
}
