//! What makes summaries: the trait behind which the built-in engine and language models stand.

// Language models, asked over HTTP.
pub mod chat;

// The engine that is built in.
mod extractive;

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::chat::Chat;
use self::extractive::Extractive;
use super::talk::{Chapter, Talk, seconds};
use super::textrank::Length;
use crate::clock::Clock;

/// Makes summaries of one kind.
pub trait Engine: Send + Sync + fmt::Debug {
    /// What it is called in requests and in what it has made: `extractive`, `gpt-4o`.
    fn model(&self) -> &str;

    /// Makes a summary. Several threads may call it at the same time; `watch` is told how far it is,
    /// and can stop it.
    fn summarize(&self, talk: &Talk, watch: &mut Watch<'_>) -> Result<Written, Unwritten>;
}

/// A model is not asked for more points.
const MOST_POINTS: usize = 30;

/// The engines there are.
#[derive(Debug, Clone)]
pub struct Engines(Vec<Arc<dyn Engine>>);

impl Engines {
    /// The one that is built in; its summaries are of this length.
    pub fn built_in(length: Length) -> Self {
        Self(vec![Arc::new(Extractive::new(length))])
    }

    /// The same and the language models of the settings. `default` is made the default one; fails if there is no
    /// such engine.
    pub fn new(
        length: Length,
        models: &chat::Limits,
        default: &str,
        clock: &Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let mut engines = Self::built_in(length);
        let points = if length.max_sentences == 0 { MOST_POINTS } else { length.max_sentences };
        for model in &models.models {
            let chat =
                Chat::new(model.clone(), models.clone(), points.min(MOST_POINTS), clock.clone());
            engines.0.push(Arc::new(chat));
        }
        let place = engines.0.iter().position(|engine| engine.model() == default);
        let place = place.ok_or_else(|| {
            let known = engines.models().join(", ");
            io::Error::other(format!("summary_model: there is no {default:?}; available: {known}"))
        })?;
        engines.0[..=place].rotate_right(1);
        Ok(engines)
    }

    #[cfg(test)]
    pub(super) fn of(engines: Vec<Arc<dyn Engine>>) -> Self {
        Self(engines)
    }

    /// The engine of this name; of none, the default one.
    pub fn find(&self, model: Option<&str>) -> Option<Arc<dyn Engine>> {
        match model {
            None => self.0.first().cloned(),
            Some(model) => self.0.iter().find(|engine| engine.model() == model).cloned(),
        }
    }

    /// Their names, the default one first.
    pub fn models(&self) -> Vec<&str> {
        self.0.iter().map(|engine| engine.model()).collect()
    }
}

/// Called again and again while a summary is made, with the percentage done; can stop it.
pub type Watch<'a> = dyn FnMut(u8) -> ControlFlow<()> + 'a;

/// What an engine has made, and what that took.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The summary.
    pub summary: Summary,
    /// What it took; nothing where no model was asked.
    pub usage: Usage,
}

/// A talk in brief, as it is stored and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The whole in a few sentences of the engine's own; none if it only quotes.
    #[serde(default)]
    pub overview: Option<String>,
    /// What carries the talk, in the order in which it was said.
    pub sentences: Vec<KeySentence>,
    /// The talk's parts; empty if it has none.
    #[serde(default)]
    pub chapters: Vec<Chapter>,
    /// How many sentences the talk has.
    pub total_sentences: usize,
    /// How many words the talk has.
    pub total_words: usize,
}

/// A sentence that stands for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySentence {
    /// As it was said, or in the engine's words.
    pub text: String,
    /// When; absent if the transcript has no times.
    #[serde(rename = "start_seconds", with = "seconds::optional")]
    pub start: Option<Duration>,
    /// Its place, or that of what it rests on, among the talk's sentences, from 0.
    pub index: Option<usize>,
    /// The chapter that it is from, by its place among them; none if there are no chapters.
    #[serde(default)]
    pub chapter: Option<usize>,
}

/// What a summary took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Requests to the model that were answered.
    pub requests: u64,
    /// Tokens that the model read, by its own count.
    pub prompt_tokens: u64,
    /// Tokens that it wrote.
    pub completion_tokens: u64,
    /// What that cost by the prices of the settings, in millionths of their currency's unit.
    pub cost_micros: u64,
}

/// That there is no summary, and what it took to find that out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Unwritten {
    /// Why.
    pub error: EngineError,
    /// What was asked of a model all the same has its price.
    pub usage: Usage,
}

impl From<EngineError> for Unwritten {
    fn from(error: EngineError) -> Self {
        Self { error, usage: Usage::default() }
    }
}

/// Why there is no summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Whoever watches has stopped it.
    #[error("summarizing was stopped")]
    Stopped,
    /// It could not be made.
    #[error("{message}")]
    Failed {
        /// What went wrong, for people.
        message: String,
        /// Whether another attempt may do better.
        is_retryable: bool,
        /// How long that must wait at least, if whoever was asked has said so.
        retry_after: Option<Duration>,
    },
}
