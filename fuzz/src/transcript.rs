//! Transcripts: whatever a file holds, it is read or refused.
//!
//! Promises: no panic; what is read has words, on single lines, in times that do not run backwards
//! within a caption; the kind of line end makes no difference; no word is lost between captions and
//! sentences.

use tidings::publish::summarizer::sentences::Sentences;
use tidings::publish::summarizer::transcript::{Format, Transcript};

/// Reads the bytes as a WebVTT file.
pub fn check_webvtt(data: &[u8]) {
    check(Format::WebVtt, data);
}

/// Reads the bytes as a SubRip file.
pub fn check_subrip(data: &[u8]) {
    check(Format::SubRip, data);
}

fn check(format: Format, data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let outcome = Transcript::parse(format, &source);
    let line_feeds = source.replace("\r\n", "\n").replace('\r', "\n");
    assert_eq!(outcome, Transcript::parse(format, &line_feeds), "line ends make a difference");
    let Ok(transcript) = outcome else { return };
    assert!(!transcript.cues.is_empty());
    for cue in &transcript.cues {
        assert!(!cue.text.contains(['\n', '\r']), "{cue:?} has a line end");
        assert!(cue.start.zip(cue.end).is_none_or(|(start, end)| start <= end), "{cue:?}");
    }
    let said = transcript.cues.iter().map(|cue| cue.text.as_str());
    let sentences = Sentences::of(&transcript.cues);
    assert_eq!(letters(sentences.texts()), letters(said), "words were lost or made up");
}

/// The letters and digits of all texts, in order.
fn letters<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.flat_map(str::chars).filter(|c| c.is_alphanumeric()).collect()
}
