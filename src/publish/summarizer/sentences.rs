//! Cues to sentences, each with the time at which it begins.
//!
//! A full stop ends a sentence unless it belongs to an abbreviation (see [`ends`] and [`abbreviations`]). Automatic
//! captions often have no full stops at all; there, and wherever a sentence would grow beyond any
//! speaker's breath, pauses and turns of speech divide the words (see [`pieces`]).

mod abbreviations;
mod ends;
mod pieces;

use std::ops::Range;
use std::time::Duration;

use super::transcript::Cue;

/// A talk's words as sentences.
#[derive(Debug, Clone, Default)]
pub struct Sentences {
    text: String,
    list: Vec<Sentence>,
    /// In a talk without full stops the pieces are all there is; elsewhere they are torn sentences.
    punctuated: bool,
}

#[derive(Debug, Clone)]
struct Sentence {
    bytes: Range<usize>,
    start: Option<Duration>,
    /// By a full stop or its like.
    ended: bool,
}

/// Words without a full stop are divided when there are more.
const MAX_OPEN_WORDS: usize = 40;

/// Words that end with a full stop are divided when there are more; some authors do write sentences of
/// a hundred.
const MAX_WORDS: usize = 150;

impl Sentences {
    /// Divides what was said.
    pub fn of(cues: &[Cue]) -> Self {
        let joined = Joined::new(cues);
        let style = ends::Style::of(&joined.text);
        let mut list = Vec::new();
        for paragraph in &joined.paragraphs {
            for bytes in ends::split(&joined.text, paragraph.clone(), style) {
                joined.add_sentence(bytes, &mut list);
            }
        }
        let ended = list.iter().filter(|s| s.ended).map(|s| s.bytes.len()).sum::<usize>();
        let punctuated = ended * 2 >= joined.text.len();
        Self { text: joined.text, list, punctuated }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The sentences' texts, in order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.list.iter().map(|sentence| &self.text[sentence.bytes.clone()])
    }

    /// The text of the sentence at `index`, which must be below [`len`](Self::len).
    pub fn text(&self, index: usize) -> &str {
        &self.text[self.list[index].bytes.clone()]
    }

    /// When the cue began in which the sentence at `index` begins.
    pub fn start(&self, index: usize) -> Option<Duration> {
        self.list[index].start
    }

    /// Whether full stops or their like end most of what was said.
    pub fn is_punctuated(&self) -> bool {
        self.punctuated
    }

    /// Whether the sentence at `index` can stand alone: it is neither a heading nor half a quotation.
    pub fn is_whole(&self, index: usize) -> bool {
        let complete = self.list[index].ended || !self.punctuated;
        complete && is_balanced(self.text(index))
    }
}

/// All cues as one text, with the places where they begin.
struct Joined {
    text: String,
    marks: Vec<Mark>,
    /// What no sentence crosses: paragraphs of plain text, turns of a dialogue in captions.
    paragraphs: Vec<Range<usize>>,
}

/// Where a cue begins.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: usize,
    start: Option<Duration>,
    /// How long nothing was said before it.
    pause: Duration,
}

impl Joined {
    fn new(cues: &[Cue]) -> Self {
        let mut joined = Self { text: String::new(), marks: Vec::new(), paragraphs: Vec::new() };
        let (mut paragraph_start, mut last_end) = (0, None);
        for cue in cues {
            // `>>` is how captions show that someone else speaks.
            for (turn, words) in cue.text.split(">>").enumerate() {
                let new_paragraph = turn > 0 || cue.start.is_none();
                if new_paragraph && joined.text.len() > paragraph_start {
                    joined.paragraphs.push(paragraph_start..joined.text.len());
                    joined.text.push(' ');
                    paragraph_start = joined.text.len();
                } else if joined.text.len() > paragraph_start {
                    joined.text.push(' ');
                }
                let pause = pause(last_end.take(), cue.start);
                joined.marks.push(Mark { at: joined.text.len(), start: cue.start, pause });
                joined.text.push_str(words.trim());
            }
            last_end = cue.end;
        }
        joined.paragraphs.push(paragraph_start..joined.text.len());
        joined
    }

    /// Adds the sentence at `bytes`, in pieces if it is too long to be one.
    fn add_sentence(&self, bytes: Range<usize>, list: &mut Vec<Sentence>) {
        let text = &self.text[bytes.clone()];
        let ended = text.trim_end_matches(ends::is_closer).ends_with(ends::is_terminator);
        let max_words = if ended { MAX_WORDS } else { MAX_OPEN_WORDS };
        if text.split(' ').nth(max_words).is_none() {
            list.push(self.sentence(bytes, ended));
            return;
        }
        for piece in pieces::split(&self.text, bytes, &self.marks) {
            list.push(self.sentence(piece, false));
        }
    }

