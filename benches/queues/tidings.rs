//! Tidings' queues, as the server has them: publishers call them in their own process, and a processor that does
//! nothing does the jobs. A job is done when it is on disk that it is, and whoever watches it is told.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::TempDir;
use tidings::clock::{Clock, SystemClock};
use tidings::event::topic::Identifier;
use tidings::hub::{self, Hub};
use tidings::publish::jobs::{self, CreateError, Job, Jobs};
use tidings::publish::queues::config::{ProcessorChoice, QueueConfig};
use tidings::publish::queues::processor::{Desk, Failure, Processor, Task};
use tidings::publish::queues::{self, AddError, Ground, NewTask, Queues};
use tidings::publish::{self, Publisher};
use tidings::store;
use tidings::store::records::Records;

use crate::child::PAUSE;
use crate::usage::{self, Processes};
use crate::work::{Delay, Outcome, Work, seconds};
use crate::{child, clock, work};

/// How long one measurement may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Has a process of its own do the work.
pub fn measure(work: &Work) -> io::Result<Outcome> {
    let asked = serde_json::to_string(work)?;
    let executable = std::env::current_exe()?;
    let arguments = ["tidings", &asked].map(std::ffi::OsStr::new);
    let mut child = child::Child::start(executable.as_os_str(), &arguments)?;
    child.answer(LIMIT)
}

