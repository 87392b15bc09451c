//! Slow, stuck and vanished clients: what they cost themselves, and that they cost nobody else.

use super::*;

/// Longer than any bound used here.
const MANY: usize = 1_000;

fn events_of(hub: &Hub, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| hub.publish(event(&Topic::events(), "a", n)).unwrap().id().to_string())
        .collect()
}

#[test]
fn a_stuck_client_costs_the_others_and_the_publisher_nothing() {
    let hub = hub(Limits { shards: 1, outbox_events: 0, outbox_bytes: 0, ..Limits::default() });
    let join = |sink: Arc<Memory>| {
        serve(hub.join(profile(&[Topic::events()], &[], Resume::FromNow), sink).unwrap())
    };
    let stuck = Memory::with_room(10);
    let (stuck_thread, reading) = (join(stuck.clone()), Memory::endless());
    let reading_thread = join(reading.clone());
    // Returns although one client takes nothing at all; and the other gets everything meanwhile.
    let ids = events_of(&hub, MANY);
    reading.wait_for(MANY);
    assert_eq!(reading.ids(), ids);
    assert!(stuck.events().is_empty());
    stuck.make_room(usize::MAX);
    stuck.wait_for(MANY);
    assert_eq!(stuck.ids(), ids, "once it reads, it has missed nothing");
    hub.end_all(EndReason::Shutdown);
    assert_eq!(
        [stuck_thread, reading_thread].map(|thread| thread.join().unwrap()),
        [EndReason::Shutdown; 2]
    );
}

#[test]
fn a_client_for_whom_too_much_waits_is_cut_and_resumes() {
    for limits in [
        Limits { outbox_events: 10, ..Limits::default() },
        Limits { outbox_bytes: 500, ..Limits::default() },
    ] {
        let hub = hub(limits);
        let slow = Memory::with_room(50);
        let thread = serve(
            hub.join(profile(&[Topic::events()], &[], Resume::FromNow), slow.clone()).unwrap(),
        );
        let mut ids = events_of(&hub, 1);
        slow.wait_for(1);
        ids.extend(events_of(&hub, MANY));
        assert_eq!(thread.join().unwrap(), EndReason::SlowConsumer);
        assert!(slow.is_closed());
        let had =
            slow.ids().last().map_or(Resume::FromNow, |id| Resume::After(id.parse().unwrap()));
        let got = slow.ids().len();
        let mut joined =
            hub.join(profile(&[Topic::events()], &[], had), Memory::endless()).unwrap();
        let replayed: Vec<String> =
            owed(&mut joined).iter().map(|event| event.id.to_string()).collect();
        assert!(got > 0 && replayed == ids[got..], "{got} before, {} after", replayed.len());
    }
}

#[test]
fn a_client_that_takes_nothing_for_the_write_deadline_is_stuck() {
    let hub = hub(Limits { write_deadline: Duration::from_millis(1), ..Limits::default() });
    let sink = Memory::with_room(0);
    let thread =
        serve(hub.join(profile(&[Topic::events()], &[], Resume::FromNow), sink.clone()).unwrap());
    events_of(&hub, 1);
    assert_eq!(thread.join().unwrap(), EndReason::Stuck);
    assert!(sink.is_closed());
}

#[test]
fn a_planned_end_that_gets_stuck_is_cut_and_leaves_no_room_for_a_goodbye() {
    let hub = hub(Limits { write_deadline: Duration::from_millis(1), ..Limits::default() });
    let sink = Memory::with_room(10);
    let joined = hub.join(profile(&[Topic::events()], &[], Resume::FromNow), sink.clone()).unwrap();
    let stream = joined.writer.stream().clone();
    events_of(&hub, 1);
    while stream.queue_size() == 0 {
        std::thread::yield_now();
    }
    // A part of the event is written; the rest never will be.
    stream.end(EndReason::Lifetime);
    assert_eq!(serve(joined).join().unwrap(), EndReason::Stuck);
    assert!(sink.is_closed());
    assert_eq!(stream.end_reason(), Some(EndReason::Lifetime), "that is why it began to end");
}

#[test]
fn what_ends_as_planned_can_still_be_cut() {
    let hub = hub(Limits { write_deadline: Duration::ZERO, ..Limits::default() });
    let sink = Memory::with_room(0);
    let thread =
        serve(hub.join(profile(&[Topic::events()], &[], Resume::FromNow), sink.clone()).unwrap());
    events_of(&hub, 1);
    while hub.streams_after(None)[0].queue_size() == 0 {
        std::thread::yield_now();
    }
    hub.end_all(EndReason::Shutdown);
    hub.cut_all(EndReason::Stuck);
    assert!(!thread.join().unwrap().is_planned());
    assert!(sink.is_closed());
}

#[test]
fn publishers_are_held_back_when_the_dispatcher_is_behind() {
    let limits =
        Limits { shards: 1, inbox_events: 4, publish_wait: Duration::ZERO, ..Limits::default() };
    let hub = hub(limits);
    let gate = Arc::new(Gate::default());
    let closed = gate.0.lock();
    let thread =
        serve(hub.join(profile(&[Topic::events()], &[], Resume::FromNow), gate.clone()).unwrap());
    while hub.streams_after(None)[0].state() != State::Direct {
        std::thread::yield_now();
    }
    // The dispatcher takes some rounds' events and then stands at the gate; the rest must wait.
    let mut taken = 0;
    while hub.publish(event(&Topic::events(), "a", taken)).is_ok() {
        taken += 1;
        assert!(taken < MANY, "nobody was held back");
    }
    assert_eq!(hub.snapshot().counts.refused_busy, 1);
    assert_eq!(hub.snapshot().history.events, taken, "a refused event changes nothing");
    drop(closed);
    while hub.publish(event(&Topic::events(), "a", taken)).is_err() {
        std::thread::yield_now();
    }
    hub.end_all(EndReason::ClientGone);
    thread.join().unwrap();
}

/// A sink that blocks whoever writes, as no real one does.
#[derive(Debug, Default)]
struct Gate(parking_lot::Mutex<()>);

impl Sink for Gate {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let _open = self.0.lock();
        Ok(bytes.len())
    }

    fn wait_writable(&self, _: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }

    fn close(&self) {}

    fn hung_up(&self) -> bool {
        false
    }

    fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// A sink whose peer can hang up, so that the kernel tells.
#[derive(Debug)]
struct Socket(std::os::unix::net::UnixStream);

impl Sink for Socket {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn wait_writable(&self, _: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }

    fn close(&self) {}

    fn hung_up(&self) -> bool {
        matches!(io::Read::read(&mut &self.0, &mut [0]), Ok(0))
    }

    fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        Some(std::os::fd::AsFd::as_fd(&self.0))
    }
}

#[test]
fn a_client_that_hangs_up_is_gone_without_anything_being_sent() {
    let hub = hub(Limits { heartbeat: Duration::ZERO, idle: Duration::ZERO, ..Limits::default() });
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let thread = serve(
        hub.join(profile(&[Topic::events()], &[], Resume::FromNow), Arc::new(Socket(ours)))
            .unwrap(),
    );
    drop(theirs);
    assert_eq!(thread.join().unwrap(), EndReason::ClientGone);
    assert_eq!(hub.stream_count(), 0);
}
