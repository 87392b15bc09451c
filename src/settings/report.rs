//! What `tidings check-config` prints: a settings file that says what is in force, each line with
//! where its value came from.

use std::fmt;

use super::Reading;
use super::table::GROUPS;
use super::typed::Origin;

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (heading, settings)) in GROUPS.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(f, "{gap}# {heading}")?;
            for setting in *settings {
                let value = setting.place.show(&self.settings);
                line(f, &format!("{} = {value}", setting.name), self.origin(setting.name))?;
            }
        }
        self.queues.iter().try_for_each(|queue| write!(f, "\n{queue}"))
    }
}

/// One line, with where it came from.
pub(super) fn line(f: &mut fmt::Formatter<'_>, what: &str, origin: &Origin) -> fmt::Result {
    // Long enough for nearly every line; the origins then stand in a column.
    let pad = 44_usize.saturating_sub(what.chars().count());
    writeln!(f, "{what}{:pad$}  # {origin}", "")
}
