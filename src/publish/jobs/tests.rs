//! Jobs and those who watch them, without a network.

// What is nearly over.
mod ends;

// What is asked twice.
mod tries;

use std::path::Path;
use std::sync::Mutex as StdMutex;

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::event::dialect::{Dialect, Envelope};
use crate::event::job_update::JobStatus;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::topic::Topic;
use crate::hub::tests::Nowhere;
use crate::hub::{self, Hub, Joined, Profile, Resume};
use crate::publish;
use crate::store;
use crate::store::records::{Certainty, Then};

/// Jobs in memory or in a folder, and their hub.
struct House {
    hub: Hub,
    records: Records,
    jobs: Jobs,
}

impl House {
    fn new(folder: Option<&Path>, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let publisher =
            Publisher::new(hub.clone(), None, &publish::Limits::default(), clock.clone());
        let (records, found) = match folder {
            None => (Records::in_memory().unwrap(), Vec::new()),
            Some(folder) => Records::open(folder, &store::Limits::default(), &*clock).unwrap(),
        };
        let jobs = Jobs::start(publisher, records.clone(), &found, limits, 0, clock).unwrap();
        Self { hub, records, jobs }
    }

    fn in_memory() -> Self {
        Self::new(None, Limits::default(), Arc::new(SystemClock))
    }

    fn create(&self, id: &str) -> Identifier {
        let new = NewJob { id: Some(id.parse().unwrap()), ..NewJob::default() };
        self.jobs.create(new).unwrap().present.job_id
    }

    fn report(
        &self,
        id: &Identifier,
        status: JobStatus,
        progress: f64,
    ) -> Result<Updated, UpdateError> {
        self.jobs.update(id, &Report { progress: Some(progress), ..Report::of(status) })
    }

    fn status(&self, id: &Identifier) -> JobStatus {
        self.jobs.get(id).unwrap().present.status
    }
}

/// A watcher: what it was shown first, and what came after.
struct Watcher {
    first: Option<JobUpdate>,
    joined: Option<Joined>,
}

impl Watcher {
    fn new(house: &House, id: &Identifier) -> Self {
        let profile = Profile {
            door: "test",
            project: Identifier::default_project(),
            session: None,
            user: None,
            address: None,
            subscription: Subscription::new([Topic::job(id.clone())], NameFilter::All),
            dialect: Dialect::Events,
            envelope: Envelope::Bare,
            resume: Resume::FromNow,
        };
        house.jobs.watch(id, |shown| {
            let is_over = shown.is_some_and(JobUpdate::is_terminal);
            let joined = (!is_over).then(|| house.hub.join(profile, Arc::new(Nowhere)).unwrap());
            Self { first: shown.cloned(), joined }
        })
    }

    /// The revisions up to the job's end. One that a newer one replaced, because this watcher is slow, is
    /// counted by that.
    fn all(mut self) -> Vec<u64> {
        let mut seen: Vec<u64> = self.first.iter().map(|update| update.revision).collect();
        let mut is_over = self.first.as_ref().is_some_and(JobUpdate::is_terminal);
        while !is_over {
            let writer = &mut self.joined.as_mut().unwrap().writer;
            let due = writer.take_events(Duration::from_secs(60)).unwrap();
            assert!(!due.is_empty(), "the end is missed after {seen:?}");
            for due in due {
                assert!(!is_over, "something comes after the end: {due:?}");
                let update = JobUpdate::decode(due.event.body.data.as_str()).unwrap();
                let replaced = u64::from(due.stands_for) - 1;
                seen.extend(update.revision - replaced..=update.revision);
                is_over = update.is_terminal();
            }
        }
        seen
    }
}

#[test]
fn a_job_is_made_reported_on_and_ends() {
    let house = House::in_memory();
    let id = house.create("a");
    assert_eq!(house.status(&id), JobStatus::Pending);
    house.report(&id, JobStatus::Processing, 50.0).unwrap();
    let error = house.report(&id, JobStatus::Processing, 10.0).unwrap_err();
    let UpdateError::Conflict { conflict, present } = error else { panic!("{error:?}") };
    assert_eq!(conflict, Conflict::Backwards { said: 10.0, present: 50.0 });
    assert_eq!((present.progress, present.revision), (50.0, 2));
    house.report(&id, JobStatus::Completed, 100.0).unwrap();
    assert_eq!(house.status(&id), JobStatus::Completed);
    let nobody = house.report(&"b".parse().unwrap(), JobStatus::Completed, 1.0);
    assert_eq!(nobody.unwrap_err(), UpdateError::Unknown);
}

