//! The programs of `examples/workers`, as they stand.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{add, job, queue, wait_for, wait_until};
use crate::support::{PATIENCE, Server};

/// What runs each program, and the program.
const SAMPLES: [(&str, &str); 2] = [("python3", "worker.py"), ("node", "worker.mjs")];

/// A worker that is killed when the test is over.
struct Worker(Child);

impl Worker {
    /// Starts a program for a queue; none if it cannot be run here, which a build machine must.
    fn start(
        server: &Server,
        (program, file): (&str, &str),
        queue: &str,
        flags: &[&str],
    ) -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workers").join(file);
        let address = format!("http://{}", server.address);
        let mut command = Command::new(program);
        command.arg(path).args([queue, "--server", &address]).args(flags).stdout(Stdio::piped());
        match command.spawn() {
            Ok(child) => Some(Self(child)),
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "{program} cannot be started: {error}");
                println!("left out: {program} cannot be started");
                None
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits until it has ended by itself, with this code; what it said.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        let output = BufReader::new(self.0.stdout.take().unwrap());
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the worker does not end");
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        (status.code(), output.lines().map(Result::unwrap).collect())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_does_a_job_with_live_progress() {
    let server = Server::start(&[]);
    for sample in SAMPLES {
        let queue = sample.0;
        let good = add(&server, queue, &json!({"data": {"steps": 4, "pause": 0.02}}));
        let bad =
            add(&server, queue, &json!({"data": {"steps": 1, "pause": 0, "fail": "no luck"}}));
        let mut stream = server.stream(&format!("/api/v1/jobs/{good}/events"));
        let Some(worker) = Worker::start(&server, sample, queue, &["--id", queue]) else {
            continue;
        };
        let mut seen = Vec::new();
        while let Some(event) = stream.next_or_end() {
            if event.name == "message" {
                seen.push(serde_json::from_str::<Value>(&event.data).unwrap());
            }
        }
        let last = seen.pop().unwrap();
        let is_done = (&last["status"], &last["result"]);
        assert_eq!(is_done, (&json!("completed"), &json!({"steps": 4})), "{queue}");
        let middle = seen.iter().find(|state| state["progress"] == 50).unwrap();
        assert_eq!(middle["message"], "Step 3 of 4", "{queue}");
        let failed = wait_for(&server, &bad, "failed");
        assert_eq!((&failed["error"], &failed["attempt"]), (&json!("no luck"), &json!(1)));
        // It waits for the next one, and ends at once when it is told to.
        let began = Instant::now();
        worker.signal(Signal::TERM);
        let (code, said) = worker.end();
        assert_eq!(code, Some(0), "{said:?}");
        assert!(began.elapsed() < PATIENCE / 2, "it waits on");
        assert_eq!(said, [format!("{good}: completed"), format!("{bad}: failed")]);
    }
}

#[test]
fn a_worker_that_is_killed_gives_its_job_to_the_next() {
    let server = Server::start(&["--job-stall-grace-seconds", "1"]);
    for (sample, next) in SAMPLES.into_iter().zip(SAMPLES.into_iter().rev()) {
        let queue = sample.0;
        let id = add(&server, queue, &json!({"data": {"steps": 1_000, "pause": 0.05}}));
        let flags = ["--id", "first", "--lease", "1"];
        let Some(first) = Worker::start(&server, sample, queue, &flags) else { continue };
        wait_until(|| job(&server, &id), |job| job["progress"].as_f64() > Some(0.1));
        assert_eq!(job(&server, &id)["workerId"], "first");
        first.signal(Signal::KILL);
        let flags = ["--id", "second", "--lease", "3"];
        let Some(second) = Worker::start(&server, next, queue, &flags) else { continue };
        // Who has it is known before its state is shown, which waits for the disk.
        let is_next = |job: &Value| job["workerId"] == "second" && job["attempt"] == 2;
        wait_until(|| job(&server, &id), is_next);
        // Whoever has a job that is cancelled leaves it off, and takes the next.
        super::post(&server, &format!("/api/v1/jobs/{id}/cancel"));
        let short = add(&server, queue, &json!({"data": {"steps": 1, "pause": 0}}));
        wait_for(&server, &short, "completed");
        drop(second);
    }
}

#[test]
fn a_worker_that_is_told_to_end_finishes_its_job() {
    let server = Server::start(&[]);
    for sample in SAMPLES {
        let name = sample.0;
        let id = add(&server, name, &json!({"data": {"steps": 20, "pause": 0.05}}));
        add(&server, name, &json!({}));
        let Some(worker) = Worker::start(&server, sample, name, &[]) else { continue };
        wait_until(|| job(&server, &id), |job| job["progress"].as_f64() > Some(1.0));
        worker.signal(Signal::TERM);
        assert_eq!(worker.end(), (Some(0), vec![format!("{id}: completed")]));
        assert_eq!(queue(&server, name)["waiting"], 1, "it has taken no other");
    }
}

#[test]
fn a_worker_comes_back_to_a_server_that_was_away() {
    for sample in SAMPLES {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Server::start_on(&listener, &[]);
        let id = add(&server, "q", &json!({"data": {"steps": 60, "pause": 0.05}}));
        let Some(worker) = Worker::start(&server, sample, "q", &[]) else { continue };
        wait_until(|| job(&server, &id), |job| job["progress"].as_f64() > Some(1.0));
        server.signal(Signal::KILL);
        server.wait();
        let server = server.start_again_on(&listener, &[]);
        let done = wait_for(&server, &id, "completed");
        assert_eq!(done["attempt"], 1, "its lease was still its own");
        let next = add(&server, "q", &json!({"data": {"steps": 1, "pause": 0}}));
        wait_for(&server, &next, "completed");
        drop(worker);
    }
}
