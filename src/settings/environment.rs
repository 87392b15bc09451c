//! The environment: `TIDINGS_` and a setting's name, and the few older names that mean the same.

use std::ffi::OsString;

use super::mistake::{Mistake, nearest};
use super::setting::Setting;
use super::table;
use super::typed::{Given, Origin, Raw};
use crate::publish::queues::config::Environment;

/// Names the settings file; the only variable that is no setting of its own.
pub(super) const CONFIG: &str = "TIDINGS_CONFIG";

/// What commands get of our own environment.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// What the variables say, the older names first so that ours, applied later, win.
///
/// An empty variable counts as one that is not there: that is how compose files and units unset one.
pub(super) fn given(variables: &[(OsString, OsString)]) -> Vec<Result<Given, Mistake>> {
    let known = |name: &str, value: &str| {
        let by_name = table::all().find(|setting| setting.variable() == name);
        let setting = by_name.or_else(|| table::all().find(|s| s.also == Some(name)))?;
        let origin = Origin::Variable(name.to_owned());
        Some(Given { setting, raw: Raw::Typed(value.to_owned()), origin })
    };
    let set = variables.iter().filter(|(_, value)| !value.is_empty());
    let mut given: Vec<_> = set
        .filter_map(|(name, value)| {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            let given = known(&name, &value).map(Ok);
            given.or_else(|| is_misspelt(&name, &value).then(|| Err(unknown(&name))))
        })
        .collect();
    given.sort_by_key(|given| given.as_ref().is_ok_and(|g| is_ours(&g.origin)));
    given
}

/// The file that the environment names.
pub(super) fn config(variables: &[(OsString, OsString)]) -> Option<&OsString> {
    let mut set = variables.iter().filter(|(_, value)| !value.is_empty());
    set.find(|(name, _)| name == CONFIG).map(|(_, value)| value)
}

/// Whether a terminal may show colours: nobody said otherwise (<https://no-color.org>), and it knows how.
pub(super) fn has_colours(variables: &[(OsString, OsString)]) -> bool {
    let is_against = |(name, value): &(OsString, OsString)| {
        name == "NO_COLOR" && !value.is_empty() || name == "TERM" && value == "dumb"
    };
    !variables.iter().any(is_against)
}

/// What a command that does jobs finds in its environment, whatever its section says: enough to find
/// programs, a home, a language and the local time, and none of our secrets.
pub(super) fn for_commands(variables: &[(OsString, OsString)]) -> Environment {
    let mut environment = Environment::default();
    for (name, value) in variables {
        if PASSED_ON.iter().any(|passed| name == passed) {
            // What this process has got is what the system passes on.
            let _ = environment.set(name, value);
        }
    }
    environment
}

fn is_ours(origin: &Origin) -> bool {
    matches!(origin, Origin::Variable(name) if name.starts_with("TIDINGS_"))
}

/// A variable that was meant for us and says nothing to us.
///
/// For a service called `tidings` Kubernetes puts `TIDINGS_SERVICE_HOST`, `TIDINGS_PORT` (a URL),
/// `TIDINGS_PORT_80_TCP` … into every container of the namespace: those nobody typed.
fn is_misspelt(name: &str, value: &str) -> bool {
    let by_kubernetes = name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"));
    name.starts_with("TIDINGS_") && name != CONFIG && !by_kubernetes
}

fn unknown(name: &str) -> Mistake {
    // What all have in common says nothing about likeness.
    let bare = name.trim_start_matches("TIDINGS_").to_ascii_lowercase();
    let suggestion = nearest(&bare).map(Setting::variable);
    let origin = Origin::Variable(name.to_owned());
    Mistake::Unknown { origin, name: name.to_owned(), suggestion }
}
