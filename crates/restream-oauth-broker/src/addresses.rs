//! Which address a request comes from, behind the proxies that the operator named.
//!
//! A proxy tells the address of its client in `Forwarded` (RFC 7239) or in `X-Forwarded-For`. Anybody can send these
//! headers, so they count only if the peer of the connection is a proxy that was named. Each proxy appends what it saw, so
//! they are read from right to left: the first address that is not a named proxy's is the one that a named proxy saw.
//! What stands further left came from there, and may be made up.
//!
//! Many proxies write one of the two headers and pass the other on as it came. If both are there and say different things,
//! neither is believed, and the request counts as the proxy's own.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// How many addresses are read at most, from the right. A longer chain of named proxies is not plausible.
const LONGEST_CHAIN: usize = 32;
/// How long one element is at most, in bytes.
const LONGEST_ELEMENT: usize = 512;

/// Returns the address that a request comes from. `peer` is the other end of the connection. An IPv4 address in the form
/// of an IPv6 address is returned as an IPv4 address.
///
/// An element that cannot be read ends the search: the request then counts as that of the proxy which sent the element.
///
/// ```
/// use http::HeaderMap;
/// use restream_oauth_broker::addresses::asker;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "198.51.100.9, 203.0.113.7".parse()?);
/// let (proxy, other) = ("10.0.0.1".parse()?, "192.0.2.1".parse()?);
/// let trusted = ["10.0.0.0/8".parse()?];
/// assert_eq!(asker(proxy, &headers, &trusted).to_string(), "203.0.113.7"); // what the proxy saw, not what it was told
/// assert_eq!(asker(other, &headers, &trusted), other);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn asker(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let follow = |name: &str, address_of: fn(&[u8]) -> Option<IpAddr>| {
        let mut nearest = None;
        for element in elements(headers, name).take(LONGEST_CHAIN) {
            let Some(address) = address_of(element) else { break };
            nearest = Some(address);
            if !is_trusted(&address) {
                break;
            }
        }
        // A header that is there and tells nothing stands for the proxy itself.
        headers.contains_key(name).then_some(nearest.unwrap_or(peer))
    };
    match (follow("forwarded", forwarded_for), follow("x-forwarded-for", node)) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(address), _) | (None, Some(address)) => address,
        (None, None) => peer,
    }
}

/// The elements of all lines of a header, from right to left.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().flat_map(|line| FromRight { rest: Some(line.as_bytes()), separator: b',' })
}

/// Splits at a separator that does not stand between quotes, from right to left.
///
/// From the right, because the last proxy's part is well-formed, and what a hostile client wrote stands to its left: an
/// opened quote there cannot swallow what the proxy appended.
struct FromRight<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for FromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut is_quoted = false;
        let mut position = rest.len();
        while let Some(before) = position.checked_sub(1) {
            let (left, right) = rest.split_at_checked(position)?;
            match left.last() {
                Some(b'"') if !(is_quoted && is_escaped(left)) => is_quoted = !is_quoted,
                Some(byte) if *byte == self.separator && !is_quoted => {
                    self.rest = left.get(..before);
                    return Some(right.trim_ascii());
                }
                _ => {}
            }
            position = before;
        }
        self.rest = None;
        Some(rest.trim_ascii())
    }
}

/// True if the last byte is escaped: an odd number of backslashes stands before it.
fn is_escaped(text: &[u8]) -> bool {
    text.iter().rev().skip(1).take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The `for` of one element of `Forwarded` (RFC 7239 §4).
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    if element.len() > LONGEST_ELEMENT {
        return None;
    }
    let mut found = None;
    for pair in (FromRight { rest: Some(element), separator: b';' }) {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(at)?;
        if name.eq_ignore_ascii_case(b"for") {
            // A parameter stands only once (§4).
            if found.replace(value.strip_prefix(b"=")?).is_some() {
                return None;
            }
        }
    }
    let value = found?;
    // A quoted string with a backslash is none of an address.
    node(value.strip_prefix(b"\"").map_or(Some(value), |value| value.strip_suffix(b"\""))?)
}

/// An address, alone or with a port (RFC 7239 §6). An IPv6 address may stand without brackets, as in `X-Forwarded-For`.
/// `unknown` and made-up names have no address.
fn node(text: &[u8]) -> Option<IpAddr> {
    if text.len() > LONGEST_ELEMENT {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().filter(|_| !text.contains('%')).map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
