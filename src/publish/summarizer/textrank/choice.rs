//! Which sentences make the summary: the best ones, but from the whole talk, and nothing twice.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::bearing;
use super::words::Bags;
use crate::publish::summarizer::sentences::Sentences;

/// With more in common, two sentences say the same.
const SAME: f64 = 0.6;

/// Sentences with fewer words say little alone; with more they are no summary.
const GOOD_WORDS: RangeInclusive<usize> = 8..=60;

/// What a sentence that leans on the one before it keeps of its score.
const LEANING: f64 = 0.4;

/// Chooses at most `count` sentences; best first, ties by position.
pub(super) fn choose(
    sentences: &Sentences,
    bags: &Bags,
    scores: &[f64],
    chapters: &[Option<usize>],
    count: usize,
) -> Vec<usize> {
    if count == 0 || sentences.len() <= count {
        return (0..sentences.len()).take(count).collect();
    }
    let mut choice = Choice { bags, chosen: Vec::with_capacity(count) };
    let candidates = candidates(sentences, bags, scores, count);

    // The best of every part of the talk first, so that no part is passed over.
    let mut parts = Parts::of(chapters, bags, count);
    for &index in &candidates {
        if choice.chosen.len() < count && parts.is_empty(index) && choice.add(index) {
            parts.take(index);
        }
    }
    // Then the best of all, but no part gets more than twice its share.
    for &index in &candidates {
        if choice.chosen.len() < count && parts.has_room(index) && choice.add(index) {
            parts.take(index);
        }
    }
    choice.chosen
}

/// A chapter with fewer sentences is no part of its own: a greeting, a word of thanks.
const LEAST_SENTENCES: usize = 5;

/// The parts of a talk, each of which is to be heard.
struct Parts {
    /// The part of each sentence.
    of: Vec<usize>,
    /// How many sentences of each part are chosen.
    taken: Vec<usize>,
    /// How many may be.
    most: Vec<usize>,
}

impl Parts {
    /// The talk's chapters, unless there are too few or too many of them; else parts of the same size.
    fn of(chapters: &[Option<usize>], bags: &Bags, count: usize) -> Self {
        let sentences = bags.len();
        let equal = count.div_ceil(2);
        let Some(of) = by_chapter(chapters).filter(|(_, parts)| (2..=count).contains(parts)) else {
            let of = by_words(bags, equal);
            return Self { of, taken: vec![0; equal], most: vec![4; equal] };
        };
        let (of, parts) = of;
        let mut sizes = vec![0; parts];
        for &part in &of {
            sizes[part] += 1;
        }
        let twice_its_share = |size: &usize| (2 * count * size).div_ceil(sentences).max(1);
        Self { of, taken: vec![0; parts], most: sizes.iter().map(twice_its_share).collect() }
    }

    fn is_empty(&self, index: usize) -> bool {
        self.taken[self.of[index]] == 0
    }

    fn has_room(&self, index: usize) -> bool {
        self.taken[self.of[index]] < self.most[self.of[index]]
    }

    fn take(&mut self, index: usize) {
        self.taken[self.of[index]] += 1;
    }
}

/// The part of each sentence, when each part has as many words: by sentences, a few long ones could fill a fifth
/// of a talk and be passed over.
fn by_words(bags: &Bags, parts: usize) -> Vec<usize> {
    let total = bags.total_words().max(1);
    let mut before = 0;
    let part = |index| {
        let part = before * parts / total;
        before += bags.length(index);
        part.min(parts - 1)
    };
    (0..bags.len()).map(part).collect()
}

/// The part of each sentence, and how many parts there are, when each chapter that is long enough is one; a short
/// one belongs to the part before it, or to the first. None if there are no chapters.
fn by_chapter(chapters: &[Option<usize>]) -> Option<(Vec<usize>, usize)> {
    chapters.iter().flatten().next()?;
    let mut lengths = HashMap::new();
    for chapter in chapters {
        *lengths.entry(*chapter).or_insert(0) += 1;
    }
    let mut of = Vec::with_capacity(chapters.len());
    let is_long = |chapter: &Option<usize>| lengths[chapter] >= LEAST_SENTENCES;
    let mut present = *chapters.first()?;
    let (mut part, mut part_is_long) = (0, is_long(&present));
    for &chapter in chapters {
        if chapter != present {
            present = chapter;
            if is_long(&chapter) && std::mem::replace(&mut part_is_long, true) {
                part += 1;
            }
        }
        of.push(part);
    }
    Some((of, part + 1))
}

struct Choice<'a> {
    bags: &'a Bags,
    chosen: Vec<usize>,
}

impl Choice<'_> {
    /// Adds a sentence unless it says what another one says already.
    fn add(&mut self, index: usize) -> bool {
        let said = |&other: &usize| other == index || self.bags.resemblance(index, other) > SAME;
        let new = !self.chosen.iter().any(said);
        if new {
            self.chosen.push(index);
        }
        new
    }
}

