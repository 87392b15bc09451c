//! Names to addresses, and only to those that may be asked.
//!
//! What is judged here is what is connected to: were the name looked up once for the judgement and once
//! for the connection, its owner could answer differently the second time.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// A host has only addresses that must not be asked. Which, is for whoever may look it up: a publisher
/// is not to learn our network from an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host {host} is not on the public internet (fetch_private_addresses)")]
pub struct ForbiddenAddress {
    host: String,
}

/// Says whether an address may be asked.
pub(super) type Judge = fn(IpAddr) -> bool;

/// The system's resolver, and what it says less what must not be asked.
pub(super) struct GuardedResolver {
    system: DefaultResolver,
    may_be_asked: Judge,
}

impl GuardedResolver {
    pub(super) fn new(may_be_asked: Judge) -> Self {
        Self { system: DefaultResolver::default(), may_be_asked }
    }
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedResolver").finish_non_exhaustive()
    }
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.system.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        let may_be_asked = |at: &&SocketAddr| (self.may_be_asked)(at.ip());
        for at in found.iter().filter(may_be_asked) {
            allowed.push(*at);
        }
        if allowed.is_empty() {
            let host = uri.host().unwrap_or_default().to_owned();
            return Err(ureq::Error::Other(Box::new(ForbiddenAddress { host })));
        }
        Ok(allowed)
    }
}
