//! What a setting is: one name, in three forms or in a section of the file only, a kind of value, and a
//! place in [`Settings`] or in what becomes of the section.
//!
//! A place is a kind and a way to the field, so that a value is checked, put and shown by the same
//! line of the table, and a default is written nowhere but in the limits struct it belongs to.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use log::LevelFilter;

use super::Settings;
use super::typed::Raw;
use crate::access::keys::KeySource;
use crate::event::EventName;
use crate::publish::TOPIC_KINDS;
use crate::publish::fetch::is_host_pattern;
use crate::publish::summarizer::engine::chat::Secret;
use crate::serve::doors::OWN_TYPES;

/// One line of a table.
#[derive(Debug)]
pub(super) struct Key<S: 'static> {
    /// The key in the file; the other two forms follow from it.
    pub(super) name: &'static str,
    /// A variable of another name that means the same and yields to ours.
    pub(super) also: Option<&'static str>,
    /// What it does and what "off" is.
    pub(super) help: &'static str,
    /// What it may be and where it goes.
    pub(super) place: Place<S>,
}

/// A setting of the whole program, which has all three forms.
pub(super) type Setting = Key<Settings>;

impl<S: Clone> Key<S> {
    pub(super) const fn new(name: &'static str, place: Place<S>, help: &'static str) -> Self {
        Self { name, also: None, help, place }
    }
}

impl Setting {
    pub(super) const fn also(mut self, variable: &'static str) -> Self {
        self.also = Some(variable);
        self
    }

    /// The form on the command line, without the leading dashes.
    pub(super) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The form in the environment.
    pub(super) fn variable(&self) -> String {
        format!("TIDINGS_{}", self.name.to_ascii_uppercase())
    }
}

/// What kind of value a setting takes, within which range, and the field it goes to.
#[derive(Debug)]
pub(super) enum Place<S: 'static> {
    Count(RangeInclusive<u64>, fn(&mut S) -> &mut usize),
    Backlog(RangeInclusive<u64>, fn(&mut S) -> &mut i32),
    Times(RangeInclusive<u64>, fn(&mut S) -> &mut u32),
    Bytes(RangeInclusive<u64>, fn(&mut S) -> &mut usize),
    Seconds(RangeInclusive<u64>, fn(&mut S) -> &mut Duration),
    Milliseconds(RangeInclusive<u64>, fn(&mut S) -> &mut Duration),
    Address(fn(&mut S) -> &mut SocketAddr),
    Networks(fn(&mut S) -> &mut Vec<IpNet>),
    EventTypes(fn(&mut S) -> &mut Vec<String>),
    EventNames(fn(&mut S) -> &mut Vec<String>),
    TopicKinds(fn(&mut S) -> &mut Vec<String>),
    Hosts(fn(&mut S) -> &mut Vec<String>),
    LogFilter(fn(&mut S) -> &mut String),
    Folder(fn(&mut S) -> &mut PathBuf),
    CommandLine(fn(&mut S) -> &mut Vec<String>),
    Text(fn(&mut S) -> &mut String),
    Secret(fn(&mut S) -> &mut Secret),
    Texts(fn(&mut S) -> &mut Vec<String>),
    Keys(fn(&mut S) -> &mut KeySource),
    Word(&'static [&'static str], fn(&mut S) -> &mut String),
    Choice(&'static [Choice<S>]),
}

/// One word of those that a setting can be.
#[derive(Debug)]
pub(super) struct Choice<S: 'static> {
    pub(super) word: &'static str,
    pub(super) choose: fn(&mut S),
    pub(super) is_chosen: fn(&S) -> bool,
}

impl<S: Clone> Place<S> {
    /// Puts what was typed into its field, or says what would be right.
    pub(super) fn put(&self, raw: &Raw, settings: &mut S) -> Result<(), String> {
        self.try_put(raw, settings).ok_or_else(|| self.expected())
    }

