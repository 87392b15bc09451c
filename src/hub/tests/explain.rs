//! What is said of an event's way, beside what really happened.

mod changes;
mod random;

use super::*;
use crate::event::EventKey;

fn join(hub: &Hub, sink: &Arc<Memory>, types: &[&str], resume: Resume) -> Joined {
    let mut profile = profile(&[Topic::events(), session("me")], types, resume);
    profile.session = Some("me".parse().unwrap());
    hub.join(profile, sink.clone()).unwrap()
}

/// A stream whose client keeps up, its sink, and its thread.
fn direct(hub: &Hub, types: &[&str]) -> (Arc<Stream>, Arc<Memory>) {
    let sink = Memory::endless();
    let joined = join(hub, &sink, types, Resume::FromNow);
    let stream = joined.writer.stream().clone();
    serve(joined);
    wait_until(|| stream.state() == State::Direct);
    (stream, sink)
}

fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

fn publish(hub: &Hub, type_name: &str) -> EventId {
    hub.publish(event(&Topic::events(), type_name, 1)).unwrap().id()
}

fn update(hub: &Hub, key: &str, terminal: bool) -> EventId {
    let key = Some(EventKey::new(key));
    let event = NewEvent { key, terminal, ..event(&Topic::events(), "a", 1) };
    hub.publish(event).unwrap().id()
}

fn account(hub: &Hub, event: EventId, connection: Uuid) -> Account {
    let mut explanation = hub.explain(event, Who::Connection(connection));
    assert_eq!(explanation.accounts.len(), 1, "{explanation:?}");
    explanation.accounts.remove(0)
}

fn fate(hub: &Hub, event: EventId, connection: Uuid) -> Fate {
    account(hub, event, connection).fate.unwrap()
}

/// Waits until the dispatcher's round is noted: the client can have the event a moment before.
fn settled(hub: &Hub, event: EventId, connection: Uuid) -> Account {
    let is_settled = || fate(hub, event, connection) != Fate::Queued(WaitsFor::Dispatcher);
    wait_until(is_settled);
    account(hub, event, connection)
}

fn whats(account: &Account) -> Vec<&'static str> {
    account.steps.iter().map(|step| step.what.as_str()).collect()
}

/// A hub whose clock stands still until it is moved.
fn still_hub(limits: Limits) -> (Hub, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_000_000));
    (Hub::start(limits, clock.clone()).unwrap(), clock)
}

/// A sink whose client takes its `connected` and no more, and the stream's thread is not started yet.
fn lagging(hub: &Hub, room: usize) -> (Joined, Arc<Memory>, Uuid) {
    let sink = Memory::with_room(room);
    let joined = join(hub, &sink, &[], Resume::FromNow);
    let id = joined.writer.stream().id;
    (joined, sink, id)
}

#[test]
fn a_client_that_keeps_up_leaves_no_notes_and_is_explained_all_the_same() {
    let (hub, clock) = still_hub(Limits::default());
    let before = publish(&hub, "a");
    let (stream, sink) = direct(&hub, &[]);
    clock.advance(Duration::from_secs(2));
    let id = publish(&hub, "a");
    sink.wait_for(1);
    let account = settled(&hub, id, stream.id);
    assert_eq!(account.fate, Some(Fate::Delivered(How::Direct)));
    assert_eq!(whats(&account), ["opened", "published", "dispatched", "written"]);
    assert_eq!(account.steps[0].at_ms + 2_000, account.steps[3].at_ms);
    assert_eq!(account.lag, Some(Lag { time: Duration::ZERO, is_steady: true }));
    assert_eq!(fate(&hub, before, stream.id), Fate::OpenedLater);
    assert!(stream.outbox.trail.is_blank(), "nothing is recorded for one that keeps up");
}

#[test]
fn a_filter_is_named() {
    let hub = hub(Limits::default());
    let (stream, _sink) = direct(&hub, &["b"]);
    let of_type = publish(&hub, "a");
    let of_topic = hub.publish(event(&session("you"), "b", 1)).unwrap().id();
    let mut elsewhere = Topic::events();
    elsewhere.project = "elsewhere".parse().unwrap();
    let of_project = hub.publish(event(&elsewhere, "b", 1)).unwrap().id();
    let as_b = NewEvent { matched_as: Some(name("b")), ..event(&Topic::events(), "a", 1) };
    let as_b = hub.publish(as_b).unwrap().id();
    for (id, rule) in [(of_type, Rule::Type), (of_topic, Rule::Topic), (of_project, Rule::Project)]
    {
        assert_eq!(fate(&hub, id, stream.id), Fate::Filtered(rule));
    }
    let account = settled(&hub, as_b, stream.id);
    assert_eq!(account.fate, Some(Fate::Delivered(How::Direct)));
}

