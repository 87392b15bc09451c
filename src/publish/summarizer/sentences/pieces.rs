//! Divides words that no full stop divides: automatic captions, mostly.
//!
//! The best places are pauses, then words with which speakers begin something new, then the end of
//! a caption.

use std::ops::Range;
use std::time::Duration;

use super::{MAX_OPEN_WORDS, Mark};

/// Fewer words are no piece of their own.
const MIN_WORDS: usize = 8;

/// From here on a word that begins something new is a good place.
const GOOD_WORDS: usize = 14;

/// A silence that divides.
const PAUSE: Duration = Duration::from_millis(700);

/// With which speakers begin something new.
const TURNS: &[&str] =
    &["and", "anyway", "because", "but", "finally", "now", "okay", "ok", "so", "then", "well"];

/// Divides `bytes` of `text` into pieces of at most [`MAX_OPEN_WORDS`] words.
pub(super) fn split(text: &str, bytes: Range<usize>, marks: &[Mark]) -> Vec<Range<usize>> {
    let first_mark = marks.partition_point(|mark| mark.at < bytes.start);
    let mut marks = marks[first_mark..].iter().peekable();
    let mut pieces = Pieces { done: Vec::new(), start: bytes.start, words: 0, cue: None };
    let mut at = bytes.start;
    let mut previous_end = bytes.start;
    for word in text[bytes.clone()].split(' ') {
        let mark = marks.next_if(|mark| mark.at <= at).copied();
        if let Some(end) = pieces.end_before(word, at, mark) {
            let previous = if end == at { previous_end } else { end };
            pieces.end(text, previous, end);
        }
        pieces.words += 1;
        previous_end = at + word.len();
        at = previous_end + 1;
    }
    pieces.end(text, bytes.end, bytes.end);
    pieces.done
}

struct Pieces {
    done: Vec<Range<usize>>,
    start: usize,
    /// Words since `start`.
    words: usize,
    /// The last caption that began in this piece far enough from its start, and the words up to it.
    cue: Option<(usize, usize)>,
}

impl Pieces {
    /// Where the piece ends, if it does so at the latest before `word`.
    fn end_before(&mut self, word: &str, at: usize, mark: Option<Mark>) -> Option<usize> {
        let paused = mark.is_some_and(|mark| mark.pause >= PAUSE);
        if self.words >= MIN_WORDS && paused {
            return Some(at);
        }
        if self.words >= GOOD_WORDS && is_turn(word) {
            return Some(at);
        }
        if mark.is_some() && self.words >= GOOD_WORDS {
            self.cue = Some((at, self.words));
        }
        (self.words >= MAX_OPEN_WORDS).then(|| self.cue.map_or(at, |(cue, _)| cue))
    }

    fn end(&mut self, text: &str, end: usize, next: usize) {
        let piece = text[self.start..end].trim_end();
        if !piece.is_empty() {
            self.done.push(self.start..self.start + piece.len());
        }
        self.words -= self.cue.take().filter(|(at, _)| *at == next).map_or(self.words, |(_, n)| n);
        self.start = next;
    }
}

fn is_turn(word: &str) -> bool {
    word.len() <= 8 && TURNS.contains(&word.to_lowercase().trim_end_matches(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/` begins a caption, `//` one after a pause; checks the pieces, which `expected` parts by `|`.
    fn check(captions: &str, expected: &str) {
        let (mut text, mut marks) = (String::new(), Vec::new());
        for word in captions.split_whitespace() {
            let pause = match word {
                "/" => Duration::ZERO,
                "//" => PAUSE,
                _ => {
                    text.push_str(word);
                    text.push(' ');
                    continue;
                }
            };
            marks.push(Mark { at: text.len(), start: None, pause });
        }
        let text = text.trim_end();
        let found: Vec<_> =
            split(text, 0..text.len(), &marks).into_iter().map(|piece| &text[piece]).collect();
        assert_eq!(found.join(" | "), expected);
    }

    fn words(n: usize) -> String {
        vec!["x"; n].join(" ")
    }

    #[test]
    fn a_pause_divides() {
        check("a b c d e f g h // i j k", "a b c d e f g h | i j k");
        check("a b // c d e f g h // i j k", "a b c d e f g h | i j k");
    }

    #[test]
    fn a_turn_of_speech_divides_when_there_is_enough() {
        check(&format!("{} so y and z", words(14)), &format!("{} | so y and z", words(14)));
        check(&format!("{} so y", words(5)), &format!("{} so y", words(5)));
    }

    #[test]
    fn the_end_of_a_caption_divides_when_nothing_else_does() {
        check(
            &format!("{} / {} / {}", words(10), words(12), words(25)),
            &format!("{} | {}", words(22), words(25)),
        );
    }

    #[test]
    fn otherwise_the_number_of_words_divides() {
        check(&words(90), &format!("{} | {} | {}", words(40), words(40), words(10)));
    }
}
