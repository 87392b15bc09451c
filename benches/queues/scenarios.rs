//! What is asked of each system.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::figures::{Spread, plain};
use crate::table::Table;
use crate::work::{Outcome, Work};
use crate::{Arguments, bullmq, http, machine, tidings};

/// How long one measurement may take in all its rounds before no further one is begun.
const BUDGET: Duration = Duration::from_secs(40);

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// As many as can be, in bulks, without waiting for the disk.
    Bulk,
    /// As many as can be, each by itself, without waiting for the disk.
    Single,
    /// The same, and each is on disk before the next is made.
    Durable,
    /// In bulks of which each is on disk before the next is made.
    DurableBulk,
    /// Five hundred a second, without waiting for the disk.
    Paced,
    /// Five hundred a second, each on disk when it is accepted.
    PacedDurable,
    /// What those that wait and those that have ended hold.
    Memory,
}

/// The systems that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// See `tidings.rs`.
    Tidings,
    /// See `http.rs`.
    Http,
    /// See `bullmq.rs`.
    Bullmq,
}

impl System {
    /// One in how many of the jobs it gets: enough that how it starts does not matter, and no more than it does in
    /// the time there is.
    fn share(self) -> usize {
        match self {
            Self::Tidings => 1,
            Self::Bullmq => 2,
            Self::Http => 8,
        }
    }

    fn measure(self, work: &Work) -> io::Result<Outcome> {
        match self {
            Self::Tidings => tidings::measure(work),
            Self::Http => http::measure(work),
            Self::Bullmq => bullmq::measure(work),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tidings => "Tidings",
            Self::Http => "Tidings over HTTP",
            Self::Bullmq => "BullMQ on Redis",
        })
    }
}

/// What is to be measured, and how thoroughly.
#[derive(Debug)]
pub struct Bench {
    quick: bool,
    scenarios: Vec<Scenario>,
    systems: Vec<System>,
    rounds: usize,
}

impl Bench {
    /// What the command line asks for; everything if it does not say.
    pub fn new(arguments: &Arguments) -> Self {
        let all_or = |some: &[Scenario]| match some {
            [] => Scenario::value_variants().to_vec(),
            some => some.to_vec(),
        };
        let wanted =
            |system: &System| arguments.system.is_empty() || arguments.system.contains(system);
        Self {
            quick: arguments.quick,
            scenarios: all_or(&arguments.only),
            systems: System::value_variants().iter().copied().filter(wanted).collect(),
            rounds: if arguments.quick { 1 } else { arguments.rounds.max(1) },
        }
    }
}

/// Measures and prints.
pub fn run(bench: &Bench) {
    let command: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    println!("Machine: {}", machine::describe());
    println!("Command: `cargo bench --bench queues -- {}`", command.join(" "));
    let missing =
        bench.systems.contains(&System::Bullmq).then(bullmq::install).and_then(Result::err);
    for scenario in &bench.scenarios {
        eprintln!("{scenario:?}");
        let mut table = Table::new(scenario.columns());
        for system in &bench.systems {
            if *system == System::Http && *scenario == Scenario::Memory {
                // Its jobs are the same ones in memory.
                continue;
            }
            match missing.filter(|_| *system == System::Bullmq) {
                Some(missing) => table.row(&[system, &missing]),
                None => bench.measure(*scenario, *system, &mut table),
            }
        }
        println!("\n{}\n\n{table}", scenario.title());
    }
}

impl Bench {
    /// Measures as often as asked for, or as the time allows, at least once.
    fn repeat(&self, measure: impl Fn() -> io::Result<Outcome>) -> io::Result<Vec<Outcome>> {
        let deadline = Instant::now() + BUDGET;
        let mut outcomes = Vec::new();
        while outcomes.is_empty() || (outcomes.len() < self.rounds && Instant::now() < deadline) {
            outcomes.push(measure()?);
        }
        Ok(outcomes)
    }

    fn measure(&self, scenario: Scenario, system: System, table: &mut Table) {
        for &concurrency in scenario.concurrencies() {
            let work = scenario.work(concurrency, system.share(), self.quick);
            match self.repeat(|| system.measure(&work)) {
                Ok(outcomes) => scenario.row(system, &work, &outcomes, table),
                Err(error) => {
                    let trouble = format!("failed: {error}");
                    table.row(&[&system, &concurrency, &trouble]);
                }
            }
        }
    }
}

