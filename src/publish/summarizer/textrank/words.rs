//! Sentences to bags of words: which words each has, and how much each word says.
//!
//! In English, words of grammar are left out and the others are cut down to their stems, so that
//! "nations" and "nation" are one. Talks in other languages keep every word as it stands; words that
//! are everywhere weigh little there too, only less precisely.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

use super::Stopped;
use crate::publish::summarizer::sentences::Sentences;

/// Every sentence's words as a unit vector of TF-IDF weights, row after row.
#[derive(Debug, Default)]
pub(super) struct Bags {
    /// Where each sentence's entries begin in `entries`, and at last where they end.
    rows: Vec<usize>,
    entries: Vec<Entry>,
    /// How many words of any kind each sentence has.
    lengths: Vec<usize>,
    vocabulary: usize,
}

/// A word in a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    /// The word's number, from 0 in the order of first use.
    pub(super) word: usize,
    /// Its part of the sentence's unit vector.
    pub(super) weight: f64,
}

/// So many sentences pass between two looks at the watcher.
const WATCH_EVERY: usize = 256;

/// At least this share of an English talk's words, in percent, are words of grammar. They make about
/// 45 % of it, and under 15 % of a talk in German, French or Dutch.
const ENGLISH_PERCENT: usize = 25;

impl Bags {
    /// Counts the words of all sentences; `watch` is called with the number of sentences done.
    pub(super) fn of(
        sentences: &Sentences,
        watch: &mut dyn FnMut(usize) -> Result<(), Stopped>,
    ) -> Result<Self, Stopped> {
        let language = Language::of(sentences);
        let mut numbers = Numbers::default();
        let mut bags = Self { rows: vec![0], ..Self::default() };
        for (index, text) in sentences.texts().enumerate() {
            if index % WATCH_EVERY == 0 {
                watch(index)?;
            }
            bags.add_row(text, &language, &mut numbers);
        }
        bags.vocabulary = numbers.by_word.len();
        bags.weigh();
        Ok(bags)
    }

    /// How many sentences there are.
    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// How many different words there are.
    pub(super) fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The words of a sentence, ordered by number.
    pub(super) fn row(&self, index: usize) -> &[Entry] {
        &self.entries[self.rows[index]..self.rows[index + 1]]
    }

    /// How many words of any kind a sentence has.
    pub(super) fn length(&self, index: usize) -> usize {
        self.lengths[index]
    }

    /// How many words of any kind the talk has.
    pub(super) fn total_words(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// How much two sentences have in common: 0 is nothing, 1 is everything that counts.
    pub(super) fn resemblance(&self, one: usize, other: usize) -> f64 {
        let (mut a, mut b) = (self.row(one), self.row(other));
        let mut sum = 0.0;
        while let (Some(x), Some(y)) = (a.first(), b.first()) {
            match x.word.cmp(&y.word) {
                std::cmp::Ordering::Less => a = &a[1..],
                std::cmp::Ordering::Greater => b = &b[1..],
                std::cmp::Ordering::Equal => {
                    sum += x.weight * y.weight;
                    (a, b) = (&a[1..], &b[1..]);
                }
            }
        }
        sum
    }

    fn add_row(&mut self, text: &str, language: &Language, numbers: &mut Numbers) {
        let start = self.entries.len();
        let mut length = 0;
        for word in text.unicode_words() {
            length += 1;
            if let Some(stem) = language.stem(word) {
                self.entries.push(Entry { word: numbers.of(stem), weight: 1.0 });
            }
        }
        self.entries[start..].sort_unstable_by_key(|entry| entry.word);
        self.merge_from(start);
        self.rows.push(self.entries.len());
        self.lengths.push(length);
    }

    /// Makes one entry of those with the same word.
    fn merge_from(&mut self, start: usize) {
        let mut kept = start;
        for at in start..self.entries.len() {
            let entry = self.entries[at];
            if kept > start && self.entries[kept - 1].word == entry.word {
                self.entries[kept - 1].weight += entry.weight;
            } else {
                self.entries[kept] = entry;
                kept += 1;
            }
        }
        self.entries.truncate(kept);
    }

    /// Counts to weights: a word weighs more the more often the sentence and the fewer sentences of
    /// the talk have it; then every sentence is brought to the same length, so that long ones do not
    /// win by length.
    fn weigh(&mut self) {
        let mut sentences_with = vec![0_usize; self.vocabulary];
        for entry in &self.entries {
            sentences_with[entry.word] += 1;
        }
        let total = self.len() as f64;
        for row in self.rows.windows(2) {
            let entries = &mut self.entries[row[0]..row[1]];
            for entry in &mut *entries {
                entry.weight *= (1.0 + total / sentences_with[entry.word] as f64).ln();
            }
            let length = entries.iter().map(|e| e.weight * e.weight).sum::<f64>().sqrt();
            for entry in entries {
                entry.weight /= length;
            }
        }
    }
}

/// Gives each word its number.
#[derive(Default)]
struct Numbers {
    by_word: HashMap<String, usize>,
}

impl Numbers {
    fn of(&mut self, word: String) -> usize {
        let next = self.by_word.len();
        *self.by_word.entry(word).or_insert(next)
    }
}

/// How a talk's words are cut down to what counts.
enum Language {
    English(Stemmer),
    Other,
}

impl Language {
    fn of(sentences: &Sentences) -> Self {
        let (mut grammar, mut all) = (0, 0);
        for word in sentences.texts().flat_map(UnicodeSegmentation::unicode_words) {
            all += 1;
            grammar += usize::from(is_grammar(&folded(word)));
        }
        if grammar * 100 >= all * ENGLISH_PERCENT {
            Self::English(Stemmer::create(Algorithm::English))
        } else {
            Self::Other
        }
    }

