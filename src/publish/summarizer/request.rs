//! What may be asked for, and what is wrong with what was asked.
//!
//! A request is judged as a whole before anything is done. Whether a transcript can be read is not
//! judged here: that is work, and a bad one must not keep the others from being summarized.

use serde::Deserialize;

use super::transcript::{Format, Transcript};
use super::{EXTRACTIVE, Limits};

/// A request for summaries, as it was sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummaryRequest {
    /// Videos by address or id. Not available yet.
    pub videos: Vec<String>,
    /// A playlist's address. Not available yet.
    pub playlist: Option<String>,
    /// Transcripts, sent along.
    pub transcripts: Vec<TranscriptInput>,
    /// The engine's name; the built-in one if absent.
    pub model: Option<String>,
}

/// A transcript, sent along: exactly one of `text`, `vtt` and `srt`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TranscriptInput {
    /// What to call it; if absent the file's name, or else its first words.
    pub title: Option<String>,
    /// The name of the file it came from.
    pub file_name: Option<String>,
    /// Plain text.
    pub text: Option<String>,
    /// A WebVTT file.
    pub vtt: Option<String>,
    /// A `SubRip` file.
    pub srt: Option<String>,
}

/// Why a request will never be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// It asks for something that this installation cannot do.
    #[error("{field}: not available in this installation yet; send transcripts instead")]
    NotAvailable {
        /// What.
        field: &'static str,
    },
    /// There is no such engine.
    #[error("model: there is no {asked:?}; available: {EXTRACTIVE}")]
    UnknownModel {
        /// The name, shortened.
        asked: String,
    },
    /// It has no transcript.
    #[error("transcripts: send at least one transcript with text, vtt or srt")]
    Nothing,
    /// It has too many.
    #[error("transcripts: {sent} are too many, send at most {max}")]
    TooMany {
        /// How many it has.
        sent: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A transcript has no content, or several.
    #[error("transcripts[{index}]: send exactly one of text, vtt and srt")]
    NotOneContent {
        /// Which, from 0.
        index: usize,
    },
    /// A transcript's content is empty.
    #[error("transcripts[{index}].{name}: there is nothing in it")]
    Empty {
        /// Which, from 0.
        index: usize,
        /// The field.
        name: &'static str,
    },
    /// A transcript's content is too long.
    #[error(
        "transcripts[{index}].{name}: {actual_bytes} bytes are too many, the limit is {max_bytes}"
    )]
    TooLarge {
        /// Which, from 0.
        index: usize,
        /// The field.
        name: &'static str,
        /// Its size.
        actual_bytes: usize,
        /// The limit in force.
        max_bytes: usize,
    },
    /// The contents together are too long.
    #[error("transcripts: {actual_bytes} bytes in all are too many, the limit is {max_bytes}")]
    TooLargeTogether {
        /// Their size.
        actual_bytes: usize,
        /// The limit in force.
        max_bytes: usize,
    },
}

impl InvalidRequest {
    /// The path of the field that is wrong, such as `transcripts[2].vtt`.
    pub fn field(&self) -> String {
        match self {
            Self::NotAvailable { field } => (*field).to_owned(),
            Self::UnknownModel { .. } => "model".to_owned(),
            Self::NotOneContent { index } => format!("transcripts[{index}]"),
            Self::Empty { index, name } | Self::TooLarge { index, name, .. } => {
                format!("transcripts[{index}].{name}")
            }
            Self::Nothing | Self::TooMany { .. } | Self::TooLargeTogether { .. } => {
                "transcripts".to_owned()
            }
        }
    }
}

/// An item of a request that is in order.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) input: Input,
}

/// What an item is made from.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) format: Format,
    pub(super) body: String,
}

