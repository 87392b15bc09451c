//! A child process in a group of its own: seen to end, asked to end, killed, reaped.
//!
//! A group's number is free for others once its first process was reaped and nobody is left in it. So
//! the end of the process is seen without reaping it, and no signal is sent afterwards.

use std::process::{self, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How long the kernel may take to end what was killed. A process that hangs in a broken disk's driver
/// takes for ever, and no worker should.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between two looks at whether what was killed has ended.
const TICK: Duration = Duration::from_millis(50);

/// A running program, first in a process group of its own. Dropped, the group is killed.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    process: process::Child,
    group: Pid,
    is_reaped: bool,
}

impl ProcessGroup {
    /// The group of a process that was started with `process_group(0)`. From here on it ends whatever
    /// happens.
    pub fn of(process: process::Child) -> Self {
        let group = Pid::from_child(&process);
        Self { process, group, is_reaped: false }
    }

    /// Whether the process itself has ended.
    pub fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group), options) {
            Ok(status) => status.is_some(),
            Err(rustix::io::Errno::INTR) => false,
            // There is no such child of ours: somebody else has reaped it.
            Err(_) => true,
        }
    }

    /// Asks everyone in the group to end; who is halted must run to hear it.
    pub fn ask_to_end(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Ends everyone in the group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// How the process ended; none if the kernel does not let it. To be called when it has ended or was
    /// killed.
    pub fn reap(mut self) -> Option<ExitStatus> {
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
            pause = (pause * 2).min(TICK);
        }
        self.process.wait().ok()
    }
}

impl Drop for ProcessGroup {
    /// Whoever watched it has panicked.
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            self.collect();
        }
    }
}
