//! Fetches a document that a publisher only names, without becoming a way into our own network.
//!
//! Whoever may name an address could otherwise have the server ask what only the server can reach: its
//! own ports, its neighbours, its cloud's metadata. So addresses are judged where they are really
//! connected to ([`resolver`]), for each redirect anew; hosts can be limited to a list; and sizes, times
//! and redirects are bounded. No cookie, credential or proxy is ever used.

mod address;
// What may be asked.
pub mod gate;
// What stands between other programs and the network.
pub mod guard;
mod location;
mod resolver;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{Response, StatusCode, Uri};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use self::gate::matches;
use self::resolver::{ForbiddenAddress, GuardedResolver, Judge};
use crate::clock::Clock;

/// What may be fetched, and how much of it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The hosts that may be asked: `example.com`, `*.example.com` for what lies below it, or `*` for all.
    /// Empty: nothing is fetched.
    pub hosts: Vec<String>,
    /// Whether addresses that are not on the public internet may be asked too: this machine, its
    /// network, its cloud's metadata.
    pub private_addresses: bool,
    /// The size of one document, in bytes; 0 is no limit.
    pub max_bytes: usize,
    /// How long one document may take, redirects included; zero is no limit.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts: vec!["*".into()],
            private_addresses: false,
            max_bytes: 10 << 20,
            timeout: Duration::from_secs(30),
        }
    }
}

/// Whether `text` can stand in [`Limits::hosts`].
pub fn is_host_pattern(text: &str) -> bool {
    let host = text.strip_prefix("*.").unwrap_or(text);
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    text == "*" || (!host.is_empty() && host.chars().all(is_host_char))
}

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its content.
    pub bytes: Vec<u8>,
    /// What the server calls it, in lower case and without parameters: `application/pdf`.
    pub content_type: Option<String>,
    /// Where it was found, after redirects.
    pub url: String,
}

/// Why a document was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The setting `fetch_hosts` is empty.
    #[error("fetching is off here (fetch_hosts is empty)")]
    Off,
    /// It is no address, or one of another kind.
    #[error("{0:?} is no address that can be fetched: it must begin with http:// or https://")]
    NoAddress(String),
    /// It carries a name and a password, which would end up in logs and progress reports.
    #[error("an address with a user name or a password in it is not fetched")]
    Credentials,
    /// The host is not on the list.
    #[error("the host {0} is not among those that may be fetched from (fetch_hosts)")]
    Host(String),
    /// The host is on this machine or its network.
    #[error("{0}")]
    Private(ForbiddenAddress),
    /// One redirect led to another.
    #[error("there are more than {MAX_REDIRECTS} redirects")]
    Redirects,
    /// The server says no.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// The document is compressed although nobody asked for that.
    #[error("the server sent the document in the encoding {0:?}, which was not asked for")]
    Encoding(String),
    /// There is more of it than may be.
    #[error("the document has more than {0} bytes (max_fetch_bytes)")]
    TooLarge(usize),
    /// The time is over.
    #[error("the document did not come within {} seconds (fetch_timeout_seconds)", .0.as_secs_f32())]
    Timeout(Duration),
    /// The server is not there, or broke off.
    #[error("the server could not be reached: {0}")]
    Network(String),
    /// The caller does not want it any more.
    #[error("fetching was cancelled")]
    Cancelled,
}

impl FetchError {
    /// Whether another attempt may do better.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Network(_) => true,
            Self::Status(status) => {
                let is_for_now = [
                    StatusCode::REQUEST_TIMEOUT,
                    StatusCode::TOO_EARLY,
                    StatusCode::TOO_MANY_REQUESTS,
                ];
                status.is_server_error() || is_for_now.contains(status)
            }
            _ => false,
        }
    }
}

/// Redirects that are followed; browsers follow 20, and nobody who means well needs more than a few.
const MAX_REDIRECTS: usize = 5;

/// How many bytes are read between two looks at whether anybody still wants them.
const CHUNK_BYTES: usize = 16 << 10;

