//! TextRank: the sentences that a talk's other sentences have most in common with.
//!
//! After Mihalcea and Tarau, "TextRank: Bringing Order into Text" (2004): sentences vote for those
//! they resemble, and votes of sentences with many votes count more. Resemblance is the cosine of
//! TF-IDF vectors, as in Erkan and Radev's LexRank. That choice makes long talks cheap: the matrix of
//! all resemblances is a product of two sparse ones, so votes are counted through the words ([`votes`])
//! without ever making the matrix, in time and memory proportional to the talk.
//!
//! Which of the best are taken, so that the whole talk is covered and nothing is said twice, is
//! [`choice`]'s business; [`bearing`] knows what makes no sense alone. The same talk always gives the same summary.

mod bearing;
mod choice;
mod votes;
mod words;

use std::ops::ControlFlow;
use std::time::Duration;

use super::cut::cut;
use super::engine::{KeySentence, Summary, Watch};
use super::sentences::Sentences;
use super::talk::Chapter;

/// How much of a talk becomes its summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// The share of the sentences, in percent; 0 gives the least allowed.
    pub percent: usize,
    /// At least so many sentences, if there are as many.
    pub min_sentences: usize,
    /// At most so many sentences; 0 means no such limit.
    pub max_sentences: usize,
}

impl Default for Length {
    fn default() -> Self {
        Self { percent: 5, min_sentences: 3, max_sentences: 15 }
    }
}

impl Length {
    fn of(self, sentences: usize) -> usize {
        let max = if self.max_sentences == 0 { usize::MAX } else { self.max_sentences };
        let share = sentences.saturating_mul(self.percent).div_ceil(100);
        share.max(self.min_sentences).min(max).min(sentences)
    }
}

/// Summarizing was stopped by the one who watches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// Picks a talk's key sentences.
pub fn summarize(
    sentences: &Sentences,
    chapters: &[Chapter],
    length: Length,
    watch: &mut Watch<'_>,
) -> Result<Summary, Stopped> {
    let bags = words::Bags::of(sentences, &mut |done| step(watch, 5, 60, done, sentences.len()))?;
    let scores = votes::scores(&bags, &mut |done, of| step(watch, 60, 95, done, of))?;
    let chapter_of: Vec<_> =
        (0..sentences.len()).map(|index| chapter_at(chapters, sentences.start(index))).collect();
    let count = length.of(sentences.len());
    let mut chosen = choice::choose(sentences, &bags, &scores, &chapter_of, count);
    chosen.sort_unstable();
    let key_sentence = |index: usize| KeySentence {
        text: cut(sentences.text(index), MAX_SENTENCE_CHARS),
        start: sentences.start(index),
        index: Some(index),
        chapter: chapter_of[index],
    };
    Ok(Summary {
        overview: None,
        sentences: chosen.into_iter().map(key_sentence).collect(),
        chapters: chapters.to_vec(),
        total_sentences: sentences.len(),
        total_words: bags.total_words(),
    })
}

/// The chapter that something said at this time is from. What is said before the first belongs to it.
pub(super) fn chapter_at(chapters: &[Chapter], time: Option<Duration>) -> Option<usize> {
    let time = time.filter(|_| !chapters.is_empty())?;
    let begun = chapters.partition_point(|chapter| chapter.start <= time);
    Some(begun.saturating_sub(1))
}

/// No speaker's sentence is longer, but a file of one endless word is.
const MAX_SENTENCE_CHARS: usize = 2_000;

/// Tells the watcher that `done` of `of` steps between two percentages are done.
fn step(watch: &mut Watch<'_>, from: u8, to: u8, done: usize, of: usize) -> Result<(), Stopped> {
    let part = usize::from(to - from) * done.min(of) / of.max(1);
    match watch(from + part as u8) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Stopped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::summarizer::transcript::{Format, Transcript};

    fn sentences(text: &str) -> Sentences {
        Sentences::of(&Transcript::parse(Format::Text, text).unwrap().cues)
    }

    fn brief(text: &str, length: Length) -> Vec<String> {
        let summary =
            summarize(&sentences(text), &[], length, &mut |_| ControlFlow::Continue(())).unwrap();
        summary.sentences.into_iter().map(|s| s.text).collect()
    }

    fn take(n: usize) -> Length {
        Length { percent: 0, min_sentences: n, max_sentences: n }
    }

    #[test]
    fn the_sentence_that_the_others_speak_of_is_chosen() {
        let text = "The lighthouse keeper trims the lamp every night. \
                    Sailors trust the lamp of the lighthouse at night. \
                    My cousin prefers coffee to tea in general. \
                    The keeper of the lighthouse never leaves the lamp to the sailors.";
        let chosen = brief(text, take(2));
        assert_eq!(chosen.len(), 2);
        assert!(chosen.iter().all(|s| s.contains("lighthouse")), "{chosen:?}");
    }

    #[test]
    fn a_summary_keeps_the_order_of_the_talk() {
        let topic = |i| format!("Topic {i} concerns boats and water number {}.", i % 7);
        let all = sentences(&(0..40).map(topic).collect::<Vec<_>>().join(" "));
        let length = Length { percent: 25, min_sentences: 3, max_sentences: 0 };
        let summary = summarize(&all, &[], length, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(summary.sentences.is_sorted_by_key(|s| s.index));
        assert_eq!(summary.total_sentences, 40);
    }

    #[test]
    fn a_short_talk_is_its_own_summary() {
        assert_eq!(brief("Only this was ever said.", take(3)), ["Only this was ever said."]);
        assert_eq!(brief("Yes. No.", take(3)), ["Yes.", "No."]);
    }

    #[test]
    fn an_endless_word_is_cut() {
        let chosen = brief(&"ä".repeat(10_000), take(3));
        assert_eq!(chosen[0].chars().count(), MAX_SENTENCE_CHARS + 1);
    }

    #[test]
    fn the_same_talk_gives_the_same_summary() {
        let text =
            "Rain falls on the plain. Plain rain falls. The fall of rain is plain. ".repeat(30);
        assert_eq!(brief(&text, take(3)), brief(&text, take(3)));
    }

    #[test]
    fn length_follows_the_share_within_its_bounds() {
        let length = Length { percent: 10, min_sentences: 3, max_sentences: 8 };
        let check = |sentences, expected| assert_eq!(length.of(sentences), expected, "{sentences}");
        check(0, 0);
        check(2, 2);
        check(20, 3);
        check(50, 5);
        check(1_000, 8);
        assert_eq!(Length { max_sentences: 0, ..length }.of(1_000), 100);
    }

    #[test]
    fn the_watcher_sees_the_percentage_grow_and_can_stop() {
        let all = sentences(&"Rain falls on the plain. Sun shines on the hill. ".repeat(600));
        let mut seen = Vec::new();
        let done = summarize(&all, &[], Length::default(), &mut |percent| {
            seen.push(percent);
            ControlFlow::Continue(())
        });
        assert!(done.is_ok() && seen.is_sorted() && seen.len() > 3, "{seen:?}");
        for stop_at in 0..seen.len() {
            let mut calls = 0;
            let stopped = summarize(&all, &[], Length::default(), &mut |_| {
                calls += 1;
                if calls > stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!((stopped, calls), (Err(Stopped), stop_at + 1));
        }
    }
}
