//! Summaries by a language model: any server that speaks OpenAI's chat completions.
//!
//! The model is given the talk's sentences, numbered, and answers with an overview and points that name the
//! sentences they rest on: so each point leads to its moment. A talk that does not fit into one question is
//! summarized in parts, which are then combined. What a speaker says is never an instruction ([`prompt`]).

// What a model says, as a summary.
mod answer;

// Questions over HTTP, again while that may help.
mod client;

// How much of a talk fits into one question.
mod parts;

// What a model is asked.
mod prompt;

// What a server says instead of an answer.
mod refusal;

// An answer that comes piece by piece.
mod reply;

// The key that opens a server.
mod secret;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::secret::Secret;

use self::answer::Answer;
use self::client::{Client, Failed};
use self::parts::{Numbered, tokens};
use self::prompt::Question;
use super::{Engine, EngineError, KeySentence, Summary, Unwritten, Usage, Watch, Written};
use crate::clock::Clock;
use crate::publish::summarizer::sentences::Sentences;
use crate::publish::summarizer::talk::Talk;
use crate::publish::summarizer::textrank::chapter_at;

/// How language models are asked; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Where: the address before `/chat/completions`.
    pub base_url: String,
    /// What says who asks; empty where nobody wants to know.
    pub api_key: Secret,
    /// The models that can be asked for; empty: none.
    pub models: Vec<String>,
    /// Whether answers are to come piece by piece.
    pub stream: bool,
    /// Tokens that fit into a question and its answer together.
    pub context_tokens: usize,
    /// Tokens that an answer may have.
    pub max_answer_tokens: usize,
    /// How long one summary may take, all questions and pauses included; zero: as long as it takes.
    pub timeout: Duration,
    /// How long one answer may take.
    pub request_timeout: Duration,
    /// How often a question is asked that fails for now; at least 1.
    pub attempts: usize,
    /// Questions about one talk, its parts and what combines them; 0 is no limit.
    pub max_requests: usize,
    /// What a million tokens cost that the model reads, in millionths of the currency's unit.
    pub prompt_price_micros: usize,
    /// The same of those that it writes.
    pub answer_price_micros: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".into(),
            api_key: Secret::default(),
            models: Vec::new(),
            stream: true,
            context_tokens: 16_000,
            max_answer_tokens: 1_500,
            timeout: Duration::from_secs(540),
            request_timeout: Duration::from_secs(120),
            attempts: 4,
            max_requests: 100,
            prompt_price_micros: 0,
            answer_price_micros: 0,
        }
    }
}

/// A part of a talk is never smaller than this, or nothing could be said of it.
const LEAST_TOKENS: usize = 200;
/// How often it is tried with smaller parts, when the model says that they are too large.
const MAX_HALVINGS: u32 = 4;

/// Asks one model.
#[derive(Debug)]
pub(super) struct Chat {
    model: String,
    limits: Limits,
    /// Points of a summary.
    points: usize,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Chat {
    /// Asks this model for summaries of so many points.
    pub fn new(model: String, limits: Limits, points: usize, clock: Arc<dyn Clock>) -> Self {
        let client = Client::new(&limits, clock.clone());
        Self { model, limits, points, client, clock }
    }

    /// Tokens that are left for the talk in one question.
    fn room(&self) -> usize {
        let taken = self.limits.max_answer_tokens + prompt::OVERHEAD_TOKENS;
        self.limits.context_tokens.saturating_sub(taken).max(LEAST_TOKENS)
    }
}

impl Engine for Chat {
    fn model(&self) -> &str {
        &self.model
    }

    fn summarize(&self, talk: &Talk, watch: &mut Watch<'_>) -> Result<Written, Unwritten> {
        let timeout = self.limits.timeout;
        let deadline = (!timeout.is_zero()).then(|| self.clock.now() + timeout);
        let sentences = Sentences::of(&talk.transcript.cues);
        let mut usage = Usage::default();
        let mut room = self.room();
        for _ in 0..=MAX_HALVINGS {
            let mut work = Work {
                chat: self,
                talk,
                sentences: &sentences,
                room,
                deadline,
                watch,
                usage,
                done: 0,
                of: 1,
            };
            let outcome = work.summary();
            usage = work.usage;
            match outcome {
                Ok(summary) => return Ok(Written { summary, usage: self.priced(usage) }),
                Err(Failed::TooLong) if room / 2 >= LEAST_TOKENS => room /= 2,
                Err(failed) => return Err(self.unwritten(failed, usage)),
            }
        }
        Err(self.unwritten(Failed::TooLong, usage))
    }
}

impl Chat {
    fn priced(&self, usage: Usage) -> Usage {
        let cost = |tokens: u64, price: usize| tokens.saturating_mul(price as u64) / 1_000_000;
        let read = cost(usage.prompt_tokens, self.limits.prompt_price_micros);
        let written = cost(usage.completion_tokens, self.limits.answer_price_micros);
        let cost_micros = read.saturating_add(written);
        Usage { cost_micros, ..usage }
    }

