//! `tidings listen`: a stream on the terminal, or as lines of JSON for another program, until it is over.

use std::io::ErrorKind;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::Failure;
use super::follower::{Follower, News};
use super::http::Address;
use super::record::sends_away;
use super::terminal::{Paint, json_on_one_line, print, shown, shown_json, tell};
use crate::clock::Clock;
use crate::event::parser::ReceivedEvent;
use crate::event::time::iso;
use crate::shutdown::Shutdown;

/// What to listen to, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The stream.
    pub address: Address,
    /// Event types; all, if none is named.
    pub subscribe: Vec<String>,
    /// Whose events, besides everyone's.
    pub session: Option<String>,
    /// Where the first connection resumes.
    pub last_event_id: Option<String>,
    /// Until there were so many events.
    pub max_events: Option<u64>,
    /// One JSON object to a line, for programs.
    pub json: bool,
    /// Also heartbeats and the server's greeting.
    pub all: bool,
    /// Whether a terminal is to show colours.
    pub colours: bool,
}

/// How often it is looked whether listening is over.
const LOOK: Duration = Duration::from_millis(100);

/// Shows what comes until the stream is over, or there was as much as was asked for, or until `stop`.
pub fn listen(options: &Options, clock: &dyn Clock, stop: &Shutdown) -> Result<(), Failure> {
    let paint = Paint::for_output(options.colours && !options.json);
    let mut listener = Listener { options, clock, paint, events: 0, last_id: String::new() };
    match listener.follow(stop) {
        // Whoever read the output has seen enough and hung up.
        Err(Failure::File { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

struct Listener<'a> {
    options: &'a Options,
    clock: &'a dyn Clock,
    paint: Paint,
    /// Shown.
    events: u64,
    /// The id that the stream stood at: an event with the same one has none of its own.
    last_id: String,
}

/// An event for programs.
#[derive(Serialize)]
struct Line<'a> {
    id: Option<&'a str>,
    event: &'a str,
    data: Box<RawValue>,
    time: String,
}

impl Listener<'_> {
    fn follow(&mut self, stop: &Shutdown) -> Result<(), Failure> {
        let options = self.options;
        let session = options.session.as_deref();
        let mut follower = Follower::new(&options.address, &options.subscribe, session);
        if let Some(id) = &options.last_event_id {
            follower = follower.resuming_after(id);
        }
        let mut was_open = false;
        while !stop.is_triggered() && options.max_events.is_none_or(|most| self.events < most) {
            match follower.next(LOOK)? {
                None => {}
                Some(News::Opened) => {
                    was_open = true;
                    tell(&format!("connected to {}", follower.url()));
                }
                Some(News::Event(event)) => self.take(&event)?,
                Some(News::Lost { why, is_answer: false, .. }) if !was_open => {
                    // Most likely a mistake in the address; nobody should wait to learn of it.
                    return Err(Failure::Server { url: follower.url().to_owned(), why });
                }
                Some(News::Lost { why, retry_in, .. }) => {
                    tell(&format!("{why}; connecting again in {retry_in:.1?}"));
                }
                Some(News::Over) => {
                    tell("the stream is over");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &ReceivedEvent) -> Result<(), Failure> {
        let has_own_id = event.id != self.last_id;
        self.last_id.clone_from(&event.id);
        let is_heartbeat = ["ping", "heartbeat"].contains(&event.name.as_str()) && !has_own_id;
        match event.name.as_str() {
            _ if self.options.all => {}
            _ if is_heartbeat => return Ok(()),
            "connected" => return Ok(()),
            "system" if !has_own_id => {
                let details: Value = serde_json::from_str(&event.data).unwrap_or_default();
                if sends_away(&details) {
                    tell(details["message"].as_str().unwrap_or("the server sends us away"));
                    return Ok(());
                }
            }
            "gap" => {
                tell(&gap(&event.data));
                // A program must learn of it where it learns of events.
                if !self.options.json {
                    return Ok(());
                }
            }
            _ => {}
        }
        let line = if self.options.json { self.line_of_json(event) } else { self.line(event) };
        self.events += u64::from(self.options.all || event.name != "gap");
        print(&line)
    }

    fn line(&self, event: &ReceivedEvent) -> String {
        let time = iso(self.clock.unix_ms());
        // The day is known to whoever watches.
        let time = time.get(11..).unwrap_or_default();
        let name = format!("{:<16}", shown(&event.name));
        let json = json_on_one_line(&event.data);
        let data = shown(json.as_deref().map_or(&event.data, RawValue::get));
        format!("{}  {}  {data}", self.paint.dim(time), self.paint.kind(&name))
    }

    fn line_of_json(&self, event: &ReceivedEvent) -> String {
        // A text that is no JSON becomes a string of JSON.
        let text = || to_raw_value(&event.data).unwrap_or_else(|_| RawValue::NULL.to_owned());
        let line = Line {
            id: Some(event.id.as_str()).filter(|id| !id.is_empty()),
            event: &event.name,
            data: json_on_one_line(&event.data).unwrap_or_else(text),
            time: iso(self.clock.unix_ms()),
        };
        // Strings and what is JSON already can always be written.
        let json = serde_json::to_string(&line).unwrap_or_default();
        shown_json(&json)
    }
}

/// What a gap is, for people.
fn gap(data: &str) -> String {
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    let part = |name: &str| data[name].as_str().map(str::to_owned);
    let after = part("from").map(|id| format!(" after {id}")).unwrap_or_default();
    let until = part("to").map(|id| format!(" until {id}")).unwrap_or_default();
    let why = part("reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("a gap: events{after}{until} are missing{why}")
}