impl Scenario {
    fn title(self) -> &'static str {
        match self {
            Self::Bulk => "In bulks of 100 from one publisher, not waiting for the disk",
            Self::Single => "One by one from 16 publishers, not waiting for the disk",
            Self::Durable => "One by one from 16 publishers, each on disk before it is accepted",
            Self::DurableBulk => {
                "In bulks of 100 from 16 publishers, each on disk before it is accepted"
            }
            Self::Paced => "500 a second, not waiting for the disk",
            Self::PacedDurable => "500 a second, each on disk before it is accepted",
            Self::Memory => "Memory: all accepted before the first begins, none let go of",
        }
    }

    /// How many jobs are under way at the same time, in one measurement after the other.
    fn concurrencies(self) -> &'static [usize] {
        match self {
            Self::Paced | Self::PacedDurable | Self::Memory => &[10],
            _ => &[1, 10, 50],
        }
    }

    fn work(self, concurrency: usize, share: usize, is_quick: bool) -> Work {
        let (publishers, bulk) = match self {
            Self::Bulk | Self::Memory => (1, 100),
            Self::DurableBulk => (16, 100),
            Self::Single | Self::Durable | Self::Paced | Self::PacedDurable => (16, 1),
        };
        let jobs = match self {
            Self::Bulk | Self::DurableBulk | Self::Single => 102_400 / share,
            Self::Durable => 32_000 / share,
            Self::Paced | Self::PacedDurable => 4_000,
            Self::Memory => 256_000 / share,
        };
        Work {
            // A whole number of bulks for each of the publishers.
            jobs: if is_quick { 1_600 } else { jobs },
            publishers,
            bulk,
            concurrency,
            durable: matches!(self, Self::Durable | Self::DurableBulk | Self::PacedDurable),
            per_second: if matches!(self, Self::Paced | Self::PacedDurable) { 500 } else { 0 },
            keep: if self == Self::Memory { 0 } else { 20_000 },
            hold: self == Self::Memory,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Memory => &["", "jobs", "KiB per job that waits", "KiB per job that has ended"],
            Self::Paced | Self::PacedDurable => &[
                "",
                "at once",
                "accepted after, p50 µs",
                "p99 µs",
                "done after, p50 ms",
                "p99 ms",
                "CPU per job, µs",
            ],
            _ => &[
                "",
                "at once",
                "accepted and done a second",
                "accepted a second",
                "CPU per job, µs",
                "accepted after, p50 µs",
                "p99 µs",
            ],
        }
    }

    fn row(self, system: System, work: &Work, outcomes: &[Outcome], table: &mut Table) {
        let jobs = work.jobs as f64;
        let spread = |of: &dyn Fn(&Outcome) -> f64| {
            let mut spread = Spread::default();
            for outcome in outcomes {
                spread.add(of(outcome));
            }
            spread
        };
        let cpu = spread(&|outcome| outcome.cpu_nanoseconds / 1e3 / jobs);
        let accepted_p50 = spread(&|outcome| outcome.accepted.p50 / 1e3);
        let accepted_p99 = spread(&|outcome| outcome.accepted.p99 / 1e3);
        match self {
            Self::Memory => {
                let waiting = spread(&|outcome| outcome.waiting_bytes / 1024.0);
                let ended = spread(&|outcome| outcome.ended_bytes / 1024.0);
                table.row(&[&system, &plain(jobs), &waiting, &ended]);
            }
            Self::Paced | Self::PacedDurable => {
                let p50 = spread(&|outcome| outcome.done.p50 / 1e6);
                let p99 = spread(&|outcome| outcome.done.p99 / 1e6);
                let at_once = work.concurrency;
                table.row(&[&system, &at_once, &accepted_p50, &accepted_p99, &p50, &p99, &cpu]);
            }
            _ => {
                let done = spread(&|outcome| jobs / outcome.done_seconds);
                let accepted = spread(&|outcome| jobs / outcome.accepted_seconds);
                let at_once = work.concurrency;
                let (p50, p99) = (accepted_p50, accepted_p99);
                table.row(&[&system, &at_once, &done, &accepted, &cpu, &p50, &p99]);
            }
        }
    }
}
