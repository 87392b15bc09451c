//! `tidings listen`: its arguments, and what they mean.

use clap::{Arg, ArgMatches, Command};

use super::{address, number, server, session, subscribe, subscribed, switch};
use crate::client::listen::Options;

const EXAMPLES: &str = "\
Examples:
  tidings listen
  tidings listen --subscribe test,system --session alice
  tidings listen http://127.0.0.1:5001/api/v1/jobs/JOB/events
  tidings listen --json | jq -r .data.message

Notices of what happens to the connection go to standard error. Times are UTC. With --json a line has id, \
event, data (as it stands if it is JSON, else as a string) and time; a gap is a line too.

Exit codes: 0 the stream is over, or Ctrl-C; 1 it cannot be had; 2 bad arguments.";

pub(in crate::settings) fn listen() -> Command {
    Command::new("listen")
        .about("Show the events of a stream as they come")
        .long_about(
            "Shows the events of a stream as they come: of a server's stream, of a job's or a batch's, or of \
             any other that speaks Server-Sent Events. It resumes as browsers do.",
        )
        .after_help(EXAMPLES)
        .arg(
            address("url", "URL")
                .help("The stream, or the server it is on [default: http://127.0.0.1:5001/events]"),
        )
        .arg(subscribe())
        .arg(session("Also the events of this session [default: a new one's]"))
        .arg(switch("json", "One JSON object to a line, for programs"))
        .arg(switch("all", "Also heartbeats and the server's greeting"))
        .arg(
            Arg::new("last-event-id")
                .long("last-event-id")
                .value_name("ID")
                .value_parser(header_value)
                .help("Resume after this event [default: from now on]"),
        )
        .arg(number("max-events", "N").help("Stop after so many events"))
}

pub(in crate::settings) fn listen_options(matches: &ArgMatches, colours: bool) -> Options {
    Options {
        address: server(matches, "url"),
        subscribe: subscribed(matches),
        session: matches.get_one("session").cloned(),
        last_event_id: matches.get_one("last-event-id").cloned(),
        max_events: matches.get_one("max-events").copied(),
        json: matches.get_flag("json"),
        all: matches.get_flag("all"),
        colours,
    }
}

/// Ids may be anything that goes into a header.
fn header_value(text: &str) -> Result<String, &'static str> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain { Ok(text.to_owned()) } else { Err("an id is a text of plain letters") }
}
