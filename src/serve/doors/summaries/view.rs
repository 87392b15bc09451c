//! Summaries as they are written: in lists, by themselves, and what they were made from.

use serde::Serialize;

use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::publish::summarizer::engine::KeySentence;
use crate::publish::summarizer::library::{
    KeptSummary, Listed, Piece, SummarySource, WholeSummary,
};
use crate::publish::summarizer::talk::Chapter;
use crate::publish::summarizer::transcript::Transcript;
use crate::publish::summarizer::view::BatchReport;

/// A summary in a list.
#[derive(Serialize)]
pub(super) struct Head<'a> {
    pub id: &'a Identifier,
    title: &'a str,
    source: SummarySource,
    model_used: &'a str,
    created_at: String,
    sentence_count: usize,
    word_count: usize,
    /// Whether everyone sees it.
    is_shared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    playlist: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    /// Where it has what was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<&'a [Piece]>,
}

impl<'a> Head<'a> {
    pub fn listed(listed: &'a Listed) -> Self {
        Self { snippet: listed.snippet.as_deref(), ..Self::of(&listed.summary) }
    }

    fn of(summary: &'a KeptSummary) -> Self {
        let video = summary.video.as_ref();
        let duration = video.and_then(|video| video.duration);
        Self {
            id: &summary.id,
            title: &summary.title,
            source: summary.source,
            model_used: &summary.model,
            created_at: iso(summary.created_ms),
            sentence_count: summary.total_sentences,
            word_count: summary.total_words,
            is_shared: summary.is_shared,
            playlist: summary.playlist.as_deref(),
            video_id: video.map(|video| video.id.as_str()),
            url: video.map(|video| video.url.as_str()),
            duration_seconds: duration.map(|duration| duration.as_millis() as f64 / 1000.0),
            language: summary.language.as_deref(),
            snippet: None,
        }
    }
}

/// A summary by itself.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    overview: Option<&'a str>,
    sentences: &'a [KeySentence],
    chapters: &'a [Chapter],
    /// What a model took to make it; absent if none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Took>,
}

#[derive(Serialize)]
struct Took {
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// By the prices of the settings, in their currency.
    cost: f64,
}

impl<'a> Whole<'a> {
    pub fn of(summary: &'a WholeSummary) -> Self {
        let usage = summary.content.usage;
        let content = &summary.content.summary;
        Self {
            head: Head::of(&summary.kept),
            overview: content.overview.as_deref(),
            sentences: &content.sentences,
            chapters: &content.chapters,
            usage: (usage.requests > 0).then(|| Took {
                requests: usage.requests,
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                cost: usage.cost_micros as f64 / 1e6,
            }),
        }
    }
}

/// What a summary was made from.
#[derive(Serialize)]
pub(super) struct Cues<'a> {
    cues: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    start_seconds: Option<f64>,
    end_seconds: Option<f64>,
    text: &'a str,
}

impl<'a> Cues<'a> {
    pub fn of(transcript: &'a Transcript) -> Self {
        let seconds =
            |time: Option<std::time::Duration>| time.map(|time| time.as_millis() as f64 / 1000.0);
        let cues = transcript.cues.iter().map(|cue| Said {
            start_seconds: seconds(cue.start),
            end_seconds: seconds(cue.end),
            text: &cue.text,
        });
        Self { cues: cues.collect() }
    }
}

/// A batch, with its time for people.
#[derive(Serialize)]
pub(super) struct Batch<'a> {
    #[serde(flatten)]
    report: &'a BatchReport,
    created_at: String,
}

impl<'a> Batch<'a> {
    pub fn of(report: &'a BatchReport) -> Self {
        Self { report, created_at: iso(report.created_ms) }
    }
}
