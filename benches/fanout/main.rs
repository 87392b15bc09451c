//! How much one event to many clients costs, measured beside other ways to do it.
//!
//! `cargo bench --bench fanout` starts each server in a process of its own, holds thousands of
//! subscribers from this one, publishes, and prints Markdown tables. Every server gets the same
//! subscribers, the same events and the same machine, one after the other in one run; a server that
//! is not installed is named as such. What each server is stands in `servers.rs` and `baselines/`,
//! what is asked of it in `scenarios/`. Nothing but the loopback interface is used, every wait has a
//! limit, and the children end when this process ends.
//!
//! The same executable is also the baseline servers: it starts itself in a role.
//!
//! In reading order: `stamp` is what an event says, `flood` how many are published, `publisher` how;
//! `wire` and `tally` are what a subscriber understands and keeps, `subscribers` all of them.

mod baselines;
mod clock;
mod figures;
mod flood;
mod machine;
mod publisher;
mod scenarios;
mod servers;
mod stamp;
mod subscribers;
mod table;
mod tally;
mod usage;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, Signal};

use crate::baselines::Baseline;
use crate::scenarios::{Bench, Scenario};
use crate::servers::Kind;

/// What was asked for on the command line.
#[derive(Debug, Parser)]
#[command(about = "Measures the fan-out of one event to many clients, beside other servers")]
struct Arguments {
    /// A smoke run: few clients, few rounds, seconds in all; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios (may be given several times).
    #[arg(long)]
    only: Vec<Scenario>,
    /// Only these servers (may be given several times).
    #[arg(long)]
    server: Vec<Kind>,
    /// Only these numbers of clients in the scenario `single` (may be given several times).
    #[arg(long)]
    clients: Vec<usize>,
    /// How often each thing is measured, at most; a slow server gets fewer rounds.
    #[arg(long, default_value_t = 5)]
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
    /// Is one of the baseline servers.
    #[command(hide = true)]
    Serve { baseline: Baseline },
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
        Some(Role::Serve { baseline }) => baselines::serve(baseline),
        Some(Role::Launch { program, arguments }) => Err(launch(&program, &arguments)),
        // `cargo test --all-targets` runs benchmarks too, unoptimised: only `cargo bench` measures.
        None if !arguments.bench && cfg!(debug_assertions) => Ok(()),
        None => {
            raise_descriptor_limit();
            scenarios::run(&Bench::new(&arguments));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Replaces this process with `program`, which the kernel ends when the benchmark's process ends,
/// however that comes about. Returns only if that failed.
fn launch(program: &OsString, arguments: &[OsString]) -> std::io::Error {
    use std::os::unix::process::CommandExt;

    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)) {
        return error.into();
    }
    std::process::Command::new(program).args(arguments).exec()
}

/// Ten thousand clients are ten thousand descriptors here, and up to twice as many in a server;
/// children inherit the limit. Who may raise even the hard limit (root) gets what is needed.
fn raise_descriptor_limit() {
    const WANTED: u64 = 65_536;
    let (resource, limit) = (Resource::Nofile, rustix::process::getrlimit(Resource::Nofile));
    let hard = limit.maximum.unwrap_or(WANTED);
    let raised = Rlimit { current: Some(hard.max(WANTED)), maximum: Some(hard.max(WANTED)) };
    if rustix::process::setrlimit(resource, raised).is_err() {
        let allowed = Rlimit { current: Some(hard), maximum: limit.maximum };
        if let Err(error) = rustix::process::setrlimit(resource, allowed) {
            eprintln!("fanout: the limit on descriptors stays as it is: {error}");
        }
    }
}
