//! How many jobs a second a queue takes and does, when the jobs themselves cost nothing.
//!
//! `cargo bench --bench queues` gives the same work to Tidings' queues and to `BullMQ` on Redis, one after the
//! other in one run on the same machine, and prints Markdown tables. Each measurement has processes, folders
//! and a database of its own. Nothing but the loopback interface is used, every wait has a limit, and the
//! children end when this process ends.
//!
//! The same executable is also Tidings: it starts itself in a role, so that its memory and processor time are
//! the queues' alone.
//!
//! In reading order: `work` is what is asked and what came of it; `tidings`, `http` and `bullmq` are how each
//! system does it, `scenarios` what is asked of them.

mod bullmq;
mod child;
#[path = "../fanout/clock.rs"]
mod clock;
// What only the other benchmark uses of its modules is dead here.
#[path = "../fanout/figures.rs"]
#[expect(dead_code)]
mod figures;
mod http;
#[path = "../fanout/machine.rs"]
mod machine;
mod redis;
mod scenarios;
#[path = "../fanout/table.rs"]
mod table;
mod tidings;
#[path = "../fanout/usage.rs"]
#[expect(dead_code)]
mod usage;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::scenarios::{Bench, Scenario, System};

/// What was asked for on the command line.
#[derive(Debug, Parser)]
#[command(about = "Measures queues with jobs that do nothing, beside BullMQ")]
struct Arguments {
    /// A smoke run: few jobs, one round, seconds in all; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios (may be given several times).
    #[arg(long)]
    only: Vec<Scenario>,
    /// Only these systems (may be given several times).
    #[arg(long)]
    system: Vec<System>,
    /// How often each thing is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What cargo says when it runs a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this executable can be besides the benchmark itself.
#[derive(Debug, Subcommand)]
enum Role {
    /// Is Tidings with one queue, does what is asked of it as JSON, and says what came of it.
    #[command(hide = true)]
    Tidings { asked: String },
    /// Becomes another program that ends when the benchmark does.
    #[command(hide = true)]
    Launch {
        program: OsString,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    let outcome = match arguments.role.take() {
        Some(Role::Tidings { asked }) => tidings::be(&asked),
        Some(Role::Launch { program, arguments }) => Err(child::become_other(&program, &arguments)),
        // `cargo test --all-targets` runs benchmarks too, unoptimised: only `cargo bench` measures.
        None if !arguments.bench && cfg!(debug_assertions) => Ok(()),
        None => {
            scenarios::run(&Bench::new(&arguments));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("queues: {error}");
            ExitCode::FAILURE
        }
    }
}
