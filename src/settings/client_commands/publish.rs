//! `tidings publish`: its arguments, and what they mean.

use clap::{Arg, ArgMatches, Command};
use serde::de::IgnoredAny;

use super::{address, named, server, session, switch};
use crate::client::publish::{Data, Options};
use crate::event::EventName;

const EXAMPLES: &str = "\
Examples:
  tidings publish system '{\"message\": \"Back at noon\"}'
  tidings publish test '\"hello\"' --session alice
  jq -n '{done: 7}' | tidings publish test - --durable

It prints the event's id and how many streams it was for.

Exit codes: 0 published, 1 not published, 2 bad arguments.";

pub(in crate::settings) fn publish() -> Command {
    Command::new("publish")
        .about("Publish an event to a server")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("type")
                .value_name("TYPE")
                .required(true)
                .value_parser(named::<EventName>)
                .help("The event's type"),
        )
        .arg(
            Arg::new("data")
                .value_name("DATA")
                .value_parser(data)
                .allow_negative_numbers(true)
                .help("Its data, in JSON; - is standard input [default: {}]"),
        )
        .arg(
            address("server", "URL")
                .long("server")
                .help("The server [default: http://127.0.0.1:5001]"),
        )
        .arg(session("For this session only [default: for everyone]"))
        .arg(
            Arg::new("subscription-filter")
                .long("subscription-filter")
                .value_name("TYPE")
                .value_parser(named::<EventName>)
                .help("For the streams that subscribed to this type, whatever the event's own is"),
        )
        .arg(switch("durable", "Wait until the event is on disk"))
        .arg(switch("json", "Print the server's answer as it is, for programs"))
}

pub(in crate::settings) fn publish_options(matches: &ArgMatches) -> Options {
    let none = || Data::Json("{}".to_owned());
    Options {
        server: server(matches, "server"),
        name: matches.get_one("type").cloned().unwrap_or_default(),
        data: matches.get_one("data").cloned().unwrap_or_else(none),
        session: matches.get_one("session").cloned(),
        subscription: matches.get_one("subscription-filter").cloned(),
        durable: matches.get_flag("durable"),
        json: matches.get_flag("json"),
    }
}

fn data(text: &str) -> Result<Data, String> {
    if text == "-" {
        return Ok(Data::Input);
    }
    let no_json = |error| format!("it is no JSON ({error}); a text is written '\"text\"'");
    serde_json::from_str::<IgnoredAny>(text).map_err(no_json)?;
    Ok(Data::Json(text.to_owned()))
}
