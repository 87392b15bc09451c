//! Pushes of Pub/Sub: whatever is posted, it is a message or refused.
//!
//! Promises: no panic; what is read and packed again is read as the same; each push has one outcome, and a
//! malformed one a kind of mistake; an update that is handed on is within its bounds; the next delivery of
//! what was taken is a repeat.

use std::sync::Arc;

use serde_json::json;
use tidings::clock::ManualClock;
use tidings::publish::pubsub::{Delivery, Done, Limits, Malformed, Pubsub, Refused, StatusUpdate};

/// Takes the bytes as the body of a push, and as the data of an unwrapped one.
pub fn check(data: &[u8]) {
    let wrapped = Delivery::wrapped(data);
    if let Ok(delivery) = &wrapped {
        assert!((1..=255).contains(&delivery.message_id.len()));
        if let Some(packed) = pack(data) {
            assert_eq!(Delivery::wrapped(&packed).as_ref(), Ok(delivery), "packed anew");
        }
    }
    check_taking(&wrapped);
    let header = |name: &str| (name == "x-goog-pubsub-message-id").then_some("1");
    let unwrapped = Delivery::unwrapped(header, &StatusUpdate::ATTRIBUTES, data);
    check_taking(&unwrapped.expect("it has an id"));
}

/// The same JSON as this server would write it; none if there is more in it than this test can read, where
/// the parser looks away: a number too large, brackets too deep.
fn pack(data: &[u8]) -> Option<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(data).ok()?;
    // Of two members of one name only the last is left, and those that are nobody's are not read at all.
    let message = &value["message"];
    let own = [
        "data",
        "attributes",
        "messageId",
        "message_id",
        "publishTime",
        "publish_time",
        "orderingKey",
    ];
    let message: serde_json::Map<_, _> =
        own.iter().map(|name| ((*name).to_owned(), message[*name].clone())).collect();
    let packed = json!({"message": message, "subscription": value["subscription"]});
    Some(packed.to_string().into_bytes())
}

fn check_taking(delivery: &Result<Delivery, Malformed>) {
    let pubsub = Pubsub::new(Limits::default(), Arc::new(ManualClock::at(0)));
    let put = |update: &StatusUpdate| {
        let report = &update.report;
        assert!(report.progress.is_none_or(|progress| (0.0..=100.0).contains(&progress)));
        assert!(report.attempt != Some(0));
        assert!(report.update_id.as_ref().is_some_and(|id| (1..=262).contains(&id.len())));
        Ok(Done::Taken)
    };
    let first = pubsub.take(delivery.clone(), put);
    let second = pubsub.take(delivery.clone(), put);
    match &first {
        Ok(done) => assert_eq!((done, second), (&Done::Taken, Ok(Done::Repeated))),
        Err(refused) => {
            assert!(matches!(refused, Refused::Malformed(_)), "{refused}");
            assert_eq!(first, second);
        }
    }
    let figures = pubsub.figures();
    assert_eq!(figures.outcomes.iter().map(|(_, count)| count).sum::<u64>(), 2);
    let mistakes: u64 = figures.mistakes.iter().map(|(_, count)| count).sum();
    assert_eq!(mistakes, if first.is_ok() { 0 } else { 2 });
}