#[test]
fn whoever_watches_is_told_the_present_state_and_the_end_once() {
    let house = House::in_memory();
    let id: Identifier = "early".parse().unwrap();
    let before = Watcher::new(&house, &id);
    house.create("early");
    let pending = Watcher::new(&house, &id);
    house.report(&id, JobStatus::Processing, 50.0).unwrap();
    let during = Watcher::new(&house, &id);
    house.report(&id, JobStatus::Completed, 100.0).unwrap();
    let after = Watcher::new(&house, &id);
    assert_eq!(before.all(), [1, 2, 3]);
    assert_eq!(pending.all(), [1, 2, 3]);
    assert_eq!(during.all(), [2, 3]);
    assert_eq!(after.all(), [3]);
}

/// Watchers come at any moment of many short lives; each sees states without a hole after its first one,
/// and the end exactly once.
#[test]
fn nobody_misses_the_end_whenever_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(Some(folder.path()), Limits::default(), Arc::new(SystemClock));
    for round in 0..60 {
        let id: Identifier = format!("job-{round}").parse().unwrap();
        let seen = StdMutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..fastrand::u32(0..400) {
                        std::thread::yield_now();
                    }
                    let watcher = Watcher::new(&house, &id);
                    seen.lock().unwrap().push(watcher.all());
                });
            }
            scope.spawn(|| {
                house.create(id.as_str());
                for percent in 1..fastrand::u32(2..10) {
                    house.report(&id, JobStatus::Processing, f64::from(percent)).unwrap();
                }
                let end = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];
                house.report(&id, end[round % 3], 100.0).unwrap();
            });
        });
        for revisions in seen.into_inner().unwrap() {
            let expected: Vec<u64> = (revisions[0]..).take(revisions.len()).collect();
            assert_eq!(revisions, expected, "no state is missing and none comes twice");
        }
    }
}

#[test]
fn jobs_are_made_all_or_none() {
    let house =
        House::new(None, Limits { max_open: 3, ..Limits::default() }, Arc::new(SystemClock));
    let named = |id: &str| NewJob { id: Some(id.parse().unwrap()), ..NewJob::default() };
    let twice = house.jobs.create_all(vec![named("a"), named("b"), named("a")]);
    assert!(matches!(twice, Err(CreateError::Exists(_))));
    assert_eq!(house.jobs.open_count(), 0);
    house.jobs.create_all(vec![named("a"), named("b")]).unwrap();
    let full = house.jobs.create_all(vec![named("c"), named("d")]);
    assert_eq!(full.unwrap_err(), CreateError::Full(2));
    house.report(&"a".parse().unwrap(), JobStatus::Completed, 1.0).unwrap();
    house.jobs.create_all(vec![named("c"), named("d")]).unwrap();
}

#[test]
fn large_jobs_make_room_by_their_end() {
    let house =
        House::new(None, Limits { max_bytes: 25_000, ..Limits::default() }, Arc::new(SystemClock));
    let large = |id: &str| {
        let payload = format!("\"{}\"", "x".repeat(10_000));
        let payload = serde_json::value::RawValue::from_string(payload).unwrap();
        let id = Some(id.parse().unwrap());
        house.jobs.create(NewJob { id, payload: Some(payload.into()), ..NewJob::default() })
    };
    large("a").unwrap();
    large("b").unwrap();
    assert_eq!(large("c").unwrap_err(), CreateError::Heavy(25_000));
    house.report(&"b".parse().unwrap(), JobStatus::Completed, 1.0).unwrap();
    large("c").unwrap();
    let left: Vec<_> = house.jobs.list(None, 9, |_| true).unwrap().0;
    let left: Vec<_> = left.iter().map(|job| job.present.job_id.as_str()).collect();
    assert_eq!(left, ["c", "a"], "what had ended is gone, and no more than was needed");
    house.report(&"a".parse().unwrap(), JobStatus::Completed, 1.0).unwrap();
    house.jobs.remove(&"a".parse().unwrap()).unwrap();
    large("d").unwrap();
}

#[test]
fn jobs_survive_a_crash_and_nobody_has_seen_more() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let house = House::new(Some(folder.path()), Limits::default(), clock.clone());
    let (done, open) = (house.create("done"), house.create("open"));
    house.report(&open, JobStatus::Processing, 40.0).unwrap();
    house.report(&done, JobStatus::Completed, 100.0).unwrap();
    // As a crash leaves it.
    std::mem::forget(house);
    let house = House::new(Some(folder.path()), Limits::default(), clock);
    let done = house.jobs.get(&done).unwrap().present;
    assert_eq!((done.status, done.revision), (JobStatus::Completed, 2));
    assert_eq!(house.jobs.get(&open).unwrap().present.revision, 2);
    assert_eq!(house.jobs.open_count(), 1);
    let order: Vec<_> = house.jobs.list(None, 9, |_| true).unwrap().0;
    assert_eq!(order.len(), 2);
}

