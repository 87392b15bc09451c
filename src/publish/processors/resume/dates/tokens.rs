//! A line in pieces that can be parts of a date, and what its words mean.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::super::vocabulary::is_ideograph;

/// What a word says about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What follows is when it began.
    Since,
    /// What follows is when it ended.
    To,
    /// It has not ended.
    Present,
    /// A part of the year, which is taken for the year.
    Season,
    Month(u8),
}

/// What a word, in lower case, says about time.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    static MEANINGS: LazyLock<HashMap<&str, Meaning>> = LazyLock::new(meanings);
    MEANINGS.get(word).copied()
}

fn meanings() -> HashMap<&'static str, Meaning> {
    let mut meanings = HashMap::new();
    for line in include_str!("words.txt").lines() {
        let (name, words) = line.split_once(' ').unwrap_or_default();
        let meaning = match name {
            "since" => Meaning::Since,
            "to" => Meaning::To,
            "present" => Meaning::Present,
            "season" => Meaning::Season,
            _ => match name.parse() {
                Ok(month) => Meaning::Month(month),
                Err(_) => continue,
            },
        };
        meanings.extend(words.split(' ').map(|word| (word, meaning)));
    }
    meanings
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) place: Range<usize>,
    pub(super) kind: TokenKind<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'a> {
    Number {
        value: u32,
        digits: usize,
    },
    /// In lower case.
    Word(String),
    Dash,
    Mark(&'a str),
}

use TokenKind::{Dash, Mark, Number, Word};

/// Longer lines are prose.
const MAX_TOKENS: usize = 200;

/// Divides a line.
pub(super) fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next().filter(|_| tokens.len() < MAX_TOKENS) {
        let start = line.len() - rest.len();
        let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let length = match first {
            '0'..='9' => run(|c| c.is_ascii_digit()),
            c if is_ideograph(c) => c.len_utf8(),
            c if c.is_alphabetic() => {
                run(|c| (c.is_alphabetic() && !is_ideograph(c)) || matches!(c, '\'' | '’'))
            }
            c => c.len_utf8(),
        };
        let text = &rest[..length];
        let kind = match first {
            '0'..='9' => Number { value: text.parse().unwrap_or(0), digits: length },
            c if c.is_alphabetic() => Word(text.to_lowercase().replace('’', "'")),
            '-' | '–' | '—' | '‒' | '−' | '‑' | '‐' | '~' | '〜' | '～' | '→' => {
                Dash
            }
            _ => Mark(text),
        };
        if !first.is_whitespace() {
            tokens.push(Token { place: start..start + length, kind });
        } else if first == '\t' {
            // Nothing goes on from one column to the next.
            tokens.push(Token { place: start..start + length, kind: Mark("\t") });
        }
        rest = &rest[length..];
    }
    tokens
}
