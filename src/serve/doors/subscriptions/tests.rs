//! What a client is told of a job while its subscriptions change, whatever happens at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::clock::SystemClock;
use crate::event::dialect::Envelope;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::hub::tests::Nowhere;
use crate::hub::{Due, Joined};
use crate::publish::jobs::{NewJob, Report};
use crate::publish::queues::NewTask;
use crate::serve::App;
use crate::serve::conversation::tests::app;

/// A stream of this door without subscriptions.
fn join(app: &App) -> Joined {
    let id = Uuid::new_v4();
    let profile = Profile {
        door: DOOR,
        project: Identifier::default_project(),
        session: None,
        user: None,
        address: None,
        subscription: Subscription::new([Topic::connection(id)], NameFilter::All),
        dialect: Dialect::Subscriptions,
        envelope: Envelope::Bare,
        resume: Resume::FromNow,
    };
    app.hub.join_as(id, profile, Arc::new(Nowhere)).unwrap()
}

fn subject(kind: Kind, id: &str) -> Subject {
    Subject { kind, id: id.parse().unwrap() }
}

fn add(subjects: &[Subject]) -> Wishes {
    Wishes { add: subjects.iter().cloned().collect(), ..Wishes::default() }
}

fn remove(subjects: &[Subject]) -> Wishes {
    Wishes { remove: subjects.iter().cloned().collect(), ..Wishes::default() }
}

fn make_job(app: &App, id: &str) {
    let id = Some(id.parse().unwrap());
    app.jobs.create(NewJob { id, ..NewJob::default() }).unwrap();
}

/// A new event for each, as `name subject`, and the revision of a job's state: what waits for the client.
fn take(joined: &mut Joined) -> Vec<String> {
    let due = joined.writer.take_events(Duration::from_secs(60)).unwrap();
    due.iter().map(show).collect()
}

fn show(due: &Due) -> String {
    let data: Value = serde_json::from_str(due.event.body.data.as_str()).unwrap();
    let names = Kind::ALL.map(Kind::id_member);
    let id = names.iter().find_map(|name| data[*name].as_str()).unwrap();
    let name = due.event.body.name.as_str();
    match (&data["revision"], &data["exists"]) {
        (Value::Null, Value::Null) => format!("{name} {id}"),
        (Value::Null, exists) => format!("{name} {id} {exists}"),
        (revision, _) => format!("{name} {id} {revision}"),
    }
}

#[test]
fn what_is_there_is_told_as_it_is_now_and_the_rest_comes_later() {
    let app = app(Arc::new(SystemClock));
    make_job(&app, "j");
    app.queues.add(&"q".parse().unwrap(), vec![NewTask::default()], true).unwrap();
    let mut joined = join(&app);
    let stream = joined.writer.stream().clone();
    let desk = Desk { app: &app, stream: &stream };
    let both = [subject(Kind::Job, "j"), subject(Kind::Job, "k"), subject(Kind::Queue, "q")];
    let changed = desk.change(&add(&both)).unwrap();
    assert_eq!(changed.added, both.iter().cloned().collect());
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.extend(take(&mut joined));
    }
    let told = [
        "subscribed j true",
        "job_update j 1",
        "subscribed k false",
        "subscribed q true",
        "queue_update q",
    ];
    assert_eq!(seen[..5], told);
    assert_eq!(desk.change(&add(&both[..1])).unwrap().added, BTreeSet::new(), "it was there");
    make_job(&app, "k");
    let mut seen: Vec<String> = Vec::new();
    while !seen.iter().any(|event| event == "job_update k 1") {
        seen.extend(take(&mut joined).into_iter().filter(|event| !event.starts_with("queue")));
    }
    assert_eq!(seen, ["subscribed j true", "job_update j 1", "job_update k 1"]);
}

/// Takes events until each of these was said of a queue or a worker, beside its time.
fn wait_for(joined: &mut Joined, expected: &[Value]) {
    let mut missing = expected.to_vec();
    while !missing.is_empty() {
        for due in joined.writer.take_events(Duration::from_secs(60)).unwrap() {
            let mut data: Value = serde_json::from_str(due.event.body.data.as_str()).unwrap();
            data["timestamp"].take();
            missing.retain(|expected| data != *expected);
        }
    }
}

