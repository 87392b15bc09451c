//! What was said, and when: the one form that every kind of transcript is brought into.
//!
//! Reading is forgiving, because caption files come from many careless programs and only their words
//! matter here; what holds no captions at all is refused with the line that shows it. Every reader
//! takes time and memory in proportion to its input, whatever that is.

mod markup;
mod rolling;
mod subrip;
mod timing;
mod webvtt;

use std::borrow::Cow;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// What was said, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// At least one, each with at least one word.
    pub cues: Vec<Cue>,
}

/// Something said in one go: a caption, or a paragraph of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it begins, counted from the talk's start; absent in plain text.
    pub start: Option<Duration>,
    /// When it ends; never before `start`.
    pub end: Option<Duration>,
    /// Its words on one line, without markup.
    pub text: String,
}

/// How a transcript is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Paragraphs with empty lines between them.
    Text,
    /// A `.vtt` file: the W3C's WebVTT.
    WebVtt,
    /// A `.srt` file: `SubRip`'s form, which nobody ever specified.
    SubRip,
}

/// Why something is no transcript. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTranscript {
    /// The first line of a WebVTT file is not `WEBVTT`.
    #[error("line 1: a WebVTT file starts with WEBVTT, not {0:?}")]
    NoHeader(String),
    /// No caption has a readable time; this line is the first that should have been one.
    #[error("line {line}: a time looks like 00:01:02.000 --> 00:01:05.000, not {text:?}")]
    BadTime {
        /// Where.
        line: usize,
        /// What stands there, shortened.
        text: String,
    },
    /// The file ends without a caption's time.
    #[error("line {last_line}: the file ends without any caption (a line with -->)")]
    NoCaptions {
        /// How many lines it has.
        last_line: usize,
    },
    /// There is nothing to read in it.
    #[error("line 1: there are no words in the transcript")]
    NoWords,
}

impl Transcript {
    /// Reads a transcript. A byte order mark and every kind of line end are fine.
    ///
    /// ```
    /// use tidings::publish::summarizer::transcript::{Format, Transcript};
    ///
    /// let talk = Transcript::parse(Format::WebVtt, "WEBVTT\n\n00:01.500 --> 00:03.000\n<i>Hello.</i>")?;
    /// assert_eq!(talk.cues[0].text, "Hello.");
    /// assert_eq!(talk.cues[0].start.unwrap().as_millis(), 1500);
    /// # Ok::<(), tidings::publish::summarizer::transcript::InvalidTranscript>(())
    /// ```
    pub fn parse(format: Format, source: &str) -> Result<Self, InvalidTranscript> {
        let source = with_line_feeds(source.strip_prefix('\u{FEFF}').unwrap_or(source));
        let cues = match format {
            Format::Text => paragraphs(&source),
            Format::WebVtt => cues(webvtt::read(&source)?),
            Format::SubRip => cues(subrip::read(&source)?),
        };
        let spoken = |cue: &Cue| cue.text.chars().any(char::is_alphanumeric);
        if cues.iter().any(spoken) { Ok(Self { cues }) } else { Err(InvalidTranscript::NoWords) }
    }

    /// What tells it apart from others.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for cue in &self.cues {
            for time in [cue.start, cue.end] {
                let ms = time.map_or(u128::MAX, |time| time.as_millis());
                hash.update(ms.to_le_bytes());
            }
            hash.update(cue.text.len().to_le_bytes());
            hash.update(cue.text.as_bytes());
        }
        Fingerprint(hash.finalize().into())
    }
}

/// What tells transcripts apart: the same words at the same times have the same, whatever file they
/// came in.
///
/// It decides whether one session is given what was made for another, so it must be hard to forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// It as it is stored.
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// It as it was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Format {
    const ALL: [Self; 3] = [Self::Text, Self::WebVtt, Self::SubRip];

    /// The word for it: what a file's name ends with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::WebVtt => "vtt",
            Self::SubRip => "srt",
        }
    }

    /// The form that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// A caption as it stands in the file, its lines still apart: rolling captions repeat whole lines.
#[derive(Debug, Default)]
struct Caption {
    start: Duration,
    end: Duration,
    lines: Vec<String>,
}

impl Caption {
    /// The caption that a time line opens. An unreadable time costs the time, not the words: the
    /// caption then counts as said when the one before it was. (The WebVTT standard drops it.)
    fn open(time_line: &str, before: Option<&Self>) -> Self {
        let (start, end) = timing::interval(time_line)
            .unwrap_or_else(|| before.map_or_else(Default::default, |c| (c.start, c.end)));
        Self { start, end, lines: Vec::new() }
    }
}

fn cues(mut captions: Vec<Caption>) -> Vec<Cue> {
    for caption in &mut captions {
        caption.lines = caption.lines.iter().map(|line| one_line(&markup::plain(line))).collect();
        caption.lines.retain(|line| !line.is_empty());
    }
    rolling::unroll(&mut captions);
    let cue = |c: Caption| Cue { start: Some(c.start), end: Some(c.end), text: c.lines.join(" ") };
    captions.into_iter().map(cue).collect()
}

