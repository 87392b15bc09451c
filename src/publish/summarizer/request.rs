//! What may be asked for, and what is wrong with what was asked.
//!
//! A request is judged as a whole before anything is done. Whether a transcript can be read is not
//! judged here: that is work, and a bad one must not keep the others from being summarized.

#[cfg(test)]
mod tests;

use serde::Deserialize;

use super::Limits;
use super::engine::Engines;
use super::submission::Manner;
use super::transcript::{Format, Transcript};
use super::videos::{InvalidVideo, PlaylistRef, VideoError, VideoRef, Videos};
use super::workshop::Workshop;

/// A request for summaries, as it was sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummaryRequest {
    /// Videos by address or id.
    pub videos: Vec<String>,
    /// A playlist's address.
    pub playlist: Option<String>,
    /// Transcripts, sent along.
    pub transcripts: Vec<TranscriptInput>,
    /// The engine's name; the default one if absent.
    pub model: Option<String>,
    /// The language that captions are wanted in, as a BCP 47 tag such as `en`; absent: the talk's own.
    pub language: Option<String>,
    /// Makes everything anew, whatever is known already.
    pub refresh: bool,
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
    #[error("{field}: videos are off here (yt_dlp is empty); send transcripts instead")]
    NotAvailable {
        /// What.
        field: &'static str,
    },
    /// There is no such engine.
    #[error("model: there is no {asked:?}; available: {known}")]
    UnknownModel {
        /// The name, shortened.
        asked: String,
        /// Those there are.
        known: String,
    },
    /// It is no language.
    #[error("language: {0:?} is no language; a language looks like en or pt-BR")]
    Language(String),
    /// It asks for nothing.
    #[error("send at least one of videos, playlist and transcripts")]
    Nothing,
    /// There is nothing in the playlist.
    #[error("playlist: there are no videos in it")]
    EmptyPlaylist,
    /// It has too many talks.
    #[error("{sent} talks are too many, send at most {max}")]
    TooMany {
        /// Where most of them come from.
        field: &'static str,
        /// How many it has.
        sent: usize,
        /// How many are allowed.
        max: usize,
    },
    /// It has too many transcripts.
    #[error("transcripts: {sent} are too many, send at most {max}")]
    TooManyTranscripts {
        /// How many it has.
        sent: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A video, or the playlist, is none.
    #[error("{field}: {error}")]
    NoVideo {
        /// Which.
        field: String,
        /// Why.
        error: InvalidVideo,
    },
    /// A video, or the playlist, may not be asked for.
    #[error("{field}: {reason}")]
    Forbidden {
        /// Which.
        field: String,
        /// Why.
        reason: String,
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
            Self::NotAvailable { field } | Self::TooMany { field, .. } => (*field).to_owned(),
            Self::UnknownModel { .. } => "model".to_owned(),
            Self::Language(_) => "language".to_owned(),
            Self::NoVideo { field, .. } | Self::Forbidden { field, .. } => field.clone(),
            Self::NotOneContent { index } => format!("transcripts[{index}]"),
            Self::Empty { index, name } | Self::TooLarge { index, name, .. } => {
                format!("transcripts[{index}].{name}")
            }
            Self::EmptyPlaylist => "playlist".to_owned(),
            Self::Nothing | Self::TooManyTranscripts { .. } | Self::TooLargeTogether { .. } => {
                "transcripts".to_owned()
            }
        }
    }
}

/// A request that is in order.
#[derive(Debug)]
pub(super) struct Plan {
    pub videos: Vec<VideoRef>,
    pub playlist: Option<PlaylistRef>,
    pub transcripts: Vec<Sent>,
    pub manner: Manner,
}

/// A transcript that was sent along.
#[derive(Debug)]
pub(super) struct Sent {
    pub title: String,
    pub format: Format,
    pub body: String,
}

