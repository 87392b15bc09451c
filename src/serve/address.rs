//! Who is at the other end, behind proxies or not.
//!
//! Anyone can write a header, so a header counts only as far as trusted proxies vouch for it: from
//! the right, where the nearest proxy wrote, up to the first address that is not trusted.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The client's address: the peer's, unless the peer is a trusted proxy that names another.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| is_trusted(address, trusted);
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return peer;
    }
    if !headers.contains_key(FORWARDED_FOR) {
        return real_ip(headers).unwrap_or(peer);
    }
    let mut nearest = peer;
    for entry in forwarded_for(headers) {
        match entry.and_then(parse) {
            Some(address) => nearest = address,
            None => return nearest,
        }
        if !is_trusted(nearest) {
            return nearest;
        }
    }
    nearest
}

/// Whether this is a proxy whose word counts.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The entries of all `X-Forwarded-For` lines, nearest first; `None` for a line that is not text.
fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<&str>> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| {
        let text = line.to_str().ok();
        let entries = text.into_iter().flat_map(|text| text.rsplit(',').map(Some));
        entries.chain(text.is_none().then_some(None))
    })
}

fn real_ip(headers: &HeaderMap) -> Option<IpAddr> {
    let mut lines = headers.get_all(REAL_IP).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => parse(line.to_str().ok()?),
        // With two, one of them is the client's own invention.
        _ => None,
    }
}

/// An address with or without brackets and port.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().or_else(|_| entry.parse::<SocketAddr>().map(|with| with.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}
