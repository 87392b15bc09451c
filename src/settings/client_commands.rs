//! The commands that use a running server: their arguments, and what they mean.

// A stream on the terminal.
mod listen;

// An event to a server.
mod publish;

// Talks and their summaries.
mod summarize;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

pub(super) use self::listen::{listen, listen_options};
pub(super) use self::publish::{publish, publish_options};
pub(super) use self::summarize::{summarize, summarize_options};
use crate::client::http::Address;
use crate::client::{record, replay};
use crate::event::EventName;
use crate::event::topic::Identifier;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 bad arguments.";

/// `tidings record`.
pub(super) fn record() -> Command {
    Command::new("record")
        .about("Follow a stream and write its events to a file, one JSON object to a line")
        .after_help(format!(
            "It resumes as browsers do, and notes in the file what broke off and what is missing. \
             Ctrl-C stops it in order.\n\n{EXIT_CODES}"
        ))
        .arg(
            address("url", "URL")
                .help("The stream, or the server it is on [default: http://127.0.0.1:5001/events]"),
        )
        .arg(path("output").long("output").short('o').help("Where to write; - is standard output"))
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Write over a file that is there already"),
        )
        .arg(subscribe())
        .arg(session("Also the events of this session [default: a new one's]"))
        .arg(number("for", "SECONDS").help("Stop after so many seconds"))
        .arg(number("events", "N").help("Stop after so many events"))
}

/// `tidings replay`.
pub(super) fn replay() -> Command {
    Command::new("replay")
        .about("Publish the events of a recording to a server")
        .after_help(format!(
            "The recording is checked before its first event is published.\n\n{EXIT_CODES}"
        ))
        .arg(path("file").help("The recording; - is standard input"))
        .arg(address("to", "URL").long("to").help("The server [default: http://127.0.0.1:5001]"))
        .arg(
            Arg::new("speed")
                .long("speed")
                .value_name("TIMES")
                .value_parser(speed)
                .help("So many times as fast as it was recorded [default: 1]"),
        )
        .arg(
            Arg::new("at-once")
                .long("at-once")
                .action(ArgAction::SetTrue)
                .conflicts_with("speed")
                .help("As fast as the server takes it"),
        )
        .arg(session("For this session only [default: for everyone]"))
        .arg(
            Arg::new("as-is")
                .long("as-is")
                .action(ArgAction::SetTrue)
                .help("Also a recording with gaps, and events that were recorded twice"),
        )
}

/// What `tidings record` is told.
pub(super) fn record_options(matches: &ArgMatches) -> record::Options {
    record::Options {
        address: server(matches, "url"),
        output: file(matches, "output"),
        overwrites: matches.get_flag("force"),
        subscribe: subscribed(matches),
        session: matches.get_one("session").cloned(),
        lasts: matches.get_one("for").copied().map(Duration::from_secs),
        events: matches.get_one("events").copied(),
    }
}

/// What `tidings replay` is told.
pub(super) fn replay_options(matches: &ArgMatches) -> replay::Options {
    let times = matches.get_one("speed").copied().unwrap_or(1.0);
    replay::Options {
        file: file(matches, "file"),
        to: server(matches, "to"),
        pace: if matches.get_flag("at-once") {
            replay::Pace::AtOnce
        } else {
            replay::Pace::Times(times)
        },
        session: matches.get_one("session").cloned(),
        as_is: matches.get_flag("as-is"),
    }
}

fn address(id: &'static str, value_name: &'static str) -> Arg {
    let parser = |text: &str| text.parse::<Address>();
    Arg::new(id).value_name(value_name).value_parser(ValueParser::new(parser))
}

fn path(id: &'static str) -> Arg {
    Arg::new(id).value_name("FILE").required(true).value_parser(value_parser!(PathBuf))
}

fn subscribe() -> Arg {
    Arg::new("subscribe")
        .long("subscribe")
        .value_name("TYPES")
        .value_delimiter(',')
        .action(ArgAction::Append)
        .value_parser(named::<EventName>)
        .help("Event types, with commas between them [default: all]")
}

fn subscribed(matches: &ArgMatches) -> Vec<String> {
    matches.get_many("subscribe").into_iter().flatten().cloned().collect()
}

fn switch(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
}

fn session(help: &'static str) -> Arg {
    Arg::new("session")
        .long("session")
        .value_name("ID")
        .value_parser(named::<Identifier>)
        .help(help)
}

fn number(id: &'static str, value_name: &'static str) -> Arg {
    Arg::new(id).long(id).value_name(value_name).value_parser(value_parser!(u64).range(1..))
}

/// A text that could become a `T`.
fn named<T: std::str::FromStr<Err = crate::event::InvalidEvent>>(
    text: &str,
) -> Result<String, String> {
    text.parse::<T>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn speed(text: &str) -> Result<f64, &'static str> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed >= 0.001);
    speed.ok_or("a speed is a number of at least 0.001")
}

fn server(matches: &ArgMatches, id: &str) -> Address {
    matches.get_one(id).cloned().unwrap_or_default()
}

/// Clap has seen to it that there is one.
fn file(matches: &ArgMatches, id: &str) -> PathBuf {
    matches.get_one(id).cloned().unwrap_or_default()
}