    fn try_put(&self, raw: &Raw, settings: &mut S) -> Option<()> {
        match self {
            Self::Count(range, at) | Self::Bytes(range, at) => {
                *at(settings) = usize::try_from(raw.whole(range)?).ok()?;
            }
            Self::Backlog(range, at) => *at(settings) = i32::try_from(raw.whole(range)?).ok()?,
            Self::Times(range, at) => *at(settings) = u32::try_from(raw.whole(range)?).ok()?,
            Self::Seconds(range, at) => *at(settings) = Duration::from_secs(raw.whole(range)?),
            Self::Milliseconds(range, at) => {
                *at(settings) = Duration::from_millis(raw.whole(range)?);
            }
            Self::Address(at) => put_address(raw, at(settings))?,
            Self::Networks(at) => {
                *at(settings) = raw.list()?.iter().map(|n| network(n)).collect::<Option<_>>()?;
            }
            Self::EventTypes(at) => {
                *at(settings) =
                    raw.list().filter(|names| names.iter().all(|n| is_event_type(n)))?;
            }
            Self::EventNames(at) => {
                let is_name = |name: &String| name.parse::<EventName>().is_ok();
                *at(settings) = raw.list().filter(|names| names.iter().all(is_name))?;
            }
            Self::TopicKinds(at) => {
                let is_kind = |kind: &String| TOPIC_KINDS.contains(&kind.as_str());
                *at(settings) = raw.list().filter(|kinds| kinds.iter().all(is_kind))?;
            }
            Self::Hosts(at) => {
                *at(settings) =
                    raw.list().filter(|hosts| hosts.iter().all(|h| is_host_pattern(h)))?;
            }
            Self::LogFilter(at) => {
                raw.text().filter(|filter| is_log_filter(filter))?.clone_into(at(settings));
            }
            Self::Folder(at) => *at(settings) = raw.text()?.into(),
            Self::CommandLine(at) => {
                *at(settings) = raw.list().filter(|words| is_command(words))?;
            }
            Self::Text(at) => raw.text().filter(|text| is_line(text))?.clone_into(at(settings)),
            Self::Secret(at) => {
                *at(settings) = Secret::new(raw.text().filter(|text| is_line(text))?);
            }
            Self::Texts(at) => {
                let is_word = |text: &String| !text.is_empty() && is_line(text);
                *at(settings) = raw.list().filter(|texts| texts.iter().all(is_word))?;
            }
            Self::Keys(at) => *at(settings) = raw.text()?.parse().ok()?,
            Self::Word(words, at) => {
                raw.text().filter(|word| words.contains(word))?.clone_into(at(settings));
            }
            Self::Choice(choices) => {
                let word = raw.word()?;
                (choices.iter().find(|choice| choice.word == word)?.choose)(settings);
            }
        }
        Some(())
    }

    /// What may stand here, as the end of a sentence that begins "must be".
    fn expected(&self) -> String {
        let whole = |unit: &str, range: &RangeInclusive<u64>| {
            format!("a whole number{unit} from {} to {}", range.start(), range.end())
        };
        match self {
            Self::Count(range, _) | Self::Backlog(range, _) | Self::Times(range, _) => {
                whole("", range)
            }
            Self::Bytes(range, _) => whole(" of bytes", range),
            Self::Seconds(range, _) => whole(" of seconds", range),
            Self::Milliseconds(range, _) => whole(" of milliseconds", range),
            Self::Address(_) => "an IP address and a port, such as 127.0.0.1:5001 or [::1]:5001, \
                                 or a port alone"
                .into(),
            Self::Networks(_) => {
                "a list of IP addresses and networks, such as 127.0.0.1 and 10.0.0.0/8".into()
            }
            Self::EventTypes(_) => format!(
                "a list of event types, each a letter and then at most 63 of A-Z a-z 0-9 _ . : - (but \
                 none of {}), or *",
                OWN_TYPES.join(", ")
            ),
            Self::EventNames(_) => "a list of event types, each a letter and then at most 63 of \
                                    A-Z a-z 0-9 _ . : -"
                .into(),
            Self::TopicKinds(_) => format!("a list of some of {}", TOPIC_KINDS.join(", ")),
            Self::Hosts(_) => {
                "a list of hosts, each such as example.com, *.example.com for what lies \
                               below it, or * for all"
                    .into()
            }
            Self::LogFilter(_) => "off, error, warn, info, debug or trace, or a list such as \
                                   info,tidings::hub=debug"
                .into(),
            Self::Folder(_) => "the path of a directory, or empty".into(),
            Self::CommandLine(_) => "a list of a program and its arguments, such as \
                                     [\"python3\", \"thumbnails.py\"]"
                .into(),
            Self::Text(_) | Self::Secret(_) => "a line of text, or empty".into(),
            Self::Texts(_) => "a list of texts".into(),
            Self::Keys(_) => "an http:// or https:// address, or the path of a file".into(),
            Self::Word(words, _) => words.join(" or "),
            Self::Choice(choices) => words(choices).join(" or "),
        }
    }

