//! How the program starts and stops.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::process::Signal;
use tidings::settings::machine::raise_open_files;

use crate::slow::{publish_large, unread_stream};
use crate::support::{Server, connect};

#[test]
fn a_signal_ends_a_thousand_streams_cleanly() {
    raise_open_files();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&["--max-connections-per-address", "0"]);
        let mut streams: Vec<_> = (0..1000).map(|_| server.stream("/events")).collect();
        for stream in &mut streams {
            assert_eq!(stream.next().name, "connected");
        }
        server.signal(signal);
        for stream in &mut streams {
            // The reader fails if the end is not the protocol's own.
            while stream.next_or_end().is_some() {}
        }
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn who_does_not_read_is_cut_when_the_time_is_over_and_the_report_says_so() {
    let mut server = Server::start(&["--stop-timeout-seconds", "1", "--stream-queue-bytes", "0"]);
    let _stuck = unread_stream(&server);
    let mut reader = server.stream("/events");
    assert_eq!(reader.next().name, "connected");
    while server.status()["connections"][0]["queue_size"] == 0 {
        publish_large(&server, &mut reader);
    }
    server.signal(Signal::TERM);
    let report = server.wait_for_log("stopped in");
    for field in
        ["streams=2", "told=1", "ended_cleanly=1", "gone=0", "cut=1", "unwritten_streams=1"]
    {
        assert!(report.contains(field), "{field} in {report}");
    }
    assert!(!report.contains("unwritten_events=0"), "{report}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&["--stop-timeout-seconds", "3600"]);
    // A request that never ends would hold the stop for its hour.
    let mut request = connect(server.address, None);
    let head = "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n{";
    request.write_all(head.as_bytes()).unwrap();
    server.signal(Signal::TERM);
    server.wait_for_log("stopping");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().signal(), Some(Signal::TERM.as_raw()));
}

#[test]
fn an_address_that_is_taken_is_told_with_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    let output = program.env_clear().args(["--listen", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("tidings: cannot listen on {address}: ")), "{said}");
}
