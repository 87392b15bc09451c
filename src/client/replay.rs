//! `tidings replay`: a recording's events published to a server, at their old pace or another.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use ureq::Agent;

use super::Failure;
use super::http::{self as requests, Address};
use super::recording::{self, Entry, What};
use crate::shutdown::Shutdown;

/// What to replay, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The recording; `-` is standard input.
    pub file: PathBuf,
    /// The server.
    pub to: Address,
    /// How fast.
    pub pace: Pace,
    /// For this session only.
    pub session: Option<String>,
    /// Also what has gaps, and events that came twice.
    pub as_is: bool,
}

/// How fast events follow one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many times as fast as they came.
    Times(f64),
    /// As fast as the server takes them.
    AtOnce,
}

/// How long the server may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often an event is offered to a server that is busy.
const MAX_TRIES: u32 = 10;

/// How long it waits in between, if the server does not say.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Publishes the recording; returns the number of events. Nothing is published if the recording is not
/// right from the first to the last line.
pub fn replay(options: &Options, stop: &Shutdown) -> Result<usize, Failure> {
    let name = options.file.display().to_string();
    let file = |source| Failure::File { name: name.clone(), source };
    let entries = if options.file.as_os_str() == "-" {
        recording::read("standard input", io::stdin().lock())?
    } else {
        recording::read(&name, BufReader::new(File::open(&options.file).map_err(file)?))?
    };
    let events = chosen(&name, entries, options.as_is)?;
    let url = options.to.url("/events/broadcast", &[]);
    let publisher = Publisher { agent: requests::agent(ANSWER_TIMEOUT), url, options, name, stop };
    let (began, first) = (Instant::now(), events.first().map_or(0, |event| event.received_ms));
    for (done, event) in events.iter().enumerate() {
        let since = Duration::from_millis(event.received_ms.saturating_sub(first));
        let due = match options.pace {
            Pace::Times(speed) => began + since.div_f64(speed),
            Pace::AtOnce => began,
        };
        let early = due.saturating_duration_since(Instant::now());
        if stop.wait_for(early) || !publisher.publish(event)? {
            return Err(Failure::Stopped { done, all: events.len() });
        }
    }
    Ok(events.len())
}

/// An event to be published.
#[derive(Debug)]
struct Due {
    line: usize,
    received_ms: u64,
    name: String,
    data: String,
}

/// The events that are to be published, if the recording is complete.
fn chosen(name: &str, entries: Vec<(usize, Entry)>, as_is: bool) -> Result<Vec<Due>, Failure> {
    let mut seen = HashSet::new();
    let mut events = Vec::new();
    for (line, Entry { received_ms, what }) in entries {
        match what {
            What::Notice { notice, .. } if notice == "gap" && !as_is => {
                let why = "events are missing here; say --as-is to replay the others".to_owned();
                return Err(Failure::Line { name: name.to_owned(), line, why });
            }
            What::Event { id, .. } if !as_is && !id.is_empty() && !seen.insert(id.clone()) => {}
            What::Event { name, data, .. } => events.push(Due { line, received_ms, name, data }),
            What::Notice { .. } => {}
        }
    }
    Ok(events)
}

struct Publisher<'a> {
    agent: Agent,
    url: String,
    options: &'a Options,
    /// The recording, as it was named.
    name: String,
    stop: &'a Shutdown,
}

/// What is posted.
#[derive(Serialize)]
struct Broadcast<'a> {
    event_type: &'a str,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_filter: Option<&'a str>,
}

impl Publisher<'_> {
    /// Publishes an event; a server that is busy is asked again. False if told to stop meanwhile.
    fn publish(&self, event: &Due) -> Result<bool, Failure> {
        let body = Broadcast {
            event_type: &event.name,
            data: json(&event.data),
            session_filter: self.options.session.as_deref(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        for left in (0..MAX_TRIES).rev() {
            let request = self.agent.post(&self.url).content_type("application/json");
            let response =
                request.send(&body[..]).map_err(|error| self.failed(error.to_string()))?;
            match response.status() {
                StatusCode::OK => return Ok(true),
                status if requests::is_for_now(status) && left > 0 => {
                    let pause = requests::retry_after(&response).unwrap_or(BUSY_PAUSE);
                    log::info!("{}; again in {pause:?}", requests::refusal(response));
                    if self.stop.wait_for(pause) {
                        return Ok(false);
                    }
                }
                _ => {
                    let why = requests::refusal(response);
                    return Err(Failure::Line { name: self.name.clone(), line: event.line, why });
                }
            }
        }
        Ok(false)
    }

    fn failed(&self, why: String) -> Failure {
        Failure::Server { url: self.url.clone(), why }
    }
}

/// The data as JSON: as it stands if it is, else as a text.
fn json(data: &str) -> Box<RawValue> {
    RawValue::from_string(data.to_owned())
        .or_else(|_| serde_json::value::to_raw_value(data))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}
