//! The server's process: its start, its ends, its figures.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Process {
    child: Child,
    /// What it has to complain of, as it does.
    complaints: Receiver<String>,
}

/// What the kernel tells of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub rss_kib: u64,
    pub threads: u64,
    pub descriptors: u64,
}

impl Process {
    /// Starts it and waits until it is ready.
    pub fn start(
        program: &Path,
        address: SocketAddr,
        data: &Path,
        flags: &[String],
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.env_clear().args(["--listen", &address.to_string(), "--data-dir"]).arg(data);
        let mut child = command
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let log = child.stderr.take().ok_or("no log")?;
        let (ready, is_ready) = mpsc::channel();
        let (complain, complaints) = mpsc::channel();
        let read = move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if line.starts_with("tidings: listening on") {
                    let _ = ready.send(());
                } else if line.contains("ERROR") || line.contains("panicked") {
                    let _ = complain.send(format!("the server says: {line}"));
                } else {
                    eprintln!("{line}");
                }
            }
        };
        thread::spawn(read);
        if is_ready.recv_timeout(PATIENCE).is_ok() {
            return Ok(Self { child, complaints });
        }
        let _ = child.kill();
        Err(complaints.try_iter().next().unwrap_or_else(|| "it is not ready".to_owned()))
    }

    /// Ends it, by a crash or in order; what it complained of while it lived. Fails if it had ended
    /// already or does not end as it should.
    pub fn end(&mut self, is_crash: bool) -> Result<Vec<String>, String> {
        if let Some(what) = self.own_end() {
            return Err(what);
        }
        let signal = if is_crash { Signal::KILL } else { Signal::TERM };
        kill_process(Pid::from_child(&self.child), signal).map_err(|e| e.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                let is_right = is_crash || status.success();
                let complaints = self.complaints.try_iter().collect();
                return if is_right { Ok(complaints) } else { Err(format!("its end: {status}")) };
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        Err(format!("the server did not stop in {PATIENCE:?}"))
    }

    /// What there is to say if it has ended by itself.
    pub fn own_end(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let last = self.complaints.try_iter().last().unwrap_or_default();
        Some(format!("the server has ended by itself, {status}: {last}"))
    }

    pub fn figures(&self) -> Figures {
        let id = self.child.id().to_string();
        let descriptors = fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count) as u64;
        Figures { rss_kib: of(&id, "VmRSS"), threads: of(&id, "Threads"), descriptors }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number from `/proc/ID/status`; 0 if there is none.
pub(crate) fn of(id: &str, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find(|(found, _)| *found == name).map_or("", |(_, value)| value.trim());
    value.trim_end_matches(" kB").parse().unwrap_or(0)
}
