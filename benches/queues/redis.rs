//! Debian's `redis-server`, with a database of its own in a folder of its own.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::child::{Child, PAUSE};
use crate::usage::Processes;

/// How long it may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A server that runs. Ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Redis {
    /// Starts one: as it is without a configuration, with a snapshot now and then; or, if each single write is to
    /// be on disk before it is answered, with a log that is synced each time.
    pub fn start(is_durable: bool) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let port = address.port().to_string();
        let mut arguments: Vec<&OsStr> =
            ["--bind", "127.0.0.1", "--port", &port, "--loglevel", "warning", "--dir"]
                .map(OsStr::new)
                .into();
        arguments.push(folder.path().as_os_str());
        // BullMQ warns of anything else.
        arguments.extend(["--maxmemory-policy", "noeviction"].map(OsStr::new));
        if is_durable {
            arguments.extend(["--appendonly", "yes", "--appendfsync", "always"].map(OsStr::new));
        }
        let process = Child::start(OsStr::new("redis-server"), &arguments)?;
        let redis = Self { address, process, _folder: folder };
        redis.await_ready()?;
        Ok(redis)
    }

    /// Its process, for what it uses.
    pub fn processes(&self) -> Processes {
        Processes::of(self.process.id())
    }

    fn await_ready(&self) -> io::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.answers().unwrap_or(false) {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn answers(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(START_LIMIT))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"+PONG")
    }
}

/// An address for a server that cannot be told to take any; it was free a moment ago.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Installs it from Debian's package if it is not there; says why if that cannot be done.
pub fn install() -> Result<(), &'static str> {
    if runs("redis-server", &["--version"]) {
        return Ok(());
    }
    eprintln!("  installing redis-server");
    let as_root: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "-n"] };
    let install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy"];
    let package = ["--no-install-recommends", "redis-server"];
    let words = [as_root, &install, &package].concat();
    if runs(words[0], &words[1..]) && runs("redis-server", &["--version"]) {
        return Ok(());
    }
    Err("not installed: apt-get install redis-server")
}

/// Whether a command is there and succeeds.
pub fn runs(program: &str, arguments: &[&str]) -> bool {
    let command = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    command.is_ok_and(|status| status.success())
}
