//! Words by which parts of a line are known: what one does, where, and what one has learnt.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A list of words.
#[derive(Debug, Default)]
pub(super) struct Words {
    whole: HashSet<&'static str>,
    endings: Vec<&'static str>,
    /// Of scripts without spaces.
    parts: Vec<&'static str>,
}

impl Words {
    /// Whether a text has one of the words.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let is_end = |c: char| !(c.is_alphanumeric() || c == '-' || c == '.');
        let mut words = lower.split(is_end).filter(|word| !word.is_empty());
        words.any(|word| self.has(word)) || self.parts.iter().any(|part| lower.contains(part))
    }

    fn has(&self, word: &str) -> bool {
        let has = |word: &str| {
            let is_end = |ending: &&&str| word.len() > ending.len() && word.ends_with(**ending);
            self.whole.contains(word) || self.endings.iter().find(is_end).is_some()
        };
        // `S.A.` and `B.Sc.` are one word, `front-end` may be two.
        has(word) || has(&word.replace('.', "")) || word.split('-').any(has)
    }
}

/// What people are: `engineer`.
pub(super) fn titles() -> &'static Words {
    list("titles")
}

/// What they work for: `gmbh`.
pub(super) fn organisations() -> &'static Words {
    list("organisations")
}

/// What they get for learning: `diploma`.
pub(super) fn degrees() -> &'static Words {
    list("degrees")
}

/// Where they learn: `university`.
pub(super) fn institutions() -> &'static Words {
    list("institutions")
}

fn list(name: &'static str) -> &'static Words {
    static LISTS: LazyLock<HashMap<&str, Words>> = LazyLock::new(lists);
    static NONE: LazyLock<Words> = LazyLock::new(Words::default);
    LISTS.get(name).unwrap_or(&NONE)
}

fn lists() -> HashMap<&'static str, Words> {
    let mut lists: HashMap<_, Words> = HashMap::new();
    let mut current = "";
    for line in include_str!("vocabulary.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            current = name;
            continue;
        }
        let words = lists.entry(current).or_default();
        for word in line.split_whitespace() {
            if let Some(ending) = word.strip_prefix('*') {
                words.endings.push(ending);
            } else if word.chars().any(is_ideograph) {
                words.parts.push(word);
            } else {
                words.whole.insert(word);
            }
        }
    }
    lists
}

/// A character of a script that does not divide words.
pub(super) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_many_forms() {
        let check = |words: &Words, good: &[&str], bad: &[&str]| {
            for text in good.iter().chain(bad) {
                assert_eq!(words.are_in(text), good.contains(text), "{text}");
            }
        };
        check(
            titles(),
            &[
                "Senior Engineer",
                "Teamleiter Logistik",
                "Инженер-программист",
                "软件工程师",
                "Co-Founder",
            ],
            &["Leiter", "Acme", "Engineers", ""],
        );
        check(
            organisations(),
            &["Acme, Inc.", "Naranjas S.L.", "ООО «Пример»", "示例科技有限公司"],
            &["Cook"],
        );
        check(
            degrees(),
            &["B.Sc. Physics", "BSc (Hons)", "Ph.D.", "Abitur"],
            &["Basic", "Physics"],
        );
        check(institutions(), &["University of X", "Goethe-Gymnasium", "天津示例大学"], &["Unity"]);
    }

    #[test]
    fn every_list_is_there() {
        for words in [titles(), organisations(), degrees(), institutions()] {
            assert!(words.whole.len() > 30 && words.parts.len() > 5);
        }
    }
}
