//! What happens as time passes: heartbeats, idleness, lifetimes. The clock is moved by hand.

use super::*;
use crate::event::EventKey;

/// A hub whose clock stands still, and the clock.
fn hub_at_rest(limits: Limits) -> (Hub, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_000_000));
    (Hub::start(limits, clock.clone()).unwrap(), clock)
}

fn join(hub: &Hub, sink: &Arc<Memory>) -> Joined {
    hub.join(profile(&[Topic::events()], &[], Resume::FromNow), sink.clone()).unwrap()
}

/// The reasons why streams have ended after this time, without any thread serving them.
fn check(limits: &Limits, elapsed: Duration, expected: Option<EndReason>) {
    let (hub, clock) = hub_at_rest(limits.clone());
    let joined = join(&hub, &Memory::endless());
    clock.advance(elapsed);
    hub.0.sweep();
    assert_eq!(joined.writer.stream().end_reason(), expected, "after {elapsed:?}");
}

#[test]
fn a_stream_to_which_nothing_could_be_delivered_is_idle() {
    let limits =
        Limits { idle: Duration::from_secs(300), lifetime: Duration::ZERO, ..Limits::default() };
    check(&limits, Duration::from_secs(299), None);
    check(&limits, Duration::from_secs(300), Some(EndReason::Idle));
    check(&Limits { idle: Duration::ZERO, ..limits }, Duration::from_secs(1 << 30), None);
}

#[test]
fn a_stream_lives_between_nine_tenths_and_all_of_its_lifetime() {
    let limits =
        Limits { idle: Duration::ZERO, lifetime: Duration::from_secs(1_000), ..Limits::default() };
    check(&limits, Duration::from_secs(899), None);
    check(&limits, Duration::from_secs(1_000), Some(EndReason::Lifetime));
    check(&Limits { lifetime: Duration::ZERO, ..limits }, Duration::from_secs(1 << 30), None);
}

#[test]
fn a_heartbeat_is_sent_when_nothing_else_was() {
    let limits = Limits { heartbeat: Duration::from_secs(30), ..Limits::default() };
    let (hub, clock) = hub_at_rest(limits);
    let sink = Memory::endless();
    let joined = join(&hub, &sink);
    let beats_after = |elapsed| {
        clock.advance(Duration::from_secs(elapsed));
        joined.writer.beat_if_due(HEARTBEAT).unwrap();
        sink.events().iter().filter(|event| event.name == "ping").count()
    };
    assert_eq!(beats_after(29), 0);
    assert_eq!(beats_after(1), 1);
    assert_eq!(beats_after(29), 1, "the heartbeat itself was something");
    assert_eq!(beats_after(1), 2);
    assert!(
        sink.events().iter().all(|event| event.id.is_empty()),
        "it does not move the resume point"
    );
}

#[test]
fn a_heartbeat_lets_what_waits_go_first() {
    let (hub, clock) = hub_at_rest(Limits::default());
    let sink = Memory::endless();
    let joined = join(&hub, &sink);
    hub.publish(event(&Topic::events(), "a", 1)).unwrap();
    while joined.writer.stream().queue_size() == 0 {
        std::thread::yield_now();
    }
    clock.advance(Limits::default().heartbeat);
    // It could be the rest of an event of which the client has the beginning.
    joined.writer.beat_if_due(HEARTBEAT).unwrap();
    assert_eq!(sink.events(), []);
}

#[test]
fn what_was_sent_puts_idleness_and_heartbeat_off() {
    let (hub, clock) = hub_at_rest(Limits { lifetime: Duration::ZERO, ..Limits::default() });
    let sink = Memory::endless();
    let joined = join(&hub, &sink);
    let stream = joined.writer.stream().clone();
    let thread = serve(joined);
    for n in 1..=20 {
        clock.advance(Duration::from_secs(200));
        hub.publish(event(&Topic::events(), "a", n)).unwrap();
        sink.wait_for(n);
        while stream.events_sent() < n as u64 {
            std::thread::yield_now();
        }
        hub.0.sweep();
    }
    assert_eq!(stream.end_reason(), None);
    stream.end(EndReason::ClientGone);
    thread.join().unwrap();
}

#[test]
fn what_came_too_soon_is_sent_when_its_time_has_come() {
    let limits = Limits { max_updates_per_second: 2, ..Limits::default() };
    let (hub, clock) = hub_at_rest(limits);
    let sink = Memory::endless();
    let joined = join(&hub, &sink);
    let stream = joined.writer.stream().clone();
    let thread = serve(joined);
    let update = |n: usize| {
        let event = event(&Topic::events(), "a", n);
        hub.publish(NewEvent { key: Some(EventKey::new("k")), ..event }).unwrap();
    };
    while stream.state() != State::Direct {
        std::thread::yield_now();
    }
    update(1);
    sink.wait_for(1);
    for n in 2..=9 {
        update(n);
    }
    while stream.events_conflated() < 7 {
        std::thread::yield_now();
    }
    clock.advance(Duration::from_millis(499));
    hub.0.sweep();
    assert_eq!((stream.queue_size(), stream.state()), (1, State::Direct));
    clock.advance(Duration::from_millis(1));
    hub.0.sweep();
    sink.wait_for(2);
    assert_eq!(sink.data(), ["1", "9"], "the first at once, and the last");
    update(10);
    update(11);
    hub.end_all(EndReason::Shutdown);
    assert_eq!(thread.join().unwrap(), EndReason::Shutdown);
    assert_eq!(sink.data()[2..], ["11"], "the end does not wait, and loses nothing");
    assert_eq!(hub.snapshot().counts.conflated, 8);
}

#[test]
fn ids_go_on_when_the_wall_clock_steps_back() {
    let (hub, clock) = hub_at_rest(Limits::default());
    let before = hub.publish(event(&Topic::events(), "a", 1)).unwrap().id();
    clock.set_unix_ms(1);
    let after = hub.publish(event(&Topic::events(), "a", 2)).unwrap().id();
    assert!(after > before);
}

#[test]
fn rates_cover_the_last_seconds() {
    let (hub, clock) = hub_at_rest(Limits::default());
    for _ in 0..20 {
        hub.0.sweep();
        for n in 0..5 {
            hub.publish(event(&Topic::events(), "a", n)).unwrap();
        }
        clock.advance(Duration::from_secs(1));
    }
    hub.0.sweep();
    let rates = hub.snapshot().counts.rates;
    assert!((rates.published_per_second - 5.0).abs() < f64::EPSILON, "{rates:?}");
    assert_eq!(rates.window, Duration::from_secs(10));
}
