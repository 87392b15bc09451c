//! Starting a server's processes, knowing when they are ready, and ending them whatever happens.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::usage::Processes;

/// How long a server may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long a server may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// What to do before a server can be measured.
pub type Missing = &'static str;

/// How a server is started.
#[derive(Debug)]
pub struct Launch {
    /// The executable.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// How to know that it is there.
    pub ready: Ready,
    /// Its configuration, which goes when the server does.
    pub files: Option<TempDir>,
}

/// How a server's address becomes known.
#[derive(Debug)]
pub enum Ready {
    /// It ends a line on standard error with `listening on http://<address>`.
    SaysSo,
    /// It was told the address. It is ready when it answers and all its processes are there, for
    /// one that is not seen would work for nothing in the tables.
    Answers { address: SocketAddr, processes: usize },
}

impl Launch {
    /// A program that says where it listens.
    pub fn of<const N: usize>(program: impl Into<OsString>, arguments: [OsString; N]) -> Self {
        let (program, arguments) = (program.into(), arguments.into());
        Self { program, arguments, ready: Ready::SaysSo, files: None }
    }

    /// Starts it and waits until it can be used.
    pub fn start(self) -> io::Result<(Running, SocketAddr)> {
        let mut child = Command::new(env::current_exe()?)
            .args(["launch".into(), self.program])
            .args(self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let running = Running { child, _files: self.files };
        let said = read_errors(BufReader::new(errors));
        let address = match self.ready {
            Ready::SaysSo => said.recv_timeout(START_LIMIT).map_err(io::Error::other)?,
            Ready::Answers { address, processes } => {
                wait_until(|| Ok(running.processes().count() == processes))?;
                wait_until(|| answers(address))?;
                address
            }
        };
        Ok((running, address))
    }
}

/// A process that was started. Ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Its standard input and output can be taken from it.
    pub child: Child,
    _files: Option<TempDir>,
}

impl Running {
    /// It and the processes that it started.
    pub fn processes(&self) -> Processes {
        Processes::of(self.child.id())
    }
}

impl Drop for Running {
    /// Asks, waits, kills.
    fn drop(&mut self) {
        let asked = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while asked.is_ok()
            && Instant::now() < deadline
            && matches!(self.child.try_wait(), Ok(None))
        {
            thread::sleep(PAUSE);
        }
        if let Ok(None) = self.child.try_wait() {
            eprintln!("    a server did not stop within {} s and is killed", STOP_LIMIT.as_secs());
            // It may have ended just now, and then there is nothing left to do.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Passes on the address once the server says it; everything else it says is shown. Reads for as
/// long as the server lives, so that it never waits for a reader.
fn read_errors(errors: impl BufRead + Send + 'static) -> crossbeam_channel::Receiver<SocketAddr> {
    let (sender, address) = crossbeam_channel::bounded(1);
    thread::spawn(move || {
        for line in errors.lines().map_while(Result::ok) {
            let said = line.split_once("listening on http://").map(|(_, said)| said.trim().parse());
            match said {
                // Nobody waits for it any more if it comes too late or twice.
                Some(Ok(address)) => drop(sender.try_send(address)),
                _ => eprintln!("    {line}"),
            }
        }
    });
    address
}

/// Whether a request gets any answer.
fn answers(address: SocketAddr) -> io::Result<bool> {
    let Ok(mut stream) = TcpStream::connect(address) else { return Ok(false) };
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    Ok(stream.read(&mut [0; 64])? > 0)
}

fn wait_until(mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
