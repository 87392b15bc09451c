//! Workers that lease jobs.

use super::*;

fn lease(house: &House, worker: &str) -> Option<Leased> {
    let leased = house.queues.lease(&id("out"), &id(worker), PATIENCE, Instant::now());
    leased.unwrap()
}

fn add(house: &House, name: &str) -> Identifier {
    house.add_to("out", NewTask { id: Some(id(name)), ..NewTask::default() })
}

fn done() -> Report {
    Report::of(JobStatus::Completed)
}

#[test]
fn a_worker_outside_leases_a_job_and_ends_it() {
    let house = House::in_memory(config());
    assert_eq!(lease(&house, "w"), None);
    let job = add(&house, "a");
    let leased = lease(&house, "w").unwrap();
    assert_eq!(leased.task.job_id, job);
    assert_eq!(lease(&house, "w"), None, "nobody else has it");
    let workers = house.queues.describe(&id("out")).unwrap().2;
    assert_eq!(workers[0].current_job.as_ref(), Some(&job));
    assert_eq!(workers[0].status, "active");
    for token in [None, Some("wrong")] {
        let refused = house.queues.report(&job, &done(), token);
        assert!(matches!(refused, Err(LeaseError::NotYours(_))), "{refused:?}");
        assert!(house.queues.hear(&job, token).is_err());
    }
    house.queues.hear(&job, Some(&leased.token)).unwrap();
    house.queues.report(&job, &done(), Some(&leased.token)).unwrap();
    assert_eq!(house.queues.describe(&id("out")).unwrap().1.completed, 1);
    assert_eq!(house.queues.workers()[0].status, "idle");
}

#[test]
fn reports_are_taken_in_their_order_and_each_has_its_answer() {
    let house = House::in_memory(config());
    let (leased, free) = (add(&house, "a"), add(&house, "b"));
    let token = lease(&house, "w").unwrap().token;
    let at = |percent: f64| Report { progress: Some(percent), ..Report::of(JobStatus::Processing) };
    let (ten, five, nobody) = (at(10.0), at(5.0), id("c"));
    let told = house.queues.report_all([
        (&leased, &ten, Some(token.as_str())),
        (&free, &five, None),
        (&leased, &five, Some(token.as_str())),
        (&leased, &ten, None),
        (&nobody, &ten, None),
    ]);
    let told = told.iter().map(|told| match told {
        Ok(updated) => updated.present.progress.to_string(),
        Err(LeaseError::Update(UpdateError::Conflict { present, .. })) => {
            format!("stays at {}", present.progress)
        }
        Err(LeaseError::NotYours(_)) => "not yours".into(),
        Err(LeaseError::Update(error)) => format!("{error:?}"),
    });
    let expected = ["10", "5", "stays at 10", "not yours", "Unknown"];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let reports = house.jobs.figures().reports;
    for (word, count) in [("taken", 2), ("conflict", 1), ("lease_lost", 1), ("unknown", 1)] {
        assert!(reports.contains(&(word, count)), "{word}: {reports:?}");
    }
}

#[test]
fn a_worker_that_falls_silent_loses_its_job_to_the_next() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let house = House::new(None, config(), clock.clone());
    let job = add(&house, "a");
    let first = lease(&house, "w1").unwrap();
    clock.advance(PATIENCE);
    house.await_job(&job, |job| job.present.stalled);
    clock.advance(Duration::from_secs(1));
    house.await_status(&job, JobStatus::Pending);
    let second = lease_when_there(&house, "w2");
    assert_eq!((second.task.job_id.clone(), second.task.attempt), (job.clone(), 2));
    let late = house.queues.report(&job, &done(), Some(&first.token));
    assert!(matches!(late, Err(LeaseError::NotYours(_))));
    house.queues.report(&job, &done(), Some(&second.token)).unwrap();
}

