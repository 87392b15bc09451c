//! What a process's violent end does to queues: nothing that was taken is lost, nothing that is known to be done
//! is done again.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Works, add, job, lease, leased, post, queue, report, script, wait_for, wait_until};
use crate::support::{PATIENCE, Server};

/// Each begin and each end of a command is a line.
const WORK: &str = "echo \"begin $TIDINGS_JOB_ID\" >> @/notes; sleep 0.0$((TIDINGS_ATTEMPT % 5)); \
                    echo \"end $TIDINGS_JOB_ID\" >> @/notes";

/// Adds a job over a connection that may break at any moment; its id, if it was taken.
fn try_add(address: SocketAddr) -> Option<String> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    connection.set_read_timeout(Some(PATIENCE)).ok()?;
    let body = json!({"queueName": "shell", "jobName": "n"}).to_string();
    let head = "POST /api/v1/queue/add HTTP/1.0\r\nContent-Type: application/json";
    write!(connection, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut text = String::new();
    connection.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    let is_taken = head.starts_with("HTTP/1.1 202 ") && body["stored"] == true;
    is_taken.then(|| body["jobId"].as_str().unwrap().to_owned())
}

/// The jobs that are known to be done.
fn completed(server: &Server) -> Vec<String> {
    let list = server.get("/api/v1/queues/shell/jobs?status=completed&limit=1000").json();
    let jobs = list["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["jobId"].as_str().unwrap().to_owned()).collect()
}

/// How often each job has begun, or ended.
fn count(works: &Works, what: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in works.lines("notes") {
        if let Some((_, id)) = line.split_once(' ').filter(|(word, _)| *word == what) {
            *counts.entry(id.to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn kill_9_loses_no_job_and_repeats_none_that_is_done() {
    let mut works = Works::start(&format!(
        "max_job_losses = 0\n{}",
        script("shell", "concurrency = 4\nmax_waiting_jobs = 0", WORK)
    ));
    let mut taken: Vec<String> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for life in 0..4 {
        let jobs: Vec<_> = (0..100).map(|_| json!({"jobName": "n"})).collect();
        let bulk = json!({"queueName": "shell", "jobs": jobs}).to_string();
        let answer = works.server.post("/api/v1/queue/add-bulk", &bulk).json();
        taken.extend(
            answer["jobIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().into()),
        );
        // Others add while it dies.
        let added = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let (address, added) = (works.server.address, &added);
            for _ in 0..2 {
                scope.spawn(move || {
                    while let Some(id) = try_add(address) {
                        added.lock().unwrap().push(id);
                    }
                });
            }
            let enough = 30 * (life + 1);
            wait_until(|| completed(&works.server).len(), |done| *done >= enough);
            let done = completed(&works.server);
            let begun = count(&works, "begin");
            known.extend(done.into_iter().map(|id| (id.clone(), begun[&id])));
            works.server.signal(Signal::KILL);
        });
        taken.extend(added.into_inner().unwrap());
        works.server.wait();
        works.start_again();
    }
    wait_until(
        || queue(&works.server, "shell"),
        |queue| queue["waiting"] == 0 && queue["active"] == 0 && queue["delayed"] == 0,
    );
    let (begun, ended) = (count(&works, "begin"), count(&works, "end"));
    let lost: Vec<_> = taken.iter().filter(|id| !ended.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} were taken and not done: {lost:?}", lost.len(), taken.len());
    let repeated: Vec<_> = known.iter().filter(|(id, times)| begun[*id] > **times).collect();
    assert!(repeated.is_empty(), "done again although they were done: {repeated:?}");
    assert!(taken.len() > 400 && known.len() >= 120, "{} {}", taken.len(), known.len());
    for id in &taken {
        // What is shown of a job waits for the disk; its place in the queue does not.
        wait_for(&works.server, id, "completed");
    }
}

#[test]
fn a_lease_outlives_the_server() {
    let mut server = Server::start(&[]);
    let id = add(&server, "q", &json!({"data": {"n": 1}}));
    add(&server, "q", &json!({"jobId": "next"}));
    let mine = leased(&server, "q", "w");
    assert_eq!(mine["jobId"], id.as_str());
    let half = json!({"status": "processing", "progress": 50});
    assert_eq!(report(&server, &mine, &half).head.status, 200);
    server.signal(Signal::KILL);
    server.wait();
    let server = server.start_again(&[]);
    assert_eq!(queue(&server, "q")["active"], 1);
    assert_eq!(leased(&server, "q", "other")["jobId"], "next", "the first is still leased");
    assert_eq!(lease(&server, "q", &json!({"workerId": "other"})).head.status, 204);
    let done = report(&server, &mine, &json!({"status": "completed", "result": 7}));
    assert_eq!(done.head.status, 200, "{}", done.body);
    let job = job(&server, &id);
    assert_eq!(
        (&job["status"], &job["attempt"], &job["result"]),
        (&json!("completed"), &json!(1), &json!(7))
    );
}

#[test]
fn a_queue_stays_paused_and_jobs_keep_their_place() {
    let mut server = Server::start(&[]);
    for (id, priority) in [("a", 7), ("b", 1), ("c", 7)] {
        add(&server, "q", &json!({"jobId": id, "priority": priority}));
    }
    add(&server, "q", &json!({"jobId": "later", "delay": 3_600_000}));
    post(&server, "/api/v1/queues/q/pause");
    server.signal(Signal::KILL);
    server.wait();
    let server = server.start_again(&[]);
    let seen = queue(&server, "q");
    let counts = [&seen["waiting"], &seen["delayed"], &seen["paused"]];
    assert_eq!(counts, [&json!(3), &json!(1), &json!(true)]);
    post(&server, "/api/v1/queues/q/resume");
    let order: Vec<_> = (0..3).map(|_| leased(&server, "q", "w")["jobId"].clone()).collect();
    assert_eq!(order, ["b", "a", "c"]);
}