#[test]
fn a_slow_clients_event_waits_and_is_written() {
    let (hub, clock) = still_hub(Limits::default());
    let (joined, sink, connection) = lagging(&hub, 0);
    let id = publish(&hub, "a");
    let waiting = settled(&hub, id, connection);
    assert_eq!(waiting.fate, Some(Fate::Queued(WaitsFor::Client)));
    assert_eq!(whats(&waiting), ["opened", "published", "queued"]);
    clock.advance(Duration::from_secs(5));
    sink.make_room(usize::MAX);
    serve(joined);
    wait_until(|| fate(&hub, id, connection) == Fate::Delivered(How::Queue));
    let written = account(&hub, id, connection);
    assert_eq!(whats(&written), ["opened", "published", "queued", "taken", "written"]);
    assert_eq!(written.lag, Some(Lag { time: Duration::from_secs(5), is_steady: true }));
    // And what comes when it keeps up again is told apart from it.
    wait_until(|| hub.stream(connection).unwrap().state() == State::Direct);
    let later = publish(&hub, "a");
    let later = settled(&hub, later, connection);
    assert_eq!(later.fate, Some(Fate::Delivered(How::Direct)));
}

#[test]
fn an_update_that_was_replaced_is_followed_to_what_replaced_it() {
    let hub = hub(Limits::default());
    let (joined, sink, connection) = lagging(&hub, 0);
    let updates: Vec<_> = (0..3).map(|_| update(&hub, "job", false)).collect();
    let other = update(&hub, "other", false);
    let last_word = update(&hub, "job", true);
    let next = update(&hub, "job", false);
    settled(&hub, next, connection);
    let waits = || Box::new(Fate::Queued(WaitsFor::Client));
    assert_eq!(
        fate(&hub, updates[0], connection),
        Fate::Conflated { into: last_word, then: waits() }
    );
    for id in [other, last_word, next] {
        assert_eq!(fate(&hub, id, connection), *waits(), "{id} is replaced by nothing");
    }
    sink.make_room(usize::MAX);
    serve(joined);
    wait_until(|| fate(&hub, next, connection) == Fate::Delivered(How::Queue));
    let then = Box::new(Fate::Delivered(How::Queue));
    let account = account(&hub, updates[2], connection);
    assert_eq!(account.fate, Some(Fate::Conflated { into: last_word, then }));
    assert!(account.lag.is_some() && whats(&account).contains(&"replaced"));
    assert_eq!(
        sink.ids(),
        [other, last_word, next].map(|id| id.to_string()),
        "that is what the client got"
    );
    assert_eq!(fate(&hub, last_word, connection), Fate::Delivered(How::Queue));
}

#[test]
fn an_ended_stream_is_remembered_with_what_it_missed() {
    let hub = hub(Limits { trace_ended_streams: 2, ..Limits::default() });
    let (stream, sink) = direct(&hub, &[]);
    let had = publish(&hub, "a");
    sink.wait_for(1);
    settled(&hub, had, stream.id);
    hub.end_all(EndReason::Lifetime);
    let hub_is_empty = || hub.stream_count() == 0;
    wait_until(hub_is_empty);
    let missed = publish(&hub, "a");
    let known = account(&hub, had, stream.id);
    assert_eq!(known.fate, Some(Fate::Delivered(How::Direct)));
    assert_eq!((known.reason, known.state), (Some(EndReason::Lifetime), State::Ending));
    assert_eq!(whats(&known).last(), Some(&"ended"));
    assert_eq!(fate(&hub, missed, stream.id), Fate::Ended(Missed::PublishedLater));
    let me = "me".parse().unwrap();
    let explanation = hub.explain(missed, Who::Session(&me));
    assert_eq!((explanation.verdict, explanation.accounts.len()), (Verdict::NotConnected, 1));
    assert_eq!(hub.explain(had, Who::Session(&me)).verdict, Verdict::Delivered);
}

#[test]
fn only_so_many_ended_streams_are_remembered() {
    let hub = hub(Limits { trace_ended_streams: 2, ..Limits::default() });
    let ids: Vec<_> = (0..3).map(|_| lagging(&hub, 0).2).collect();
    let id = publish(&hub, "a");
    let known = |connection| !hub.explain(id, Who::Connection(connection)).accounts.is_empty();
    assert_eq!(ids.iter().map(|&id| known(id)).collect::<Vec<_>>(), [false, true, true]);
    let gone = hub.explain(id, Who::Connection(ids[0]));
    assert_eq!(gone.verdict, Verdict::NotConnected);
}

