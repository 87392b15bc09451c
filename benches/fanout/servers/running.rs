//! A running server, as the scenarios see it.

use std::io::{self, BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout, ExitStatus};

use super::Kind;
use super::launch::{Missing, Running};
use crate::flood::{Flood, Published};
use crate::publisher::Publisher;
use crate::subscribers::Target;
use crate::usage::Processes;

/// A server that can be joined and published to. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    address: SocketAddr,
    /// Its processes.
    pub processes: Processes,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    publisher: Option<Publisher>,
    next_event: u64,
    running: Running,
}

impl Server {
    /// Starts a server and waits until it listens, or says what would have to be installed.
    pub fn start(kind: Kind) -> io::Result<Result<Self, Missing>> {
        let launch = match kind.launch()? {
            Ok(launch) => launch,
            Err(missing) => return Ok(Err(missing)),
        };
        let (mut running, address) = launch.start()?;
        let (Some(commands), Some(answers)) =
            (running.child.stdin.take(), running.child.stdout.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        Ok(Ok(Self {
            kind,
            address,
            processes: running.processes(),
            commands,
            answers: BufReader::new(answers).lines(),
            publisher: None,
            next_event: 0,
            running,
        }))
    }

    /// Where subscribers join.
    pub fn target(&self) -> Target {
        let (path, greets) = (self.kind.path(), self.kind.greets());
        Target { address: self.address, path, greets }
    }

    /// The number that the next event has.
    pub fn next_event(&self) -> u64 {
        self.next_event
    }

    /// How the server ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.running.child.try_wait().ok().flatten()
    }

    /// Publishes; returns when the last event was taken.
    pub fn flood(&mut self, flood: &Flood) -> io::Result<Published> {
        self.next_event = flood.first + flood.count;
        let Some(door) = self.kind.door() else {
            writeln!(self.commands, "{flood}")?;
            let answer = self.answers.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            return answer.parse();
        };
        let publisher = match &mut self.publisher {
            Some(publisher) => publisher,
            none => none.insert(Publisher::connect(self.address, door)?),
        };
        let in_words = |error| io::Error::other(format!("publishing {flood:?}: {error}"));
        publisher.flood(flood).map_err(in_words)
    }
}
