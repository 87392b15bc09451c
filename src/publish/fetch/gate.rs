//! What may be asked on the network: which hosts by their names, and of those which addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use http::Uri;

use super::address;

/// Hosts and addresses that may be asked. Cheap enough to clone.
#[derive(Clone)]
pub struct Gate {
    /// The setting that has the hosts, for whoever is refused.
    setting: &'static str,
    hosts: Vec<String>,
    may_be_asked: fn(IpAddr) -> bool,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// Why something may not be asked. It does not name addresses: whoever asks is not to learn our network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no address.
    #[error("this is no address that can be asked: {0:?}")]
    NoAddress(String),
    /// The host is not on the list.
    #[error("the host {host} is not among those that may be asked ({setting})")]
    Host {
        /// Which.
        host: String,
        /// The setting that lists them.
        setting: &'static str,
    },
    /// The host is on this machine or its network.
    #[error("the host {0} is not on the public internet (fetch_private_addresses)")]
    Private(String),
    /// The host has no address.
    #[error("the host {0} is not known")]
    Unknown(String),
}

impl Gate {
    /// Lets through to these hosts (`example.com`, `*.example.com` for what lies below it, `*` for all), which a
    /// setting lists; to this machine and its network only if it is said.
    pub fn new(setting: &'static str, hosts: Vec<String>, private_addresses: bool) -> Self {
        let may_be_asked = if private_addresses { |_| true } else { address::is_public };
        Self { setting, hosts, may_be_asked }
    }

    /// Whether the host of an address may be asked; where it really is, is judged when it is asked.
    pub fn check_url(&self, url: &str) -> Result<(), Refusal> {
        let uri: Option<Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host);
        let host = host.ok_or_else(|| Refusal::NoAddress(url.chars().take(80).collect()))?;
        self.check_host(host)?;
        // What is an address already need not be looked up to be judged.
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) if !(self.may_be_asked)(ip) => Err(Refusal::Private(host.to_owned())),
            _ => Ok(()),
        }
    }

    /// Whether this host may be asked.
    pub fn check_host(&self, host: &str) -> Result<(), Refusal> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_listed = self.hosts.iter().any(|pattern| matches(pattern, &host));
        if is_listed { Ok(()) } else { Err(Refusal::Host { host, setting: self.setting }) }
    }

    /// Where a host is that may be asked: what is judged here is to be connected to, and not looked up again.
    pub fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        self.check_host(host)?;
        let bare = host.trim_matches(['[', ']']);
        let found: io::Result<Vec<_>> = (bare, port).to_socket_addrs().map(Iterator::collect);
        let found = found.map_err(|_| Refusal::Unknown(host.to_owned()))?;
        let allowed: Vec<_> =
            found.into_iter().filter(|address| (self.may_be_asked)(address.ip())).collect();
        if allowed.is_empty() { Err(Refusal::Private(host.to_owned())) } else { Ok(allowed) }
    }
}

/// Whether a host, in lower case, is meant by an entry of the list.
pub(super) fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        // The host itself is not below itself: who wants both lists both.
        Some(parent) => host.strip_suffix(parent).is_some_and(|below| below.ends_with('.')),
        None => pattern == "*" || pattern == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(hosts: &[&str], private_addresses: bool) -> Gate {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Gate::new("video_hosts", hosts, private_addresses)
    }

    #[test]
    fn hosts_are_judged_by_name_and_then_by_address() {
        let gate_to = |hosts: &[&str]| gate(hosts, false);
        let videos = gate_to(&["example.com", "*.example.com"]);
        for url in ["https://example.com/x", "http://a.b.EXAMPLE.com.:80/"] {
            assert_eq!(videos.check_url(url), Ok(()), "{url}");
        }
        for url in
            ["https://example.org/", "https://notexample.com/", "http://127.0.0.1/", "nonsense", ""]
        {
            assert!(videos.check_url(url).is_err(), "{url}");
        }
        let all = gate_to(&["*"]);
        for url in [
            "http://127.0.0.1:80/",
            "http://[::1]/",
            "http://169.254.169.254/latest",
            "http://10.1.2.3/",
        ] {
            assert!(matches!(all.check_url(url), Err(Refusal::Private(_))), "{url}");
        }
        assert!(matches!(all.resolve("localhost", 80), Err(Refusal::Private(_))));
        assert!(gate(&["*"], true).resolve("localhost", 80).is_ok());
        assert!(matches!(videos.resolve("localhost", 80), Err(Refusal::Host { .. })));
    }
}