/// Is that process.
pub fn be(asked: &str) -> io::Result<()> {
    let work: Work = serde_json::from_str(asked)?;
    let house = House::open(&work)?;
    let outcome = house.run(&work)?;
    house.close()?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// Does nothing.
#[derive(Debug)]
struct Noop;

impl Processor for Noop {
    fn process(&self, _: &Task, _: &dyn Desk) -> Result<Value, Failure> {
        Ok(Value::Null)
    }
}

/// One queue and what it stands on, in a folder.
struct House {
    jobs: Jobs,
    records: Records,
    queues: Queues,
    name: Identifier,
    ends: Arc<Ends>,
    _folder: TempDir,
}

/// How long after its making each job had ended.
#[derive(Default)]
struct Ends {
    delays: Mutex<Vec<u64>>,
    more: Condvar,
}

impl Ends {
    /// Waits until there are so many.
    fn wait(&self, jobs: usize) -> io::Result<()> {
        let deadline = std::time::Instant::now() + LIMIT;
        let mut delays = self.delays.lock();
        while delays.len() < jobs {
            if self.more.wait_until(&mut delays, deadline).timed_out() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}

impl House {
    fn open(work: &Work) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hub = Hub::start(hub::Limits::default(), clock.clone())?;
        let publisher = Publisher::new(hub, None, &publish::Limits::default(), clock.clone());
        let (records, found) = Records::open(folder.path(), &store::Limits::default(), &*clock)?;
        let limits = jobs::Limits { max_open: 0, max_ended: work.keep, ..jobs::Limits::default() };
        let (door, drawer) = (publisher.clone(), records.clone());
        let jobs = Jobs::start(door, drawer, &found, limits, 1 << 18, clock.clone())?;
        let name: Identifier = "noop".parse().map_err(io::Error::other)?;
        let config = QueueConfig {
            processor: ProcessorChoice::BuiltIn("noop".into()),
            concurrency: work.concurrency,
            max_waiting_jobs: 0,
            ..QueueConfig::named(name.clone())
        };
        let processors = HashMap::from([(name.clone(), Arc::new(Noop) as Arc<dyn Processor>)]);
        let ground = Ground { jobs: jobs.clone(), publisher, records: records.clone(), clock };
        let limits = queues::Limits::default();
        let queues = Queues::start(ground, vec![config], processors, &found, limits)?;
        let ends = Arc::new(Ends::default());
        ends.delays.lock().reserve(work.jobs);
        listen(&jobs, &ends, work.jobs);
        Ok(Self { jobs, records, queues, name, ends, _folder: folder })
    }

    fn run(&self, work: &Work) -> io::Result<Outcome> {
        let memory = Memory::now();
        self.queues.pause(&self.name, work.hold);
        let (cpu, begun) = (usage::own_cpu(), clock::now());
        let accepted = self.publish(work, begun)?;
        let accepted_at = clock::now();
        let waiting_bytes = memory.grown_per(work.jobs);
        self.queues.pause(&self.name, false);
        self.ends.wait(work.jobs)?;
        let done_at = clock::now();
        let done = std::mem::take(&mut *self.ends.delays.lock());
        Ok(Outcome {
            accepted_seconds: seconds(begun as f64, accepted_at as f64),
            done_seconds: seconds(begun as f64, done_at as f64),
            accepted: Delay::of(accepted),
            done: Delay::of(done),
            cpu_nanoseconds: (usage::own_cpu() - cpu) as f64,
            waiting_bytes,
            ended_bytes: memory.grown_per(work.jobs),
        })
    }

    /// Makes the jobs; returns how long each call took.
    fn publish(&self, work: &Work, begun: u64) -> io::Result<Vec<u64>> {
        let delays = Mutex::new(Vec::with_capacity(work.jobs / work.bulk));
        thread::scope(|scope| {
            let delays = &delays;
            let start =
                |number| scope.spawn(move || self.publish_share(work, number, begun, delays));
            let publishers = (0..work.publishers).map(start);
            let publishers: Vec<_> = publishers.collect();
            publishers.into_iter().try_for_each(|publisher| {
                publisher.join().map_err(|_| io::Error::other("a publisher panicked"))?
            })
        })?;
        Ok(delays.into_inner())
    }

    fn publish_share(
        &self,
        work: &Work,
        number: usize,
        begun: u64,
        delays: &Mutex<Vec<u64>>,
    ) -> io::Result<()> {
        for sent in (0..work.jobs / work.publishers).step_by(work.bulk) {
            work::await_turn(work, number, sent, begun);
            let at = clock::now();
            let data: Arc<RawValue> = RawValue::from_string(format!(r#"{{"at":{at}}}"#))?.into();
            let task = NewTask { job_name: "noop".into(), data: Some(data), ..NewTask::default() };
            self.add(&vec![task; work.bulk], work.durable)?;
            delays.lock().push(clock::now() - at);
        }
        Ok(())
    }

    /// Adds jobs, again and again while the disk is behind.
    fn add(&self, tasks: &[NewTask], is_durable: bool) -> io::Result<()> {
        loop {
            match self.queues.add(&self.name, tasks.to_vec(), is_durable) {
                Ok(created) if created.iter().all(|created| created.stored.is_ok()) => {
                    return Ok(());
                }
                Ok(_) => return Err(io::Error::other("the disk does not take it")),
                Err(AddError::Create(CreateError::Busy)) => thread::sleep(PAUSE / 5),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn close(&self) -> io::Result<()> {
        self.queues.stop(LIMIT);
        self.jobs.stop();
        self.records.close()
    }
}

/// Has the ends of jobs noted.
fn listen(jobs: &Jobs, ends: &Arc<Ends>, expected: usize) {
    let ends = ends.clone();
    jobs.listen(Box::new(move |change| {
        if !change.shown.is_terminal() {
            return;
        }
        let mut delays = ends.delays.lock();
        delays.push(clock::now() - made_at(change.job));
        if delays.len() >= expected {
            ends.more.notify_all();
        }
    }));
}

/// When a job was made, as its data says.
fn made_at(job: &Job) -> u64 {
    let data = job.payload.as_ref().map_or("", |data| data.get());
    let digits = data.trim_start_matches(r#"{"at":"#).trim_end_matches('}');
    digits.parse().unwrap_or_default()
}

/// This process's memory at one moment, in KiB.
struct Memory(u64);

impl Memory {
    fn now() -> Self {
        Self(Processes::of(std::process::id()).memory())
    }

    /// How much more it is now, in bytes for each of so many.
    fn grown_per(&self, jobs: usize) -> f64 {
        let grown = Self::now().0.saturating_sub(self.0);
        (grown * 1024) as f64 / jobs as f64
    }
}
