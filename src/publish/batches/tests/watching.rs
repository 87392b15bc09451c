//! Those who watch batches.

use std::sync::Mutex as StdMutex;

use serde_json::Value;

use super::*;

/// A watcher: what it was shown first, and what came after.
struct Watcher {
    first: BatchUpdate,
    joined: Option<Joined>,
}

/// An event that a watcher got: revision, progress, and whether it is the end.
type Seen = (u64, f64, bool);

impl Watcher {
    fn new(house: &House, batch: &Identifier) -> Self {
        let profile = Profile {
            door: "test",
            project: Identifier::default_project(),
            session: None,
            user: None,
            address: None,
            subscription: Subscription::new([Topic::batch(batch.clone())], NameFilter::All),
            dialect: Dialect::Events,
            envelope: Envelope::Bare,
            resume: Resume::FromNow,
        };
        house.batches.watch(batch, |present| {
            let first = present.unwrap().clone();
            let joined =
                (!first.is_terminal()).then(|| house.hub.join(profile, Arc::new(Nowhere)).unwrap());
            Self { first, joined }
        })
    }

    /// How many events came after the first, and the last of them that it was given, up to the end.
    fn rest(mut self) -> (u32, Vec<Seen>) {
        let mut seen = vec![(self.first.revision, self.first.progress, self.first.is_terminal())];
        let mut count = 0;
        while !seen.last().unwrap().2 {
            let writer = &mut self.joined.as_mut().unwrap().writer;
            let due = writer.take_events(A_MINUTE).unwrap();
            assert!(!due.is_empty(), "the end is missed after {seen:?}");
            for due in due {
                assert!(!seen.last().unwrap().2, "something comes after the end: {due:?}");
                count += due.stands_for;
                let told: Value = serde_json::from_str(due.event.body.data.as_str()).unwrap();
                let progress = told["progress"].as_f64().unwrap();
                let is_end = !told["endedAt"].is_null();
                assert_eq!(is_end, due.event.body.terminal);
                seen.push((told["revision"].as_u64().unwrap(), progress, is_end));
            }
        }
        (count, seen)
    }
}

#[test]
fn a_batch_is_told_once_a_second_and_its_end_at_once() {
    let house = House::new();
    house.create(&["a", "b"]);
    let batch = house.batch(&["a", "b"]);
    let watcher = Watcher::new(&house, &batch);
    // The first news come at once.
    house.report("a processing 1");
    house.tick();
    for percent in 2..100 {
        house.report(&format!("a processing {percent}"));
        house.tick();
    }
    house.pass(0.999);
    house.tick();
    house.pass(0.001);
    house.tick();
    house.report("b processing 50");
    house.tick();
    house.report("a completed");
    house.report("b completed");
    house.tick();
    let (count, seen) = watcher.rest();
    assert_eq!(count, 3, "{seen:?}");
    let end = *seen.last().unwrap();
    assert_eq!(end, (104, 100.0, true));
}

#[test]
fn without_a_pause_every_change_is_told() {
    let limits = Limits { report_pause: Duration::ZERO, ..Limits::default() };
    let house = House::open(None, limits, jobs::Limits::default());
    house.create(&["a"]);
    let batch = house.batch(&["a"]);
    let watcher = Watcher::new(&house, &batch);
    for percent in [10, 20, 30] {
        house.report(&format!("a processing {percent}"));
        house.tick();
    }
    house.report("a completed");
    assert_eq!(watcher.rest().0, 4);
}

#[test]
fn whoever_comes_after_the_end_is_shown_the_end() {
    let house = House::new();
    house.create(&["a"]);
    let batch = house.batch(&["a"]);
    house.report("a failed");
    let watcher = Watcher::new(&house, &batch);
    assert!(watcher.joined.is_none());
    assert_eq!(watcher.rest(), (0, vec![(2, 100.0, true)]));
}

/// Watchers come at any moment of many short lives: nothing goes backwards, and each sees the end once.
#[test]
fn nobody_misses_the_end_whenever_they_come() {
    let limits = Limits { report_pause: Duration::ZERO, ..Limits::default() };
    let house = House::open(None, limits, jobs::Limits::default());
    for round in 0..60 {
        let names: Vec<String> = (0..4).map(|job| format!("job-{round}-{job}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        house.create(&names);
        let batch = house.batch(&names);
        let seen = StdMutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..fastrand::u32(0..400) {
                        std::thread::yield_now();
                    }
                    let watcher = Watcher::new(&house, &batch);
                    seen.lock().unwrap().push(watcher.rest().1);
                });
            }
            for job in &names {
                let house = &house;
                scope.spawn(move || {
                    for percent in 1..fastrand::u32(2..8) {
                        house.report(&format!("{job} processing {percent}"));
                    }
                    house.report(&format!("{job} completed"));
                });
            }
        });
        let revision = house.get(&batch).revision;
        for seen in seen.into_inner().unwrap() {
            assert!(seen.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{seen:?}");
            assert_eq!(*seen.last().unwrap(), (revision, 100.0, true));
        }
    }
}
