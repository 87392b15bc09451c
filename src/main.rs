//! The `tidings` program: settings, logs, run until told to stop, exit code.

mod logging;

use std::io::{self, Write};
use std::process::ExitCode;

use tidings::settings::machine::{self, Machine};
use tidings::settings::{self, Command, Reading};

fn main() -> ExitCode {
    match settings::read_process() {
        Ok(reading) => match reading.command {
            Command::Serve | Command::CheckConfig => check_config(&reading),
        },
        Err(unread) => ExitCode::from(unread.tell()),
    }
}

fn check_config(reading: &Reading) -> ExitCode {
    logging::start(&reading.settings.log);
    machine::raise_open_files();
    // Whoever reads may have seen enough and hung up.
    let _ = write!(io::stdout(), "{reading}");
    for warning in Machine::here().warnings(reading.settings.serve.max_connections) {
        log::warn!("{warning}");
    }
    ExitCode::SUCCESS
}
