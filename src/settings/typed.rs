//! What was typed, before it means anything: a setting, a raw value, and where it stood.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::setting::Setting;

/// One setting as someone gave it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// A key of the file, or a section, with what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file.
    File {
        /// As it was named on the command line or in the environment.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable of this name.
    Variable(String),
    /// A flag of this name, without the dashes.
    Flag(String),
    /// A socket that was passed to the process.
    Inherited,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Inherited => f.write_str("the socket that LISTEN_FDS passes"),
        }
    }
}

/// A value before its setting has looked at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// From a flag or a variable, where everything is text and commas make a list.
    Typed(String),
    /// A string in the file.
    Text(String),
    /// An integer in the file; none if it is negative or too large for any setting.
    Whole(Option<u64>),
    /// `true` or `false` in the file.
    Flag(bool),
    /// A list of strings in the file.
    List(Vec<String>),
    /// A section or an inline table in the file, in the order of its lines.
    Table(Vec<Entry>),
    /// What no setting can be, by the name of its type.
    Other(&'static str),
}

impl Raw {
    pub(super) fn whole(&self, range: &RangeInclusive<u64>) -> Option<u64> {
        let number = match self {
            // `u64::from_str` takes a leading plus sign; a setting does not.
            Self::Typed(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            Self::Whole(number) => *number,
            _ => None,
        };
        number.filter(|number| range.contains(number))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Typed(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// One word; the file's `true` and `false` are `on` and `off`.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Flag(true) => Some("on"),
            Self::Flag(false) => Some("off"),
            _ => self.text(),
        }
    }

    pub(super) fn list(&self) -> Option<Vec<String>> {
        match self {
            Self::Typed(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(str::to_owned).collect())
            }
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(text) | Self::Text(text) => write!(f, "{text:?}"),
            Self::Whole(Some(number)) => write!(f, "{number}"),
            Self::Whole(None) => f.write_str("such a number"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(items) => write!(f, "{items:?}"),
            Self::Table(_) => f.write_str("a value of the type table"),
            Self::Other(kind) => write!(f, "a value of the type {kind}"),
        }
    }
}
