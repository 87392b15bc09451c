//! Lines that say what somebody did and where, and which part of them says which.

use super::super::vocabulary::{self, Words, is_ideograph};

/// A line with more words is no title.
pub(super) const MAX_HEADER_WORDS: usize = 14;

/// A line that can say what and where: short, no item of a list, no sentence.
pub(super) fn is_header(line: &str) -> bool {
    let is_sentence = line.ends_with(['.', '!', '?', ';', ':']) && !ends_with_abbreviation(line);
    let has_letters = line.chars().any(char::is_alphabetic);
    let starts_small = line.chars().next().is_some_and(char::is_lowercase);
    has_letters
        && !is_sentence
        && !starts_small
        && bullet(line).is_none()
        && words(line) <= MAX_HEADER_WORDS
}

/// `Inc.`, `Ltd.`, `S.A.`
fn ends_with_abbreviation(line: &str) -> bool {
    let last = line.split_whitespace().next_back().unwrap_or_default();
    last.ends_with('.') && (is_suffix(last) || last.trim_end_matches('.').contains('.'))
}

/// What ends a company's name and stands behind a comma.
pub(in super::super) fn is_suffix(word: &str) -> bool {
    let word = word.to_lowercase().replace('.', "");
    let suffixes = [
        "inc", "ltd", "llc", "gmbh", "corp", "co", "plc", "sa", "sl", "ag", "kg", "spa", "srl",
        "bv",
    ];
    suffixes.contains(&word.as_str())
}

pub(super) fn words(line: &str) -> usize {
    line.split_whitespace().count()
}

/// What follows the mark of a list's item.
pub(in super::super) fn bullet(line: &str) -> Option<&str> {
    let mut chars = line.chars();
    let mark = chars.next()?;
    let rest = chars.as_str();
    let is_mark = "•●▪◦‣∙·➢➤✓✔→■□○◆▸►".contains(mark);
    let is_plain_mark = "-–—*+>o".contains(mark) && rest.starts_with([' ', '\t']);
    (is_mark || is_plain_mark).then(|| rest.trim())
}

/// What divides a post from a company on one line.
const DIVIDERS: &[&str] = &["\t", " | ", " • ", " · ", " – ", " — ", " - ", " @ ", " / "];

/// Words that do so, if a post stands before them.
const DIVIDING_WORDS: &[&str] = &[" at ", " bei ", " chez ", " presso "];

/// What the lines of a header say, part by part.
pub(super) fn parts(header: &[String]) -> Vec<String> {
    let mut parts = header.to_vec();
    for divider in DIVIDERS {
        let split = parts.iter().flat_map(|part| part.split(divider).map(str::to_owned));
        parts = split.collect();
    }
    for divider in DIVIDING_WORDS {
        let split = parts.iter().flat_map(|part| match part.split_once(divider) {
            Some((post, place)) if vocabulary::titles().are_in(post) => vec![post, place],
            _ => vec![part.as_str()],
        });
        parts = split.map(str::to_owned).collect();
    }
    if let [only] = parts.as_slice() {
        parts = comma_parts(only);
    }
    if let [only] = parts.as_slice()
        && only.chars().any(is_ideograph)
    {
        parts = only.split_whitespace().map(str::to_owned).collect();
    }
    let is_edge = |c: char| c.is_whitespace() || ",;:|•·–—-".contains(c);
    let parts = parts.iter().map(|part| part.trim_matches(is_edge).to_owned());
    parts.filter(|part| part.chars().any(char::is_alphabetic)).collect()
}

/// Which part is what, and which is where.
pub(super) fn named(
    parts: &[String],
    what: &Words,
    place: &Words,
) -> (Option<String>, Option<String>) {
    let sure = |yes: &Words, no: &Words| {
        let is_sure = |part: &String| yes.are_in(part) && !no.are_in(part);
        let mut likely = (0..parts.len()).filter(|at| yes.are_in(&parts[*at]));
        // A word of both kinds says something where it stands alone.
        let only = likely.next().filter(|_| likely.next().is_none());
        parts.iter().position(is_sure).or(only)
    };
    let (surely_what, surely_where) = (sure(what, place), sure(place, what));
    let surely_where = surely_where.filter(|at| surely_what != Some(*at));
    let (first, second) = match (surely_what, surely_where) {
        (Some(what), Some(place)) => (Some(what), Some(place)),
        (Some(what), None) => (Some(what), (0..parts.len()).find(|at| *at != what)),
        (None, Some(place)) => ((0..parts.len()).find(|at| *at != place), Some(place)),
        (None, None) => (Some(0), Some(1)),
    };
    let part = |at: Option<usize>| parts.get(at?).cloned();
    (part(first), part(second))
}

/// `Baker, Acme, Inc., Paris` is `Baker`, `Acme, Inc.`, `Paris`.
fn comma_parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split([',', '，', '、']).map(str::trim) {
        match parts.last_mut() {
            Some(last) if is_suffix(part) => *last = format!("{last}, {part}"),
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}
