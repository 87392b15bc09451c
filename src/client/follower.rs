//! A stream followed across its connections, as a browser's `EventSource` does it, and longer: it resumes
//! by `Last-Event-ID`, waits as `retry:` says, and ever longer when nothing comes of it.
//!
//! Each connection is read by a thread of its own, so that whoever follows never waits longer than it
//! wants to. The thread ends with its connection, or soon after its follower is gone.

use std::collections::VecDeque;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderValue, StatusCode};

use super::Failure;
use super::http::{self as requests, Address};
use crate::event::parser::{EventStreamParser, ReceivedEvent};

/// What there is to know of a stream, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A connection stands.
    Opened,
    /// An event came.
    Event(ReceivedEvent),
    /// The connection has ended, or there was none to be had.
    Lost {
        /// For people.
        why: String,
        /// When the next one is tried.
        retry_in: Duration,
        /// Whether the server itself said that it is not to be had for now.
        is_answer: bool,
    },
    /// The server has said that there will be nothing more (status 204).
    Over,
}

/// Follows one stream.
#[derive(Debug)]
pub struct Follower {
    url: String,
    last_event_id: Option<String>,
    /// What names the session, as a browser keeps it: without it each connection would be a stranger's.
    cookie: Option<String>,
    /// What the server said last.
    retry: Duration,
    /// Connections in a row that brought no event.
    failures: u32,
    parser: EventStreamParser,
    waiting: VecDeque<News>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No connection until then.
    Pausing(Instant),
    /// A connection, or an attempt at one.
    Connected(Receiver<Piece>),
    Over,
}

/// What a connection's thread tells.
#[derive(Debug)]
enum Piece {
    Opened {
        cookie: Option<String>,
    },
    Bytes(Vec<u8>),
    /// The end, for now; perhaps with the server's wish.
    Lost {
        why: String,
        retry_after: Option<Duration>,
        is_answer: bool,
    },
    /// The end, for good.
    Refused(String),
    Over,
}

impl Piece {
    fn lost(why: &str) -> Self {
        Self::Lost { why: why.to_owned(), retry_after: None, is_answer: false }
    }
}

/// How long a client waits that was not told: what browsers do.
const DEFAULT_RETRY: Duration = Duration::from_secs(3);

/// The longest wait, unless the server wants a longer one.
const MAX_RETRY: Duration = Duration::from_secs(30);

/// A connection that brings nothing for so long is taken for dead: three heartbeats, at the server's
/// default.
const SILENCE: Duration = Duration::from_secs(90);

/// What is longer is no event but a mistake, and would fill the memory.
const MAX_EVENT_BYTES: usize = 64 << 20;

/// Pieces that may wait for the follower; then the server has to.
const MAX_PIECES: usize = 64;

impl Follower {
    /// Follows the stream at `address` (`/events`, if it names no path): these types, all if none is
    /// named; of this session, of a new one if none is named.
    pub fn new(address: &Address, subscribe: &[String], session: Option<&str>) -> Self {
        let types = subscribe.join(",");
        let mut parameters = Vec::new();
        if !subscribe.is_empty() {
            parameters.push(("subscribe", types.as_str()));
        }
        parameters.extend(session.map(|session| ("session_id", session)));
        Self::at(address.url("/events", &parameters))
    }

    /// Follows what is at this very address.
    pub fn at(url: String) -> Self {
        Self {
            url,
            last_event_id: None,
            cookie: None,
            retry: DEFAULT_RETRY,
            failures: 0,
            parser: EventStreamParser::default(),
            waiting: VecDeque::new(),
            state: State::Pausing(Instant::now()),
        }
    }

    /// The same, from this event on.
    #[must_use]
    pub fn resuming_after(self, id: &str) -> Self {
        Self { last_event_id: Some(id.to_owned()), ..self }
    }

