//! A disk that is full when the server starts: it delivers, says what is wrong, and keeps events as soon
//! as there is room, without a restart. The fleet's rules hold over it.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Signal};
use serde_json::json;
use tempfile::TempDir;

use crate::crash::{EVERY_HABIT, Lives, check, let_be};
use crate::fleet::{Fleet, Mix};
use crate::support::{PATIENCE, Response, Server};

/// A disk of its own that is soon full, as a data directory; to mount one takes rights.
struct SmallDisk {
    data: Arc<TempDir>,
}

impl SmallDisk {
    /// None, which is said, if this user may not mount anything; the build machine must.
    fn mount() -> Option<Self> {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(data.path());
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no file system can be mounted");
            println!("skipped: no file system can be mounted here");
        }
        is_mounted.then_some(Self { data })
    }

    fn filler(&self) -> PathBuf {
        self.data.path().join("filler")
    }

    /// Leaves no room for anything.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [64 << 10, 4 << 10, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.data.path()).status();
    }
}

fn publish(server: &Server, n: u32, durable: bool) -> Response {
    let body = json!({"event_type": "test", "data": n, "durable": durable}).to_string();
    server.post("/events/broadcast", &body)
}

/// Checks that the server delivers and says that it cannot keep.
fn check_degraded(server: &Server) {
    let mut stream = server.stream("/events?subscribe=test");
    stream.next_named("connected");
    let ready = server.get("/ready");
    assert_eq!((ready.head.status, &ready.json()["code"]), (503, &json!("degraded")));
    let detail = ready.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("Events are delivered, but cannot be kept: cannot use"), "{detail}");
    let answer = publish(server, 1, true);
    assert_eq!((answer.head.status, &answer.json()["code"]), (503, &json!("not_stored")));
    assert_eq!(publish(server, 2, false).head.status, 200);
    assert_eq!(stream.next_named("test").data, "1");
    assert_eq!(stream.next_named("test").data, "2");
}

/// Waits until the server has noticed that there is room.
fn wait_until_ready(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while server.get("/ready").head.status != 200 {
        assert!(Instant::now() < deadline, "there is room, and it does not notice");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(publish(server, 3, true).head.status, 200);
}

/// Ends it in order; the next one has everything that was published since the disk was full.
fn check_kept(mut server: Server) {
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let next = server.start_again(&[]);
    assert_eq!(next.status()["history"]["events"], 3);
    let last_id = next.status()["history"]["oldest_id"].as_str().unwrap().to_owned();
    let mut stream = next.stream(&format!("/events?subscribe=test&last_event_id={last_id}"));
    assert_eq!(stream.next().name, "connected");
    assert_eq!([stream.next().data, stream.next().data], ["2", "3"], "and nobody is alarmed");
}

#[test]
fn where_no_file_may_grow_the_server_starts_and_keeps_events_later() {
    let mut shell = Command::new("/bin/sh");
    let start = r#"ulimit -S -f 0; exec "$0" --listen 127.0.0.1:0"#;
    shell.env_clear().args(["-c", start, env!("CARGO_BIN_EXE_tidings")]);
    let server = Server::spawn(shell, Arc::new(tempfile::tempdir().unwrap()));
    check_degraded(&server);
    server.limit_for_now(Resource::Fsize, None);
    server.wait_for_log("the disk takes events again");
    wait_until_ready(&server);
    check_kept(server);
}

#[test]
fn the_first_server_of_all_starts_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    disk.fill();
    let server = Server::start_in(disk.data.clone(), &[]);
    check_degraded(&server);
    disk.make_room();
    wait_until_ready(&server);
    check_kept(server);
}

/// What was kept before is delivered on a full disk, whatever way the server before has ended.
fn check_restart(end: Signal) {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut before = Server::start_in(disk.data.clone(), &[]);
    let kept: Vec<_> = (10..13).map(|n| publish(&before, n, true).json()).collect();
    before.signal(end);
    before.wait();
    disk.fill();
    let server = before.start_again(&[]);
    check_degraded(&server);
    let last_id = kept[0]["event_id"].as_str().unwrap();
    let path = format!("/events?subscribe=test&last_event_id={last_id}");
    let mut stream = server.stream(&path);
    assert_eq!(stream.next().name, "connected");
    let seen = [0; 4].map(|_| stream.next().data);
    assert_eq!(seen, ["11", "12", "1", "2"], "what was only waited for, no crash has taken");
    // It ends before there is room: what nobody has kept is announced.
    server.signal(Signal::KILL);
    drop(server);
    let mut server = before.start_again(&[]);
    let mut alarmed = server.stream(&path);
    assert_eq!(alarmed.next().name, "connected");
    assert_eq!(alarmed.next().name, "gap");
    assert_eq!([alarmed.next().data, alarmed.next().data], ["11", "12"]);
    disk.make_room();
    wait_until_ready(&server);
    assert_eq!(alarmed.next().data, "3");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn after_an_end_in_order_a_server_starts_on_a_full_disk() {
    check_restart(Signal::TERM);
}

#[test]
fn after_kill_9_a_server_starts_on_a_full_disk() {
    check_restart(Signal::KILL);
}

/// Begins the next life, and waits until most clients have come back. Publishers may all wait for the
/// disk meanwhile.
fn begin_again(lives: &mut Lives, fleet: &Fleet) {
    let connections = || fleet.world.tally.connections.load(Relaxed);
    let (enough, deadline) = (connections() + CLIENTS as u64 / 2, Instant::now() + PATIENCE);
    lives.begin_again(|_| {});
    while connections() < enough {
        assert!(Instant::now() < deadline, "they stay away: {:?}", fleet.world.violations());
        thread::sleep(Duration::from_millis(1));
    }
    fleet.world.judge();
}

const CLIENTS: usize = 40;

#[test]
fn the_fleets_rules_hold_over_starts_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut lives = Lives::begin_in(disk.data.clone());
    let fleet = Fleet::start(lives.address(), CLIENTS, &EVERY_HABIT, 2, Mix::ALL, 14);
    let_be(&fleet, 200);
    for ends_in_order in [true, false] {
        if ends_in_order {
            lives.stop(&fleet.world);
        } else {
            lives.kill(&fleet.world);
        }
        disk.fill();
        begin_again(&mut lives, &fleet);
        assert_eq!(lives.server.get("/ready").head.status, 503);
        // Another one, whose predecessor never had a log.
        lives.kill(&fleet.world);
        begin_again(&mut lives, &fleet);
        disk.make_room();
        wait_until_ready(&lives.server);
        let_be(&fleet, 200);
    }
    lives.kill(&fleet.world);
    lives.begin_again(|_| {});
    let_be(&fleet, 50);
    check(fleet);
}