/// Jobs on a clock that is moved by hand.
fn house_with_clock(limits: Limits) -> (House, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    (House::new(None, limits, clock.clone()), clock)
}

impl House {
    /// Does what is due and waits until it is shown.
    fn tick(&self) {
        self.jobs.tick();
        let ticket = self.records.remove("none", &Identifier::default_project());
        self.records.await_written(ticket, Duration::from_secs(60)).unwrap();
        // What is to be shown is shown after that; the next state waits for it.
        let (done, shown) = std::sync::mpsc::channel();
        let then: Then = Box::new(move |_| done.send(()).unwrap());
        let id = Identifier::default_project();
        self.records.put("none", &id, String::new(), Certainty::Process, Some(then));
        shown.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn a_job_of_which_nothing_is_heard_stalls_and_is_given_up() {
    let limits = Limits { stall_grace: Duration::from_secs(5), ..Limits::default() };
    let (house, clock) = house_with_clock(limits);
    let new = NewJob { id: Some("a".parse().unwrap()), lease_ms: 10_000, ..NewJob::default() };
    let id = house.jobs.create(new).unwrap().present.job_id;
    let present = || house.jobs.get(&id).unwrap().present;
    house.report(&id, JobStatus::Processing, 30.0).unwrap();
    clock.advance(Duration::from_secs(9));
    house.tick();
    assert!(!present().stalled);
    house.jobs.hear(&id).unwrap();
    clock.advance(Duration::from_secs(9));
    house.tick();
    assert!(!present().stalled, "it was heard of meanwhile");
    clock.advance(Duration::from_secs(1));
    house.tick();
    assert_eq!((present().stalled, present().status), (true, JobStatus::Processing));
    house.jobs.hear(&id).unwrap();
    house.tick();
    assert!(!present().stalled, "it goes on");
    clock.advance(Duration::from_secs(10));
    house.tick();
    clock.advance(Duration::from_secs(5));
    house.tick();
    assert_eq!(present().status, JobStatus::Failed);
    assert_eq!(present().error.as_deref(), Some(lease::LOST_WORKER));
}

#[test]
fn ended_jobs_go_when_they_are_too_old_or_too_many() {
    let limits = Limits { max_ended: 2, ended_age: Duration::from_secs(60), ..Limits::default() };
    let (house, clock) = house_with_clock(limits);
    for id in ["a", "b", "c", "open"] {
        house.create(id);
    }
    for id in ["a", "b", "c"] {
        house.report(&id.parse().unwrap(), JobStatus::Completed, 100.0).unwrap();
    }
    house.tick();
    let left = || -> Vec<String> {
        let jobs = house.jobs.list(None, 10, |_| true).unwrap().0;
        jobs.iter().map(|job| job.present.job_id.to_string()).collect()
    };
    assert_eq!(left(), ["open", "c", "b"]);
    clock.advance(Duration::from_secs(61));
    house.tick();
    assert_eq!(left(), ["open"]);
}

#[test]
fn jobs_are_listed_in_pages_and_removed_after_their_end() {
    let house = House::in_memory();
    for n in 0..5 {
        house.create(&format!("job-{n}"));
    }
    let page = |before: Option<&str>| -> (Vec<String>, bool) {
        let before = before.map(|id| id.parse().unwrap());
        let (jobs, more) = house.jobs.list(before.as_ref(), 2, |_| true).unwrap();
        (jobs.iter().map(|job| job.present.job_id.to_string()).collect(), more)
    };
    assert_eq!(page(None), (vec!["job-4".into(), "job-3".into()], true));
    assert_eq!(page(Some("job-1")), (vec!["job-0".into()], false));
    let id = "job-4".parse().unwrap();
    assert_eq!(house.jobs.remove(&id), Err(RemoveError::Open(JobStatus::Pending)));
    house.report(&id, JobStatus::Cancelled, 0.0).unwrap();
    assert_eq!(house.jobs.remove(&id).unwrap().status, JobStatus::Cancelled);
    assert_eq!(house.jobs.remove(&id), Err(RemoveError::Unknown));
    assert_eq!(page(None).0[0], "job-3");
}

#[test]
fn whoever_listens_is_told_of_every_change_in_order() {
    let house = House::in_memory();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    house.jobs.listen(Box::new(move |change| {
        let before = change.before.map(|before| before.revision);
        told.lock().push((before, change.shown.revision));
    }));
    let id = house.create("a");
    house.report(&id, JobStatus::Processing, 1.0).unwrap();
    house.report(&id, JobStatus::Completed, 1.0).unwrap();
    house.tick();
    assert_eq!(*seen.lock(), [(None, 1), (Some(1), 2), (Some(2), 3)]);
}
