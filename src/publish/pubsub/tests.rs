//! Deliveries from envelope to outcome, with jobs that say what the test wants.

use std::cell::Cell;

use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;

/// A minute after the messages of these tests were published.
const NOW: u64 = 1_614_366_895_749;

fn pubsub(limits: Limits) -> (Pubsub, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Pubsub::new(limits, clock.clone()), clock)
}

fn push(message_id: &str) -> Value {
    json!({
        "message": {
            // {"jobId": "a", "status": "processing"}
            "data": "eyJqb2JJZCI6ICJhIiwgInN0YXR1cyI6ICJwcm9jZXNzaW5nIn0=",
            "messageId": message_id,
            "publishTime": "2021-02-26T19:13:55.749Z",
        },
        "subscription": "projects/myproject/subscriptions/mysubscription",
    })
}

fn take(pubsub: &Pubsub, push: &Value, said: Result<Done, NotTaken>) -> Result<Done, Refused> {
    pubsub.take(Delivery::wrapped(push.to_string().as_bytes()), |_| said)
}

fn count(pubsub: &Pubsub, wanted: Outcome) -> u64 {
    pubsub.figures().outcomes.iter().find(|(outcome, _)| *outcome == wanted).unwrap().1
}

#[test]
fn a_message_is_taken_once() {
    let (pubsub, clock) = pubsub(Limits::default());
    let calls = Cell::new(0);
    let put = |update: &StatusUpdate| {
        assert_eq!(update.job_id.as_str(), "a");
        calls.set(calls.get() + 1);
        Ok(Done::Taken)
    };
    let deliver = |id: &str| pubsub.take(Delivery::wrapped(push(id).to_string().as_bytes()), put);
    assert_eq!(deliver("1"), Ok(Done::Taken));
    assert_eq!(deliver("1"), Ok(Done::Repeated));
    assert_eq!(deliver("2"), Ok(Done::Taken));
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(deliver("1"), Ok(Done::Taken), "too long ago");
    assert_eq!(calls.get(), 3);
    assert_eq!((count(&pubsub, Outcome::Taken), count(&pubsub, Outcome::Repeated)), (3, 1));
}

#[test]
fn what_could_not_be_taken_is_not_remembered() {
    let (pubsub, _) = pubsub(Limits::default());
    let busy = || Err(NotTaken::ForNow("busy".into(), Duration::from_secs(2)));
    let refused = Err(Refused::ForNow("busy".into(), Duration::from_secs(2)));
    assert_eq!(take(&pubsub, &push("1"), busy()), refused);
    assert_eq!(take(&pubsub, &push("1"), busy()), refused);
    assert_eq!(take(&pubsub, &push("1"), Ok(Done::Taken)), Ok(Done::Taken));
    assert_eq!(count(&pubsub, Outcome::Deferred), 2);
}

#[test]
fn what_comes_too_late_is_acknowledged() {
    let (pubsub, _) = pubsub(Limits::default());
    let stale = || Err(NotTaken::Stale("the job has ended".into()));
    let done = take(&pubsub, &push("1"), stale());
    assert_eq!(done, Ok(Done::Stale("the job has ended".into())));
    assert_eq!(take(&pubsub, &push("1"), stale()), Ok(Done::Repeated), "nobody is asked again");
    assert_eq!(count(&pubsub, Outcome::Stale), 1);
}

#[test]
fn a_message_that_comes_twice_at_once_is_taken_once() {
    let (pubsub, _) = pubsub(Limits::default());
    let second = Cell::new(None);
    let first = pubsub.take(Delivery::wrapped(push("1").to_string().as_bytes()), |_| {
        second.set(Some(take(&pubsub, &push("1"), Ok(Done::Taken))));
        Ok(Done::Taken)
    });
    assert_eq!(first, Ok(Done::Taken));
    // It is not acknowledged: the first may still fail.
    assert!(matches!(second.take(), Some(Err(Refused::ForNow(_, wait))) if wait == MOMENT));
    assert_eq!(take(&pubsub, &push("1"), Ok(Done::Taken)), Ok(Done::Repeated));
}

#[test]
fn mistakes_are_counted_by_kind() {
    let (pubsub, _) = pubsub(Limits::default());
    let with = |member: &str, value: Value| {
        let mut push = push("1");
        push["message"][member] = value;
        push
    };
    for (push, mistake) in [
        (json!({}), Mistake::Envelope),
        (with("messageId", json!("")), Mistake::MessageId),
        (with("data", json!("?")), Mistake::Base64),
        (with("data", json!("e30=")), Mistake::Update),
    ] {
        let before = pubsub.figures();
        let refused = take(&pubsub, &push, Ok(Done::Taken)).unwrap_err();
        assert!(matches!(&refused, Refused::Malformed(m) if m.mistake == mistake), "{refused}");
        let after = pubsub.figures();
        for ((kind, before), (_, after)) in before.mistakes.iter().zip(after.mistakes) {
            assert_eq!(after - before, u64::from(*kind == mistake), "{kind:?}");
        }
    }
    let invalid = || Err(NotTaken::Invalid("too large".into()));
    assert!(take(&pubsub, &push("1"), invalid()).unwrap_err().to_string().contains("too large"));
    assert_eq!(count(&pubsub, Outcome::Malformed), 5);
    assert_eq!(take(&pubsub, &push("1"), Ok(Done::Taken)), Ok(Done::Taken), "none is remembered");
}

#[test]
fn the_time_from_publishing_to_taking_is_noted() {
    let (pubsub, clock) = pubsub(Limits::default());
    take(&pubsub, &push("1"), Ok(Done::Taken)).unwrap();
    assert_eq!(pubsub.figures().latency.sum, 60_000);
    take(&pubsub, &push("1"), Ok(Done::Taken)).unwrap();
    take(&pubsub, &push("2"), Err(NotTaken::Stale(String::new()))).unwrap();
    assert_eq!(pubsub.figures().latency.sum, 60_000, "only of what is taken");
    clock.set_unix_ms(0);
    take(&pubsub, &push("3"), Ok(Done::Taken)).unwrap();
    let latency = pubsub.figures().latency;
    assert_eq!((latency.sum, latency.counts[0]), (60_000, 1), "a clock that is behind");
}

#[test]
fn only_the_subscription_that_was_named_is_taken() {
    let check = |subscription: &str, project: &str, expected: bool| {
        let limits = Limits {
            subscription: subscription.into(),
            project: project.into(),
            ..Limits::default()
        };
        let (pubsub, _) = pubsub(limits);
        let seen = take(&pubsub, &push("1"), Ok(Done::Taken));
        assert_eq!(seen.is_ok(), expected, "{subscription} of {project}: {seen:?}");
        assert_eq!(count(&pubsub, Outcome::OtherSubscription), u64::from(!expected));
    };
    check("", "", true);
    check("mysubscription", "", true);
    check("mysubscription", "myproject", true);
    check("projects/myproject/subscriptions/mysubscription", "", true);
    check("", "myproject", true);
    check("other", "", false);
    check("subscription", "", false);
    check("myproject", "", false);
    check("mysubscription", "other", false);
    check("projects/other/subscriptions/mysubscription", "", false);
}

#[test]
fn who_does_not_say_its_subscription_is_not_the_one_that_was_named() {
    let limits = Limits { subscription: "s".into(), ..Limits::default() };
    let mut push = push("1");
    push.as_object_mut().unwrap().remove("subscription");
    assert!(take(&pubsub(limits).0, &push, Ok(Done::Taken)).is_err());
    assert!(take(&pubsub(Limits::default()).0, &push, Ok(Done::Taken)).is_ok());
}
