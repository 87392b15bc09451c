//! What becomes of jobs while the disk is behind, so that nothing more is taken.

use super::*;
use crate::store::records::Then;

/// So many states wait at most.
const ROOM: usize = 8;

fn house(folder: &Path, clock: Arc<dyn Clock>) -> House {
    let disk = store::Limits { pending_events: ROOM, ..store::Limits::default() };
    House::with(Some(folder), &disk, config(), clock)
}

/// Holds up whoever writes the records, until what is returned is dropped.
fn hold_up(records: &Records) -> Sender<()> {
    let ((begun, is_begun), (release, is_released)) = (mpsc::channel(), mpsc::channel());
    let then: Then = Box::new(move |_| {
        begun.send(()).unwrap();
        let _ = is_released.recv();
    });
    records.put("none", &id("held"), String::new(), Certainty::Process, Some(then));
    is_begun.recv_timeout(PATIENCE).unwrap();
    release
}

/// Leaves no room for more.
fn fill(records: &Records) {
    for n in 0..ROOM {
        records.put("none", &id(&n.to_string()), String::new(), Certainty::Process, None);
    }
    assert!(!records.has_room());
}

fn lease(house: &House) -> Result<Option<Leased>, AddError> {
    house.queues.lease(&id("out"), &id("w"), PATIENCE, Instant::now())
}

/// Leases as soon as there is a job and the disk has room.
fn lease_in_the_end(house: &House) -> Leased {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(Some(leased)) = lease(house) {
            return leased;
        }
        assert!(Instant::now() < deadline, "{:?}", house.queues.describe(&id("out")));
        std::thread::yield_now();
    }
}

#[test]
fn a_job_that_cannot_begin_now_keeps_its_place_though_it_is_not_on_disk_yet() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), Arc::new(SystemClock));
    let release = hold_up(&house.records);
    let task = NewTask { id: Some(id("a")), ..NewTask::default() };
    house.queues.add(&id("out"), vec![task], false).unwrap();
    fill(&house.records);
    assert_eq!(lease(&house).unwrap_err(), AddError::Create(CreateError::Busy));
    drop(release);
    assert_eq!(lease_in_the_end(&house).task.job_id, id("a"));
}

#[test]
fn a_lost_job_is_taken_back_when_the_disk_has_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let house = house(folder.path(), clock.clone());
    let job = house.add_to("out", NewTask { id: Some(id("a")), ..NewTask::default() });
    lease_in_the_end(&house);
    clock.advance(PATIENCE);
    house.await_job(&job, |job| job.present.stalled);
    let release = hold_up(&house.records);
    fill(&house.records);
    clock.advance(Duration::from_secs(1));
    // Now it cannot be taken back, whoever of the two is the one that tries.
    house.jobs.tick();
    drop(release);
    let deadline = Instant::now() + PATIENCE;
    while house.job(&job).present.status != JobStatus::Pending {
        clock.advance(Duration::from_secs(1));
        house.jobs.tick();
        assert!(Instant::now() < deadline, "nobody takes it back");
    }
    assert_eq!(house.job(&job).assignment.unwrap().losses, 1);
}

#[test]
fn a_job_that_has_begun_is_not_removed_as_if_it_waited() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), Arc::new(SystemClock));
    let (first, second) = (house.add("a"), house.add("b"));
    house.next();
    house.await_status(&first, JobStatus::Processing);
    let release = hold_up(&house.records);
    house.order(Order::Complete(Value::Null));
    assert_eq!(house.next().job_id, second);
    // It has begun, and those who watch do not know it yet.
    assert_eq!(house.job(&second).present.status, JobStatus::Pending);
    assert!(matches!(house.queues.remove(&second), Err(RemoveError::Open(_))));
    drop(release);
    house.order(Order::Complete(Value::Null));
    house.await_job(&second, |job| job.present.is_terminal());
    assert_eq!(house.job(&second).present.status, JobStatus::Completed);
}