    /// What counts of a word; nothing of a word of grammar.
    fn stem(&self, word: &str) -> Option<String> {
        let word = folded(word);
        match self {
            Self::English(_) if is_grammar(&word) => None,
            Self::English(stemmer) => {
                let word = word.strip_suffix("'s").unwrap_or(&word);
                Some(stemmer.stem(word).into_owned())
            }
            Self::Other => Some(word),
        }
    }
}

fn folded(word: &str) -> String {
    word.to_lowercase().replace('’', "'")
}

fn is_grammar(word: &str) -> bool {
    static GRAMMAR: LazyLock<HashSet<&str>> =
        LazyLock::new(|| stop_words::lookup("en").unwrap_or_default().iter().copied().collect());
    GRAMMAR.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::summarizer::transcript::Cue;

    fn bags(text: &str) -> Bags {
        let cue = Cue { start: None, end: None, text: text.into() };
        Bags::of(&Sentences::of(&[cue]), &mut |_| Ok(())).unwrap()
    }

    fn check(text: &str, expected: f64) {
        let bags = bags(text);
        let resemblance = bags.resemblance(0, 1);
        assert!((resemblance - expected).abs() < 1e-9, "{text}: {resemblance}");
        assert!((resemblance - bags.resemblance(1, 0)).abs() < 1e-12);
    }

    #[test]
    fn sentences_of_the_same_stems_resemble_each_other_fully() {
        check("The nations are trading. This is the trade of a nation.", 1.0);
        check("It is Ann’s boat. This was the boat of Ann.", 1.0);
    }

    #[test]
    fn words_of_grammar_do_not_count() {
        check("It was the boat. It was the hill.", 0.0);
        check("It is what it is. That was that.", 0.0);
    }

    #[test]
    fn another_language_keeps_its_words() {
        check("Der Hund bellt laut. Der Hund bellt laut.", 1.0);
        let german = bags("Der Hund schläft tief. Der Hund bellt laut.");
        assert!(german.resemblance(0, 1) > 0.0);
        assert_eq!(german.row(0).len(), 4);
    }

    #[test]
    fn every_sentence_that_says_something_has_length_one() {
        let bags = bags("Rain, rain, rain falls in Spain. And so? Planes rain over Spain.");
        let length = |row: &[Entry]| row.iter().map(|e| e.weight * e.weight).sum::<f64>();
        let lengths: Vec<_> = (0..bags.len()).map(|i| length(bags.row(i))).collect();
        assert!((lengths[0] - 1.0).abs() < 1e-9 && (lengths[2] - 1.0).abs() < 1e-9);
        assert!(bags.row(1).is_empty(), "words of grammar only");
    }
}
