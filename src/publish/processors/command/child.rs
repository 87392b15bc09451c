//! The process and its group: starting, signals, reaping.
//!
//! A group's number is free for others once its first process was reaped and nobody is left in it. So
//! the end of the process is seen without reaping it, and no signal is sent afterwards.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::pipes::Pipes;
use crate::publish::queues::config::{CommandConfig, JOB_VARIABLES};
use crate::publish::queues::processor::{Failure, Task};

/// How long the kernel may take to end what was killed. A process that hangs in a broken disk's driver
/// takes for ever, and no worker should.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// A running program, first in a process group of its own. Dropped, the group is killed.
#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    group: Pid,
    is_reaped: bool,
}

impl Child {
    /// Starts the program and lays its task on its standard input.
    pub(super) fn start(config: &CommandConfig, task: &Task) -> Result<(Self, Pipes), Failure> {
        let cannot = |error| Failure::retryable(why_not(config, &error));
        let input = input(task)?;
        let mut process = command(config, task).spawn().map_err(cannot)?;
        let pipes = Pipes::of(&mut process, input, config.limits.error_bytes);
        let group = Pid::from_child(&process);
        // From here on the group ends whatever happens.
        let child = Self { process, group, is_reaped: false };
        pipes.map(|pipes| (child, pipes)).map_err(cannot)
    }

    /// Whether the process itself has ended.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group), options) {
            Ok(status) => status.is_some(),
            Err(rustix::io::Errno::INTR) => false,
            // There is no such child of ours: somebody else has reaped it.
            Err(_) => true,
        }
    }

    /// Asks everyone in the group to end; who is halted must run to hear it.
    pub(super) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Ends everyone in the group.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// How the process ended; none if the kernel does not let it. To be called when it has ended or was
    /// killed.
    pub(super) fn reap(mut self) -> Option<ExitStatus> {
        self.collect()
    }

    fn signal(&self, signal: Signal) {
        // Nobody is left to be told.
        let _ = kill_process_group(self.group, signal);
    }

    fn collect(&mut self) -> Option<ExitStatus> {
        self.is_reaped = true;
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        while !self.has_ended() {
            if began.elapsed() > KILL_PATIENCE {
                log::warn!(pid = self.process.id(); "a command that was killed does not end");
                return None;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(super::TICK);
        }
        self.process.wait().ok()
    }
}

impl Drop for Child {
    /// Whoever watched it has panicked.
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            self.collect();
        }
    }
}

fn command(config: &CommandConfig, task: &Task) -> process::Command {
    let job = [task.job_id.as_str(), task.queue_name.as_str(), &task.attempt.to_string()]
        .map(str::to_owned);
    let mut command = process::Command::new(program(config));
    command
        .args(&config.arguments)
        .current_dir(&config.working_directory)
        .env_clear()
        .envs(config.environment.iter())
        .envs(JOB_VARIABLES.into_iter().zip(job))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A name without a slash is looked up in the command's `PATH`; a path is relative to where it works,
/// which the operating system alone would not promise.
fn program(config: &CommandConfig) -> PathBuf {
    let program = PathBuf::from(&config.program);
    if config.program.contains('/') { config.working_directory.join(program) } else { program }
}

fn input(task: &Task) -> Result<Vec<u8>, Failure> {
    let line = serde_json::to_vec(task);
    let mut line = line.map_err(|e| Failure::for_good(format!("the job is no JSON: {e}")))?;
    line.push(b'\n');
    Ok(line)
}

/// "No such file" is said of both the program and the directory.
fn why_not(config: &CommandConfig, error: &io::Error) -> String {
    let directory = &config.working_directory;
    if directory.is_dir() {
        format!("the command {} cannot be started: {error}", config.program)
    } else {
        format!("the command's working directory {} is not there", directory.display())
    }
}
