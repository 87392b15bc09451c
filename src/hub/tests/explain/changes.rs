//! What is said of a stream that has changed its mind.

use super::*;

#[test]
fn a_stream_that_has_changed_its_mind_is_judged_by_what_it_wanted_then() {
    let hub = hub(Limits { trace_notes: 2, ..Limits::default() });
    let (stream, sink) = direct(&hub, &[]);
    let to = |topic: &Topic| hub.publish(event(topic, "a", 1)).unwrap().id();
    let resubscribe = |add: &[Topic], remove: &[Topic]| {
        let [add, remove] = [add, remove].map(|topics| topics.iter().cloned().collect());
        hub.resubscribe(&stream, &Change { add, remove }, 10).unwrap();
    };
    let job: Topic = "default/job:1".parse().unwrap();
    let too_early = to(&job);
    resubscribe(std::slice::from_ref(&job), &[]);
    let wanted = to(&job);
    resubscribe(&[], std::slice::from_ref(&job));
    let too_late = to(&job);
    sink.wait_for_id(&to(&Topic::events()).to_string());
    let filtered = Fate::Filtered(Rule::Topic);
    assert_eq!(fate(&hub, too_early, stream.id), filtered);
    let account = settled(&hub, wanted, stream.id);
    assert_eq!(account.fate, Some(Fate::Delivered(How::Direct)));
    assert_eq!(fate(&hub, too_late, stream.id), filtered);
    // One change more than is remembered.
    resubscribe(&[session("you")], &[]);
    assert_eq!(fate(&hub, too_early, stream.id), Fate::Untraced(Untraced::Resubscribed));
    assert_eq!(settled(&hub, wanted, stream.id).verdict(), Some(Verdict::Delivered));
    // And when it has ended it is no different.
    stream.end(EndReason::ClientGone);
    wait_until(|| hub.stream(stream.id).is_none());
    assert_eq!(fate(&hub, wanted, stream.id), Fate::Delivered(How::Direct));
    assert_eq!(fate(&hub, too_late, stream.id), filtered);
}

/// It waits, and is not replaced by what came while the stream did not want to hear of it.
#[test]
fn what_a_stream_did_not_want_has_replaced_nothing() {
    let hub = hub(Limits::default());
    let (joined, _sink, connection) = lagging(&hub, 0);
    let stream = joined.writer.stream().clone();
    let everyone = || [Topic::events()].into();
    let waits = update(&hub, "job", false);
    hub.resubscribe(&stream, &Change { remove: everyone(), ..Change::default() }, 10).unwrap();
    let missed = update(&hub, "job", false);
    let later = hub.publish(event(&session("me"), "a", 1)).unwrap().id();
    settled(&hub, later, connection);
    assert_eq!(fate(&hub, missed, connection), Fate::Filtered(Rule::Topic));
    assert_eq!(fate(&hub, waits, connection), Fate::Queued(WaitsFor::Client));
    hub.resubscribe(&stream, &Change { add: everyone(), ..Change::default() }, 10).unwrap();
    let newer = update(&hub, "job", false);
    settled(&hub, newer, connection);
    let then = Box::new(Fate::Queued(WaitsFor::Client));
    assert_eq!(fate(&hub, waits, connection), Fate::Conflated { into: newer, then });
}