#[test]
fn what_waited_when_a_stream_was_cut_was_not_written() {
    let hub = hub(Limits { outbox_events: 2, ..Limits::default() });
    let (joined, _sink, connection) = lagging(&hub, 0);
    let ids: Vec<_> = (0..4).map(|_| publish(&hub, "a")).collect();
    let stream = joined.writer.stream().clone();
    wait_until(|| stream.end_reason().is_some());
    settled(&hub, ids[3], connection);
    assert_eq!(serve(joined).join().unwrap(), EndReason::SlowConsumer);
    let last = publish(&hub, "a");
    let fates: Vec<_> = ids.iter().map(|&id| fate(&hub, id, connection)).collect();
    assert!(
        fates
            .iter()
            .all(|fate| matches!(fate, Fate::Ended(Missed::Waiting | Missed::NotDispatched))),
        "{fates:?}"
    );
    assert_eq!(fates[0], Fate::Ended(Missed::Waiting));
    assert_eq!(fate(&hub, last, connection), Fate::Ended(Missed::PublishedLater));
    // Who comes back gets it, and that is told of the new stream.
    let sink = Memory::endless();
    let after = ids[0].just_before();
    let resumed = join(&hub, &sink, &[], Resume::After(after));
    let id = resumed.writer.stream().id;
    assert_eq!(fate(&hub, ids[0], id), Fate::Queued(WaitsFor::Replay));
    serve(resumed);
    sink.wait_for(5);
    wait_until(|| fate(&hub, last, id) == Fate::Delivered(How::Replay));
    let me = "me".parse().unwrap();
    let explanation = hub.explain(ids[0], Who::Session(&me));
    assert_eq!((explanation.verdict, explanation.accounts.len()), (Verdict::Delivered, 2));
}

#[test]
fn an_event_that_was_being_written_at_the_end_may_have_arrived() {
    let hub = hub(Limits { write_deadline: Duration::from_millis(1), ..Limits::default() });
    let (joined, _sink, connection) = lagging(&hub, 10);
    let id = publish(&hub, "a");
    settled(&hub, id, connection);
    assert_eq!(serve(joined).join().unwrap(), EndReason::Stuck);
    assert_eq!(fate(&hub, id, connection), Fate::Ended(Missed::InPart));
}

#[test]
fn a_client_that_resumes_is_told_what_it_said_and_what_was_not_to_be_had() {
    let hub = hub(Limits { history_events: 2, ..Limits::default() });
    let ids: Vec<_> = (0..4).map(|_| publish(&hub, "a")).collect();
    let sink = Memory::endless();
    let joined = join(&hub, &sink, &[], Resume::After(ids[2]));
    let connection = joined.writer.stream().id;
    assert_eq!(fate(&hub, ids[2], connection), Fate::HadAlready { after: ids[2] });
    assert_eq!(fate(&hub, ids[3], connection), Fate::Queued(WaitsFor::Replay));
    let unknown = join(&hub, &sink, &[], Resume::Unknown);
    let gap = unknown.replay.gap.unwrap();
    let unknown = unknown.writer.stream().id;
    assert_eq!(gap.to, ids[1]);
    // It is in the history again only for those who ask in time: the hub says what is gone.
    let gone = hub.explain(ids[1], Who::Connection(unknown));
    assert_eq!(gone.verdict, Verdict::Forgotten);
    assert_eq!(
        gone.event.err(),
        Some(Unknown::Gone { reason: GapReason::Overflow, since_ms: None })
    );
}

#[test]
fn ids_that_are_no_events_are_told_apart() {
    let (hub, clock) = still_hub(Limits::default());
    let first = publish(&hub, "a");
    let (stream, _sink) = direct(&hub, &[]);
    let newest = publish(&hub, "a");
    let unknown = |id| hub.explain(id, Who::Connection(stream.id)).event.err();
    assert_eq!(unknown(EventId { n: 7, ..newest }), Some(Unknown::NotYet { newest }));
    let before = EventId { ms: first.ms - 1, n: 3 };
    let restart = Unknown::Gone { reason: GapReason::Restart, since_ms: None };
    assert_eq!(unknown(before), Some(restart));
    clock.advance(Duration::from_secs(1));
    let later = publish(&hub, "a");
    assert_eq!(unknown(EventId { n: 3, ..later.just_before() }), Some(Unknown::Never));
    clock.advance(Limits::default().history_age);
    publish(&hub, "a");
    let since_ms = Some(first.ms + Limits::default().history_age.as_millis() as u64);
    let expired = Unknown::Gone { reason: GapReason::Expired, since_ms };
    assert_eq!(unknown(first), Some(expired));
}