impl SummaryRequest {
    /// What is to be done, if all of the request is in order.
    pub(super) fn check(self, workshop: &Workshop) -> Result<Plan, InvalidRequest> {
        let limits = &workshop.limits;
        if self.videos.is_empty() && self.playlist.is_none() && self.transcripts.is_empty() {
            return Err(InvalidRequest::Nothing);
        }
        check_count(&self, limits)?;
        check_model(self.model.as_deref(), &workshop.engines)?;
        let videos = &workshop.videos;
        if let Some(language) = self.language.as_deref().filter(|language| !is_language(language)) {
            return Err(InvalidRequest::Language(shortened(language, 40)));
        }
        let named = self.videos.iter().enumerate();
        let named = named.map(|(index, text)| video(format!("videos[{index}]"), text, videos));
        let named = named.collect::<Result<Vec<_>, _>>()?;
        let playlist = self.playlist.as_deref().map(|text| playlist(text, videos)).transpose()?;
        let items = self.transcripts.into_iter().enumerate();
        let sent = items.map(|(index, item)| item.check(index, limits));
        let sent = sent.collect::<Result<Vec<_>, _>>()?;
        // What is larger than all that may wait would be told to come again for ever.
        let actual_bytes = sent.iter().map(|sent| sent.body.len()).sum();
        let max_bytes = workshop.library.limits().max_upload_bytes;
        if max_bytes != 0 && actual_bytes > max_bytes {
            return Err(InvalidRequest::TooLargeTogether { actual_bytes, max_bytes });
        }
        let manner = Manner { model: self.model, language: self.language, refresh: self.refresh };
        Ok(Plan { videos: named, playlist, transcripts: sent, manner })
    }
}

fn video(field: String, text: &str, videos: &Videos) -> Result<VideoRef, InvalidRequest> {
    match VideoRef::parse(text) {
        Ok(video) => match videos.may_ask_video(&video) {
            Ok(()) => Ok(video),
            Err(VideoError::Off) => Err(InvalidRequest::NotAvailable { field: "videos" }),
            Err(error) => Err(InvalidRequest::Forbidden { field, reason: error.to_string() }),
        },
        Err(error) => Err(InvalidRequest::NoVideo { field, error }),
    }
}

fn playlist(text: &str, videos: &Videos) -> Result<PlaylistRef, InvalidRequest> {
    let field = "playlist";
    let playlist = PlaylistRef::parse(text)
        .map_err(|error| InvalidRequest::NoVideo { field: field.into(), error })?;
    match videos.may_ask_playlist(&playlist) {
        Ok(()) => Ok(playlist),
        Err(VideoError::Off) => Err(InvalidRequest::NotAvailable { field }),
        Err(error) => {
            Err(InvalidRequest::Forbidden { field: field.into(), reason: error.to_string() })
        }
    }
}

fn check_model(asked: Option<&str>, engines: &Engines) -> Result<(), InvalidRequest> {
    match asked {
        Some(asked) if engines.find(Some(asked)).is_none() => Err(InvalidRequest::UnknownModel {
            asked: shortened(asked, 60),
            known: engines.models().join(", "),
        }),
        _ => Ok(()),
    }
}

/// Whether it looks like a language tag of BCP 47.
fn is_language(text: &str) -> bool {
    let is_part = |(index, part): (usize, &str)| {
        let lengths = if index == 0 { 2..=3 } else { 1..=8 };
        lengths.contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    text.len() <= 35 && text.split('-').enumerate().all(is_part)
}

fn check_count(request: &SummaryRequest, limits: &Limits) -> Result<(), InvalidRequest> {
    let or_endless = |limit: usize| if limit == 0 { usize::MAX } else { limit };
    let (sent, max) = (request.transcripts.len(), or_endless(limits.max_transcripts));
    if sent > max {
        return Err(InvalidRequest::TooManyTranscripts { sent, max });
    }
    let field = if sent > request.videos.len() { "transcripts" } else { "videos" };
    let sent = sent + request.videos.len();
    let max = limits.most_items();
    if sent > max { Err(InvalidRequest::TooMany { field, sent, max }) } else { Ok(()) }
}

impl TranscriptInput {
    fn check(self, index: usize, limits: &Limits) -> Result<Sent, InvalidRequest> {
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
        Ok(Sent { title, format, body })
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
