//! Streams that change their mind, step by step. That it holds whatever else goes on is for the
//! randomized tests ([`super::order`], [`super::explain`]).

use super::*;

fn change(add: &[Topic], remove: &[Topic]) -> Change {
    Change { add: add.iter().cloned().collect(), remove: remove.iter().cloned().collect() }
}

fn publish(hub: &Hub, target: &Topic, data: usize) -> Receipt {
    hub.publish(event(target, "a", data)).unwrap()
}

fn job(id: &str) -> Topic {
    format!("default/job:{id}").parse().unwrap()
}

/// A stream for the topic `s1`, its sink and its thread.
fn open(hub: &Hub) -> (Arc<Stream>, Arc<Memory>, std::thread::JoinHandle<EndReason>) {
    let sink = Memory::endless();
    let joined = hub.join(profile(&[session("s1")], &["a"], Resume::FromNow), sink.clone());
    let joined = joined.unwrap();
    let stream = joined.writer.stream().clone();
    (stream, sink, serve(joined))
}

#[test]
fn from_its_place_in_the_order_on_a_stream_gets_what_it_wants_now() {
    let hub = hub(Limits::default());
    let (stream, sink, thread) = open(&hub);
    let (s1, s2, s3) = (session("s1"), session("s2"), session("s3"));
    let before = [&s1, &s2, &s3].map(|topic| publish(&hub, topic, 1).matched);
    let last = publish(&hub, &s1, 2).id();
    let wanted = change(&[s2.clone(), s3.clone()], &[s1.clone(), s3.clone()]);
    let made = hub.resubscribe(&stream, &wanted, 2).unwrap();
    assert_eq!(made.after, last);
    assert_eq!(made.change, change(&[s2.clone(), s3.clone()], std::slice::from_ref(&s1)));
    let after = [&s1, &s2, &s3].map(|topic| publish(&hub, topic, 3).matched);
    assert_eq!((before, after), ([1, 0, 0], [0, 1, 1]));
    assert_eq!(hub.publish(event(&s2, "b", 4)).unwrap().matched, 0, "types are not changed");
    let again = hub.resubscribe(&stream, &wanted, 2).unwrap();
    assert!(again.change.is_empty(), "{again:?}");
    hub.end_all(EndReason::Shutdown);
    thread.join().unwrap();
    assert_eq!(sink.data(), ["1", "2", "3", "3"]);
    let left = [&s1, &s2, &s3].map(|topic| publish(&hub, topic, 5).matched);
    assert_eq!(left, [0, 0, 0], "it has left what it wanted last");
    // So has its dispatcher, which holds it no longer than until then.
    let held = Arc::downgrade(&stream);
    drop(stream);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while held.strong_count() > 0 {
        assert!(std::time::Instant::now() < deadline, "the stream is still held");
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_that_would_want_too_much_stays_as_it_was() {
    let hub = hub(Limits::default());
    let (stream, ..) = open(&hub);
    let jobs = [job("1"), job("2")];
    let refused = hub.resubscribe(&stream, &change(&jobs, &[]), 2);
    assert_eq!(refused, Err(NotChanged::TooMany));
    assert_eq!(publish(&hub, &jobs[0], 1).matched, 0);
    assert!(hub.resubscribe(&stream, &change(&jobs, &[session("s1")]), 2).is_ok());
    assert!(
        hub.resubscribe(&stream, &change(&[], &jobs[..1]), 0).is_ok(),
        "less is never too much"
    );
    assert_eq!(stream.with_subscription(|wants| wants.topics().to_vec()), jobs[1..]);
}

/// Two who change one stream at the same time: both changes are made, and each is told its own part.
#[test]
fn changes_at_the_same_time_are_all_made() {
    let hub = hub(Limits::default());
    let (stream, ..) = open(&hub);
    let jobs = |who: usize| (0..200).map(move |n| job(&format!("{who}-{n}")));
    std::thread::scope(|scope| {
        for who in 0..4 {
            let (hub, stream) = (&hub, &stream);
            scope.spawn(move || {
                for topic in jobs(who) {
                    let wanted = change(std::slice::from_ref(&topic), &[]);
                    let made = hub.resubscribe(stream, &wanted, 1_000);
                    assert_eq!(made.unwrap().change.add, [topic].into());
                }
            });
        }
    });
    assert_eq!(stream.with_subscription(|wants| wants.topics().len()), 4 * 200 + 1);
    for topic in (0..4).flat_map(jobs) {
        assert_eq!(publish(&hub, &topic, 1).matched, 1, "{topic}");
    }
}

#[test]
fn a_stream_can_want_what_is_said_to_it_alone() {
    let hub = hub(Limits::default());
    let id = Uuid::new_v4();
    let (mine, sink) = (Topic::connection(id), Memory::endless());
    let profile = profile(std::slice::from_ref(&mine), &[], Resume::FromNow);
    let joined = hub.join_as(id, profile, sink.clone()).unwrap();
    assert_eq!(joined.writer.stream().id, id);
    assert!(hub.stream(id).is_some() && hub.stream(Uuid::new_v4()).is_none());
    let thread = serve(joined);
    assert_eq!(publish(&hub, &mine, 1).matched, 1);
    assert_eq!(publish(&hub, &Topic::connection(Uuid::new_v4()), 2).matched, 0);
    hub.end_all(EndReason::Shutdown);
    thread.join().unwrap();
    assert_eq!(sink.data(), ["1"]);
    assert!(hub.stream(id).is_none());
}

/// What waits for a slow client was published while it wanted it.
#[test]
fn what_waits_is_not_taken_back() {
    let hub = hub(Limits::default());
    let sink = Memory::with_room(0);
    let s1 = session("s1");
    let join = profile(std::slice::from_ref(&s1), &[], Resume::FromNow);
    let joined = hub.join(join, sink.clone()).unwrap();
    let stream = joined.writer.stream().clone();
    publish(&hub, &s1, 1);
    hub.resubscribe(&stream, &change(&[], std::slice::from_ref(&s1)), 1).unwrap();
    publish(&hub, &s1, 2);
    hub.resubscribe(&stream, &change(std::slice::from_ref(&s1), &[]), 1).unwrap();
    publish(&hub, &s1, 3);
    let thread = serve(joined);
    sink.make_room(usize::MAX);
    hub.end_all(EndReason::Shutdown);
    thread.join().unwrap();
    assert_eq!(sink.data(), ["1", "3"]);
}
