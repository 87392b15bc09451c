//! The engine's invariants, over in-memory sinks. ARCHITECTURE.md lists them; each has a test here
//! that can fail.

mod conflation;
mod explain;
mod memory;
mod order;
mod restart;
mod resubscription;
mod shelf;
mod slowness;
mod time;
mod turns;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use self::memory::Memory;
use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::event::dialect::{Dialect, Envelope};
use crate::event::subscription::{Change, NameFilter, Subscription};
use crate::event::topic::Topic;
use crate::event::{Event, EventData, EventId, EventName, Keeping};

/// Where everything is taken and nothing is seen: for clients whose events are taken otherwise.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn wait_writable(&self, _: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }

    fn close(&self) {}

    fn hung_up(&self) -> bool {
        false
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

const HEARTBEAT: &[u8] = b"event: ping\ndata: keep-alive\n\n";

/// A hub with these limits, on the system's clock.
fn hub(limits: Limits) -> Hub {
    Hub::start(limits, Arc::new(SystemClock)).unwrap()
}

fn name(text: &str) -> EventName {
    text.parse().unwrap()
}

fn session(id: &str) -> Topic {
    Topic::session(id.parse().unwrap())
}

fn event(target: &Topic, type_name: &str, data: usize) -> NewEvent {
    NewEvent::new(target.clone(), name(type_name), EventData::encode(&data, 0).unwrap())
}

/// Someone who wants the named types (all, if none is named) of these topics.
fn profile(topics: &[Topic], names: &[&str], resume: Resume) -> Profile {
    let filter = if names.is_empty() {
        NameFilter::All
    } else {
        NameFilter::only(names.iter().map(|n| name(n)))
    };
    Profile {
        door: "test",
        project: crate::event::topic::Identifier::default_project(),
        session: None,
        user: None,
        address: None,
        subscription: Subscription::new(topics.iter().cloned(), filter),
        dialect: Dialect::Events,
        envelope: Envelope::Bare,
        resume,
    }
}

/// Everything that a client is owed from before.
fn owed(joined: &mut Joined) -> Vec<Arc<Event>> {
    let mut events = Vec::new();
    while let Some(piece) = joined.next_piece().unwrap() {
        events.extend(piece);
    }
    events
}

/// Serves a stream on a thread of its own, as the server does: the replay, then whatever comes.
fn serve(mut joined: Joined) -> std::thread::JoinHandle<EndReason> {
    std::thread::spawn(move || {
        if let Err(reason) = joined.catch_up() {
            return reason;
        }
        joined.writer.run(HEARTBEAT)
    })
}

#[test]
fn an_event_reaches_those_who_asked_for_it_and_may_see_it() {
    let hub = hub(Limits::default());
    let join = |topics: &[Topic], names: &[&str]| {
        let sink = Memory::endless();
        let thread =
            serve(hub.join(profile(topics, names, Resume::FromNow), sink.clone()).unwrap());
        (sink, thread)
    };
    let mine = join(&[Topic::events(), session("me")], &[]);
    let choosy = join(&[Topic::events(), session("me")], &["b"]);
    let yours = join(&[Topic::events(), session("you")], &[]);
    let as_b = NewEvent { matched_as: Some(name("b")), ..event(&Topic::events(), "a", 3) };
    let matched = [
        event(&session("me"), "a", 1),
        event(&Topic::events(), "b", 2),
        as_b,
        event(&session("no"), "a", 4),
    ]
    .map(|event| hub.publish(event).unwrap().matched);
    assert_eq!(matched, [1, 3, 3, 0]);
    hub.end_all(EndReason::Shutdown);
    for ((sink, thread), expected) in
        [(mine, vec!["1", "2", "3"]), (choosy, vec!["2", "3"]), (yours, vec!["2", "3"])]
    {
        assert_eq!(thread.join().unwrap(), EndReason::Shutdown);
        assert_eq!(sink.data(), expected, "what was published before the end comes before it");
    }
    assert_eq!(hub.stream_count(), 0);
    let late = hub.join(profile(&[Topic::events()], &[], Resume::FromNow), Memory::endless());
    assert_eq!(late.err(), Some(Refused::Stopping), "who comes after the end would never be ended");
    hub.stop();
    assert_eq!(hub.publish(event(&Topic::events(), "a", 1)).err(), Some(Refused::Stopping));
}

#[test]
fn a_stream_that_leaves_is_not_counted_any_more() {
    let hub = hub(Limits::default());
    let joined =
        hub.join(profile(&[session("me")], &["a"], Resume::FromNow), Memory::endless()).unwrap();
    assert_eq!(hub.publish(event(&session("me"), "a", 1)).unwrap().matched, 1);
    assert_eq!(hub.publish(event(&session("me"), "b", 1)).unwrap().matched, 0);
    drop(joined);
    assert_eq!(hub.publish(event(&session("me"), "a", 1)).unwrap().matched, 0);
    let snapshot = hub.snapshot();
    assert_eq!((snapshot.streams, snapshot.counts.opened, snapshot.history.events), (0, 1, 3));
}

/// Behind the last word, the stream ends as planned, whether or not its client keeps up.
#[test]
fn a_stream_about_one_thing_ends_with_the_last_word_about_it() {
    let hub = hub(Limits::default());
    let join = |dialect, sink: &Arc<Memory>| {
        let topics = [session("me"), session("you")];
        let profile = Profile { dialect, ..profile(&topics, &[], Resume::FromNow) };
        hub.join(profile, sink.clone()).unwrap()
    };
    let (direct, slow, other) = (Memory::endless(), Memory::with_room(0), Memory::endless());
    let joined = join(Dialect::Jobs, &direct);
    let stream = joined.writer.stream().clone();
    let first = serve(joined);
    while stream.state() != State::Direct {
        std::thread::yield_now();
    }
    let second = serve(join(Dialect::Jobs, &slow));
    let lasting = serve(join(Dialect::Subscriptions, &other));
    hub.publish(event(&session("you"), "a", 1)).unwrap();
    let last = NewEvent { terminal: true, ..event(&session("me"), "a", 2) };
    assert_eq!(hub.publish(last).unwrap().matched, 3);
    assert_eq!(first.join().unwrap(), EndReason::Finished);
    slow.make_room(usize::MAX);
    assert_eq!(second.join().unwrap(), EndReason::Finished);
    hub.publish(event(&session("me"), "a", 3)).unwrap();
    hub.end_all(EndReason::Shutdown);
    assert_eq!(lasting.join().unwrap(), EndReason::Shutdown);
    assert_eq!((direct.data(), slow.data()), (vec!["1".into(), "2".into()], direct.data()));
    assert_eq!(other.data(), ["1", "2", "3"]);
}

#[test]
fn a_poll_takes_events_instead_of_writing_them() {
    let hub = hub(Limits::default());
    let mut joined =
        hub.join(profile(&[Topic::events()], &[], Resume::FromNow), Memory::endless()).unwrap();
    assert!(joined.writer.take_events(Duration::ZERO).unwrap().is_empty());
    let id = hub.publish(event(&Topic::events(), "a", 1)).unwrap().id();
    let events = joined.writer.take_events(Duration::from_secs(60)).unwrap();
    assert_eq!(events.iter().map(|due| due.event.id).collect::<Vec<_>>(), [id]);
}

#[test]
fn what_shows_a_state_of_the_moment_reaches_those_who_listen_and_is_not_remembered() {
    let hub = hub(Limits::default());
    assert!(!hub.is_heard(&session("me")));
    let sink = Memory::endless();
    let thread =
        serve(hub.join(profile(&[session("me")], &[], Resume::FromNow), sink.clone()).unwrap());
    assert!(hub.is_heard(&session("me")));
    let of_the_moment = NewEvent { keeping: Keeping::Momentary, ..event(&session("me"), "a", 1) };
    let shown = hub.publish(of_the_moment).unwrap();
    let kept = hub.publish(event(&session("me"), "a", 2)).unwrap();
    assert!(kept.id() > shown.id(), "it has its place in the order all the same");
    assert_eq!(hub.snapshot().history.events, 1);
    hub.end_all(EndReason::Shutdown);
    thread.join().unwrap();
    assert_eq!(sink.data(), ["1", "2"]);
    assert!(!hub.is_heard(&session("me")));
}
