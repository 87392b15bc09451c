//! `tidings record`: a stream into a recording, until it is told to stop.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Failure;
use super::follower::{Follower, News};
use super::http::Address;
use super::recording::{Entry, What};
use crate::clock::Clock;
use crate::event::parser::ReceivedEvent;
use crate::shutdown::Shutdown;

/// What to record, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The stream.
    pub address: Address,
    /// The file; `-` is standard output.
    pub output: PathBuf,
    /// Whether a file that is there is written over.
    pub overwrites: bool,
    /// Event types; all, if none is named.
    pub subscribe: Vec<String>,
    /// Whose events, besides everyone's.
    pub session: Option<String>,
    /// For how long.
    pub lasts: Option<Duration>,
    /// Until there are so many events.
    pub events: Option<u64>,
}

/// How often it is looked whether recording is over.
const LOOK: Duration = Duration::from_millis(100);

/// Records until the stream is over, or as long as was said, or until `stop`; what was written stays in
/// any case. Returns the number of events.
pub fn record(options: &Options, clock: &dyn Clock, stop: &Shutdown) -> Result<u64, Failure> {
    let name = options.output.display().to_string();
    let failed = |source| Failure::File { name: name.clone(), source };
    let mut recorder = Recorder::new(open(options).map_err(failed)?, clock);
    match recorder.follow(options, stop) {
        Ok(()) => {}
        Err(Broken::Following(failure)) => return Err(failure),
        // Whoever read the output has seen enough and hung up.
        Err(Broken::Writing(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(Broken::Writing(error)) => return Err(failed(error)),
    }
    Ok(recorder.events)
}

fn open(options: &Options) -> io::Result<Box<dyn Write>> {
    if options.output.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    // A device or a pipe is there already, and nothing in it is lost.
    let is_file = options.output.metadata().is_ok_and(|there| there.is_file());
    let file = if options.overwrites || options.output.exists() && !is_file {
        File::create(&options.output)
    } else {
        File::create_new(&options.output)
    };
    let told = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            io::Error::new(error.kind(), "it is there already; --force writes over it")
        }
        _ => error,
    });
    Ok(Box::new(told?))
}

/// Why recording ended before its time.
enum Broken {
    Following(Failure),
    Writing(io::Error),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Following(failure)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Writing(error)
    }
}

struct Recorder<'a> {
    output: Box<dyn Write>,
    clock: &'a dyn Clock,
    events: u64,
    was_open: bool,
    /// The id that the stream stood at: an event with the same one has none of its own.
    last_id: String,
}

impl<'a> Recorder<'a> {
    fn new(output: Box<dyn Write>, clock: &'a dyn Clock) -> Self {
        Self { output, clock, events: 0, was_open: false, last_id: String::new() }
    }

    fn follow(&mut self, options: &Options, stop: &Shutdown) -> Result<(), Broken> {
        let session = options.session.as_deref();
        let mut follower = Follower::new(&options.address, &options.subscribe, session);
        let end = options.lasts.map(|lasts| Instant::now() + lasts);
        while !stop.is_triggered()
            && end.is_none_or(|end| Instant::now() < end)
            && options.events.is_none_or(|most| self.events < most)
        {
            match follower.next(LOOK)? {
                None => {}
                Some(News::Opened) => self.was_open = true,
                Some(News::Event(event)) => self.note_event(event)?,
                Some(News::Lost { why, .. }) if !self.was_open => {
                    // Most likely a mistake in the address; nobody should wait to learn of it.
                    let url = follower.url().to_owned();
                    return Err(Failure::Server { url, why }.into());
                }
                Some(News::Lost { why, retry_in, .. }) => {
                    log::info!("the stream broke off, back in {retry_in:.1?}: {why}");
                    let retry_ms = retry_in.as_millis() as u64;
                    let after = follower.last_event_id();
                    let details = json!({"why": why, "retry_ms": retry_ms, "after": after});
                    self.write_notice("reconnect", details)?;
                }
                Some(News::Over) => {
                    self.write_notice("over", Value::Null)?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Notes an event, or the notice that it is.
    fn note_event(&mut self, event: ReceivedEvent) -> io::Result<()> {
        let has_own_id = event.id != self.last_id;
        self.last_id.clone_from(&event.id);
        let details = || serde_json::from_str(&event.data).unwrap_or(Value::Null);
        match event.name.as_str() {
            "connected" | "gap" => self.write_notice(&event.name, details()),
            "ping" if !has_own_id => Ok(()),
            // What a server says that sends its clients away is not for those who replay.
            "system" if !has_own_id && sends_away(&details()) => {
                self.write_notice("sent_away", details())
            }
            _ => {
                self.events += 1;
                self.write(What::Event { id: event.id, name: event.name, data: event.data })
            }
        }
    }

    fn write_notice(&mut self, notice: &str, details: Value) -> io::Result<()> {
        let details = match details {
            Value::Object(details) => details,
            Value::Null => Map::new(),
            other => Map::from_iter([("details".to_owned(), other)]),
        };
        self.write(What::Notice { notice: notice.to_owned(), details })
    }

    fn write(&mut self, what: What) -> io::Result<()> {
        Entry { received_ms: self.clock.unix_ms(), what }.write(&mut self.output)
    }
}

/// Whether a server says with it that its client is to come back later.
pub(super) fn sends_away(details: &Value) -> bool {
    matches!(details["type"].as_str(), Some("refused" | "reconnect"))
}
