//! The headings under which people put things, in several wordings and languages.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

/// What a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Contact,
    Summary,
    Experience,
    Education,
    Skills,
    Languages,
    /// Known to be a section of its own, of which nothing else is made.
    Other,
}

/// No heading has more words.
const MAX_WORDS: usize = 6;

/// What a line is a heading of, if it is one: `WORK EXPERIENCE:`, `## Skills`, `3. Ausbildung`.
pub(super) fn kind(line: &str) -> Option<Kind> {
    static KINDS: LazyLock<HashMap<String, Kind>> = LazyLock::new(kinds);
    // Longer lines are no headings and need not be looked at.
    if line.len() > 80 {
        return None;
    }
    let words = normal(line);
    let words = closed(&words).unwrap_or(words);
    let is_short = words.split(' ').count() <= MAX_WORDS;
    KINDS.get(&words).copied().filter(|_| is_short)
}

/// Whether a line that is not in our lists looks like a heading: in capitals, with no end of a sentence.
pub(super) fn is_shouted(line: &str) -> bool {
    let letters = || line.chars().filter(|c| c.is_alphabetic());
    let words = line.split_whitespace().count();
    letters().count() >= 4
        && letters().all(char::is_uppercase)
        && words <= MAX_WORDS
        && !line.contains(['@', ',', '|', '.', '\t'])
        && !line.chars().any(|c| c.is_ascii_digit())
}

fn kinds() -> HashMap<String, Kind> {
    let mut kinds = HashMap::new();
    let mut current = None;
    for line in include_str!("headings.txt").lines().map(str::trim) {
        match line {
            "" => {}
            "[contact]" => current = Some(Kind::Contact),
            "[summary]" => current = Some(Kind::Summary),
            "[experience]" => current = Some(Kind::Experience),
            "[education]" => current = Some(Kind::Education),
            "[skills]" => current = Some(Kind::Skills),
            "[languages]" => current = Some(Kind::Languages),
            "[other]" => current = Some(Kind::Other),
            _ if line.starts_with('#') => {}
            _ => {
                if let Some(kind) = current {
                    kinds.insert(line.to_owned(), kind);
                }
            }
        }
    }
    kinds
}

/// In lower case, without numbers, marks and decoration.
fn normal(line: &str) -> String {
    let lower = line.to_lowercase();
    let kept = |c: char| if c.is_alphabetic() || c == '\'' { c } else { ' ' };
    let and = lower.replace('&', " and ").replace('’', "'");
    let words: String = and.chars().map(kept).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `e x p e r i e n c e` is how some print it.
fn closed(words: &str) -> Option<String> {
    let is_spaced = words.len() > 5 && words.split(' ').all(|word| word.chars().count() == 1);
    is_spaced.then(|| words.replace(' ', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind_expected: Option<Kind>, lines: &[&str]) {
        for line in lines {
            assert_eq!(kind(line), kind_expected, "{line}");
        }
    }

    #[test]
    fn headings_are_known_however_they_are_decorated() {
        check(
            Some(Kind::Experience),
            &[
                "Experience",
                "WORK EXPERIENCE:",
                "## Professional experience",
                "2. Employment History",
            ],
        );
        check(Some(Kind::Experience), &["E X P E R I E N C E", "— Career —", "Berufserfahrung"]);
        check(Some(Kind::Skills), &["Skills & Tools", "Technical Skills", "KENNTNISSE"]);
        check(Some(Kind::Education), &["Éducation", "FORMATION", "Formación académica"]);
        check(Some(Kind::Languages), &["Languages", "Sprachkenntnisse", "Langues", "Idiomas"]);
    }

    #[test]
    fn sentences_that_speak_of_such_things_are_none() {
        check(
            None,
            &["", "My experience is in skills", "Experience with Rust", "Education: ETH Zürich"],
        );
        check(None, &["Languages: English", "Software Engineer", "•"]);
    }

    #[test]
    fn capitals_look_like_a_heading() {
        assert!(is_shouted("BOARD MEMBERSHIPS"));
        for line in ["Board", "IBM", "JANE DOE, PHD", "BERLIN 2019", "A@B.EXAMPLE"] {
            assert!(!is_shouted(line), "{line}");
        }
    }
}