/// The sentences that can stand in a summary, best first; all of them if too few can.
fn candidates(sentences: &Sentences, bags: &Bags, scores: &[f64], count: usize) -> Vec<usize> {
    // Without full stops the pieces are cut before just these words.
    let leans = |text: &str| sentences.is_punctuated() && bearing::is_leaning(text);
    let merit = |(text, score): (_, &f64)| if leans(text) { score * LEANING } else { *score };
    let merits: Vec<f64> = sentences.texts().zip(scores).map(merit).collect();
    let good = |&i: &usize| {
        sentences.is_whole(i)
            && GOOD_WORDS.contains(&bags.length(i))
            && bearing::is_quotable(sentences.text(i))
    };
    let mut list: Vec<usize> = (0..sentences.len()).filter(good).collect();
    if list.len() < count {
        list = (0..sentences.len()).collect();
    }
    let better = |a: &usize, b: &usize| match merits[*b].total_cmp(&merits[*a]) {
        Ordering::Equal => a.cmp(b),
        unequal => unequal,
    };
    list.sort_unstable_by(better);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::summarizer::transcript::Cue;

    /// A talk of so many sentences with nothing in common, and one score for each.
    fn chosen(texts: &[String], scores: &[f64], count: usize) -> Vec<usize> {
        let cue = |text: &String| Cue { start: None, end: None, text: text.clone() };
        let sentences = Sentences::of(&texts.iter().map(cue).collect::<Vec<_>>());
        let bags = Bags::of(&sentences, &mut |_| Ok(())).unwrap();
        let mut chosen = choose(&sentences, &bags, scores, &vec![None; texts.len()], count);
        chosen.sort_unstable();
        chosen
    }

    fn distinct(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("What is what the a{i} b{i} c{i} d{i} was.")).collect()
    }

    #[test]
    fn every_part_of_the_talk_is_covered() {
        // The first quarter has all the votes.
        let scores: Vec<_> = (0..80).map(|i| if i < 20 { 10.0 } else { 1.0 }).collect();
        let chosen = chosen(&distinct(80), &scores, 8);
        assert_eq!(chosen, [0, 1, 2, 3, 20, 21, 40, 60]);
    }

    #[test]
    fn parts_have_the_same_number_of_words_not_of_sentences() {
        // The last four sentences are half of the talk.
        let mut texts = distinct(24);
        for text in &mut texts[20..] {
            *text = format!("{}.", text.trim_end_matches('.').repeat(5));
        }
        let scores: Vec<_> = (0..24).map(|i| if i < 20 { 10.0 } else { 1.0 }).collect();
        assert_eq!(chosen(&texts, &scores, 4), [0, 1, 2, 20]);
    }

    #[test]
    fn a_sentence_that_leans_on_another_gives_way_to_one_that_stands() {
        let mut texts = distinct(6);
        texts[1] = "But the a1 b1 c1 was what the d1 was.".into();
        assert_eq!(chosen(&texts, &[9.0, 8.0, 5.0, 1.0, 1.0, 1.0], 2), [0, 2]);
    }

    #[test]
    fn every_chapter_is_heard_but_for_the_shortest() {
        let texts = distinct(40);
        let cue = |text: &String| Cue { start: None, end: None, text: text.clone() };
        let sentences = Sentences::of(&texts.iter().map(cue).collect::<Vec<_>>());
        let bags = Bags::of(&sentences, &mut |_| Ok(())).unwrap();
        // Two sentences of greeting, and then chapters of 20, 10 and 8 sentences.
        let chapter = |i: usize| Some([2, 22, 32].iter().filter(|end| i >= **end).count());
        let chapters: Vec<_> = (0..40).map(chapter).collect();
        let scores: Vec<_> =
            (0..40).map(|i| if (2..22).contains(&i) { 9.0 } else { 1.0 }).collect();
        let mut chosen = choose(&sentences, &bags, &scores, &chapters, 4);
        chosen.sort_unstable();
        // The greeting counts as part of the first chapter.
        assert_eq!(chosen, [2, 3, 22, 32]);
    }

    #[test]
    fn equal_scores_are_taken_by_position() {
        assert_eq!(chosen(&distinct(10), &[1.0; 10], 2), [0, 1]);
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let mut texts = distinct(6);
        texts[1] = texts[0].clone();
        assert_eq!(chosen(&texts, &[9.0, 8.0, 3.0, 1.0, 1.0, 1.0], 2), [0, 2]);
    }

    #[test]
    fn sentences_that_cannot_stand_alone_are_left_out() {
        let mut texts = distinct(6);
        texts[0] = "Yes a0.".into();
        texts[1] = "A heading that has eight words or more".into();
        assert_eq!(chosen(&texts, &[9.0, 8.0, 1.0, 1.0, 1.0, 1.0], 2), [2, 3]);
    }

    #[test]
    fn with_too_few_good_ones_any_will_do() {
        let texts: Vec<_> =
            ["Yes one.", "No two.", "Ten three.", "Well four."].map(str::to_owned).into();
        assert_eq!(chosen(&texts, &[1.0, 4.0, 3.0, 2.0], 2), [1, 2]);
    }
}
