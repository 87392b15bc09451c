//! Which addresses are on the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// What is not globally reachable, after IANA's registry of special-purpose addresses.
const SPECIAL_V4: &[Ipv4Net] = &[
    // "This network"; Linux connects 0.0.0.0 to itself.
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    // Carriers' own networks, and the metadata of some clouds (100.100.100.200).
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // Link-local, and the metadata of most clouds (169.254.169.254).
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    // Multicast, reserved, broadcast.
    v4(224, 0, 0, 0, 3),
];

/// The part of IPv6 that is given out; all else is local, special or not assigned.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// What is special within it.
const SPECIAL_V6: &[Ipv6Net] = &[
    // Protocols' own, Teredo among them, which hides an IPv4 address.
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x3fff, 0, 0, 20),
];

/// Translators put an IPv4 address into the last four bytes of this.
const TRANSLATED: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// 6to4 puts it behind these two bytes.
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// Whether an address is on the public internet, so that asking it gives away nothing of ours.
///
/// An IPv6 address that stands for an IPv4 address is judged as that.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => match hidden(address) {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => {
                GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
            }
        },
    }
}

/// The IPv4 address to which a packet for this address is carried in the end.
fn hidden(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let o = address.octets();
    if TRANSLATED.contains(&address) {
        Some(Ipv4Addr::new(o[12], o[13], o[14], o[15]))
    } else if SIX_TO_FOUR.contains(&address) {
        Some(Ipv4Addr::new(o[2], o[3], o[4], o[5]))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: bool, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        check(
            true,
            &["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.128.0.1"],
        );
        check(true, &["2606:4700::1111", "2a00:1450:4001::200e", "::ffff:8.8.8.8"]);
        check(true, &["64:ff9b::8.8.8.8", "2002:808:808::1"]);
    }

    #[test]
    fn this_machine_and_its_networks_are_not() {
        check(false, &["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1"]);
        check(false, &["172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.0.8"]);
        check(false, &["::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1"]);
    }

    #[test]
    fn metadata_of_clouds_is_not() {
        check(false, &["169.254.169.254", "100.100.100.200", "fd00:ec2::254"]);
    }

    #[test]
    fn an_address_within_an_address_is_found() {
        check(false, &["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"]);
        check(false, &["64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2002:a00:1::"]);
        check(false, &["2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b:1::1"]);
    }

    #[test]
    fn what_is_reserved_or_for_documentation_is_not() {
        check(false, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"]);
        check(false, &["255.255.255.255", "2001:db8::1", "3fff::1", "4000::1", "e000::1"]);
    }
}