impl SummaryRequest {
    /// The request's items, if all of it is in order.
    pub(super) fn check(self, limits: &Limits) -> Result<Vec<Draft>, InvalidRequest> {
        if !self.videos.is_empty() {
            return Err(InvalidRequest::NotAvailable { field: "videos" });
        }
        if self.playlist.is_some() {
            return Err(InvalidRequest::NotAvailable { field: "playlist" });
        }
        if let Some(asked) = self.model.filter(|model| model != EXTRACTIVE) {
            return Err(InvalidRequest::UnknownModel { asked: shortened(&asked, 60) });
        }
        check_count(self.transcripts.len(), limits)?;
        let items = self.transcripts.into_iter().enumerate();
        let drafts = items.map(|(index, item)| item.check(index, limits));
        let drafts = drafts.collect::<Result<Vec<_>, _>>()?;
        // What is larger than the whole queue would be told to come again for ever.
        let actual_bytes = drafts.iter().map(|draft| draft.input.body.len()).sum();
        let max_bytes = limits.queue_bytes;
        if max_bytes != 0 && actual_bytes > max_bytes {
            return Err(InvalidRequest::TooLargeTogether { actual_bytes, max_bytes });
        }
        Ok(drafts)
    }
}

fn check_count(sent: usize, limits: &Limits) -> Result<(), InvalidRequest> {
    let limits = [limits.max_transcripts, limits.queue_items];
    let max = limits.into_iter().filter(|limit| *limit != 0).min().unwrap_or(usize::MAX);
    match sent {
        0 => Err(InvalidRequest::Nothing),
        _ if sent > max => Err(InvalidRequest::TooMany { sent, max }),
        _ => Ok(()),
    }
}

impl TranscriptInput {
    fn check(self, index: usize, limits: &Limits) -> Result<Draft, InvalidRequest> {
        let (format, name, body) = match (self.text, self.vtt, self.srt) {
            (Some(body), None, None) => (Format::Text, "text", body),
            (None, Some(body), None) => (Format::WebVtt, "vtt", body),
            (None, None, Some(body)) => (Format::SubRip, "srt", body),
            _ => return Err(InvalidRequest::NotOneContent { index }),
        };
        if body.trim().is_empty() {
            return Err(InvalidRequest::Empty { index, name });
        }
        let (actual_bytes, max_bytes) = (body.len(), limits.max_transcript_bytes);
        if max_bytes != 0 && actual_bytes > max_bytes {
            return Err(InvalidRequest::TooLarge { index, name, actual_bytes, max_bytes });
        }
        let title = title(self.title.as_deref())
            .or_else(|| title(self.file_name.as_deref().map(file_stem)))
            .or_else(|| title(first_words(format, &body).as_deref()))
            .unwrap_or_else(|| format!("Transcript {}", index + 1));
        Ok(Draft { title, input: Input { format, body } })
    }
}

/// Longer titles are cut: they travel in every event.
const MAX_TITLE_CHARS: usize = 200;

/// A title on one line, if there is anything to read in it.
fn title(text: Option<&str>) -> Option<String> {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text?.chars().take(4 * MAX_TITLE_CHARS).map(visible).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| shortened(&line, MAX_TITLE_CHARS))
}

fn shortened(text: &str, max_chars: usize) -> String {
    if text.chars().nth(max_chars).is_none() {
        return text.to_owned();
    }
    text.chars().take(max_chars - 1).chain(['…']).collect()
}

/// `talks/monday.en.vtt` is called `monday.en`.
fn file_stem(name: &str) -> &str {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.rsplit_once('.').map_or(base, |(stem, _)| stem)
}

