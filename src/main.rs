//! The `tidings` program: settings, logs, run until told to stop, exit code.

mod logging;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use log::Level;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tidings::access::oidc::Oidc;
use tidings::client;
use tidings::clock::{Clock, SystemClock};
use tidings::hub::{Hub, Journal, Past};
use tidings::publish::Publisher;
use tidings::publish::batches::Batches;
use tidings::publish::jobs::Jobs;
use tidings::publish::processors;
use tidings::publish::pubsub::Pubsub;
use tidings::publish::queues::config::{ProcessorChoice, QueueConfig};
use tidings::publish::queues::{Ground, Queues};
use tidings::publish::summarizer::engine::Engines;
use tidings::publish::summarizer::library::Library;
use tidings::publish::summarizer::videos::{self, Videos};
use tidings::publish::summarizer::{self, Summarizer};
use tidings::serve::{self, App, listener};
use tidings::settings::machine::{self, Machine};
use tidings::settings::{self, Command, Inherited, PubsubAuth, Reading, Settings};
use tidings::shutdown::Shutdown;
use tidings::store::records::{Record, Records};
use tidings::store::{Recent, Store};

fn main() -> ExitCode {
    let reading = match settings::read_process() {
        Ok(reading) => reading,
        Err(unread) => return ExitCode::from(unread.tell()),
    };
    logging::start(&reading.settings.log);
    let done = match reading.command {
        Command::CheckConfig => return print(&reading),
        Command::Serve => run(reading.settings, reading.inherited),
        Command::Listen(options) => listen(&options),
        Command::Publish(options) => publish(&options),
        Command::Summarize(options) => summarize(&options),
        Command::Record(options) => record(&options),
        Command::Replay(options) => replay(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("tidings: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn print(reading: &Reading) -> ExitCode {
    prepare_machine(&reading.settings);
    // Whoever reads may have seen enough and hung up.
    let _ = write!(io::stdout(), "{reading}");
    ExitCode::SUCCESS
}

/// Takes what the machine gives, and warns if that is too little.
fn prepare_machine(settings: &Settings) {
    machine::raise_open_files();
    for warning in Machine::here().warnings(settings.serve.max_connections) {
        log::warn!("{warning}");
    }
}

/// Shows a stream until a signal comes, or as long as was said.
fn listen(options: &client::listen::Options) -> Result<(), String> {
    let shutdown = stop_on_signals(Level::Info)?;
    let listened = client::listen::listen(options, &SystemClock, &shutdown);
    listened.map_err(|failure| format!("cannot listen: {failure}"))
}

/// Publishes an event. A signal ends it as it ends any program.
fn publish(options: &client::publish::Options) -> Result<(), String> {
    client::publish::publish(options).map_err(|failure| format!("cannot publish: {failure}"))
}

/// Has talks summarized; a signal cancels what is not done.
fn summarize(options: &client::summarize::Options) -> Result<(), String> {
    // A line among its bars would spoil them: it says this itself.
    let shutdown = stop_on_signals(Level::Debug)?;
    let summarized = client::summarize::summarize(options, &shutdown);
    summarized.map_err(|failure| format!("cannot summarize: {failure}"))
}

/// Records until a signal comes, or as long as was said.
fn record(options: &client::record::Options) -> Result<(), String> {
    let shutdown = stop_on_signals(Level::Info)?;
    let recorded = client::record::record(options, &SystemClock, &shutdown);
    let events = recorded.map_err(|failure| format!("cannot record: {failure}"))?;
    log::info!("{events} events recorded");
    Ok(())
}

/// Replays a recording to its end, or until a signal comes.
fn replay(options: &client::replay::Options) -> Result<(), String> {
    let shutdown = stop_on_signals(Level::Info)?;
    let replayed = client::replay::replay(options, &shutdown);
    let events = replayed.map_err(|failure| format!("cannot replay: {failure}"))?;
    log::info!("{events} events replayed");
    Ok(())
}

/// Serves until a signal comes, or says why it cannot.
fn run(settings: Settings, inherited: Option<Inherited>) -> Result<(), String> {
    prepare_machine(&settings);
    let shutdown = stop_on_signals(Level::Info)?;
    let inherited = inherited.map(|inherited| inherited.listener);
    let listener = listener::open(inherited, settings.listen, settings.serve.listen_backlog)
        .map_err(|e| format!("cannot listen on {}: {e}", settings.listen))?;
    let address = listener.local_addr().map_err(|e| format!("cannot listen: {e}"))?;
    let app = match app(settings, &shutdown) {
        Ok(app) => Arc::new(app),
        // It was still waiting for an earlier process to end.
        Err(_) if shutdown.is_triggered() => return Ok(()),
        Err(sentence) => return Err(sentence),
    };
    // For people, and for programs that chose port 0: the one line that is not a log line.
    eprintln!("tidings: listening on http://{address}");
    serve::run(&listener, &app, &shutdown).map_err(|e| format!("cannot serve: {e}"))?;
    close(&app).map_err(|e| format!("cannot keep what was in memory: {e}"))
}

/// Writes what is still in memory. The store lets go of the data directory, so it comes last.
fn close(app: &App) -> io::Result<()> {
    app.batches.stop();
    app.jobs.stop();
    let records = app.jobs.records().close();
    let store = app.store.as_ref().map_or(Ok(()), |store| store.close(&app.hub.remains()));
    records.and(store)
}

/// Opens what outlives the process, and starts the parts on top of it.
fn app(settings: Settings, shutdown: &Shutdown) -> Result<App, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, past) = open_store(&settings, &clock, shutdown)?;
    let cannot_start = |e: io::Error| format!("cannot start: {e}");
    let records = open_records(&settings, &*clock).map_err(cannot_start)?;
    let started = start(settings, clock, store.as_ref(), past, records);
    let mut app = started.map_err(cannot_start)?;
    app.store = store;
    Ok(app)
}

/// The store, if there is to be one, and what it knows of the time before.
fn open_store(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    shutdown: &Shutdown,
) -> Result<(Option<Store>, Past), String> {
    if settings.data_dir.as_os_str().is_empty() {
        return Ok((None, Past::unknown(clock.unix_ms())));
    }
    let recent = Recent {
        age: settings.hub.history_age,
        events: settings.hub.history_events,
        bytes: settings.hub.history_bytes,
        request_age: settings.publish.request_key_age,
        requests: settings.publish.request_keys,
    };
    if settings.store.lock_wait < settings.serve.stop_timeout {
        log::warn!(
            "data_dir_wait_seconds is shorter than stop_timeout_seconds: who takes over from this process \
             may give up before it has ended"
        );
    }
    let (path, limits) = (&settings.data_dir, &settings.store);
    let opened = Store::open(path, limits, recent, clock.clone(), shutdown);
    opened.map(|(store, past)| (Some(store), past)).map_err(|error| error.to_string())
}

/// What has a present state rather than a history, as an earlier process left it. Only after the store
/// has the data directory for itself.
fn open_records(settings: &Settings, clock: &dyn Clock) -> io::Result<(Records, Vec<Record>)> {
    if settings.data_dir.as_os_str().is_empty() {
        return Ok((Records::in_memory()?, Vec::new()));
    }
    Records::open(&settings.data_dir, &settings.store, clock)
}

/// Puts the parts together.
fn start(
    settings: Settings,
    clock: Arc<dyn Clock>,
    store: Option<&Store>,
    mut past: Past,
    (records, found): (Records, Vec<Record>),
) -> io::Result<App> {
    let journal = store.map(|store| -> Arc<dyn Journal> { Arc::new(store.clone()) });
    let asked = std::mem::take(&mut past.asked);
    let hub = Hub::start_after(past, journal.clone(), settings.hub, clock.clone())?;
    let publisher = Publisher::new(hub.clone(), journal, &settings.publish, clock.clone());
    publisher.recall(asked);
    let max_event_bytes = settings.publish.max_event_bytes;
    let jobs = Jobs::start(
        publisher.clone(),
        records,
        &found,
        settings.jobs,
        max_event_bytes,
        clock.clone(),
    )?;
    let summaries = settings.summaries.within_batches_of(settings.batches.max_jobs);
    let configs = processors::with_built_in(settings.queues, &summaries);
    check_summaries(&configs, settings.summarizer)?;
    let data_dir = Some(settings.data_dir.as_path()).filter(|path| !path.as_os_str().is_empty());
    let library = Library::open(data_dir, settings.library, clock.clone())?;
    let surroundings = videos::Surroundings {
        private_addresses: settings.fetch.private_addresses,
        environment: settings.environment,
    };
    let tools = summarizer::Tools::new(
        library,
        Engines::new(settings.summary_length, &settings.models, &settings.summary_model, &clock)?,
        Videos::new(settings.videos, surroundings, clock.clone()),
        (&jobs, &found),
        &summaries,
        clock.clone(),
    );
    let kit = processors::Kit {
        summaries: tools.clone(),
        resumes: settings.resumes,
        fetch: settings.fetch,
        clock: clock.clone(),
    };
    let processors = kit.processors(&configs);
    let ground = Ground {
        jobs: jobs.clone(),
        publisher: publisher.clone(),
        records: jobs.records().clone(),
        clock: clock.clone(),
    };
    let limits = settings.queue_limits;
    let queues = Queues::start(ground.clone(), configs, processors, &found, limits)?;
    let batches = Batches::start(ground, queues.clone(), &found, settings.batches)?;
    let summarizer = settings.summarizer.then(|| {
        let (batches, publisher) = (batches.clone(), publisher.clone());
        Summarizer::start(&tools, batches, publisher)
    });
    let pubsub = Pubsub::new(settings.pubsub, clock.clone());
    let pushers = (settings.pubsub_auth == PubsubAuth::Oidc)
        .then(|| Oidc::new(settings.pubsub_token, clock.clone()));
    let mut app =
        App::new(hub, publisher, (jobs, queues, batches), settings.serve, settings.publish, clock)?;
    (app.pubsub, app.pushers) = (pubsub, pushers);
    app.summarizer = summarizer.transpose()?;
    Ok(app)
}

/// Fails if somebody else has the queue that summaries are made in.
fn check_summaries(configs: &[QueueConfig], is_on: bool) -> io::Result<()> {
    let ours = ProcessorChoice::BuiltIn(summarizer::QUEUE.to_owned());
    let is_other = |config: &&QueueConfig| {
        config.name.as_str() == summarizer::QUEUE && config.processor != ours
    };
    match configs.iter().find(is_other) {
        Some(config) if is_on => Err(io::Error::other(format!(
            "[queue.{0}] must have the processor \"{0}\", or the setting summarizer must be off",
            config.name
        ))),
        _ => Ok(()),
    }
}

/// The first SIGTERM or SIGINT stops in order, and is logged; a second ends the process as if nobody had caught it.
fn stop_on_signals(level: Level) -> Result<Shutdown, String> {
    let cannot = |error| format!("cannot watch for signals: {error}");
    // A file that may grow no further is an error of the write, as a full disk is, and not the end of
    // the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(cannot)?;
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(cannot)?;
    let told = Shutdown::new();
    let shutdown = told.clone();
    let wait = move || {
        for signal in signals.forever() {
            if shutdown.is_triggered() {
                let _ = emulate_default_handler(signal);
            }
            log::log!(level, "stopping; a second signal stops at once");
            shutdown.trigger();
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map_err(cannot)?;
    Ok(told)
}
