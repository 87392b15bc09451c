//! Whose turn it is to write, step by step. The windows in which this matters are too short for the
//! randomized tests to hit them.

use super::*;
use crate::event::{Event, EventKey};
use crate::hub::batch::{Batch, Wire};
use crate::hub::inbox::Message;
use crate::hub::outbox::Delivery;
use crate::hub::trace::Rounds;

const WIRE: Wire = Wire { dialect: Dialect::Events, envelope: Envelope::Bare };

/// An outbox in the dispatcher's turn, whose client takes so many bytes.
fn outbox(room: usize, max_events: usize) -> (Outbox, Arc<Memory>) {
    let sink = Memory::with_room(room);
    let outbox = Outbox::new(sink.clone(), Bound { events: max_events, bytes: 0 });
    assert_eq!(outbox.hand_over(), Ok(true));
    (outbox, sink)
}

/// Delivers as the dispatcher does: `a` is an update with this key, `a!` is terminal, `-` has none.
fn deliver(outbox: &Outbox, first: u32, events: &str, period: Option<u64>) -> Delivery {
    let event = |(n, text): (u32, &str)| {
        let body = NewEvent {
            key: (text != "-").then(|| EventKey::new(text.trim_end_matches('!'))),
            terminal: text.ends_with('!'),
            data: EventData::encode(&serde_json::json!({ "n": n }), 0).unwrap(),
            ..event(&Topic::events(), "e", n as usize)
        };
        Arc::new(Event::new(EventId { ms: 1, n }, 1, body))
    };
    let events: Vec<_> = (first..).zip(events.split(' ')).map(event).collect();
    outbox.deliver(&Batch::new(&events, WIRE), period)
}

#[test]
fn the_dispatcher_gets_no_turn_while_something_waits() {
    let outbox = Outbox::new(Memory::endless(), Bound { events: 0, bytes: 0 });
    assert_eq!(deliver(&outbox, 0, "-", None).events, 0, "a stream begins in the writer's turn");
    assert_eq!(outbox.hand_over(), Ok(false));
    let load = outbox.take(usize::MAX);
    assert_eq!((load.events, outbox.queued_events()), (1, 1), "not written yet");
    outbox.note_written(&load);
    assert_eq!(outbox.queued_events(), 0);
    assert_eq!(outbox.hand_over(), Ok(true));
    assert_eq!(deliver(&outbox, 1, "-", None).events, 1);
}

#[test]
fn no_heartbeat_gets_between_the_parts_of_an_event() {
    let (outbox, _) = outbox(5, 0);
    let delivery = deliver(&outbox, 0, "-", None);
    assert_eq!((delivery.events, delivery.bytes), (0, 5), "a part of it is with the client");
    assert!(!outbox.take_turn());
    assert_eq!(outbox.take(1).events, 1);
    assert!(outbox.take_turn());
}

#[test]
fn after_the_end_the_turn_stays_with_the_writer() {
    let (outbox, _) = outbox(usize::MAX, 0);
    assert!(!outbox.is_writers_turn());
    outbox.end(EndReason::Shutdown);
    outbox.end(EndReason::ClientGone);
    assert!(outbox.is_writers_turn());
    assert_eq!(outbox.hand_over(), Err(EndReason::Shutdown), "the first reason stands");
}

/// A dispatcher for which nobody rings: neither a publisher nor a reaper.
#[test]
fn a_stream_that_leaves_is_let_go_of_at_once() {
    let limits = Limits::default();
    let (inbox, messages) = Inbox::new(&limits);
    let (clock, rounds) = (Arc::new(SystemClock), Arc::new(Rounds::new(0)));
    let shard = Shard::new(inbox.clone(), messages, None, clock, Arc::default(), rounds);
    let thread = std::thread::spawn(move || shard.run(|| ()));
    for number in 0..50 {
        let outbox = Outbox::new(Memory::endless(), Bound { events: 0, bytes: 0 });
        let sink = Arc::downgrade(&outbox.sink);
        let (now, lifetime) = (std::time::Instant::now(), Duration::ZERO);
        let seat = Seat { id: Uuid::new_v4(), number, shard: 0, now, unix_ms: 0, lifetime };
        let profile = profile(&[Topic::events()], &[], Resume::FromNow);
        let stream = Arc::new(Stream::new(seat, profile, outbox));
        inbox.put(Message::Join(stream.clone()));
        inbox.put(Message::Leave(stream));
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while sink.strong_count() > 0 {
            assert!(std::time::Instant::now() < deadline, "stream {number} is still held");
            std::thread::yield_now();
        }
    }
    inbox.put(Message::Stop);
    inbox.ring();
    thread.join().unwrap();
}

