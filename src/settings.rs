//! How the program is told what to do.
//!
//! Two steps: what was typed (flags, environment, file), and what it means: the small limits structs
//! that each part defines for itself. Every setting is one entry of the table (`settings/table.rs`),
//! with one name in three forms; queues have a section of the file each (`settings/queues.rs`). Nobody
//! else in the program reads the environment.

mod client_commands;
mod command_line;
mod environment;
mod file;
mod inherited;
mod mistake;
mod queues;
mod report;
mod setting;
mod table;
mod typed;

// What the machine allows, compared with what the settings ask for.
pub mod machine;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

pub use self::inherited::Inherited;
pub use self::mistake::Mistake;
use self::typed::Given;
pub use self::typed::Origin;
use crate::access::oidc;
use crate::publish::processors::resume;
use crate::publish::queues::config::Environment;
use crate::publish::queues::{self as publish_queues, config::QueueConfig};
use crate::publish::summarizer::engine::chat;
use crate::publish::summarizer::textrank::Length;
use crate::publish::summarizer::{library, videos};
use crate::publish::{batches, fetch, jobs, pubsub, summarizer};
use crate::{client, hub, publish, serve, store};

/// What the program was told, and what to do with it.
#[derive(Debug)]
pub struct Reading {
    /// What to do.
    pub command: Command,
    /// What is in force.
    pub settings: Settings,
    /// The socket to serve instead of opening one: what `settings.listen` then says is its address.
    pub inherited: Option<Inherited>,
    /// Where each setting that is not at its default came from, by its name.
    origins: BTreeMap<&'static str, Origin>,
    /// The same for the queues' sections.
    queues: Vec<queues::Queue>,
}

impl Reading {
    /// Where the value of the setting called `name` came from.
    pub fn origin(&self, name: &str) -> &Origin {
        self.origins.get(name).unwrap_or(&Origin::Default)
    }
}

/// What the program is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Serve until told to stop.
    Serve,
    /// Print what is in force and from where.
    CheckConfig,
    /// Show a server's stream.
    Listen(client::listen::Options),
    /// Publish an event to a server.
    Publish(client::publish::Options),
    /// Have a server summarize talks.
    Summarize(client::summarize::Options),
    /// Follow a server's stream into a file.
    Record(client::record::Options),
    /// Publish what is in such a file.
    Replay(client::replay::Options),
}

/// What is in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Who is let in, if it was said.
    pub auth: Option<Auth>,
    /// Connections and HTTP.
    pub serve: serve::Limits,
    /// Streams, their queues and the history.
    pub hub: hub::Limits,
    /// What may be published.
    pub publish: publish::Limits,
    /// Where what is to survive a restart is kept; empty: nowhere.
    pub data_dir: PathBuf,
    /// How much is kept there.
    pub store: store::Limits,
    /// Whether summaries and their page are on.
    pub summarizer: bool,
    /// What summaries may use.
    pub summaries: summarizer::Limits,
    /// How long extracts are.
    pub summary_length: Length,
    /// How language models are asked.
    pub models: chat::Limits,
    /// The engine that makes summaries if a request names none.
    pub summary_model: String,
    /// What may be asked of videos.
    pub videos: videos::Limits,
    /// What programs that are started find in their environment.
    pub environment: Environment,
    /// How many summaries are kept.
    pub library: library::Limits,
    /// What documents may be fetched.
    pub fetch: fetch::Limits,
    /// How many jobs there may be, and how long.
    pub jobs: jobs::Limits,
    /// How many batches of jobs there may be, how long, and how often they are told of.
    pub batches: batches::Limits,
    /// What Google Cloud Pub/Sub may push.
    pub pubsub: pubsub::Limits,
    /// Who may push it.
    pub pubsub_auth: PubsubAuth,
    /// What stands in the token of those who may.
    pub pubsub_token: oidc::Expected,
    /// What all queues together may use.
    pub queue_limits: publish_queues::Limits,
    /// The queues that the file declares.
    pub queues: Vec<QueueConfig>,
    /// What a résumé may be and cost.
    pub resumes: resume::Limits,
    /// What is logged, and how.
    pub log: Log,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 5001).into(),
            auth: None,
            serve: serve::Limits::default(),
            hub: hub::Limits::default(),
            publish: publish::Limits::default(),
            data_dir: "tidings-data".into(),
            store: store::Limits::default(),
            summarizer: true,
            summaries: summarizer::Limits::default(),
            summary_length: Length::default(),
            models: chat::Limits::default(),
            summary_model: summarizer::EXTRACTIVE.into(),
            videos: videos::Limits::default(),
            environment: Environment::default(),
            library: library::Limits::default(),
            fetch: fetch::Limits::default(),
            jobs: jobs::Limits::default(),
            batches: batches::Limits::default(),
            pubsub: pubsub::Limits::default(),
            pubsub_auth: PubsubAuth::Off,
            pubsub_token: oidc::Expected::default(),
            queue_limits: publish_queues::Limits::default(),
            queues: Vec::new(),
            resumes: resume::Limits::default(),
            log: Log { filter: "info".into(), format: LogFormat::Text },
        }
    }
}

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Everyone who can reach the address.
    Off,
}

/// Who may push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PubsubAuth {
    /// Everyone who can reach the address.
    Off,
    /// Who has a token of Google's.
    Oidc,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Levels by module, in `env_logger`'s syntax.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object to a line.
    Json,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The command line asks for help or the version, or makes no sense; clap knows what to print.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// Everything that is wrong, not only the first.
    #[error("{}", sentences(.0))]
    Mistakes(Vec<Mistake>),
}

