//! The command line: a flag for each setting, made from the table, and the subcommands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};

use super::client_commands::{
    self, listen_options, publish_options, record_options, replay_options, summarize_options,
};
use super::queues;
use super::setting::Setting;
use super::table::{self, GROUPS};
use super::typed::{Given, Origin, Raw};
use super::{Command, Settings};

/// What the command line says.
#[derive(Debug)]
pub(super) struct CommandLine {
    pub(super) command: Command,
    /// The settings file.
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<Given>,
}

const ABOUT: &str = "Delivers events to browsers over Server-Sent Events.\n\n\
    Without a command it serves until it is told to stop (SIGTERM or Ctrl-C).";

const EXAMPLES: &str = "\
Examples:
  tidings                                    serve on http://127.0.0.1:5001
  tidings listen                             watch its events; --json for programs
  tidings publish test '\"hello\"'            publish one
  tidings summarize lecture.vtt              have a talk summarized
  tidings COMMAND --help                     more on a command";

const AFTER: &str = "Every setting is one name in three forms: the flag --max-connections is the \
    environment variable TIDINGS_MAX_CONNECTIONS and the key max_connections in the file. A flag \
    wins over the environment, the environment over the file, the file over the default. \
    `tidings check-config` shows what is in force and from where.";

const EXIT_CODES: &str = "Exit codes: 0 stopped as told, 1 could not start or run, 2 bad settings.";

/// Reads the arguments, the program's name first. Help and version come back as errors too: clap's way
/// of saying that there is something to print instead of something to do. `colours` says whether the
/// environment has nothing against them.
pub(super) fn parse(arguments: &[OsString], colours: bool) -> Result<CommandLine, clap::Error> {
    let matches = program().try_get_matches_from(arguments)?;
    let (command, of_command) = match matches.subcommand() {
        Some(("check-config", matches)) => (Command::CheckConfig, Some(matches)),
        Some(("listen", matches)) => (Command::Listen(listen_options(matches, colours)), None),
        Some(("publish", matches)) => (Command::Publish(publish_options(matches)), None),
        Some(("summarize", matches)) => {
            (Command::Summarize(summarize_options(matches, colours)), None)
        }
        Some(("record", matches)) => (Command::Record(record_options(matches)), None),
        Some(("replay", matches)) => (Command::Replay(replay_options(matches)), None),
        _ => (Command::Serve, None),
    };
    // What stands behind the command wins over what stands before it.
    let settings = [Some(&matches), of_command].into_iter().flatten();
    Ok(CommandLine {
        command,
        config: matches.get_one("config").cloned(),
        given: settings
            .flat_map(|matches| table::all().filter_map(|s| given(matches, s)))
            .collect(),
    })
}

fn given(matches: &ArgMatches, setting: &'static Setting) -> Option<Given> {
    let values: Vec<_> = matches.get_many::<String>(setting.name)?.cloned().collect();
    let origin = Origin::Flag(setting.flag());
    Some(Given { setting, raw: Raw::Typed(values.join(",")), origin })
}

fn program() -> clap::Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("The settings file, in TOML [default: none]");
    let check = clap::Command::new("check-config")
        .about("Print the settings in force and where each came from, then exit");
    let program = clap::Command::new("tidings")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(format!("{EXAMPLES}\n\n{AFTER}\n\n{}\n\n{EXIT_CODES}", queues::help()))
        .disable_help_subcommand(true)
        .subcommand(with_settings(check))
        .subcommand(client_commands::listen())
        .subcommand(client_commands::publish())
        .subcommand(client_commands::summarize())
        .subcommand(client_commands::record())
        .subcommand(client_commands::replay())
        .arg(config);
    with_settings(program)
}

/// Every setting is a flag of the commands that it matters to; not of those that use a server.
fn with_settings(command: clap::Command) -> clap::Command {
    let defaults = Settings::default();
    GROUPS.iter().fold(command, |command, (heading, settings)| {
        command.args(settings.iter().map(|s| argument(s, &defaults).help_heading(*heading)))
    })
}

fn argument(setting: &'static Setting, defaults: &Settings) -> Arg {
    let also = setting.also.map(|name| format!(" [also: {name}]")).unwrap_or_default();
    let default = setting.place.show(defaults).replace('"', "");
    let default = if default == "[]" { "none" } else { &default };
    Arg::new(setting.name)
        .long(setting.flag())
        .value_name(setting.place.value_name())
        .action(if setting.place.is_list() { ArgAction::Append } else { ArgAction::Set })
        .next_line_help(true)
        .help(format!("{} [default: {default}]{also}", setting.help))
}
