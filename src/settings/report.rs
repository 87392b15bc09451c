//! What `tidings check-config` prints: a settings file that says what is in force, each line with
//! where its value came from.

use std::fmt::{self, Write};

use super::Reading;
use super::table::GROUPS;

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (heading, settings)) in GROUPS.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(f, "{gap}# {heading}")?;
            for setting in *settings {
                let mut line = format!("{} = {}", setting.name, setting.place.show(&self.settings));
                // Long enough for nearly every line; the origins then stand in a column.
                write!(line, "{:pad$}", "", pad = 44_usize.saturating_sub(line.chars().count()))?;
                writeln!(f, "{line}  # {}", self.origin(setting.name))?;
            }
        }
        Ok(())
    }
}
