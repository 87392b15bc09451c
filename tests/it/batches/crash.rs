//! Watchers of a batch that come back after each kill -9 by the state they had last: nothing goes backwards
//! for them, and the end comes once.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{events_path, make};
use crate::jobs::crash::{STEPS, Watcher, report_all};
use crate::support::Server;

const WATCHERS: usize = 3;
const LIVES: usize = 4;

#[test]
fn after_kill_9_a_batch_goes_on_where_it_was_and_ends_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flags = ["--log", "warn", "--max-connections-per-address", "0", "--batch-report-ms", "20"];
    let mut server = Server::start_on(&listener, &flags);
    let jobs = ["a", "b", "c"];
    let path = events_path(&make(&server, &jobs));
    let reports = AtomicUsize::new(0);
    thread::scope(|scope| {
        let watch = || Watcher::default().watch(address, &path);
        let watchers: Vec<_> = (0..WATCHERS).map(|_| scope.spawn(watch)).collect();
        for job in jobs {
            let reports = &reports;
            scope.spawn(move || report_all(address, job, reports));
        }
        for life in 1..LIVES {
            let enough = jobs.len() * STEPS * life / LIVES;
            while reports.load(Ordering::Relaxed) < enough {
                thread::sleep(Duration::from_millis(1));
            }
            server.signal(Signal::KILL);
            server.wait();
            server = server.start_again_on(&listener, &flags);
        }
        for watcher in watchers {
            let watcher = watcher.join().unwrap();
            assert_eq!(watcher.ends, 1);
            assert!(watcher.connections >= LIVES - 1, "it was there all the time");
        }
    });
}