    /// What is followed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the next connection resumes.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// The next news, if there are any within `at_most`. Fails when the server refuses for good.
    pub fn next(&mut self, at_most: Duration) -> Result<Option<News>, Failure> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(news) = self.waiting.pop_front() {
                return Ok(Some(news));
            }
            match &self.state {
                State::Over => return Ok(Some(News::Over)),
                State::Pausing(until) if *until > deadline => {
                    thread::sleep(deadline.saturating_duration_since(Instant::now()));
                    return Ok(None);
                }
                State::Pausing(until) => {
                    thread::sleep(until.saturating_duration_since(Instant::now()));
                    self.connect();
                }
                State::Connected(pieces) => match pieces.recv_deadline(deadline) {
                    Ok(piece) => self.take(piece)?,
                    Err(RecvTimeoutError::Timeout) => return Ok(None),
                    Err(RecvTimeoutError::Disconnected) => {
                        self.lose("its reader is gone", None, false);
                    }
                },
            }
        }
    }

    fn connect(&mut self) {
        let (tell, pieces) = crossbeam_channel::bounded(MAX_PIECES);
        let request = Request {
            url: self.url.clone(),
            last_event_id: self.last_event_id.clone(),
            cookie: self.cookie.clone(),
        };
        self.parser = EventStreamParser::default();
        self.state = State::Connected(pieces);
        let reader = thread::Builder::new().name("follower".to_owned());
        if let Err(error) = reader.spawn(move || request.read(&tell)) {
            self.lose(&format!("there is no thread for it: {error}"), None, false);
        }
    }

    fn take(&mut self, piece: Piece) -> Result<(), Failure> {
        match piece {
            Piece::Opened { cookie } => {
                self.cookie = cookie.or(self.cookie.take());
                self.waiting.push_back(News::Opened);
            }
            Piece::Bytes(bytes) => self.feed(&bytes),
            Piece::Lost { why, retry_after, is_answer } => self.lose(&why, retry_after, is_answer),
            Piece::Refused(why) => return Err(Failure::Server { url: self.url.clone(), why }),
            Piece::Over => self.state = State::Over,
        }
        Ok(())
    }

    fn feed(&mut self, bytes: &[u8]) {
        let events = self.parser.feed(bytes);
        if self.parser.waiting_bytes() > MAX_EVENT_BYTES {
            let why = format!("an event there is longer than {MAX_EVENT_BYTES} bytes");
            self.lose(&why, None, false);
        }
        self.retry = self.parser.retry_ms().map_or(self.retry, Duration::from_millis);
        for event in events {
            self.failures = 0;
            if !event.id.is_empty() {
                self.last_event_id = Some(event.id.clone());
            }
            self.waiting.push_back(News::Event(event));
        }
    }

    fn lose(&mut self, why: &str, retry_after: Option<Duration>, is_answer: bool) {
        let retry_in = self.pause().max(retry_after.unwrap_or_default());
        self.failures = self.failures.saturating_add(1);
        self.state = State::Pausing(Instant::now() + retry_in);
        self.waiting.push_back(News::Lost { why: why.to_owned(), retry_in, is_answer });
    }

    /// What the server said; twice as long after each attempt in vain, and up to half more by chance, so
    /// that those who failed together do not return together.
    fn pause(&self) -> Duration {
        if self.failures == 0 {
            return self.retry;
        }
        let doubled = self.retry.saturating_mul(1 << self.failures.min(16));
        doubled.min(MAX_RETRY.max(self.retry)).mul_f64(1.0 + fastrand::f64() / 2.0)
    }
}

/// One connection, before it is made.
struct Request {
    url: String,
    last_event_id: Option<String>,
    cookie: Option<String>,
}

impl Request {
    /// Makes the connection and tells what comes of it, until it ends or nobody listens.
    fn read(self, tell: &Sender<Piece>) {
        let last = match self.converse(tell) {
            Ok(end) => end,
            Err(error) => Piece::lost(&error.to_string()),
        };
        let _ = tell.send(last);
    }

    fn converse(&self, tell: &Sender<Piece>) -> Result<Piece, ureq::Error> {
        let mut request =
            requests::agent(SILENCE).get(&self.url).header("Accept", "text/event-stream");
        // An id with control characters in it cannot be said, and must not keep us from coming back.
        let said = self.last_event_id.as_ref().map(|id| HeaderValue::from_bytes(id.as_bytes()));
        if let Some(Ok(id)) = said {
            request = request.header("Last-Event-ID", id);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let response = request.call()?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NO_CONTENT => return Ok(Piece::Over),
            status if requests::is_for_now(status) => {
                let retry_after = requests::retry_after(&response);
                let why = requests::refusal(response);
                return Ok(Piece::Lost { why, retry_after, is_answer: true });
            }
            _ => return Ok(Piece::Refused(requests::refusal(response))),
        }
        let headers = response.headers();
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|value| value.starts_with("text/event-stream")) {
            let found = content_type.unwrap_or("nothing of a known type");
            return Ok(Piece::Refused(format!("this is no event stream but {found}")));
        }
        let cookie = headers.get(SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let mut heard = tell.send(Piece::Opened { cookie }).is_ok();
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 16 << 10];
        while heard {
            let count = body.read(&mut buffer).map_err(ureq::Error::from)?;
            if count == 0 {
                break;
            }
            heard = tell.send(Piece::Bytes(buffer[..count].to_vec())).is_ok();
        }
        Ok(Piece::lost("the connection has ended"))
    }
}
