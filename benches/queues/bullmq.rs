//! `BullMQ` from npm on Redis: what most who need a queue today use, and whose words the queues' door speaks.
//!
//! As in production one process makes jobs and another does them; a third is Redis. What both do is in
//! `bullmq/work.mjs`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::child::Child;
use crate::redis::{self, Redis};
use crate::work::{Delay, Outcome, Work, seconds};

/// How long a process of Node's may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long one measurement may take.
const LIMIT: Duration = Duration::from_secs(180);

/// What a process of Node's says at its end; times are the steady clock's, in nanoseconds.
#[derive(Debug, Deserialize)]
struct Told {
    begun: f64,
    ended: f64,
    cpu: f64,
    delay: Delay,
}

/// Makes sure that all is there; says why if it is not.
pub fn install() -> Result<(), &'static str> {
    redis::install()?;
    if !redis::runs("node", &["--version"]) || !redis::runs("npm", &["--version"]) {
        return Err("not installed: node and npm");
    }
    let written =
        |file: &str| fs::metadata(folder().join(file)).and_then(|file| file.modified()).ok();
    // Installed again only when the lock file is newer than what it made.
    if written("node_modules/.package-lock.json") >= written("package-lock.json") {
        return Ok(());
    }
    eprintln!("  installing BullMQ");
    let folder = folder();
    let prefix = folder.to_str().ok_or("its folder's name is no text")?;
    if redis::runs("npm", &["--prefix", prefix, "ci", "--no-audit", "--no-fund"]) {
        return Ok(());
    }
    Err("not installed: npm --prefix benches/queues/bullmq ci")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/queues/bullmq")
}

/// Has new processes do the work.
pub fn measure(work: &Work) -> io::Result<Outcome> {
    let redis = Redis::start(work.durable)?;
    let processes = redis.processes();
    let mut publisher = node("publish", work, &redis)?;
    let mut worker = node("work", work, &redis)?;
    let (cpu, memory) = (processes.cpu(), processes.memory());
    let grown = || {
        let grown = processes.memory().saturating_sub(memory);
        (grown * 1024) as f64 / work.jobs as f64
    };
    if !work.hold {
        worker.begin(START_LIMIT)?;
    }
    publisher.begin(START_LIMIT)?;
    let made: Told = publisher.answer(LIMIT)?;
    let waiting_bytes = grown();
    if work.hold {
        worker.begin(START_LIMIT)?;
    }
    let done: Told = worker.answer(LIMIT)?;
    let redis_cpu = (processes.cpu() - cpu) as f64;
    Ok(Outcome {
        accepted_seconds: seconds(made.begun, made.ended),
        done_seconds: seconds(made.begun, done.ended),
        accepted: made.delay,
        done: done.delay,
        cpu_nanoseconds: made.cpu + done.cpu + redis_cpu,
        waiting_bytes,
        ended_bytes: grown(),
    })
}

fn node(role: &str, work: &Work, redis: &Redis) -> io::Result<Child> {
    let script = folder().join("work.mjs");
    let (asked, port) = (serde_json::to_string(work)?, redis.address.port().to_string());
    let arguments = [script.as_os_str(), role.as_ref(), asked.as_ref(), port.as_ref()];
    Child::start(OsStr::new("node"), &arguments)
}
