//! What can be wrong with settings, in sentences that say what would be right.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::setting::Setting;
use super::table;
use super::typed::Origin;

/// One thing that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    /// The file that was named cannot be read.
    #[error("the settings file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{origin}: {what}")]
    Syntax {
        /// The line.
        origin: Origin,
        /// What the parser expected.
        what: String,
    },
    /// There is no setting of this name.
    #[error("{origin}: there is no setting {name}{}", did_you_mean(suggestion.as_deref()))]
    Unknown {
        /// Where it stands.
        origin: Origin,
        /// As it was typed.
        name: String,
        /// What was perhaps meant.
        suggestion: Option<String>,
    },
    /// The value is of the wrong type or out of range.
    #[error("{origin}: {name} must be {expected}, not {found}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The setting, with its section if it is in one.
        name: String,
        /// What would be right.
        expected: String,
        /// What was typed.
        found: String,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Contradiction(String),
    /// The same in a section of the file.
    #[error("{origin}: {what}")]
    Section {
        /// Where it stands.
        origin: Origin,
        /// What does not go together.
        what: String,
    },
    /// What was passed by `LISTEN_FDS` cannot be served.
    #[error("LISTEN_FDS must pass one TCP socket that listens: {0}")]
    Inherited(String),
    /// The address can be reached from elsewhere and nothing says that this is meant.
    #[error(
        "listen is {0}, which other machines can reach, and this version has no access control: \
         whoever reaches it can read and broadcast every event. Listen on 127.0.0.1 and put a \
         proxy that checks access before it, or say `--auth off` (auth = \"off\") if it is meant"
    )]
    Open(SocketAddr),
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// From here on two names are alike. The measure is the one that clap uses for its flags, and so is this.
const ALIKE: f64 = 0.7;

/// The setting whose name is most like `typed`, if one is; the older names lead to theirs.
pub(super) fn nearest(typed: &str) -> Option<&'static Setting> {
    let likeness = |setting: &Setting| {
        let older = setting.also.map(str::to_ascii_lowercase).unwrap_or_default();
        strsim::jaro(typed, setting.name).max(strsim::jaro(typed, &older))
    };
    let scored = table::all().map(|setting| (likeness(setting), setting));
    // One letter is like any name that begins with it.
    let alike = scored.filter(|(likeness, _)| *likeness > ALIKE && typed.len() > 2);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, setting)| setting)
}

/// The one of these names that is most like `typed`, if one is.
pub(super) fn nearest_of<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = names.into_iter().map(|name| (strsim::jaro(typed, name), name));
    let alike = scored.filter(|(likeness, _)| *likeness > ALIKE);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
