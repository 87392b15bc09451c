//! Questions over HTTP, asked again while that may help.

// One question on its way.
mod exchange;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::config::Config;

use self::exchange::Marks;
use super::parts::tokens;
use super::prompt::Question;
use super::reply::Reply;
use super::{Limits, Secret, Usage};
use crate::clock::Clock;

/// How long nobody looks whether the answer is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// The first pause before another try; each is twice the last one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that wants to be left alone for longer is not waited for here, but by whoever wants a summary.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// Nobody wants it any more.
    Stopped,
    /// The question has more tokens than the model takes.
    TooLong,
    /// The question is put in a way that the model does not take.
    Form { unwanted: Form, message: String },
    /// Something else; and when the server wants to be asked again, if it says so.
    Other { message: String, is_retryable: bool, retry_after: Option<Duration> },
}

impl Failed {
    pub fn for_good(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), is_retryable: false, retry_after: None }
    }

    pub fn for_now(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), is_retryable: true, retry_after: None }
    }

    /// The same, if the server wants to be asked again after so long.
    fn after(mut self, wanted: Option<Duration>) -> Self {
        if let Self::Other { retry_after, .. } = &mut self {
            *retry_after = wanted;
        }
        self
    }
}

/// A question to a model.
pub(super) struct Request<'a> {
    pub model: &'a str,
    pub question: &'a Question,
    pub max_answer_tokens: usize,
    /// When all of it must be over.
    pub deadline: Option<Instant>,
}

/// How a question is put where models differ: the server says what its model does not take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// The limit of an answer is called `max_completion_tokens`, which newer models of OpenAI want, and many other
    /// servers do not know.
    pub has_new_limit: bool,
    /// The temperature is the model's own.
    pub has_no_temperature: bool,
}

impl Form {
    /// The one that does without these; none if this one does already.
    fn without(self, unwanted: Self) -> Option<Self> {
        let other = Self {
            has_new_limit: self.has_new_limit || unwanted.has_new_limit,
            has_no_temperature: self.has_no_temperature || unwanted.has_no_temperature,
        };
        Some(other).filter(|other| *other != self)
    }
}

/// Asks questions.
#[derive(Debug, Clone)]
pub(super) struct Client {
    config: Config,
    url: String,
    key: Secret,
    stream: bool,
    attempts: usize,
    request_timeout: Duration,
    pub(super) first_pause: Duration,
    /// The latest that was answered.
    form: Arc<Mutex<Form>>,
    marks: Arc<Marks>,
    clock: Arc<dyn Clock>,
}

/// Whether the answer is still wanted, asked again and again with how many tokens of it have come.
pub(super) type Watch<'a> = dyn FnMut(usize) -> ControlFlow<()> + 'a;

impl Client {
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            // The key is for the server that was named, and for no other.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        Self {
            config,
            url: format!("{}/chat/completions", limits.base_url.trim_end_matches('/')),
            key: limits.api_key.clone(),
            stream: limits.stream,
            attempts: limits.attempts.max(1),
            request_timeout: limits.request_timeout,
            first_pause: FIRST_PAUSE,
            form: Arc::default(),
            marks: Arc::default(),
            clock,
        }
    }

    /// Asks until there is an answer, the tries or the time are over, or nobody wants it any more. Adds what it
    /// took to `usage`.
    pub fn ask(
        &self,
        request: &Request<'_>,
        usage: &mut Usage,
        watch: &mut Watch<'_>,
    ) -> Result<String, Failed> {
        let mut attempt = 1;
        let mut form = *self.form.lock();
        loop {
            let failed = match self.try_once(request, form, watch) {
                Ok(reply) => {
                    *self.form.lock() = form;
                    note_usage(usage, request.question, &reply);
                    return Ok(reply.whole_lines());
                }
                Err(failed) => failed,
            };
            if let Failed::Form { unwanted, .. } = failed
                && let Some(other) = form.without(unwanted)
            {
                form = other;
                continue;
            }
            let Failed::Other { is_retryable: true, retry_after, .. } = failed else {
                return Err(failed);
            };
            if attempt >= self.attempts {
                return Err(failed);
            }
            let pause = retry_after.unwrap_or_else(|| self.pause(attempt));
            let is_too_late = |deadline| self.clock.now() + pause >= deadline;
            if pause > LONGEST_WAIT || request.deadline.is_some_and(is_too_late) {
                return Err(failed);
            }
            log::debug!(attempt, pause_ms = pause.as_millis() as u64; "a model is asked again: {failed:?}");
            self.wait(pause, watch)?;
            attempt += 1;
        }
    }

    /// The pause after the try of this number, shorter or longer by chance: those who fail together do not come
    /// back together.
    fn pause(&self, attempt: usize) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let pause = self.first_pause.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        pause.mul_f64(0.75 + fastrand::f64() / 2.0)
    }

    fn wait(&self, pause: Duration, watch: &mut Watch<'_>) -> Result<(), Failed> {
        let until = self.clock.now() + pause;
        loop {
            let left = until.saturating_duration_since(self.clock.now());
            if watch(0).is_break() {
                return Err(Failed::Stopped);
            }
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(TICK));
        }
    }

    fn body(&self, request: &Request<'_>, form: Form) -> String {
        let mut body = json!({
            "model": request.model,
            "messages": [
                {"role": "system", "content": request.question.system},
                {"role": "user", "content": request.question.user},
            ],
        });
        let limit = if form.has_new_limit { "max_completion_tokens" } else { "max_tokens" };
        body[limit] = request.max_answer_tokens.into();
        if !form.has_no_temperature {
            body["temperature"] = json!(0.2);
        }
        if self.stream {
            body["stream"] = Value::Bool(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        body.to_string()
    }
}

/// What an answer took: by the server's count, or else by ours.
fn note_usage(usage: &mut Usage, question: &Question, reply: &Reply) {
    let counted = || (tokens(&question.system) + tokens(&question.user), tokens(&reply.text));
    let (prompt, completion) = reply.tokens.unwrap_or_else(|| {
        let (prompt, completion) = counted();
        (prompt as u64, completion as u64)
    });
    usage.requests = usage.requests.saturating_add(1);
    usage.prompt_tokens = usage.prompt_tokens.saturating_add(prompt);
    usage.completion_tokens = usage.completion_tokens.saturating_add(completion);
}