#[test]
fn what_is_switched_off_is_said_to_be() {
    let check = |limits: Limits, untraced| {
        let hub = hub(limits);
        let (stream, sink) = direct(&hub, &[]);
        let id = publish(&hub, "a");
        sink.wait_for(1);
        assert_eq!(settled(&hub, id, stream.id).fate, Some(Fate::Untraced(untraced)));
        stream.end(EndReason::ClientGone);
    };
    check(Limits { trace_rounds: 0, ..Limits::default() }, Untraced::NoRounds);
    check(Limits { trace_notes: 0, ..Limits::default() }, Untraced::NoNotes);
    let hub = hub(Limits { trace_ended_streams: 0, ..Limits::default() });
    let (joined, _sink, connection) = lagging(&hub, 0);
    drop(joined);
    let id = publish(&hub, "a");
    assert!(hub.explain(id, Who::Connection(connection)).accounts.is_empty());
}

#[test]
fn notes_that_are_gone_are_said_to_be() {
    let hub = hub(Limits { trace_notes: 2, ..Limits::default() });
    let (joined, _sink, connection) = lagging(&hub, 0);
    let first = (publish(&hub, "a"), update(&hub, "job", false));
    settled(&hub, first.1, connection);
    let outbox = &joined.writer.stream().outbox;
    let mut last = first.0;
    for _ in 0..4 {
        // A turn of its own for each: it waits, is written, and waits no more.
        outbox.note_written(&outbox.take(usize::MAX));
        last = publish(&hub, "a");
        wait_until(|| outbox.queued_events() > 0);
    }
    settled(&hub, last, connection);
    assert_eq!(fate(&hub, first.0, connection), Fate::Delivered(How::Forgotten));
    assert_eq!(fate(&hub, first.1, connection), Fate::Untraced(Untraced::Forgotten));
    assert_eq!(fate(&hub, last, connection), Fate::Queued(WaitsFor::Client));
}

#[test]
fn a_poll_is_judged_by_its_answer() {
    let hub = hub(Limits::default());
    let (mut joined, _sink, connection) = lagging(&hub, 0);
    let ids: Vec<_> = (0..3).map(|_| publish(&hub, "a")).collect();
    settled(&hub, ids[2], connection);
    assert_eq!(joined.writer.take_events(Duration::ZERO).unwrap().len(), 3);
    joined.note_answered(ids[1]);
    drop(joined);
    assert_eq!(fate(&hub, ids[1], connection), Fate::Delivered(How::Poll));
    assert_eq!(fate(&hub, ids[2], connection), Fate::Ended(Missed::NotAnswered));
}

#[test]
fn an_update_is_replaced_by_what_waits_behind_the_write_that_passes_it() {
    let hub = hub(Limits::default());
    let (joined, _sink, connection) = lagging(&hub, 0);
    let replaced = update(&hub, "job", false);
    let other = publish(&hub, "a");
    let newer = update(&hub, "job", false);
    settled(&hub, newer, connection);
    let outbox = &joined.writer.stream().outbox;
    let load = outbox.take(1);
    assert_eq!(load.due.iter().map(|due| due.event.id).collect::<Vec<_>>(), [other]);
    outbox.note_written(&load);
    let then = Box::new(Fate::Queued(WaitsFor::Client));
    assert_eq!(fate(&hub, replaced, connection), Fate::Conflated { into: newer, then });
    assert_eq!(fate(&hub, other, connection), Fate::Delivered(How::Queue));
}

#[test]
fn a_write_whose_note_is_gone_is_not_taken_for_done() {
    let hub = hub(Limits { trace_notes: 1, ..Limits::default() });
    let (joined, _sink, connection) = lagging(&hub, 5);
    let stream = joined.writer.stream().clone();
    assert_eq!(stream.outbox.hand_over(), Ok(true));
    // A part of the first is with the client; the second's write has the only note.
    let ids = [publish(&hub, "a"), publish(&hub, "a")];
    settled(&hub, ids[1], connection);
    stream.outbox.take(usize::MAX);
    assert_eq!(fate(&hub, ids[0], connection), Fate::Queued(WaitsFor::Client));
    stream.end(EndReason::ClientGone);
    assert_eq!(fate(&hub, ids[0], connection), Fate::Ended(Missed::InPart));
}
