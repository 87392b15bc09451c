//! One question on its way to a server and back, on a thread of its own: so whoever asks can leave off at any time,
//! whatever the server does.
//!
//! Whoever leaves off ends the connection, and with it the thread and, with most servers, the work there. Only a name
//! that is being looked up, or an address that does not answer, goes on until the question's time is over; of such
//! threads there are never more than [`MAX_LEFT`].

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use ureq::Agent;

use super::super::parts::tokens;
use super::super::refusal::{refused, shown};
use super::super::reply::{Reply, Stream};
use super::{Client, Failed, Form, Request, TICK, Watch};

/// Threads of one model to which nobody listens any more. Beyond that a question waits for one of them to end.
const MAX_LEFT: usize = 16;
/// An answer has no more bytes: far more than a summary can.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
/// A mark for each thread that asks, and one for each that is listened to.
#[derive(Debug, Default)]
pub(super) struct Marks {
    asking: Arc<()>,
    listening: Arc<()>,
}

impl Marks {
    /// Threads to which nobody listens any more.
    fn left(&self) -> usize {
        Arc::strong_count(&self.asking).saturating_sub(Arc::strong_count(&self.listening))
    }
}

/// A question that is being asked, and listened to. When it is dropped, its connection ends.
struct Asked {
    agent: Agent,
    told: Receiver<Piece>,
    _mark: Arc<()>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.agent.clone().shutdown();
    }
}

impl Client {
    /// Asks once.
    pub(super) fn try_once(
        &self,
        request: &Request<'_>,
        form: Form,
        watch: &mut Watch<'_>,
    ) -> Result<Reply, Failed> {
        self.await_room(watch)?;
        let left = request.deadline.map(|at| at.saturating_duration_since(self.clock.now()));
        let timeout = left.map_or(self.request_timeout, |left| left.min(self.request_timeout));
        if timeout.is_zero() {
            return Err(late());
        }
        let asked = self.begin(self.body(request, form), timeout)?;
        self.listen(&asked.told, timeout, watch)
    }

    /// Waits while there are as many threads as may be to which nobody listens.
    fn await_room(&self, watch: &mut Watch<'_>) -> Result<(), Failed> {
        while self.marks.left() >= MAX_LEFT {
            if watch(0).is_break() {
                return Err(Failed::Stopped);
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    fn begin(&self, body: String, timeout: Duration) -> Result<Asked, Failed> {
        let (tell, told) = bounded(64);
        // An agent can end only all of its connections, so each question has one. Questions are few and take seconds;
        // a new connection for each does not matter.
        let agent = Agent::from(self.config.clone());
        let asked = Asked { agent: agent.clone(), told, _mark: self.marks.listening.clone() };
        let (client, mark) = (self.clone(), self.marks.asking.clone());
        let ask = move || {
            let outcome = client.send(&agent, &body, timeout, &tell);
            // Whoever asked may have left.
            let _ = tell.send(Piece::Ended(outcome));
            drop(mark);
        };
        let thread = thread::Builder::new().name("model".into()).spawn(ask);
        thread.map_err(|error| Failed::for_now(format!("cannot ask the model: {error}")))?;
        Ok(asked)
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

    fn send(
        &self,
        agent: &Agent,
        body: &str,
        timeout: Duration,
        tell: &Sender<Piece>,
    ) -> Result<Reply, Failed> {
        let mut request = agent.post(&self.url).config().timeout_global(Some(timeout)).build();
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
    if stream.is_done || !stream.reply.text.is_empty() && stream.reply.has_ended {
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

#[cfg(test)]
impl Client {
    /// As if so many had been left.
    pub(in super::super) fn leave(&self, threads: usize) -> Vec<Arc<()>> {
        vec![self.marks.asking.clone(); threads]
    }
}
