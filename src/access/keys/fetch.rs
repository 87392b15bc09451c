//! One look at where the keys are published, within limits of time and size.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};
use ureq::Agent;

use super::KeySource;
use crate::access::jwks::{BadKeySet, KeySet};

/// How long the whole of it may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The stack for it. TLS takes more than a connection's thread may have.
const STACK_BYTES: usize = 1 << 20;

/// The size of a set; Google's has some 2 KiB.
const MAX_BYTES: u64 = 64 << 10;

/// How long a set counts as fresh of which nothing is said.
const USUAL: Duration = Duration::from_secs(3_600);

/// Shorter than this would be a request for every few tokens.
const SHORTEST: Duration = Duration::from_secs(300);

/// Longer than this, and a key that was withdrawn would be good for too long.
const LONGEST: Duration = Duration::from_secs(86_400);

/// A file is read again after this time: whoever changes it wants it to count.
const FILE: Duration = Duration::from_secs(60);

/// Looks at one place.
#[derive(Debug)]
pub(super) struct Fetcher {
    source: KeySource,
    agent: Agent,
}

/// What was found there.
#[derive(Debug)]
pub(super) struct Fetched {
    pub set: KeySet,
    /// How long it is not worth another look.
    pub fresh_for: Duration,
}

/// Why nothing of use was found there.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Connection(#[from] ureq::Error),
    #[error("the answer was {0}")]
    Status(http::StatusCode),
    #[error("asking for them has failed; this is a mistake of the server's own")]
    Died,
    #[error("there is more than a set of keys can be")]
    TooLarge,
    #[error(transparent)]
    Document(#[from] BadKeySet),
}

impl Fetcher {
    pub fn new(source: KeySource) -> Self {
        Self::within(TIMEOUT, source)
    }

    pub fn within(timeout: Duration, source: KeySource) -> Self {
        let is_https = matches!(&source, KeySource::Url(url) if url.starts_with("https://"));
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // What was asked for in private is not answered in public.
            .https_only(is_https)
            .max_redirects(3)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(timeout))
            .build()
            .new_agent();
        Self { source, agent }
    }

    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// Looks, on a thread of its own.
    pub fn fetch(&self) -> Result<Fetched, FetchError> {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("keys".into()).stack_size(STACK_BYTES);
            let looking = thread.spawn_scoped(scope, || self.look())?;
            looking.join().unwrap_or(Err(FetchError::Died))
        })
    }

    fn look(&self) -> Result<Fetched, FetchError> {
        let (document, fresh_for) = match &self.source {
            KeySource::File(path) => (read(File::open(path)?)?, FILE),
            KeySource::Url(url) => {
                let answer = self.agent.get(url).call()?;
                if answer.status() != http::StatusCode::OK {
                    return Err(FetchError::Status(answer.status()));
                }
                let fresh_for = fresh_for(answer.headers());
                (read(answer.into_body().into_reader())?, fresh_for)
            }
        };
        Ok(Fetched { set: KeySet::parse(&document)?, fresh_for })
    }
}

fn read(from: impl Read) -> Result<Vec<u8>, FetchError> {
    let mut document = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut document)?;
    if document.len() as u64 > MAX_BYTES { Err(FetchError::TooLarge) } else { Ok(document) }
}

/// What a shared cache would do (RFC 9111), within our own bounds.
fn fresh_for(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives = lines.flat_map(|line| line.split(',')).map(|text| text.trim().to_lowercase());
    let mut allowed = None;
    for directive in directives {
        if ["no-cache", "no-store"].contains(&directive.as_str()) {
            return SHORTEST;
        }
        let seconds = directive.strip_prefix("max-age=").map(|text| text.trim_matches('"'));
        allowed = allowed.or(seconds.and_then(|seconds| seconds.parse().ok()));
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
    let left = allowed.map(|allowed: u64| Duration::from_secs(allowed.saturating_sub(age)));
    left.unwrap_or(USUAL).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn check(headers: &[(HeaderName, &'static str)], seconds: u64) {
        let lines = headers.iter().cloned();
        let map: HeaderMap =
            lines.map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
        assert_eq!(fresh_for(&map), Duration::from_secs(seconds), "{headers:?}");
    }

    #[test]
    fn an_issuer_says_how_long_its_keys_are_fresh() {
        check(&[], 3_600);
        // Google's.
        check(&[(CACHE_CONTROL, "public, max-age=23106, must-revalidate, no-transform")], 23_106);
        check(&[(CACHE_CONTROL, "Max-Age=1000"), (AGE, "400")], 600);
        check(&[(CACHE_CONTROL, "max-age=\"1000\"")], 1_000);
        check(&[(CACHE_CONTROL, "public, max-age=x")], 3_600);
    }

    #[test]
    fn it_is_believed_within_bounds() {
        check(&[(CACHE_CONTROL, "max-age=0")], 300);
        check(&[(CACHE_CONTROL, "max-age=400"), (AGE, "4000")], 300);
        check(&[(CACHE_CONTROL, "max-age=99999999999")], 86_400);
        check(&[(CACHE_CONTROL, "no-store, max-age=9999")], 300);
        check(&[(CACHE_CONTROL, "max-age=9999"), (CACHE_CONTROL, "no-cache")], 300);
    }
}
