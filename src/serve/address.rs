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
        match parse(entry) {
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

/// The entries of all `X-Forwarded-For` lines, nearest first.
fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','))
}

fn real_ip(headers: &HeaderMap) -> Option<IpAddr> {
    let mut lines = headers.get_all(REAL_IP).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => parse(line.as_bytes()),
        // With two, one of them is the client's own invention.
        _ => None,
    }
}

/// An address with or without brackets and port.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().or_else(|_| entry.parse::<SocketAddr>().map(|with| with.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// Checks the client's address for a peer and header lines; trusted are `10.0.0.0/8` and `fd00::/8`.
    fn check(peer: &str, lines: &[(&'static str, &str)], expected: &str) {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let client = client_address(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(client.to_string(), expected, "{peer} {lines:?}");
    }

    /// The same behind a trusted proxy, with one `X-Forwarded-For`.
    fn check_behind_proxy(forwarded_for: &str, expected: &str) {
        check("10.0.0.1", &[("x-forwarded-for", forwarded_for)], expected);
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        check("1.2.3.4", &[], "1.2.3.4");
        check("1.2.3.4", &[("x-forwarded-for", "5.6.7.8")], "1.2.3.4");
        check("1.2.3.4", &[("x-real-ip", "5.6.7.8")], "1.2.3.4");
        check("2001:db8::1", &[("x-forwarded-for", "10.0.0.9")], "2001:db8::1");
    }

    #[test]
    fn without_trusted_proxies_headers_are_nothing() {
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, HeaderValue::from_static("5.6.7.8"))]);
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(client_address(peer, &headers, &[]), peer);
    }

    #[test]
    fn a_proxy_names_its_client() {
        check("10.0.0.1", &[], "10.0.0.1");
        check_behind_proxy("1.2.3.4", "1.2.3.4");
        check("fd00::1", &[("x-forwarded-for", "1.2.3.4")], "1.2.3.4");
    }

    #[test]
    fn what_the_client_wrote_itself_is_left_of_the_truth() {
        check_behind_proxy("9.9.9.9, 1.2.3.4", "1.2.3.4");
        check_behind_proxy("10.0.0.5, 1.2.3.4", "1.2.3.4");
        check_behind_proxy("garbage, 1.2.3.4", "1.2.3.4");
    }

    #[test]
    fn a_chain_of_proxies_is_followed() {
        check_behind_proxy("9.9.9.9, 1.2.3.4, 10.0.0.3, 10.0.0.2", "1.2.3.4");
        check_behind_proxy("10.0.0.3, 10.0.0.2", "10.0.0.3");
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = [("x-forwarded-for", "9.9.9.9, 1.2.3.4"), ("x-forwarded-for", "10.0.0.2")];
        check("10.0.0.1", &lines, "1.2.3.4");
    }

    #[test]
    fn garbage_ends_the_walk() {
        for garbage in [
            "unknown",
            "",
            "_hidden",
            "1.2.3",
            "1.2.3.4.5",
            "[::1",
            "::1]",
            "a:b",
            "1.2.3.4:x",
            "\u{e9}",
        ] {
            check_behind_proxy(garbage, "10.0.0.1");
            check_behind_proxy(&format!("1.2.3.4, {garbage}, 10.0.0.2"), "10.0.0.2");
        }
    }

    #[test]
    fn addresses_come_in_many_clothes() {
        check_behind_proxy("1.2.3.4:5678", "1.2.3.4");
        check_behind_proxy(" 2001:DB8::1 ", "2001:db8::1");
        check_behind_proxy("[2001:db8::1]", "2001:db8::1");
        check_behind_proxy("[2001:db8::1]:443", "2001:db8::1");
        check_behind_proxy("::ffff:1.2.3.4", "1.2.3.4");
        check_behind_proxy("[::ffff:1.2.3.4]:80", "1.2.3.4");
        check_behind_proxy("1.2.3.4, ::ffff:10.0.0.2", "1.2.3.4");
        check("::ffff:10.0.0.1", &[("x-forwarded-for", "1.2.3.4")], "1.2.3.4");
        check("::ffff:1.2.3.4", &[], "1.2.3.4");
    }

    #[test]
    fn the_real_ip_counts_when_there_is_no_list() {
        check("10.0.0.1", &[("x-real-ip", "1.2.3.4")], "1.2.3.4");
        check("10.0.0.1", &[("x-real-ip", "garbage")], "10.0.0.1");
        check("10.0.0.1", &[("x-real-ip", "1.2.3.4"), ("x-real-ip", "5.6.7.8")], "10.0.0.1");
        check("10.0.0.1", &[("x-real-ip", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8")], "5.6.7.8");
    }
}
