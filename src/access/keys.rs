//! An issuer's keys as they are now: fetched when they are needed, believed for as long as the issuer says.
//!
//! What a stranger sends may name any key, so what it names cannot be worth a request each time: between
//! two tries there is a pause. Nobody waits while another fetches, for that would hold up a thread for each
//! of them: who has a key goes on with it, and who has none is to come again. When the keys cannot be
//! fetched, the old ones serve on for a day.

mod fetch;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::fetch::{Fetched, Fetcher};
use super::jwks::KeySet;
use super::jws::{PublicKey, Token};
use crate::clock::Clock;

/// Where a set of keys is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At an address: `http://` or `https://`.
    Url(String),
    /// In a file.
    File(PathBuf),
}

impl FromStr for KeySource {
    type Err = NoSource;

    fn from_str(text: &str) -> Result<Self, NoSource> {
        match text.split_once("://") {
            None if text.is_empty() => Err(NoSource),
            None => Ok(Self::File(text.into())),
            Some(("http" | "https", host)) if !host.is_empty() => Ok(Self::Url(text.to_owned())),
            Some(_) => Err(NoSource),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What is no [`KeySource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys are at an http:// or https:// address or in a file")]
pub struct NoSource;

/// Between two tries after one that went well: for tokens that name an unknown key.
const PAUSE: Duration = Duration::from_secs(30);

/// Between two tries after one that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// When to come again while somebody else fetches.
const MOMENT: Duration = Duration::from_secs(1);

/// How long keys serve on that should have been fetched anew, but could not be.
const LAST_RESORT: Duration = Duration::from_secs(86_400);

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keys {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Empty until the first are there.
    set: KeySet,
    /// Until when they need not be fetched anew.
    fresh_until: Option<Instant>,
    /// Nobody else fetches meanwhile.
    is_fetching: bool,
    /// When the last try was made.
    tried: Option<Instant>,
    has_failed: bool,
}

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKey {
    /// The issuer has no such key.
    Unknown,
    /// The issuer could not be asked; come again after this time.
    ForNow(Duration),
}

impl Keys {
    /// The keys published there; nothing is fetched before the first token comes.
    pub fn new(source: KeySource, clock: Arc<dyn Clock>) -> Self {
        Self { fetcher: Fetcher::new(source), clock, state: Mutex::default() }
    }

    /// The key that a token says it is signed with, fetched if need be.
    pub fn key_for(&self, token: &Token<'_>) -> Result<PublicKey, NoKey> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let known = state.key_for(token, now);
        if known.is_some() && state.is_fresh(now) || !state.may_fetch(now) {
            return known.ok_or_else(|| state.why_none(now));
        }
        (state.is_fetching, state.tried) = (true, Some(now));
        drop(state);
        let fetched = self.fetcher.fetch();
        let mut state = self.state.lock();
        state.is_fetching = false;
        state.has_failed = fetched.is_err();
        match fetched {
            Ok(Fetched { set, fresh_for }) => {
                (state.set, state.fresh_until) = (set, Some(now + fresh_for));
            }
            Err(error) => {
                log::warn!(source:% = self.fetcher.source(), error:%; "no keys to check tokens with");
            }
        }
        state.key_for(token, now).ok_or_else(|| state.why_none(now))
    }
}

impl State {
    fn key_for(&self, token: &Token<'_>, now: Instant) -> Option<PublicKey> {
        let is_good = self.fresh_until.is_some_and(|until| now < until + LAST_RESORT);
        self.set.key_for(token).filter(|_| is_good).cloned()
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fresh_until.is_some_and(|until| now < until)
    }

    fn may_fetch(&self, now: Instant) -> bool {
        !self.is_fetching && self.pause_left(now).is_zero()
    }

    fn pause_left(&self, now: Instant) -> Duration {
        let pause = if self.has_failed { PAUSE_AFTER_FAILURE } else { PAUSE };
        let since = self.tried.map(|tried| now.saturating_duration_since(tried));
        since.map_or(Duration::ZERO, |since| pause.saturating_sub(since))
    }

    /// It is only known that the issuer has no such key if it has been asked and has answered.
    fn why_none(&self, now: Instant) -> NoKey {
        if self.is_fetching {
            NoKey::ForNow(MOMENT)
        } else if self.has_failed {
            NoKey::ForNow(self.pause_left(now))
        } else {
            NoKey::Unknown
        }
    }
}

#[cfg(test)]
mod tests;