    fn sentence(&self, bytes: Range<usize>, ended: bool) -> Sentence {
        let after = self.marks.partition_point(|mark| mark.at <= bytes.start);
        let start = after.checked_sub(1).and_then(|mark| self.marks[mark].start);
        Sentence { bytes, start, ended }
    }
}

/// Whether quotation marks and brackets that open also close: half a quotation is a torn piece.
fn is_balanced(text: &str) -> bool {
    let count = |mark: char| text.matches(mark).count();
    count('"') % 2 == 0 && count('“') == count('”') && count('(') == count(')')
}

fn pause(last_end: Option<Duration>, start: Option<Duration>) -> Duration {
    match (last_end, start) {
        (Some(end), Some(start)) => start.saturating_sub(end),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start_s: u64, end_s: u64, text: &str) -> Cue {
        let time = |s| Some(Duration::from_secs(s));
        Cue { start: time(start_s), end: time(end_s), text: text.to_owned() }
    }

    #[test]
    fn a_sentence_has_the_time_of_the_cue_it_begins_in() {
        let sentences =
            Sentences::of(&[cue(1, 2, "Hello. My"), cue(3, 4, "name is"), cue(5, 6, "Ann. Bye.")]);
        let times: Vec<_> = (0..sentences.len())
            .map(|i| (sentences.text(i), sentences.start(i).unwrap().as_secs()))
            .collect();
        assert_eq!(times, [("Hello.", 1), ("My name is Ann.", 1), ("Bye.", 5)]);
    }

    #[test]
    fn a_new_speaker_begins_a_new_sentence() {
        let sentences = Sentences::of(&[cue(1, 2, ">> Are you"), cue(2, 3, "sure >> I am")]);
        assert_eq!(sentences.texts().collect::<Vec<_>>(), ["Are you sure", "I am"]);
    }

    #[test]
    fn paragraphs_and_headings_stand_apart() {
        let paragraph = |text: &str| Cue { start: None, end: None, text: text.into() };
        let sentences = Sentences::of(&[
            paragraph("CHAPTER I. The Beginning"),
            paragraph("It was a dark and stormy night. Nobody came, nobody called, nobody wrote."),
        ]);
        let whole: Vec<_> =
            (0..sentences.len()).map(|i| (sentences.text(i), sentences.is_whole(i))).collect();
        assert_eq!(
            whole,
            [
                ("CHAPTER I.", true),
                ("The Beginning", false),
                ("It was a dark and stormy night.", true),
                ("Nobody came, nobody called, nobody wrote.", true),
            ]
        );
    }

    #[test]
    fn half_a_quotation_is_torn() {
        let sentences =
            Sentences::of(&[cue(0, 9, "“I came. I saw.” He won (at last). \"Oh. No.\"")]);
        let whole: Vec<_> = (0..sentences.len()).map(|i| sentences.is_whole(i)).collect();
        assert_eq!(whole, [false, false, true, false, false]);
    }

    #[test]
    fn a_talk_without_full_stops_becomes_pieces_that_count_as_whole() {
        let words = "we went there to see what it was and it was fine ".repeat(20);
        let sentences = Sentences::of(&[cue(0, 60, words.trim())]);
        assert!(sentences.len() >= 5, "{}", sentences.len());
        for (index, text) in sentences.texts().enumerate() {
            assert!(text.split(' ').count() <= MAX_OPEN_WORDS, "{text}");
            assert!(sentences.is_whole(index));
        }
    }

    #[test]
    fn nothing_is_lost_or_said_twice() {
        let talk = "A b. C d! e f? G. H. I. j k l... M n.o p. ".repeat(50);
        let sentences = Sentences::of(&[cue(0, 1, talk.trim())]);
        let joined = sentences.texts().collect::<Vec<_>>().join(" ");
        assert_eq!(joined, talk.trim());
    }

    #[test]
    fn hostile_text_costs_time_in_proportion_to_its_size() {
        for piece in
            [".", ". ", "a. ", "! ", "。", "\"", ".\" ", "A.B.", "x", "x ", "(", ">>", "1. "]
        {
            let text = piece.repeat(300_000 / piece.len());
            // Quadratic time would make this test run for minutes.
            let _ = Sentences::of(&[cue(0, 1, text.trim())]);
        }
    }
}
