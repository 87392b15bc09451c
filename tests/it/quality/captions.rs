//! A text as captions: times and chapters are made up, and known, so that those of a summary can be checked.

use std::fmt::Write as _;
use std::time::Duration;

use tidings::publish::summarizer::engine::Summary;
use tidings::publish::summarizer::talk::Chapter;

/// A caption has so many words,
const WORDS: usize = 9;

/// and is shown for so long.
const SHOWN: Duration = Duration::from_millis(3_200);

/// A WebVTT file and the chapters of its talk.
pub(super) struct Captions {
    pub(super) file: String,
    pub(super) chapters: Vec<Chapter>,
}

impl Captions {
    /// Captions of these parts, one chapter each. A caption may belong to two parts.
    pub(super) fn of(parts: &[String]) -> Self {
        let words: Vec<_> = parts.iter().flat_map(|part| part.split_whitespace()).collect();
        let mut file = "WEBVTT\n".to_owned();
        for (n, caption) in words.chunks(WORDS).enumerate() {
            let (from, to) = (stamp(start(n * WORDS)), stamp(start((n + 1) * WORDS)));
            let text = caption.join(" ").replace('&', "&amp;").replace('<', "&lt;");
            write!(file, "\n{from} --> {to}\n{text}\n").unwrap();
        }
        let mut at = 0;
        let mut chapters = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            chapters.push(Chapter { title: format!("Part {}", n + 1), start: start(at) });
            at += part.split_whitespace().count();
        }
        Self { file, chapters }
    }

    /// Every sentence has the time of the caption that it begins in, and the chapter of that time; every
    /// chapter has a sentence.
    pub(super) fn check(&self, line: &str, summary: &Summary) {
        for sentence in &summary.sentences {
            let begun = sentence.start.unwrap();
            let places = line.match_indices(&sentence.text);
            let mut words = places.map(|(at, _)| line[..at].split_whitespace().count());
            assert!(words.any(|word| start(word) == begun), "{begun:?}: {}", sentence.text);
            let chapter = self.chapters.iter().rposition(|chapter| chapter.start <= begun);
            assert_eq!(sentence.chapter, chapter, "{}", sentence.text);
        }
        for chapter in 0..self.chapters.len() {
            let heard = summary.sentences.iter().any(|s| s.chapter == Some(chapter));
            assert!(heard, "chapter {chapter} is not heard");
        }
        assert_eq!(summary.chapters, self.chapters);
    }
}

/// When the caption begins that has the word of this number.
fn start(word: usize) -> Duration {
    SHOWN * u32::try_from(word / WORDS).unwrap()
}

fn stamp(time: Duration) -> String {
    let s = time.as_secs();
    format!("{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, time.subsec_millis())
}