    /// The field's value as it would stand in the file.
    pub(super) fn show(&self, settings: &S) -> String {
        // The way to a field is a mutable one; a copy keeps reading from needing a second way.
        let settings = &mut settings.clone();
        match self {
            Self::Count(_, at) | Self::Bytes(_, at) => at(settings).to_string(),
            Self::Backlog(_, at) => at(settings).to_string(),
            Self::Times(_, at) => at(settings).to_string(),
            Self::Seconds(_, at) => at(settings).as_secs().to_string(),
            Self::Milliseconds(_, at) => at(settings).as_millis().to_string(),
            Self::Address(at) => format!("\"{}\"", at(settings)),
            Self::Networks(at) => show_list(at(settings).iter().map(ToString::to_string)),
            Self::EventTypes(at)
            | Self::EventNames(at)
            | Self::TopicKinds(at)
            | Self::Hosts(at)
            | Self::Texts(at)
            | Self::CommandLine(at) => show_list(at(settings).iter().cloned()),
            Self::LogFilter(at) | Self::Word(_, at) => format!("\"{}\"", at(settings)),
            Self::Text(at) => show_text(at(settings)),
            // What is shown may end up in a log or a ticket.
            Self::Secret(at) if at(settings).reveal().is_empty() => show_text(""),
            Self::Secret(_) => show_text("***"),
            Self::Keys(at) => show_text(&at(settings).to_string()),
            Self::Folder(at) => show_text(&at(settings).display().to_string()),
            Self::Choice(choices) => {
                let chosen = choices.iter().find(|choice| (choice.is_chosen)(settings));
                format!("\"{}\"", chosen.map_or("", |choice| choice.word))
            }
        }
    }

    /// What stands for the value in the help.
    pub(super) fn value_name(&self) -> String {
        match self {
            Self::Count(..) | Self::Backlog(..) | Self::Times(..) => "N".into(),
            Self::Bytes(..) => "BYTES".into(),
            Self::Seconds(..) => "SECONDS".into(),
            Self::Milliseconds(..) => "MS".into(),
            Self::Address(_) => "ADDRESS:PORT".into(),
            Self::LogFilter(_) => "FILTER".into(),
            Self::Folder(_) => "DIR".into(),
            Self::Text(_) | Self::Secret(_) => "TEXT".into(),
            Self::Keys(_) => "URL|FILE".into(),
            Self::Choice(choices) => words(choices).join("|"),
            Self::Word(words, _) => words.join("|"),
            Self::Networks(_)
            | Self::EventTypes(_)
            | Self::EventNames(_)
            | Self::TopicKinds(_)
            | Self::Hosts(_)
            | Self::Texts(_)
            | Self::CommandLine(_) => "LIST".into(),
        }
    }

    pub(super) fn is_list(&self) -> bool {
        use Place::{EventNames, EventTypes, Hosts, Networks, Texts, TopicKinds};
        matches!(
            self,
            Networks(_) | EventTypes(_) | EventNames(_) | TopicKinds(_) | Hosts(_) | Texts(_)
        )
    }
}

/// A port alone keeps the address that stands, which is what the variable `PORT` means.
fn put_address(raw: &Raw, address: &mut SocketAddr) -> Option<()> {
    if let Some(port) = raw.whole(&(0..=u64::from(u16::MAX))) {
        address.set_port(u16::try_from(port).ok()?);
    } else {
        *address = raw.text()?.parse().ok()?;
    }
    Some(())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn is_event_type(text: &str) -> bool {
    text == "*" || text.parse::<EventName>().is_ok() && !OWN_TYPES.contains(&text)
}

/// Stricter than `env_logger`, which takes a misspelt level for the name of a module and then logs nothing.
fn is_log_filter(text: &str) -> bool {
    text.split(',').all(|directive| {
        let level = directive.split_once('=').map_or(directive, |(_module, level)| level);
        level.trim().parse::<LevelFilter>().is_ok()
    })
}

fn is_line(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// A program, which must have a name, and what it is given; no system passes a NUL on.
fn is_command(words: &[String]) -> bool {
    words.first().is_some_and(|program| !program.is_empty())
        && words.iter().all(|word| !word.contains('\0'))
}

fn words<S>(choices: &[Choice<S>]) -> Vec<&'static str> {
    choices.iter().map(|choice| choice.word).collect()
}

fn show_list(items: impl Iterator<Item = String>) -> String {
    let quoted: Vec<_> = items.map(|item| show_text(&item)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A text as it stands in the file: TOML's basic strings are JSON's, but for one character.
fn show_text(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