#[test]
fn queues_and_workers_are_told_as_they_change() {
    let app = app(Arc::new(SystemClock));
    let queue: Identifier = "q".parse().unwrap();
    app.queues.add(&queue, vec![NewTask::default()], true).unwrap();
    let mut joined = join(&app);
    let stream = joined.writer.stream().clone();
    let desk = Desk { app: &app, stream: &stream };
    desk.change(&add(&[subject(Kind::Queue, "q"), subject(Kind::Worker, "w")])).unwrap();
    let of_queue = |waiting: u32, active: u32| {
        json!({
            "type": "queue_update", "timestamp": null, "queueName": "q", "waiting": waiting,
            "active": active, "completed": 0, "failed": 0, "delayed": 0, "paused": false,
        })
    };
    wait_for(&mut joined, &[of_queue(1, 0)]);
    app.queues.add(&queue, vec![NewTask::default()], true).unwrap();
    wait_for(&mut joined, &[of_queue(2, 0)]);
    let worker = "w".parse().unwrap();
    let lease = Duration::from_secs(60);
    let leased = app.queues.lease(&queue, &worker, lease, app.clock.now()).unwrap().unwrap();
    let of_worker = json!({
        "type": "worker_status", "timestamp": null, "workerId": "w", "queueName": "q",
        "status": "active", "currentJob": leased.task.job_id, "concurrency": 1, "isOutside": true,
    });
    wait_for(&mut joined, &[of_queue(1, 1), of_worker]);
}

#[test]
fn a_request_that_is_refused_changes_nothing() {
    let app = app(Arc::new(SystemClock));
    let joined = join(&app);
    let stream = joined.writer.stream();
    let desk = Desk { app: &app, stream };
    let jobs: Vec<_> = (0..1_001).map(|n| subject(Kind::Job, &n.to_string())).collect();
    desk.change(&add(&jobs[..1])).unwrap();
    let all = Wishes { add: jobs[1..].iter().cloned().collect(), remove: BTreeSet::new() };
    assert_eq!(desk.change(&all).err(), Some(NotDone::TooMany));
    let topics = || stream.with_subscription(|wants| wants.topics().len());
    assert_eq!(topics(), 2, "its own and the first");
    let others = Wishes { remove: jobs[..1].iter().cloned().collect(), ..all };
    let changed = desk.change(&others).unwrap();
    assert_eq!((changed.added.len(), changed.removed.len(), topics()), (1_000, 1, 1_001));
    // Nobody takes anything any more: what is begun is taken back.
    app.hub.stop();
    assert_eq!(desk.change(&remove(&jobs[1..2])).unwrap().removed.len(), 1, "the answer tells it");
    let refused = desk.change(&add(&jobs[..1]));
    assert_eq!(refused.err(), Some(NotDone::Refused(Refused::Stopping)));
    assert_eq!(topics(), 1_000);
    stream.end(crate::hub::EndReason::ClientGone);
    assert_eq!(desk.change(&remove(&jobs)).err(), Some(NotDone::Gone));
}

/// What a client has been told of one job: from `subscribed` to `unsubscribed` every state in its order,
/// from the present one on.
#[derive(Default)]
struct Told {
    is_subscribed: bool,
    revision: Option<u64>,
    states: usize,
    subscriptions: usize,
}

impl Told {
    fn note(&mut self, due: &Due) {
        match due.event.body.name.as_str() {
            "subscribed" => {
                (self.is_subscribed, self.revision) = (true, None);
                self.subscriptions += 1;
            }
            "unsubscribed" => self.is_subscribed = false,
            name => {
                assert!(name == JobUpdate::EVENT && self.is_subscribed, "{name}");
                let job = JobUpdate::decode(due.event.body.data.as_str()).unwrap();
                if let Some(before) = self.revision {
                    // Of those that waited together it has the last, which says how many it stands for;
                    // some of them may have waited since before it unsubscribed.
                    let most = before + u64::from(due.stands_for);
                    assert!(before < job.revision && job.revision <= most, "{before} then {job:?}");
                }
                self.revision = Some(job.revision);
                self.states += 1;
            }
        }
    }
}

/// Services report on a job, the client subscribes and unsubscribes all the time.
#[test]
fn no_state_is_missed_or_told_twice() {
    let app = app(Arc::new(SystemClock));
    make_job(&app, "j");
    let stop = AtomicBool::new(false);
    let told = thread::scope(|scope| {
        let (app, stop) = (&app, &stop);
        let reporter = scope.spawn(move || {
            let id = "j".parse().unwrap();
            for n in 0..4_000 {
                let progress = Some(f64::from(n) / 50.0);
                let report = Report { progress, ..Report::of(JobStatus::Processing) };
                app.jobs.update(&id, &report).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        let clients: Vec<_> = (0..3)
            .map(|seed| {
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    let (mut joined, mut told) = (join(app), Told::default());
                    let stream = joined.writer.stream().clone();
                    let desk = Desk { app, stream: &stream };
                    let jobs = [subject(Kind::Job, "j")];
                    while !stop.load(Ordering::Relaxed) {
                        let is_on = random.bool();
                        let wishes = if is_on { add(&jobs) } else { remove(&jobs) };
                        desk.change(&wishes).unwrap();
                        for _ in 0..random.usize(0..20) {
                            let due = joined.writer.take_events(Duration::from_micros(50));
                            due.unwrap().iter().for_each(|due| told.note(due));
                        }
                    }
                    told
                })
            })
            .collect();
        reporter.join().unwrap();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    for told in told {
        assert!(told.subscriptions > 10 && told.states > told.subscriptions, "too little happened");
    }
}