impl Unread {
    /// Says it, and returns the exit code: 0 for help and version, else 2.
    pub fn tell(&self) -> u8 {
        match self {
            Self::CommandLine(clap) => {
                // Nobody is left to hear that printing failed.
                let _ = clap.print();
                u8::try_from(clap.exit_code()).unwrap_or(2)
            }
            Self::Mistakes(_) => {
                eprintln!("{self}");
                2
            }
        }
    }
}

fn sentences(mistakes: &[Mistake]) -> String {
    let lines: Vec<_> = mistakes.iter().map(|mistake| format!("tidings: {mistake}")).collect();
    lines.join("\n")
}

/// Reads what this process was given.
pub fn read_process() -> Result<Reading, Unread> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let environment: Vec<_> = std::env::vars_os().collect();
    let inherited = inherited::take().map_err(|mistake| Unread::Mistakes(vec![mistake]))?;
    read_inheriting(inherited, &arguments, &environment, |path| std::fs::read_to_string(path))
}

/// Reads the arguments (the program's name first), the environment and, through `read_file`, the file
/// that one of them names.
pub fn read(
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
    read_file: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Reading, Unread> {
    read_inheriting(None, arguments, environment, read_file)
}

/// The same for a process to which a socket was passed.
fn read_inheriting(
    inherited: Option<Inherited>,
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
    read_file: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Reading, Unread> {
    let command_line = command_line::parse(arguments, environment::has_colours(environment))?;
    let config = command_line.config.or_else(|| environment::config(environment).map(Into::into));
    let directory = config.as_deref().map(directory_of).unwrap_or_default();
    let file = config.map(|path| contents(&path, read_file)).unwrap_or_default();
    // What is put later wins.
    let mut typed = file.given;
    typed.extend(environment::given(environment));
    typed.extend(command_line.given.into_iter().map(Ok));
    let address = inherited.as_ref().map(|inherited| inherited.address);
    let for_commands = environment::for_commands(environment);
    let (queues, wrong_queues) = file
        .queues
        .map(|sections| queues::read(sections, &directory, &for_commands))
        .unwrap_or_default();
    let (mut settings, origins) = match mean(typed, address) {
        Ok(meaning) if wrong_queues.is_empty() => meaning,
        meaning => {
            let wrong = meaning.err().unwrap_or_default().into_iter().chain(wrong_queues);
            return Err(Unread::Mistakes(wrong.collect()));
        }
    };
    settings.queues = queues.iter().map(queues::Queue::config).collect();
    settings.environment = for_commands;
    Ok(Reading { command: command_line.command, settings, inherited, origins, queues })
}

fn contents(path: &Path, read_file: impl FnOnce(&Path) -> io::Result<String>) -> file::Contents {
    match read_file(path) {
        Ok(text) => file::contents(path, &text),
        Err(source) => file::Contents::unreadable(path, source),
    }
}

/// The directory that a file is in, from the root if that can be said.
fn directory_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent().map(Path::to_owned).unwrap_or_default()
}

type Meaning = (Settings, BTreeMap<&'static str, Origin>);

/// From what was typed, the weakest first, to what it means; an inherited address wins over all.
fn mean(
    typed: Vec<Result<Given, Mistake>>,
    inherited: Option<SocketAddr>,
) -> Result<Meaning, Vec<Mistake>> {
    let mut settings = Settings::default();
    let mut origins = BTreeMap::new();
    let mut mistakes = Vec::new();
    for given in typed {
        match given.and_then(|given| put(given, &mut settings)) {
            Ok((name, origin)) => drop(origins.insert(name, origin)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if let Some(address) = inherited {
        settings.listen = address;
        origins.insert("listen", Origin::Inherited);
    }
    if mistakes.is_empty() {
        mistakes.extend(contradictions(&settings));
    }
    if mistakes.is_empty() { Ok((settings, origins)) } else { Err(mistakes) }
}

fn put(given: Given, settings: &mut Settings) -> Result<(&'static str, Origin), Mistake> {
    let Given { setting, raw, origin } = given;
    match setting.place.put(&raw, settings) {
        Ok(()) => Ok((setting.name, origin)),
        Err(expected) => Err(Mistake::Value {
            origin,
            name: setting.name.into(),
            expected,
            found: raw.to_string(),
        }),
    }
}

/// Values that are right one by one and not together.
fn contradictions(settings: &Settings) -> Vec<Mistake> {
    let mut found = Vec::new();
    if settings.auth.is_none() && !settings.listen.ip().to_canonical().is_loopback() {
        found.push(Mistake::Open(settings.listen));
    }
    let (idle, heartbeat) = (settings.hub.idle, settings.hub.heartbeat);
    if !idle.is_zero() && idle <= heartbeat {
        found.push(Mistake::Contradiction(format!(
            "stream_idle_seconds ({}) must be longer than heartbeat_ms ({}), or every quiet stream \
             would end before its heartbeat",
            idle.as_secs(),
            heartbeat.as_millis()
        )));
    }
    if settings.pubsub_auth == PubsubAuth::Oidc && settings.pubsub_token.audience.is_empty() {
        let why = "pubsub_auth = oidc needs pubsub_audience, or a token that was made for calling somebody \
                   else would do";
        found.push(Mistake::Contradiction(why.into()));
    }
    found
}