/// Fetches documents. Every fetch uses connections of its own, so that none is reused unjudged.
pub struct Fetcher {
    agent: Agent,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Fetches within these limits.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let judge = if limits.private_addresses { |_| true } else { address::is_public };
        Self::judging(limits, clock, judge)
    }

    fn judging(limits: Limits, clock: Arc<dyn Clock>, may_be_asked: Judge) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            // Each redirect is judged as the first address was.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would connect where our resolver cannot look; ureq takes one from the environment.
            .proxy(None)
            .max_idle_connections(0)
            .build();
        let resolver = GuardedResolver::new(may_be_asked);
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Self { agent, limits, clock }
    }

    /// Fetches what is at `url`.
    ///
    /// Looks at `is_cancelled` whenever something has come; a server that is silent is left when the
    /// time is over.
    pub fn fetch(&self, url: &str, is_cancelled: &dyn Fn() -> bool) -> Result<Fetched, FetchError> {
        let deadline = self.deadline();
        let mut uri = location::parse(url)?;
        for _ in 0..=MAX_REDIRECTS {
            if is_cancelled() {
                return Err(FetchError::Cancelled);
            }
            self.judge(&uri)?;
            let response = self.ask(&uri, deadline)?;
            match redirect(&response) {
                Some(location) => uri = location::join(&uri, &location)?,
                None => return self.take(response, &uri, is_cancelled),
            }
        }
        Err(FetchError::Redirects)
    }

    fn deadline(&self) -> Option<Instant> {
        let timeout = self.limits.timeout;
        (!timeout.is_zero()).then(|| self.clock.now() + timeout)
    }

    /// Whether this host may be asked at all; where it really is, the resolver judges.
    fn judge(&self, uri: &Uri) -> Result<(), FetchError> {
        if self.limits.hosts.is_empty() {
            return Err(FetchError::Off);
        }
        let host = uri.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let is_listed = self.limits.hosts.iter().any(|pattern| matches(pattern, &host));
        if is_listed { Ok(()) } else { Err(FetchError::Host(host)) }
    }

    fn ask(&self, uri: &Uri, deadline: Option<Instant>) -> Result<Response<Body>, FetchError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(self.clock.now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(FetchError::Timeout(self.limits.timeout));
        }
        let request = self.agent.get(uri).config().timeout_global(left).build();
        request.call().map_err(|error| self.told(error))
    }

    /// What an error of the client means for whoever asked.
    fn told(&self, error: ureq::Error) -> FetchError {
        match error {
            ureq::Error::Timeout(_) => FetchError::Timeout(self.limits.timeout),
            ureq::Error::Other(other) => match other.downcast::<ForbiddenAddress>() {
                Ok(forbidden) => FetchError::Private(*forbidden),
                Err(other) => FetchError::Network(other.to_string()),
            },
            other => FetchError::Network(other.to_string()),
        }
    }

    fn take(
        &self,
        response: Response<Body>,
        uri: &Uri,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Fetched, FetchError> {
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status()));
        }
        let encoding = header(&response, CONTENT_ENCODING).filter(|name| name != "identity");
        if let Some(encoding) = encoding {
            return Err(FetchError::Encoding(encoding));
        }
        let announced = header(&response, CONTENT_LENGTH).and_then(|text| text.parse().ok());
        self.check_size(announced.unwrap_or(0))?;
        let content_type = header(&response, CONTENT_TYPE)
            .map(|text| text.split(';').next().unwrap_or_default().trim().to_owned())
            .filter(|text| !text.is_empty());
        let bytes = self.read(response.into_body(), is_cancelled)?;
        Ok(Fetched { bytes, content_type, url: uri.to_string() })
    }

    fn read(&self, body: Body, is_cancelled: &dyn Fn() -> bool) -> Result<Vec<u8>, FetchError> {
        let mut reader = body.into_reader();
        let mut bytes = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            if is_cancelled() {
                return Err(FetchError::Cancelled);
            }
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(bytes),
                Ok(count) => {
                    self.check_size(bytes.len() + count)?;
                    bytes.extend_from_slice(&chunk[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.told(ureq::Error::from(error))),
            }
        }
    }

    fn check_size(&self, bytes: usize) -> Result<(), FetchError> {
        let max = self.limits.max_bytes;
        if max != 0 && bytes > max { Err(FetchError::TooLarge(max)) } else { Ok(()) }
    }
}

/// Where a response sends us instead. One without a place to go is judged by its status.
fn redirect(response: &Response<Body>) -> Option<String> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    // Some servers put UTF-8 there; it is escaped when it is parsed.
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

fn header(response: &Response<Body>, name: http::HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.trim().to_ascii_lowercase())
}
