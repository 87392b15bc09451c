//! A process that is told things and says things by lines, and that ends with the benchmark.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child as Process, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;

/// How long a process may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait before looking again.
pub const PAUSE: Duration = Duration::from_millis(5);

/// Replaces this process with `program`, which the kernel ends when the benchmark's process ends, however that
/// comes about. Returns only if that failed.
pub fn become_other(program: &OsString, arguments: &[OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;

    let term = rustix::process::Signal::TERM;
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(term)) {
        return error.into();
    }
    Command::new(program).args(arguments).exec()
}

/// A process that was started. Ends when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    said: crossbeam_channel::Receiver<String>,
}

impl Child {
    /// Starts `program`, which writes its errors where the benchmark does.
    pub fn start(program: &OsStr, arguments: &[&OsStr]) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([OsStr::new("launch"), program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, said) = crossbeam_channel::unbounded();
        // Reads for as long as the process lives, so that it never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        Ok(Self { process, said })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it to begin, when it says that it could.
    pub fn begin(&mut self, limit: Duration) -> io::Result<()> {
        self.hear(limit)?;
        let input = self.process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "go")
    }

    /// What it says next, as JSON.
    pub fn answer<T: DeserializeOwned>(&mut self, limit: Duration) -> io::Result<T> {
        Ok(serde_json::from_str(&self.hear(limit)?)?)
    }

    fn hear(&mut self, limit: Duration) -> io::Result<String> {
        self.said.recv_timeout(limit).map_err(io::Error::other)
    }
}

impl Drop for Child {
    /// Asks, waits, kills.
    fn drop(&mut self) {
        let asked = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while asked.is_ok()
            && Instant::now() < deadline
            && matches!(self.process.try_wait(), Ok(None))
        {
            thread::sleep(PAUSE);
        }
        if let Ok(None) = self.process.try_wait() {
            // It may have ended just now, and then there is nothing left to do.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