    fn unwritten(&self, failed: Failed, usage: Usage) -> Unwritten {
        Unwritten { error: failed.into(), usage: self.priced(usage) }
    }
}

/// One summary on its way.
struct Work<'a, 'w> {
    chat: &'a Chat,
    talk: &'a Talk,
    sentences: &'a Sentences,
    /// Tokens of a talk that are put into one question.
    room: usize,
    deadline: Option<Instant>,
    watch: &'a mut Watch<'w>,
    usage: Usage,
    /// Questions that were answered, and how many there will be.
    done: usize,
    of: usize,
}

impl Work<'_, '_> {
    fn summary(&mut self) -> Result<Summary, Failed> {
        let starts: Vec<_> = (0..self.sentences.len()).map(|i| self.sentences.start(i)).collect();
        let lines = self.sentences.texts().zip(&starts).enumerate();
        let lines: Vec<_> =
            lines.map(|(number, (text, start))| Numbered::new(number, text, *start)).collect();
        let parts =
            parts::split(&lines, self.room, |line| chapter_at(&self.talk.chapters, line.start));
        self.of = if parts.len() > 1 { parts.len() + 1 } else { 1 };
        let max_requests = self.chat.limits.max_requests;
        if max_requests != 0 && self.of > max_requests {
            return Err(too_many(max_requests));
        }
        let mut answers = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let which = (parts.len() > 1).then_some((index + 1, parts.len()));
            let question = prompt::about_talk(self.talk, part, which, self.chat.points);
            answers.push(self.ask(&question)?);
        }
        let answer = self.combined(answers)?;
        Ok(self.shown(answer))
    }

    /// What was said of the parts as one, by asking the model until it is.
    fn combined(&mut self, mut answers: Vec<Answer>) -> Result<Answer, Failed> {
        while answers.len() > 1 {
            let groups = parts::group(answers, self.room, |answer| tokens(&answer.written()));
            // Each question must make them fewer.
            let is_final = groups.len() == 1;
            self.of = self.of.max(self.done + groups.len() + usize::from(!is_final));
            let mut fewer = Vec::new();
            for group in groups {
                if group.len() == 1 {
                    fewer.extend(group);
                    continue;
                }
                let question = prompt::about_parts(self.talk, &group, self.chat.points);
                fewer.push(self.ask(&question)?);
            }
            answers = fewer;
        }
        answers.pop().ok_or_else(|| Failed::for_good("There is nothing to summarize."))
    }

    fn ask(&mut self, question: &Question) -> Result<Answer, Failed> {
        let max_requests = self.chat.limits.max_requests;
        if max_requests != 0 && self.usage.requests >= max_requests as u64 {
            return Err(too_many(max_requests));
        }
        let (done, of) = (self.done, self.of.max(1));
        let watch = &mut *self.watch;
        let expected = self.chat.limits.max_answer_tokens.max(1);
        // How much of an answer is there, is a guess: so many tokens, of as many as there may be.
        let mut watch = |written: usize| -> ControlFlow<()> {
            let part = (written * 100 / expected).min(95);
            watch(((done * 100 + part) / of).min(99) as u8)
        };
        let request = client::Request {
            model: &self.chat.model,
            question,
            max_answer_tokens: self.chat.limits.max_answer_tokens,
            deadline: self.deadline,
        };
        let reply = self.chat.client.ask(&request, &mut self.usage, &mut watch)?;
        self.done += 1;
        Answer::read(&reply).ok_or_else(|| {
            Failed::for_now("The model's answer has neither an overview nor points.")
        })
    }

    /// An answer as a summary of the talk.
    fn shown(&self, answer: Answer) -> Summary {
        let most = self.chat.points * 2;
        let known = |index: &usize| *index < self.sentences.len();
        let point = |point: answer::Point| {
            let index = point.index.filter(known);
            let start = index.and_then(|index| self.sentences.start(index));
            let chapter = chapter_at(&self.talk.chapters, start);
            KeySentence { text: point.text, start, index, chapter }
        };
        let mut sentences: Vec<_> = answer.points.into_iter().take(most).map(point).collect();
        if sentences.iter().all(|sentence| sentence.index.is_some()) {
            sentences.sort_by_key(|sentence| sentence.index);
        }
        let words = self.sentences.texts().map(|text| text.split(' ').count());
        Summary {
            overview: answer.overview,
            sentences,
            chapters: self.talk.chapters.clone(),
            total_sentences: self.sentences.len(),
            total_words: words.sum(),
        }
    }
}

fn too_many(max: usize) -> Failed {
    Failed::for_good(format!(
        "The talk needs more than {max} questions to the model (openai_max_requests)."
    ))
}

impl From<Failed> for EngineError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Stopped => Self::Stopped,
            Failed::TooLong => Self::Failed {
                message: "The model takes no questions of the size that is needed \
                          (openai_context_tokens)."
                    .into(),
                is_retryable: false,
                retry_after: None,
            },
            Failed::Form { message, .. } => Failed::for_good(message).into(),
            Failed::Other { message, is_retryable, retry_after } => {
                Self::Failed { message, is_retryable, retry_after }
            }
        }
    }
}