#[test]
fn what_is_partly_written_is_not_replaced() {
    let (outbox, sink) = outbox(5, 0);
    deliver(&outbox, 0, "a", None);
    assert_eq!(deliver(&outbox, 1, "a a", None).conflated, 1);
    sink.make_room(usize::MAX);
    let load = outbox.take(usize::MAX);
    sink.try_write(&load.encode(WIRE)).unwrap();
    assert_eq!(sink.ids(), ["1-0", "1-2"]);
    assert_eq!(load.events, 2);
}

#[test]
fn a_full_outbox_ends_only_if_conflation_does_not_help() {
    let (slow, _) = outbox(0, 4);
    deliver(&slow, 0, "a b - - a b a b a b a b a!", None);
    assert_eq!((slow.end_reason(), slow.queued_events()), (None, 4));
    deliver(&slow, 20, "b", None);
    assert_eq!((slow.end_reason(), slow.queued_events()), (None, 4));
    deliver(&slow, 21, "a", None);
    assert_eq!(slow.end_reason(), Some(EndReason::SlowConsumer), "what is terminal stays");
}

/// Delivers one batch after the other, `|` between two of one period and `/` between periods, with
/// the release of what is held back. Returns what the client has after each, by number.
fn check_paced(max_events: usize, batches: &str, expected: &str) {
    let (outbox, sink) = outbox(usize::MAX, max_events);
    let (mut n, mut period, mut seen) = (0, 1, Vec::new());
    for in_period in batches.split(" / ") {
        for batch in in_period.split(" | ") {
            let holds_back = deliver(&outbox, n, batch, Some(period)).holds_back;
            n += batch.split(' ').count() as u32;
            let waits = outbox.queued_events() > 0;
            assert_eq!(holds_back, waits, "{batches}: who holds something back is released later");
            seen.push(new_events(&sink));
        }
        period += 1;
        outbox.release(WIRE, period);
        assert_eq!(outbox.queued_events(), 0, "{batches}");
        seen.push(format!("/ {}", new_events(&sink)));
    }
    assert_eq!(seen.join(" | "), expected, "{batches}");
    assert_eq!(outbox.state(), State::Direct);
}

/// The events since the last look: number, and how many each stands for.
fn new_events(sink: &Memory) -> String {
    let shown = sink.take_events().into_iter().map(|event| {
        let number = event.id.strip_prefix("1-").unwrap().to_owned();
        match conflation::stands_for(&event) {
            1 => number,
            many => format!("{number}*{many}"),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn updates_that_come_too_soon_wait_and_the_last_is_always_delivered() {
    check_paced(0, "a", "0 | / ");
    check_paced(0, "a | a", "0 |  | / 1");
    check_paced(0, "a | a | a | a", "0 |  |  |  | / 3*3");
    check_paced(0, "a | b | a | b", "0 |  |  |  | / 2 3*2");
    check_paced(0, "a | a / a | a / a", "0 |  | / 1 |  |  | / 3*2 |  | / 4");
}

#[test]
fn what_is_no_update_goes_at_once_and_takes_along_what_waits() {
    check_paced(0, "- | - | -", "0 | 1 | 2 | / ");
    check_paced(0, "a | a | a | -", "0 |  |  | 2*2 3 | / ");
    check_paced(0, "a | a | b | a!", "0 |  |  | 2 3*2 | / ");
    check_paced(0, "a! | a!", "0 | 1 | / ");
}

#[test]
fn of_one_batch_the_newest_of_each_subject_goes() {
    check_paced(0, "a a a", "2*3 | / ");
    check_paced(0, "a b a - b", "2*2 3 4*2 | / ");
    check_paced(0, "a | a b - a", "0 | 2 3 4*2 | / ");
}

#[test]
fn a_client_that_keeps_up_is_not_ended_for_what_is_held_back() {
    check_paced(2, "a | b c | d", "0 |  | 1 2 3 | / ");
}

#[test]
fn what_a_client_does_not_take_of_what_was_held_back_is_its_writers() {
    let (outbox, sink) = outbox(40, 0);
    deliver(&outbox, 0, "a", Some(1));
    assert!(deliver(&outbox, 1, "a", Some(1)).holds_back);
    assert!(deliver(&outbox, 2, "b", Some(1)).holds_back);
    let delivery = outbox.release(WIRE, 2);
    assert_eq!((delivery.events, outbox.state()), (0, State::Lagging));
    assert_eq!(outbox.queued_events(), 2);
    deliver(&outbox, 3, "b", Some(2));
    sink.make_room(usize::MAX);
    sink.try_write(&outbox.take(usize::MAX).encode(WIRE)).unwrap();
    assert_eq!(new_events(&sink), "0 1 2 3", "what is partly written is not replaced");
}