/// The job is pending before it stands in the line.
fn lease_when_there(house: &House, worker: &str) -> Leased {
    loop {
        if let Some(leased) = lease(house, worker) {
            return leased;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_restart_leaves_a_lease_to_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let house = House::new(Some(folder.path()), config(), clock.clone());
    let job = add(&house, "a");
    let leased = lease(&house, "w").unwrap();
    house.await_status(&job, JobStatus::Processing);
    house.crash();
    let house = House::new(Some(folder.path()), config(), clock);
    assert_eq!(lease(&house, "other"), None);
    house.queues.report(&job, &done(), Some(&leased.token)).unwrap();
    assert_eq!(house.queues.describe(&id("out")).unwrap().1.completed, 1);
}

#[test]
fn a_failure_outside_is_followed_by_another_attempt() {
    let house = House::in_memory(config());
    let backoff = Backoff { kind: BackoffKind::Fixed, first: Duration::ZERO };
    let task = NewTask { backoff: Some(backoff), attempts: Some(2), ..NewTask::default() };
    let job = house.add_to("out", task);
    let failed = Report { retryable: true, ..Report::of(JobStatus::Failed) };
    let leased = lease(&house, "w").unwrap();
    house.queues.report(&job, &failed, Some(&leased.token)).unwrap();
    let leased = lease(&house, "w").unwrap();
    assert_eq!(leased.task.attempt, 2);
    house.queues.report(&job, &failed, Some(&leased.token)).unwrap();
    assert!(house.job(&job).present.is_terminal(), "two attempts were all");
}

#[test]
fn a_leased_job_can_be_cancelled_by_others_and_given_back() {
    let house = House::in_memory(config());
    let job = add(&house, "a");
    let leased = lease(&house, "w").unwrap();
    house.queues.give_back(&leased);
    let again = lease(&house, "w").unwrap();
    assert_eq!(again.task.attempt, 2);
    let cancel = Report::of(JobStatus::Cancelled);
    house.queues.report(&job, &cancel, None).unwrap();
    let heard = house.queues.hear(&job, Some(&again.token));
    assert_eq!(heard.map(|present| present.status).ok(), Some(JobStatus::Cancelled));
    assert_eq!(house.queues.describe(&id("out")).unwrap().1.active, 0);
}

#[test]
fn what_is_said_of_a_waiting_job_by_others_takes_it_from_the_line() {
    let house = House::in_memory(config());
    let job = add(&house, "a");
    house.queues.report(&job, &Report::of(JobStatus::Processing), None).unwrap();
    assert_eq!(lease(&house, "w"), None);
    house.queues.report(&job, &done(), None).unwrap();
    let twice = house.queues.report(&job, &done(), None);
    assert!(matches!(twice, Err(LeaseError::Update(UpdateError::Conflict { .. }))));
}

#[test]
fn a_report_that_comes_again_is_known_after_the_lease_is_over() {
    let house = House::in_memory(config());
    let backoff = Backoff { kind: BackoffKind::Fixed, first: Duration::ZERO };
    house
        .add_to("out", NewTask { id: Some(id("a")), backoff: Some(backoff), ..NewTask::default() });
    let leased = lease(&house, "w").unwrap();
    let failed =
        Report { retryable: true, update_id: Some("w-1".into()), ..Report::of(JobStatus::Failed) };
    let token = Some(leased.token.as_str());
    let told = |report: &Report| house.queues.report(&id("a"), report, token);
    assert!(!told(&failed).unwrap().is_repeat);
    assert!(told(&failed).unwrap().is_repeat, "its answer may have been lost");
    assert!(matches!(told(&done()), Err(LeaseError::NotYours(_))));
    let reports = house.jobs.figures().reports;
    let count = |outcome| reports.iter().find(|(seen, _)| *seen == outcome).unwrap().1;
    assert_eq!(["taken", "repeated", "lease_lost"].map(count), [1, 1, 1]);
}

#[test]
fn many_reports_are_taken_each_by_itself() {
    let house = House::in_memory(config());
    add(&house, "a");
    let leased = lease(&house, "w").unwrap();
    add(&house, "b");
    let (done, token) = (done(), leased.token.as_str());
    let reports = [
        (&id("a"), &done, Some("wrong")),
        (&id("b"), &done, None),
        (&id("a"), &done, Some(token)),
        (&id("c"), &done, None),
    ];
    let outcomes = house.queues.report_all(reports);
    assert!(matches!(outcomes[0], Err(LeaseError::NotYours(_))));
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok());
    assert!(matches!(outcomes[3], Err(LeaseError::Update(UpdateError::Unknown))));
    assert_eq!(house.queues.describe(&id("out")).unwrap().1.completed, 2);
}
