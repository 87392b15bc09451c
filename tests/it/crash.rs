//! The end of a process that nobody has announced: kill -9 in the middle of everything, a disk without
//! room, a record that is half written, a clock that goes back. The fleet's rules hold in all of them.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Resource, Signal};
use serde_json::json;
use tempfile::TempDir;

use crate::fleet::{FLAGS, Fleet, Habit, Kind, Mix, World};
use crate::support::{EventStream, PATIENCE, Server, connect, inheriting};

pub(crate) const EVERY_HABIT: [Habit; 6] =
    [Habit::Steady, Habit::Old, Habit::Stalls, Habit::Steady, Habit::Sips, Habit::Wanders];

/// Debian's `faketime`.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// A server that lives several times, on one address and one data directory.
pub(crate) struct Lives {
    listener: TcpListener,
    data: Arc<TempDir>,
    pub(crate) server: Server,
}

impl Lives {
    fn begin() -> Self {
        Self::begin_in(Arc::new(tempfile::tempdir().unwrap()))
    }

    pub(crate) fn begin_in(data: Arc<TempDir>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::spawn(program(&listener), data.clone());
        Self { listener, data, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Begins the next life, as `change` wants it.
    pub(crate) fn begin_again(&mut self, change: impl FnOnce(&mut Command)) {
        let mut program = program(&self.listener);
        change(&mut program);
        self.server = Server::spawn(program, self.data.clone());
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self, world: &World) {
        self.server.signal(Signal::KILL);
        self.server.wait();
        world.ledger.note_end(true);
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self, world: &World) {
        self.server.signal(Signal::TERM);
        assert_eq!(self.server.wait().code(), Some(0));
        world.ledger.note_end(false);
    }
}

fn program(listener: &TcpListener) -> Command {
    let flags = [
        "--log",
        "warn",
        "--retry-ms",
        "50",
        "--drain-seconds",
        "1",
        "--max-connections-per-address",
        "0",
    ];
    let mut program = inheriting(listener.try_clone().unwrap(), &flags);
    program.args(FLAGS).args(["--stop-timeout-seconds", "5", "--store-wait-ms", "500"]);
    program
}

/// Waits until so many more events were acknowledged.
pub(crate) fn let_be(fleet: &Fleet, events: u64) {
    let enough = fleet.world.ledger.acknowledged() + events;
    let deadline = Instant::now() + PATIENCE * 3;
    while fleet.world.ledger.acknowledged() < enough {
        assert!(Instant::now() < deadline, "no events: {:?}", fleet.world.violations());
        thread::sleep(Duration::from_millis(1));
    }
    fleet.world.judge();
}

/// Ends the fleet and checks that no rule was broken; how many gaps there were.
pub(crate) fn check(fleet: Fleet) -> u64 {
    let world = fleet.world.clone();
    let violations = fleet.finish(PATIENCE * 3);
    let (events, unjudged) = (world.ledger.acknowledged(), world.ledger.unjudged());
    println!("{events} events, {unjudged} not behind all, {:?}", world.tally);
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    assert!(world.tally.deliveries.load(Relaxed) > 0);
    world.tally.gaps.iter().map(|count| count.load(Relaxed)).sum()
}

#[test]
fn after_kill_9_everyone_has_everything_or_knows_what_is_missing() {
    let mut lives = Lives::begin();
    let mut random = fastrand::Rng::with_seed(9);
    let fleet = Fleet::start(lives.address(), 200, &EVERY_HABIT, 4, Mix::ALL, 9);
    for _ in 0..6 {
        let_be(&fleet, random.u64(100..1_200));
        lives.kill(&fleet.world);
        lives.begin_again(|_| {});
    }
    let_be(&fleet, 500);
    assert!(check(fleet) > 0, "some were not certain, and who wants those is told");
}

#[test]
fn after_a_stop_nobody_misses_anything_or_is_alarmed() {
    let mut lives = Lives::begin();
    let habits = [Habit::Steady, Habit::Old, Habit::Wanders];
    let fleet = Fleet::start(lives.address(), 60, &habits, 3, Mix::ALL, 10);
    for _ in 0..3 {
        let_be(&fleet, 400);
        lives.stop(&fleet.world);
        lives.begin_again(|_| {});
    }
    let_be(&fleet, 100);
    assert_eq!(check(fleet), 0);
}

#[test]
fn without_room_on_the_disk_publishers_are_told_and_delivery_goes_on() {
    let mut lives = Lives::begin();
    let fleet = Fleet::start(lives.address(), 20, &EVERY_HABIT, 2, Mix::ALL, 11);
    let_be(&fleet, 200);
    let server = &lives.server;
    let mut stream = server.stream("/events?subscribe=test");
    stream.next_named("connected");
    server.limit_for_now(Resource::Fsize, Some(0));
    let publish = |n: u32, durable: bool| {
        let body = json!({"event_type": "test", "data": n, "durable": durable});
        server.post("/events/broadcast", &body.to_string())
    };
    let answer = publish(1, true);
    assert_eq!((answer.head.status, &answer.json()["code"]), (503, &json!("not_stored")));
    let ready = server.get("/ready");
    assert_eq!((ready.head.status, &ready.json()["code"]), (503, &json!("degraded")));
    assert_eq!(publish(2, false).head.status, 200);
    assert_eq!(stream.next_named("test").data, "1", "it is delivered all the same");
    assert_eq!(stream.next_named("test").data, "2");
    server.limit_for_now(Resource::Fsize, None);
    let deadline = Instant::now() + PATIENCE;
    while publish(3, true).head.status != 200 {
        assert!(Instant::now() < deadline, "there is room again, and it does not notice");
    }
    assert_eq!(server.get("/ready").head.status, 200);
    let_be(&fleet, 200);
    // A crash while there is no room: what was in memory is gone, and that is known.
    server.limit_for_now(Resource::Fsize, Some(0));
    let last = stream.next_named("test").id;
    assert_eq!(publish(4, false).head.status, 200);
    lives.kill(&fleet.world);
    lives.begin_again(|_| {});
    check_alarmed(&lives, "/events?subscribe=test", &last);
    let_be(&fleet, 50);
    check(fleet);
}

/// Checks that a client that comes back is told of a gap.
fn check_alarmed(lives: &Lives, path: &str, last_id: &str) {
    let resume = format!("Last-Event-ID: {last_id}");
    let mut stream = EventStream::open(connect(lives.address(), None), path, &[&resume]);
    assert_eq!(stream.next().name, "connected");
    assert_eq!(stream.next().name, "gap");
}

#[test]
fn what_is_published_for_the_first_time_while_there_is_no_room_is_not_lost_silently() {
    let mut lives = Lives::begin();
    let mut stream = lives.server.stream("/events?subscribe=note");
    let last = stream.next_named("connected").id;
    lives.server.limit_for_now(Resource::Fsize, Some(0));
    // That notes are not certain cannot be noted on a disk that takes nothing.
    let body = json!({"event_type": "note", "data": 1}).to_string();
    assert_eq!(lives.server.post("/events/broadcast", &body).head.status, 200);
    stream.next_named("note");
    lives.server.signal(Signal::KILL);
    lives.server.wait();
    lives.begin_again(|_| {});
    check_alarmed(&lives, "/events?subscribe=note", &last);
}

#[test]
fn a_record_that_is_half_written_is_what_a_crash_took() {
    // Nobody was told of these that they are on disk, and so any of them may be the half one.
    let mix =
        Mix { kinds: &[Kind::Note, Kind::Tick, Kind::Progress], is_certain: false, ..Mix::ALL };
    let mut lives = Lives::begin();
    let mut random = fastrand::Rng::with_seed(12);
    let fleet = Fleet::start(lives.address(), 40, &EVERY_HABIT, 2, mix, 12);
    for _ in 0..6 {
        let_be(&fleet, 100);
        // That these types are not certain was written before, and was waited for.
        let certain = log(&lives).metadata().unwrap().len();
        while log(&lives).metadata().unwrap().len() <= certain {
            let_be(&fleet, random.u64(10..300));
        }
        lives.kill(&fleet.world);
        let len = log(&lives).metadata().unwrap().len();
        log(&lives).set_len(len - random.u64(1..=(len - certain).min(5_000))).unwrap();
        lives.begin_again(|_| {});
    }
    let_be(&fleet, 100);
    assert!(check(fleet) > 0);
}

/// The database's write-ahead log, to which every commit adds.
fn log(lives: &Lives) -> File {
    File::options().write(true).open(lives.data.path().join("tidings.db-wal")).unwrap()
}

#[test]
fn a_clock_that_was_set_back_an_hour_changes_nothing() {
    if !Path::new(FAKETIME).exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "faketime is not installed");
        println!("skipped: faketime is not installed");
        return;
    }
    let mut lives = Lives::begin();
    let fleet = Fleet::start(lives.address(), 60, &EVERY_HABIT, 3, Mix::ALL, 13);
    for hours in [0, 1, 0] {
        lives.kill(&fleet.world);
        lives.begin_again(|program| {
            if hours > 0 {
                program.env("LD_PRELOAD", FAKETIME).env("FAKETIME", format!("-{hours}h"));
                // Only what people set is set back.
                program.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            }
        });
        let head = lives.server.get("/health").head;
        let date = httpdate::parse_http_date(head.header("date").unwrap()).unwrap();
        let back = SystemTime::now().duration_since(date).unwrap_or_default().as_secs();
        assert_eq!((back + 600) / 3_600, hours, "the clock is {back} s back");
        let_be(&fleet, 400);
    }
    check(fleet);
}
