//! What is asked of each server.

mod idle;
mod single;
mod stage;
mod stall;
mod storm;
mod stream;
mod stuck;

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::Arguments;
use crate::machine;
use crate::servers::Kind;
use crate::table::Table;

/// How long one server may keep one scenario busy before no further round is begun.
const BUDGET: Duration = Duration::from_secs(40);

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// One event to many clients.
    Single,
    /// Events as fast as the server takes them.
    Stream,
    /// A thousand events a second.
    Paced,
    /// All clients connect at once.
    Storm,
    /// Clients that only wait.
    Idle,
    /// One client of a hundred does not read.
    Stuck,
    /// Whether `tiny_http` forgets clients.
    Stall,
}

/// Measures and prints.
pub fn run(bench: &Bench) {
    let command: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    println!("Machine: {}", machine::describe());
    println!("Command: `cargo bench --bench fanout -- {}`", command.join(" "));
    for scenario in &bench.scenarios {
        eprintln!("{scenario:?}");
        let (title, table) = match scenario {
            Scenario::Single => single::measure(bench),
            Scenario::Stream => stream::measure(bench, &stream::FLAT_OUT),
            Scenario::Paced => stream::measure(bench, &stream::PACED),
            Scenario::Storm => storm::measure(bench),
            Scenario::Idle => idle::measure(bench),
            Scenario::Stuck => stuck::measure(bench),
            Scenario::Stall => stall::measure(bench),
        };
        println!("\n{title}\n\n{table}");
    }
}

/// What is to be measured, and how thoroughly.
#[derive(Debug)]
pub struct Bench {
    quick: bool,
    scenarios: Vec<Scenario>,
    servers: Vec<Kind>,
    clients: Vec<usize>,
    rounds: usize,
}

impl Bench {
    /// What the command line asks for; everything if it does not say.
    pub fn new(arguments: &Arguments) -> Self {
        let scenarios = match arguments.only.as_slice() {
            [] => Scenario::value_variants().to_vec(),
            some => some.to_vec(),
        };
        let wanted = |kind: &Kind| arguments.server.is_empty() || arguments.server.contains(kind);
        Self {
            quick: arguments.quick,
            scenarios,
            servers: Kind::value_variants().iter().copied().filter(wanted).collect(),
            clients: arguments.clients.clone(),
            rounds: if arguments.quick { 2 } else { arguments.rounds.max(1) },
        }
    }

    /// A number for a real run, and a small one for a smoke run.
    fn size(&self, real: usize, quick: usize) -> usize {
        if self.quick { quick } else { real }
    }

    /// Runs `round` as often as asked for, or as the time allows, at least once.
    fn repeat(&self, mut round: impl FnMut() -> Result<(), Trouble>) -> Result<usize, Trouble> {
        let deadline = Instant::now() + BUDGET;
        let mut rounds = 0;
        while rounds == 0 || (rounds < self.rounds && Instant::now() < deadline) {
            round()?;
            rounds += 1;
        }
        Ok(rounds)
    }

    /// Runs `measure` for each of these servers; one that is not installed or that fails gets a row
    /// that says so.
    fn each_server(
        &self,
        among: &[Kind],
        table: &mut Table,
        mut measure: impl FnMut(Kind, &mut Table) -> Result<(), Trouble>,
    ) {
        for kind in self.servers.iter().copied().filter(|kind| among.contains(kind)) {
            if let Err(trouble) = measure(kind, table) {
                table.row(&[&kind.name(), &trouble]);
            }
        }
    }
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The server is not installed.
    #[error("{0}")]
    Missing(&'static str),
    /// The server ended by itself.
    #[error("died with {0} clients: {1}")]
    Died(usize, ExitStatus),
    /// Something went wrong.
    #[error("failed: {0}")]
    Failed(#[from] io::Error),
}
