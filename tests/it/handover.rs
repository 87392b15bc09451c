//! One listening socket, several processes after each other: it is passed as systemd passes it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tidings::serve;

use crate::support::{Response, Server, connect, inheriting};

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_passed_socket_is_served_and_no_other_is_opened() {
    let (listener, taken) = (listener(), listener());
    let elsewhere = taken.local_addr().unwrap().to_string();
    // To bind what is taken would fail.
    let server = Server::start_on(&listener, &["--listen", &elsewhere]);
    assert_eq!(server.address, listener.local_addr().unwrap());
    assert_eq!(server.get("/health").head.status, 200);
}

#[test]
fn who_connects_between_two_servers_is_served_by_the_second() {
    let listener = listener();
    let mut first = Server::start_on(&listener, &[]);
    let mut stream = first.stream("/events");
    assert_eq!(stream.next().name, "connected");
    first.signal(Signal::TERM);
    while stream.next_or_end().is_some() {}
    assert_eq!(first.wait().code(), Some(0));

    let mut between = connect(listener.local_addr().unwrap(), None);
    between.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let _second = first.start_again_on(&listener, &[]);
    assert_eq!(Response::read(&mut between).head.status, 200);
}

/// Another program on the same data directory.
fn beside(data: &TempDir) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    program.env_clear().env("TIDINGS_DATA_DIR", data.path());
    program.args(["--listen", "127.0.0.1:0", "--data-dir-wait-seconds", "1"]);
    program
}

#[test]
fn whoever_finds_that_there_was_a_crash_says_so() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let says_so = |signal: Signal| {
        let mut first = Server::start_in(data.clone(), &[]);
        first.signal(signal);
        first.wait();
        let mut next = beside(&data).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(next.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<_> = said.take_while(|line| !line.contains("listening on")).collect();
        kill_process(Pid::from_child(&next), Signal::TERM).unwrap();
        next.wait().unwrap();
        said.iter().any(|line| line.contains("WARN") && line.contains("did not end in order"))
    };
    assert!(!says_so(Signal::TERM));
    assert!(says_so(Signal::KILL));
}

#[test]
fn whoever_waits_for_the_data_directory_says_so() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let _first = Server::start_in(data.clone(), &[]);
    let output = beside(&data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("waiting at most 1 s for another process"), "{said}");
    assert!(said.contains("is in use by another process"), "{said}");
}

#[test]
fn check_config_names_the_passed_socket() {
    let listener = listener();
    let flags = ["check-config", "--listen", "127.0.0.1:1"];
    let output = inheriting(listener.try_clone().unwrap(), &flags).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let address = listener.local_addr().unwrap();
    let line = said.lines().find(|line| line.starts_with("listen = ")).unwrap();
    assert!(line.starts_with(&format!("listen = \"{address}\" ")), "{line}");
    assert!(line.ends_with("  # the socket that LISTEN_FDS passes"), "{line}");
}

fn check_refused(socket: impl Into<OwnedFd>, expected: &str) {
    let output = inheriting(socket, &[]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with(&format!("tidings: {expected}")), "{said}");
}

#[test]
fn what_cannot_be_served_is_refused() {
    let wanted = "LISTEN_FDS must pass one TCP socket that listens: ";
    let folder = tempfile::tempdir().unwrap();
    let unix = UnixListener::bind(folder.path().join("socket")).unwrap();
    check_refused(unix, &format!("{wanted}fd 3 is not a valid tcp socket"));
    check_refused(File::open("/dev/null").unwrap(), &format!("{wanted}fd 3 is not a socket"));
    let connected = TcpStream::connect(listener().local_addr().unwrap()).unwrap();
    check_refused(connected, &format!("{wanted}fd 3 does not listen"));
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    check_refused(open, "listen is 0.0.0.0:");
}

#[test]
fn two_sockets_are_one_too_many() {
    let pass = r#"exec 3<&0 4<&0 </dev/null; LISTEN_FDS=2 LISTEN_PID=$$ exec "$0""#;
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", pass, env!("CARGO_BIN_EXE_tidings")]);
    let output = shell.stdin(OwnedFd::from(listener())).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("2 sockets were passed"), "{said}");
}

#[test]
fn what_was_passed_to_another_process_is_not_ours() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    program.env_clear().envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1")]).arg("check-config");
    let output = program.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.starts_with("listen = ")).unwrap();
    assert!(line.ends_with("# default"), "{line}");
}

/// The values of a unit's lines that begin with `key`.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_shipped_unit_says_what_the_program_understands() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/tidings.service");
    let unit = std::fs::read_to_string(path).unwrap();
    let [command] = values(&unit, "ExecStart")[..] else { panic!("{unit}") };
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    program.env_clear().arg("check-config").args(command.split(' ').skip(1));
    for variable in values(&unit, "Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        program.env(name, value);
    }
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains("data_dir = \"/var/lib/tidings\" "), "{report}");

    let [timeout] = values(&unit, "TimeoutStopSec")[..] else { panic!("{unit}") };
    let timeout: u64 = timeout.trim_end_matches('s').parse().unwrap();
    let stop = serve::Limits::default().stop_timeout.as_secs();
    assert!(timeout > stop, "systemd would kill it while it stops");
}
