//! Where sentences end: at terminators, by what stands before and after them.

use std::ops::Range;

use super::abbreviations;

/// What the whole text tells about how its writer ends sentences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Sentences begin with a capital, so a small letter after a full stop shows an abbreviation.
    capitals: bool,
}

impl Style {
    pub(super) fn of(text: &str) -> Self {
        let (mut large, mut small) = (0, 0);
        for boundary in Boundaries::new(text) {
            match text[boundary.next..].chars().next() {
                Some(c) if c.is_lowercase() => small += 1,
                Some(c) if c.is_uppercase() => large += 1,
                _ => {}
            }
        }
        // Abbreviations and hesitations bring small letters into any text, but not that many.
        Self { capitals: large * 4 >= small }
    }
}

/// The sentences of one paragraph.
pub(super) fn split(text: &str, paragraph: Range<usize>, style: Style) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    let mut start = paragraph.start;
    let base = paragraph.start;
    let text = &text[..paragraph.end];
    for boundary in Boundaries::new(&text[base..]) {
        let (end, next) = (base + boundary.end, base + boundary.next);
        if ends_sentence(&text[start..end], &text[next..], style) {
            sentences.push(start..end);
            start = next;
        }
    }
    if !text[start..].trim().is_empty() {
        sentences.push(start..text.trim_end().len());
    }
    sentences
}

/// Whether a sentence ends between `before`, which ends with a terminator, and `after`.
fn ends_sentence(before: &str, after: &str, style: Style) -> bool {
    let next_word = after.split(' ').next().unwrap_or("");
    let next_word = next_word.trim_matches(|c: char| !c.is_alphanumeric());
    if style.capitals && next_word.starts_with(char::is_lowercase) {
        return false;
    }
    let stripped = before.trim_end_matches(is_closer);
    match stripped.strip_suffix('.') {
        Some(words) if stripped.len() == before.len() && !words.ends_with(is_terminator) => {
            !abbreviations::goes_on(words, next_word, style.capitals)
        }
        _ => true,
    }
}

/// The places where a sentence may end: after terminators and closing marks, before a space.
struct Boundaries<'a> {
    text: &'a str,
    at: usize,
}

struct Boundary {
    /// Where the sentence would end.
    end: usize,
    /// Where the next would begin.
    next: usize,
}

impl<'a> Boundaries<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Boundaries<'_> {
    type Item = Boundary;

    fn next(&mut self) -> Option<Boundary> {
        loop {
            let rest = &self.text[self.at..];
            let mark = rest.find(is_terminator)?;
            let after_marks = rest[mark..].trim_start_matches(is_terminator);
            let after = after_marks.trim_start_matches(is_closer);
            let needs_no_space =
                rest[..rest.len() - after_marks.len()].ends_with(is_wide_terminator);
            let end = self.text.len() - after.len();
            self.at = end;
            let begins = after.trim_start_matches(' ');
            let next = self.text.len() - begins.len();
            if !begins.is_empty() && (needs_no_space || next > end) {
                return Some(Boundary { end, next });
            }
        }
    }
}

pub(super) fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '‼' | '⁇' | '⁈' | '⁉' | '؟' | '۔' | '।' | '॥' | '։' | '።')
        || is_wide_terminator(c)
}

/// Those of scripts that put no space after a sentence.
fn is_wide_terminator(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '．')
}

pub(super) fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»' | '›' | '」' | '』' | '）')
}

#[cfg(test)]
mod tests {
    use crate::publish::summarizer::sentences::Sentences;
    use crate::publish::summarizer::transcript::Cue;

    /// Every line of `talk` is one sentence; checks that they are found again when joined.
    fn check(talk: &str) {
        let expected: Vec<_> = talk.lines().map(str::trim).collect();
        let cue = Cue { start: None, end: None, text: expected.join(" ") };
        let sentences = Sentences::of(&[cue]);
        assert_eq!(sentences.texts().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn full_stops_questions_and_exclamations_end_sentences() {
        check("This is one.\nIs this two?\nYes!\nWell… maybe.\nWhat?!\nThe end");
        check(
            "He said: “It is over.”\n(Nobody laughed.)\n‘Why?’\n“Because I said so!” he shouted.\nSo.",
        );
    }

    #[test]
    fn titles_and_initials_do_not_end_sentences() {
        check("Dr. Smith met Mrs. Jones and Prof. Brown.\nThey agreed.");
        check("Franklin D. Roosevelt and J. R. R. Tolkien never met.\nSt. Paul is a city.");
        check("Gen. Grant and Lt. Col. Custer came.\nMr. President, thank you.");
    }

    #[test]
    fn abbreviations_end_a_sentence_only_before_its_like() {
        check("The U.S. Army stayed in the U.S.\nIt was 5 p.m.\nWe left at 6 a.m. Eastern time.");
        check("Use fruit, e.g. Apples, i.e. the red ones, etc.\nThen stop.");
        check(
            "Martin Luther King Jr. Day is in January.\nHe worked for Apple Inc.\nThey liked him.",
        );
        check("She has a Ph.D. in physics.\nHe has a Ph.D.\nThe others have none.");
    }

    #[test]
    fn numbers_keep_their_points() {
        check(
            "It grew by 3.5 percent to $1.2 million.\nSee No. 7 on Sept. 11 at 10.30.\nNo.\n7 is odd.",
        );
        check("It is version 2.0.\nNext came 3.0.");
        check("We saw 12.\nThey saw 13.");
    }

    #[test]
    fn dots_of_hesitation_do_not_end_a_sentence_that_goes_on() {
        check("I was... how to say... lost.\nReally...\nYes.");
        check("Oh! how I wish it were so.\n“Stop!” he cried.\nThey stopped.");
    }

    #[test]
    fn sentences_without_capitals_are_found_by_their_full_stops() {
        check("hello everyone.\nwelcome back.\ntoday we talk about dr. who.\nit is great.");
    }

    #[test]
    fn other_scripts_have_their_own_full_stops() {
        let cue =
            Cue { start: None, end: None, text: "今天很好。明天呢？是的！".into() };
        let sentences = Sentences::of(&[cue]);
        assert_eq!(sentences.texts().collect::<Vec<_>>(), ["今天很好。", "明天呢？", "是的！"]);
    }
}
