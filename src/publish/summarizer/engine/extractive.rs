//! The engine that is built in: the talk's own sentences, chosen by `TextRank`.

use super::{Engine, EngineError, Unwritten, Usage, Watch, Written};
use crate::publish::summarizer::EXTRACTIVE;
use crate::publish::summarizer::sentences::Sentences;
use crate::publish::summarizer::talk::Talk;
use crate::publish::summarizer::textrank::{self, Length};

/// Quotes a talk's key sentences. Needs no network, and always says the same of the same talk.
#[derive(Debug)]
pub(super) struct Extractive {
    length: Length,
}

impl Extractive {
    /// Makes summaries of this length.
    pub fn new(length: Length) -> Self {
        Self { length }
    }
}

impl Engine for Extractive {
    fn model(&self) -> &str {
        EXTRACTIVE
    }

    fn summarize(&self, talk: &Talk, watch: &mut Watch<'_>) -> Result<Written, Unwritten> {
        let sentences = Sentences::of(&talk.transcript.cues);
        let summary = textrank::summarize(&sentences, &talk.chapters, self.length, watch);
        let summary = summary.map_err(|textrank::Stopped| EngineError::Stopped)?;
        Ok(Written { summary, usage: Usage::default() })
    }
}