/// The first words of a transcript, without reading all of it.
fn first_words(format: Format, body: &str) -> Option<String> {
    const ENOUGH_BYTES: usize = 8 << 10;
    const WORDS: usize = 8;
    let mut end = body.len().min(ENOUGH_BYTES);
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    let transcript = Transcript::parse(format, &body[..end]).ok()?;
    let mut words = transcript.cues.iter().flat_map(|cue| cue.text.split(' '));
    let mut first = words.by_ref().take(WORDS).collect::<Vec<_>>().join(" ");
    if words.next().is_some() {
        first.push('…');
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(json: &str) -> Result<Vec<Draft>, InvalidRequest> {
        let limits = Limits {
            max_transcripts: 2,
            max_transcript_bytes: 100,
            queue_bytes: 150,
            ..Limits::default()
        };
        serde_json::from_str::<SummaryRequest>(json).unwrap().check(&limits)
    }

    fn check_title(item: &str, expected: &str) {
        assert_eq!(draft(&format!(r#"{{"transcripts":[{item}]}}"#)).unwrap()[0].title, expected);
    }

    fn check_error(json: &str, field: &str, message: &str) {
        let error = draft(json).unwrap_err();
        assert_eq!((error.field().as_str(), error.to_string().as_str()), (field, message));
    }

    #[test]
    fn a_title_is_what_was_said_or_the_file_or_the_first_words() {
        check_title(r#"{"title":" My\n talk ","file_name":"x.vtt","text":"Hi"}"#, "My talk");
        check_title(
            r#"{"title":" ","file_name":"C:\\talks\\monday.en.vtt","text":"Hi"}"#,
            "monday.en",
        );
        check_title(
            r#"{"text":"We the people\nof the United States, in Order"}"#,
            "We the people of the United States, in…",
        );
        check_title(
            r#"{"vtt":"WEBVTT\n\n00:01.000 --> 00:02.000\n<b>Hello</b> there"}"#,
            "Hello there",
        );
        check_title(r#"{"vtt":"no captions"}"#, "Transcript 1");
    }

    #[test]
    fn a_long_title_is_cut() {
        let long = "ä".repeat(300);
        let title = title(Some(&long)).unwrap();
        assert_eq!((title.chars().count(), title.ends_with("ä…")), (200, true));
    }

    #[test]
    fn an_error_names_the_field_and_what_would_be_right() {
        check_error(
            "{}",
            "transcripts",
            "transcripts: send at least one transcript with text, vtt or srt",
        );
        check_error(
            r#"{"videos":["x"],"transcripts":[{"text":"Hi"}]}"#,
            "videos",
            "videos: not available in this installation yet; send transcripts instead",
        );
        check_error(
            r#"{"playlist":"x"}"#,
            "playlist",
            "playlist: not available in this installation yet; send transcripts instead",
        );
        check_error(
            r#"{"model":"gpt-4o","transcripts":[{"text":"Hi"}]}"#,
            "model",
            r#"model: there is no "gpt-4o"; available: extractive"#,
        );
        for both in [r#"{"title":"x"}"#, r#"{"text":"a","vtt":"b"}"#] {
            check_error(
                &format!(r#"{{"transcripts":[{{"text":"Hi"}},{both}]}}"#),
                "transcripts[1]",
                "transcripts[1]: send exactly one of text, vtt and srt",
            );
        }
        check_error(
            r#"{"transcripts":[{"srt":" \n"}]}"#,
            "transcripts[0].srt",
            "transcripts[0].srt: there is nothing in it",
        );
    }

    #[test]
    fn sizes_have_limits() {
        let item = |bytes: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes));
        let request = |items: &[String]| format!(r#"{{"transcripts":[{}]}}"#, items.join(","));
        assert!(draft(&request(&[item(100), item(50)])).is_ok());
        check_error(
            &request(&[item(1), item(101)]),
            "transcripts[1].text",
            "transcripts[1].text: 101 bytes are too many, the limit is 100",
        );
        check_error(
            &request(&[item(100), item(51)]),
            "transcripts",
            "transcripts: 151 bytes in all are too many, the limit is 150",
        );
        check_error(
            &request(&[item(1), item(1), item(1)]),
            "transcripts",
            "transcripts: 3 are too many, send at most 2",
        );
    }

    #[test]
    fn a_misspelt_field_is_no_request() {
        assert!(serde_json::from_str::<SummaryRequest>(r#"{"transcript":[]}"#).is_err());
        assert!(serde_json::from_str::<SummaryRequest>(r#"{"transcripts":[{"txt":""}]}"#).is_err());
    }
}
