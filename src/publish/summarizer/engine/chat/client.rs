//! Questions over HTTP, asked again while that may help.
//!
//! Each is asked on a thread of its own, which says how far its answer is: so whoever waits can leave off at any
//! time, whatever the server does. What it leaves behind ends with its own time-out.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use parking_lot::Mutex;
use serde_json::{Value, json};
use ureq::Agent;

use super::parts::tokens;
use super::prompt::Question;
use super::refusal::{refused, shown};
use super::reply::{Reply, Stream};
use super::{Limits, Secret, Usage};
use crate::clock::Clock;

/// How long nobody looks whether the answer is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// The first pause before another try; each is twice the last one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that wants to be left alone for longer is not waited for here, but by whoever wants a summary.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// An answer has no more bytes: far more than a summary can.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
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
    agent: Agent,
    url: String,
    key: Secret,
    stream: bool,
    attempts: usize,
    request_timeout: Duration,
    pub(super) first_pause: Duration,
    /// The latest that was answered.
    form: Arc<Mutex<Form>>,
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
            agent: config.into(),
            url: format!("{}/chat/completions", limits.base_url.trim_end_matches('/')),
            key: limits.api_key.clone(),
            stream: limits.stream,
            attempts: limits.attempts.max(1),
            request_timeout: limits.request_timeout,
            first_pause: FIRST_PAUSE,
            form: Arc::default(),
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

    fn try_once(
        &self,
        request: &Request<'_>,
        form: Form,
        watch: &mut Watch<'_>,
    ) -> Result<Reply, Failed> {
        let left = request.deadline.map(|at| at.saturating_duration_since(self.clock.now()));
        let timeout = left.map_or(self.request_timeout, |left| left.min(self.request_timeout));
        if timeout.is_zero() {
            return Err(late());
        }
        let (tell, told) = bounded(64);
        let (client, body) = (self.clone(), self.body(request, form));
        let ask = move || {
            let outcome = client.send(&body, timeout, &tell);
            // Whoever asked may have left.
            let _ = tell.send(Piece::Ended(outcome));
        };
        let thread = thread::Builder::new().name("model".into()).spawn(ask);
        thread.map_err(|error| Failed::for_now(format!("cannot ask the model: {error}")))?;
        self.listen(&told, timeout, watch)
    }

    fn listen(
        &self,
        told: &Receiver<Piece>,
        timeout: Duration,
        watch: &mut Watch<'_>,
    ) -> Result<Reply, Failed> {
        // The thread's own time-out comes first, unless the server sends a byte now and then.
        let deadline = self.clock.now() + timeout + TICK;
        let mut written = 0;
        loop {
            if watch(written).is_break() {
                return Err(Failed::Stopped);
            }
            if self.clock.now() >= deadline {
                return Err(late());
            }
            match told.recv_timeout(TICK) {
                Ok(Piece::Tokens(count)) => written = count,
                Ok(Piece::Ended(outcome)) => return outcome,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failed::for_now("asking the model failed"));
                }
            }
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

    fn send(&self, body: &str, timeout: Duration, tell: &Sender<Piece>) -> Result<Reply, Failed> {
        let mut request = self.agent.post(&self.url).config().timeout_global(Some(timeout)).build();
        request = request.header(CONTENT_TYPE, "application/json");
        let accepted = if self.stream { "text/event-stream" } else { "application/json" };
        request = request.header(ACCEPT, accepted);
        if !self.key.reveal().is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.key.reveal()));
        }
        let response = request.send(body).map_err(|error| self.unreached(&error))?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| self.wait_for(text));
        let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE));
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut reader = response.into_body().into_reader().take(MAX_ANSWER_BYTES);
        if status != StatusCode::OK {
            let mut said = Vec::new();
            // What it says is read as far as it comes.
            let _ = reader.take(64 << 10).read_to_end(&mut said);
            let failed = refused(status, &String::from_utf8_lossy(&said), &self.key);
            return Err(failed.after(retry_after));
        }
        let broken = |why: String| {
            let why = shown(&why, &self.key);
            Failed::for_now(format!("The model's answer: {why}"))
        };
        if is_stream {
            return read_stream(&mut reader, tell).map_err(broken);
        }
        let mut said = String::new();
        reader.read_to_string(&mut said).map_err(|error| broken(error.to_string()))?;
        let mut reply = Reply::default();
        reply.take(&said).map_err(broken)?;
        Ok(reply)
    }

    fn unreached(&self, error: &ureq::Error) -> Failed {
        // Without a name and a password, if somebody has put them there.
        let host = self.url.split('/').nth(2).unwrap_or_default().rsplit('@').next();
        let host = host.unwrap_or_default();
        let why = shown(&error.to_string(), &self.key);
        match error {
            ureq::Error::Timeout(_) => late(),
            // The address does not change by waiting.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Failed::for_good(format!("the model cannot be asked at {host}: {why}"))
            }
            _ => Failed::for_now(format!("the model cannot be reached at {host}: {why}")),
        }
    }

    /// How long to wait by a `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3).
    fn wait_for(&self, text: &str) -> Option<Duration> {
        if let Ok(seconds) = text.trim().parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date: SystemTime = httpdate::parse_http_date(text).ok()?;
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.unix_ms());
        Some(date.duration_since(now).unwrap_or_default())
    }
}

/// What the asking thread tells.
enum Piece {
    /// So many tokens have come.
    Tokens(usize),
    Ended(Result<Reply, Failed>),
}

fn read_stream(reader: &mut impl Read, tell: &Sender<Piece>) -> Result<Reply, String> {
    let mut stream = Stream::default();
    let mut buffer = [0; 8 << 10];
    loop {
        let bytes = reader.read(&mut buffer).map_err(|error| error.to_string())?;
        if bytes == 0 {
            break;
        }
        stream.feed(&buffer[..bytes])?;
        let written = Piece::Tokens(tokens(&stream.reply.text));
        if stream.is_done || tell.send(written).is_err() {
            break;
        }
    }
    // Some servers do not say that they are done; without a word, something is missing.
    if stream.is_done || !stream.reply.text.is_empty() && stream.reply.tokens.is_some() {
        Ok(stream.reply)
    } else {
        Err("it broke off".to_owned())
    }
}

fn late() -> Failed {
    Failed::for_now(
        "The model did not answer in time (openai_request_timeout_seconds, openai_timeout_seconds).",
    )
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
