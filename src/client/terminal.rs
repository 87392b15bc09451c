//! Texts of others on the terminal of whoever runs a command.
//!
//! What a server sends may hold bytes that a terminal obeys: they are shown instead. Colours are for
//! terminals only, and not where they are unwanted.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde_json::value::RawValue;

use super::Failure;

/// A text on one line, in which nothing moves the cursor or turns the writing around.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('⏎'),
            '\t' => shown.push(' '),
            c if is_obeyed(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// JSON that is one line already, with what a terminal would obey in JSON's own escapes: it means the same.
pub(super) fn shown_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // All of them are in the Basic Multilingual Plane, and in a string.
        if is_obeyed(c) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters, line separators, and what turns the direction of writing.
fn is_obeyed(c: char) -> bool {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
    let is_turn = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_turn || turns.contains(&c)
}

/// The text as JSON on one line, if it is JSON. Line breaks in it can only stand between its words.
pub(super) fn json_on_one_line(text: &str) -> Option<Box<RawValue>> {
    let one_line = text.trim().replace(['\n', '\r', '\t'], " ");
    serde_json::from_str::<&RawValue>(text).ok()?;
    RawValue::from_string(one_line).ok()
}

/// Writes a line on standard output at once: whoever reads it should not wait for the next.
pub(super) fn print(line: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush());
    written.map_err(|source| Failure::File { name: "standard output".to_owned(), source })
}

/// Says something about the command itself on standard error, where it is in nobody's way.
pub(super) fn tell(sentence: &str) {
    // Nobody may be left to hear it.
    let _ = writeln!(io::stderr(), "tidings: {}", shown(sentence));
}

/// How standard output is written on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    is_on: bool,
}

impl Paint {
    /// Colours on a terminal, if they are wanted.
    pub fn for_output(are_wanted: bool) -> Self {
        Self { is_on: are_wanted && io::stdout().is_terminal() }
    }

    /// What is less important.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What the eye looks for.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What kind of thing it is.
    pub fn kind(self, text: &str) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, expected) in [
            ("grüße, 世界 🙂", "grüße, 世界 🙂"),
            ("a\nb\tc", "a⏎b c"),
            ("\u{1b}[2J\u{7}\r\u{9b}1m", "\\u{1b}[2J\\u{7}\\u{d}\\u{9b}1m"),
            ("a\u{202e}b\u{2069}\u{2028}", "a\\u{202e}b\\u{2069}\\u{2028}"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn json_stays_the_same_json_on_one_line() {
        let check = |text: &str, expected: Option<&str>| {
            let line = json_on_one_line(text);
            assert_eq!(line.as_deref().map(RawValue::get), expected, "{text:?}");
        };
        check(
            "{\"a\":\n1,\r\n\t\"b\": 9007199254740993}",
            Some("{\"a\": 1,   \"b\": 9007199254740993}"),
        );
        check("\"a\nb\"", None);
        check("hello", None);
        check("", None);
        let text = "\"\u{7f}\u{9b}31m\u{202e}\"";
        let line = shown_json(text);
        assert_eq!(line, "\"\\u007f\\u009b31m\\u202e\"");
        let same: [String; 2] = [text, &line].map(|json| serde_json::from_str(json).unwrap());
        assert_eq!(same[0], same[1]);
    }
}
