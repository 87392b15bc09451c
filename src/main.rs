//! The `tidings` program: settings, logs, run until told to stop, exit code.

mod logging;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidings::clock::SystemClock;
use tidings::hub::Hub;
use tidings::publish::Publisher;
use tidings::serve::{self, App, listener};
use tidings::settings::machine::{self, Machine};
use tidings::settings::{self, Command, Reading, Settings};
use tidings::shutdown::Shutdown;

fn main() -> ExitCode {
    let reading = match settings::read_process() {
        Ok(reading) => reading,
        Err(unread) => return ExitCode::from(unread.tell()),
    };
    logging::start(&reading.settings.log);
    machine::raise_open_files();
    for warning in Machine::here().warnings(reading.settings.serve.max_connections) {
        log::warn!("{warning}");
    }
    match reading.command {
        Command::CheckConfig => check_config(&reading),
        Command::Serve => match serve(reading.settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tidings: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn check_config(reading: &Reading) -> ExitCode {
    // Whoever reads may have seen enough and hung up.
    let _ = write!(io::stdout(), "{reading}");
    ExitCode::SUCCESS
}

fn serve(settings: Settings) -> io::Result<()> {
    let shutdown = Shutdown::new();
    stop_on_signals(&shutdown)?;
    let in_words =
        |error| io::Error::other(format!("cannot listen on {}: {error}", settings.listen));
    let listener =
        listener::bind(settings.listen, settings.serve.listen_backlog).map_err(in_words)?;
    let clock = Arc::new(SystemClock);
    let hub = Hub::start(settings.hub, clock.clone())?;
    let publisher = Publisher::new(hub.clone(), &settings.publish);
    let app = Arc::new(App::new(hub, publisher, settings.serve, settings.publish, clock));
    eprintln!("tidings: listening on http://{}", listener.local_addr()?);
    serve::run(&listener, &app, &shutdown)
}

/// SIGTERM or SIGINT stops cleanly; a second one at once.
fn stop_on_signals(shutdown: &Shutdown) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let shutdown = shutdown.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if shutdown.is_triggered() {
                // As a shell reports a death by this signal.
                std::process::exit(128 + signal);
            }
            log::info!("stopping; a second signal stops at once");
            shutdown.trigger();
        }
    })?;
    Ok(())
}