fn paragraphs(source: &str) -> Vec<Cue> {
    let mut paragraphs = vec![String::new()];
    for line in source.lines().map(one_line) {
        match paragraphs.last_mut() {
            Some(open) if !line.is_empty() => {
                let gap = if open.is_empty() { "" } else { " " };
                open.extend([gap, &line]);
            }
            Some(open) if open.is_empty() => {}
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs.retain(|text| !text.is_empty());
    paragraphs.into_iter().map(|text| Cue { start: None, end: None, text }).collect()
}

/// Every run of white space and control characters becomes one space; none stay at the ends.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let gap = |c: char| c.is_whitespace() || c.is_control() || c == '\u{FEFF}';
    for word in text.split(gap).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

fn with_line_feeds(source: &str) -> Cow<'_, str> {
    if source.contains('\r') {
        Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(source)
    }
}

/// The error of a file in which no caption has a readable time.
fn no_times(first_bad: Option<(usize, &str)>, source: &str) -> InvalidTranscript {
    match first_bad {
        Some((line, text)) => InvalidTranscript::BadTime { line, text: excerpt(text) },
        None => InvalidTranscript::NoCaptions { last_line: source.lines().count().max(1) },
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[&str]) {
        let transcript = Transcript::parse(Format::Text, source).unwrap();
        let texts: Vec<_> = transcript.cues.iter().map(|cue| cue.text.as_str()).collect();
        assert_eq!(texts, expected, "{source:?}");
    }

    #[test]
    fn plain_text_is_paragraphs_on_one_line_each() {
        check("One\ntwo.\n\nThree.", &["One two.", "Three."]);
        check("\u{FEFF}One\r\ntwo.\r\n\r\n\r\n  \r\n Three.\t\r\n", &["One two.", "Three."]);
        check("One\rtwo.\r\rThree", &["One two.", "Three"]);
        check("a\0b\u{7}  c", &["a b c"]);
    }

    #[test]
    fn a_text_without_words_is_refused() {
        for empty in ["", "\n\n", " \t\r\n", "... --- !", "\u{FEFF}"] {
            assert_eq!(Transcript::parse(Format::Text, empty), Err(InvalidTranscript::NoWords));
        }
    }

    #[test]
    fn an_error_names_the_line_and_what_would_be_right() {
        let error = |format, source| Transcript::parse(format, source).unwrap_err().to_string();
        assert_eq!(
            error(Format::WebVtt, "Hello"),
            r#"line 1: a WebVTT file starts with WEBVTT, not "Hello""#
        );
        assert_eq!(
            error(Format::SubRip, "1\n00:0x --> 9\nHello"),
            r#"line 2: a time looks like 00:01:02.000 --> 00:01:05.000, not "00:0x --> 9""#
        );
        assert_eq!(
            error(Format::SubRip, "Hello\nthere\n"),
            "line 2: the file ends without any caption (a line with -->)"
        );
        assert_eq!(
            error(Format::WebVtt, "WEBVTT\n\n00:01.000 --> 00:02.000\n"),
            "line 1: there are no words in the transcript"
        );
    }

    #[test]
    fn the_same_words_at_the_same_times_have_the_same_fingerprint() {
        let print = |format, text| Transcript::parse(format, text).unwrap().fingerprint();
        let vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\n<b>Hello</b>  there.";
        let srt = "7\r\n00:00:01,000 --> 00:00:02,000\r\nHello there.\r\n";
        assert_eq!(print(Format::WebVtt, vtt), print(Format::SubRip, srt));
        assert_ne!(print(Format::WebVtt, vtt), print(Format::Text, "Hello there."));
        assert_ne!(print(Format::Text, "a b"), print(Format::Text, "a\n\nb"));
        assert_eq!(print(Format::Text, "a b"), print(Format::Text, " a\nb\n\n"));
    }

    #[test]
    fn any_mixture_of_fragments_becomes_sound_cues_or_an_error() {
        let fragments = [
            "WEBVTT",
            "\n",
            "\n\n",
            "\r",
            "\u{FEFF}",
            "1",
            " ",
            "-->",
            "00:01.000 --> 00:02.000",
            "00:00:09,5 --> 00:00:01,0",
            "NOTE",
            "<",
            ">",
            "<b>",
            "<v Ann>",
            "{\\an8}",
            "[Music]",
            "&lt;",
            "&",
            "Hello",
            "ä",
            "世界。",
            "♪",
            ">>",
            "Dr.",
            "U.S.",
            "...",
            "?",
            "\0",
            "\u{2028}",
            "\"",
        ];
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..20_000 {
            let mut source = String::from(if random.bool() { "WEBVTT\n" } else { "" });
            (0..random.usize(1..30))
                .for_each(|_| source += fragments[random.usize(..fragments.len())]);
            for format in [Format::Text, Format::WebVtt, Format::SubRip] {
                let Ok(transcript) = Transcript::parse(format, &source) else { continue };
                for cue in &transcript.cues {
                    assert!(!cue.text.is_empty() && cue.start <= cue.end, "{source:?}");
                    assert!(!cue.text.contains(['\n', '\r', '\0']), "{source:?}");
                }
                let sentences =
                    crate::publish::summarizer::sentences::Sentences::of(&transcript.cues);
                assert!(sentences.texts().all(|text| text.trim() == text), "{source:?}");
                assert!(!sentences.is_empty(), "{source:?}");
            }
        }
    }

    #[test]
    fn hostile_input_costs_time_in_proportion_to_its_size() {
        // Each of these makes a careless reader look back or ahead over all of it at every step.
        let long = |piece: &str| piece.repeat(200_000 / piece.len());
        let pieces =
            ["<", "<a", "<<a>", "&", "&am", "{\\", "[", "[a", "-->", "\n-->\n", "1\n", "\r"];
        for piece in pieces {
            for head in ["", "WEBVTT\n\n00:01.000 --> 00:02.000\n"] {
                let source = format!("{head}{}", long(piece));
                for format in [Format::Text, Format::WebVtt, Format::SubRip] {
                    // Quadratic time would make this test run for minutes.
                    let _ = Transcript::parse(format, &source);
                }
            }
        }
    }
}
