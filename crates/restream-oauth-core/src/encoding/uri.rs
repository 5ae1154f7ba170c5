//! Checks the URIs of endpoints and redirect URIs. This happens once, when a client is built.
//!
//! Plain `http` is allowed only for loopback (RFC 6749 §3.1.2.1 and §3.2, RFC 8252 §7.3, RFC 9700 §2.6). A loopback
//! address is recognised by parsing it, never by comparing a prefix.

use std::fmt;

use super::form;

/// Why the URI of an endpoint or a redirect URI cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriProblem {
    /// The URI is empty.
    Empty,
    /// The URI does not have the form `scheme://host/…`, or with a private-use scheme `scheme:/…`.
    NotAbsolute,
    /// The scheme is neither `https` nor `http`. A redirect URI may also have a private-use scheme (RFC 8252 §7.1),
    /// which contains a dot, such as `com.example.app:/callback`.
    Scheme,
    /// The scheme is `http`, and the host is not a loopback address. The host of a redirect URI may also be
    /// `localhost`.
    PlainHttp,
    /// The URI has `user@` or `user:password@` before the host.
    UserInformation,
    /// The URI has a `#fragment` (RFC 6749 §3.1 and §3.1.2 forbid it).
    Fragment,
    /// The URI has a character that must be percent-encoded (such as a space, a quote, or a letter outside ASCII), an
    /// invalid `%` escape, or a parameter name that does not decode to UTF-8.
    Character,
    /// The URI has no host, or an invalid host.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The query has a parameter that the flow sets or reads itself. No parameter may be repeated (RFC 6749 §3.1).
    ReservedParameter,
    /// The URI is longer than 65,534 bytes.
    TooLong,
}

impl fmt::Display for UriProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::NotAbsolute => "it must be absolute: https://host/path",
            Self::Scheme => "its scheme must be https, or http on loopback; a redirect URI may have an app's own, which has a dot in it",
            Self::PlainHttp => "plain http is only for loopback: write https, or a literal 127.0.0.1 or [::1]",
            Self::UserInformation => "it must not hold a user name or password",
            Self::Fragment => "it must not have a fragment (#…)",
            Self::Character => "it holds a character that must be percent-encoded",
            Self::Host => "its host cannot be read",
            Self::Port => "its port must be a number from 1 to 65535",
            Self::ReservedParameter => "its query holds a parameter that belongs to the flow",
            Self::TooLong => "it is longer than 65,534 bytes",
        })
    }
}

/// The parts of an absolute URI. A redirect URI with a private-use scheme has an empty host and port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl Parts<'_> {
    fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }

    /// The first part that differs from `other`; `None` if all parts are the same. Does not compare the queries.
    pub(crate) fn difference(&self, other: &Parts<'_>) -> Option<UriPart> {
        [
            (UriPart::Scheme, self.scheme.eq_ignore_ascii_case(other.scheme)),
            (UriPart::Host, self.host.eq_ignore_ascii_case(other.host)),
            (UriPart::Port, self.port == other.port),
            (UriPart::Path, self.path == other.path),
        ]
        .into_iter()
        .find_map(|(part, same)| (!same).then_some(part))
    }
}

/// A part of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriPart {
    /// `https`, `http`, or a private-use scheme.
    Scheme,
    /// The host.
    Host,
    /// The port. A URI without a port has the default port of its scheme.
    Port,
    /// The path.
    Path,
}

impl fmt::Display for UriPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
        })
    }
}

/// Refuses a query that has a parameter for whose name `is_such` returns true, or a name that cannot be decoded.
pub(crate) fn check_query(query: Option<&str>, is_such: impl Fn(&str) -> bool) -> Result<(), UriProblem> {
    for (name, _) in form::pairs(query.unwrap_or_default()) {
        if is_such(&form::decode(name).ok_or(UriProblem::Character)?) {
            return Err(UriProblem::ReservedParameter);
        }
    }
    Ok(())
}

/// Shows a URI, checked or not, without its query, fragment and user information: they may hold a secret.
pub(crate) struct Place<'a>(pub(crate) &'a str);

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = split_scheme(place).unwrap_or(("", place));
        match rest.rsplit_once('@') {
            Some((_, rest)) => write!(f, "{:?}", format!("{scheme}://…@{rest}")),
            None => write!(f, "{place:?}"),
        }
    }
}

/// Checks the URI of an endpoint: `https`, or `http` on a literal loopback address. The name `localhost` is not enough
/// for `http`: the client sends secrets there, and the name resolver decides which host `localhost` is.
pub(crate) fn endpoint(text: &str) -> Result<Parts<'_>, UriProblem> {
    let parts = split(text)?;
    if !parts.is_https() && !is_loopback_address(parts.host) {
        return Err(UriProblem::PlainHttp);
    }
    Ok(parts)
}

/// Checks a redirect URI: `https`, `http` on a literal loopback address or on `localhost`, or a private-use scheme. The
/// client itself sends nothing there.
pub(crate) fn redirect(text: &str) -> Result<Parts<'_>, UriProblem> {
    let parts = split_redirect(text)?;
    let local = is_loopback_address(parts.host) || parts.host.eq_ignore_ascii_case("localhost");
    if parts.scheme.eq_ignore_ascii_case("http") && !local {
        return Err(UriProblem::PlainHttp);
    }
    Ok(parts)
}

/// Like [`split`], and also accepts a private-use scheme (RFC 8252 §7.1): a reversed domain name, which contains a dot.
pub(crate) fn split_redirect(text: &str) -> Result<Parts<'_>, UriProblem> {
    match text.split_once(':') {
        Some((scheme, rest)) if is_private_use_scheme(scheme) => {
            check(text)?;
            // One slash follows, because there is no authority (RFC 8252 §7.1). Some applications write two.
            if !rest.starts_with('/') {
                return Err(UriProblem::NotAbsolute);
            }
            let (path, query) = split_query(rest);
            Ok(Parts { scheme, host: "", port: 0, path, query })
        }
        _ => split(text),
    }
}

/// True for a scheme (RFC 3986 §3.1) of at least two labels, with dots between them as in a domain name.
pub(crate) fn is_private_use_scheme(scheme: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+'))
    };
    scheme.contains('.')
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.split('.').all(is_label)
}

/// Splits an absolute `http` or `https` URI (RFC 3986 §3); any other text is an error.
pub(crate) fn split(text: &str) -> Result<Parts<'_>, UriProblem> {
    check(text)?;
    let (scheme, rest) = split_scheme(text).ok_or(UriProblem::NotAbsolute)?;
    let default_port = match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => 443,
        _ if scheme.eq_ignore_ascii_case("http") => 80,
        _ => return Err(UriProblem::Scheme),
    };
    let (authority, path_and_query) =
        rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).unwrap_or((rest, ""));
    if authority.as_bytes().contains(&b'@') {
        return Err(UriProblem::UserInformation);
    }
    let (host, port) = split_authority(authority)?;
    let (path, query) = split_query(path_and_query);
    // An empty path is equivalent to `/` (RFC 3986 §6.2.3).
    let path = if path.is_empty() { "/" } else { path };
    Ok(Parts { scheme, host, port: port.unwrap_or(default_port), path, query })
}

fn check(text: &str) -> Result<(), UriProblem> {
    if text.is_empty() {
        return Err(UriProblem::Empty);
    }
    // `http::Uri` keeps lengths and offsets in 16 bits.
    if text.len() >= usize::from(u16::MAX) {
        return Err(UriProblem::TooLong);
    }
    check_characters(text)
}

fn split_query(path_and_query: &str) -> (&str, Option<&str>) {
    match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    }
}

/// The text before and after the first `://`. Searches by bytes, because a text search first builds tables.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let end = text.as_bytes().windows(3).position(|bytes| bytes == b"://")?;
    let (scheme, rest) = text.split_at_checked(end)?;
    Some((scheme, rest.strip_prefix("://")?))
}

fn check_characters(text: &str) -> Result<(), UriProblem> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'#' => return Err(UriProblem::Fragment),
            b'%' => {
                for _ in 0..2 {
                    bytes.next().filter(u8::is_ascii_hexdigit).ok_or(UriProblem::Character)?;
                }
            }
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => return Err(UriProblem::Character),
            b'!'..=b'~' => {}
            _ => return Err(UriProblem::Character),
        }
    }
    Ok(())
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), UriProblem> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']').ok_or(UriProblem::Host)?;
            // Whether it is an address is for the transport to say: nothing is sent if it is none.
            let is_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if !address.contains(':') || !address.bytes().all(is_address) {
                return Err(UriProblem::Host);
            }
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(UriProblem::Host)?) };
            (address, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(name) {
        return Err(UriProblem::Host);
    }
    match port {
        None => Ok((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port != 0 => Ok((host, Some(port))),
            _ => Err(UriProblem::Port),
        },
        Some(_) => Err(UriProblem::Port),
    }
}

/// A literal loopback address: one of 127.0.0.0/8, or `::1` as most write it. IPv4-mapped IPv6 addresses are not loopback.
/// Std's parsers know more spellings, but take 3 KB of a wasm module.
fn is_loopback_address(host: &str) -> bool {
    let is_byte = |part: &str| {
        let is_plain = part.len() == 1 || !part.starts_with('0');
        is_plain && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u16>().is_ok_and(|byte| byte < 256)
    };
    let mut parts = host.split('.');
    let is_ipv4 = parts.next() == Some("127") && parts.clone().count() == 3 && parts.all(is_byte);
    is_ipv4 || matches!(host, "::1" | "0:0:0:0:0:0:0:1")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uri_is_split_into_its_parts() {
        let parts = split("HTTPS://API.example:8443/a/b?x=1&y").unwrap();
        let expected = Parts { scheme: "HTTPS", host: "API.example", port: 8443, path: "/a/b", query: Some("x=1&y") };
        assert_eq!(parts, expected);
        let parts = split("http://[::1]?").unwrap();
        assert_eq!(parts, Parts { scheme: "http", host: "::1", port: 80, path: "/", query: Some("") });
    }

    /// OAuth 2.1 draft §1.5, RFC 9700 §2.6, openpubkey #375.
    #[test]
    fn plain_http_is_accepted_only_on_loopback_addresses() {
        for uri in ["http://127.0.0.1/", "http://127.8.9.1:80/", "http://[::1]:9/x", "http://[0:0:0:0:0:0:0:1]/"] {
            assert!(endpoint(uri).is_ok(), "{uri}");
        }
        let hostile = [
            "http://localhost.evil/",
            "http://localhost./",
            "http://127.0.0.1.evil.example/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::11]/",
            "http://[0:1]/",
            "http://evil.example/127.0.0.1",
            "http://127.0.0.1./",
            "http://1.127.0.0.1/",
            "http://127.0.0.256/",
            "http://localhost-evil/",
            "http://xlocalhost/",
            "http://127.0.0.1_/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://api.restream.io/oauth/token",
        ];
        for uri in hostile {
            assert_eq!(endpoint(uri), Err(UriProblem::PlainHttp), "{uri}");
            assert_eq!(redirect(uri), Err(UriProblem::PlainHttp), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn what_counts_as_loopback_is_loopback_to_std(
            host in prop_oneof!["(127|0|[0-9]{1,3})(\\.[0-9]{1,3}){2,4}", "[0-9a-f:.]{0,24}", "(0{0,4}:){1,7}0{0,3}1", "127[0-9.+]{0,12}"]
        ) {
            let ipv4 = host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
            let ipv6 = host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
            if host.contains(':') {
                prop_assert!(ipv6 || !is_loopback_address(&host));
            } else {
                prop_assert_eq!(is_loopback_address(&host), ipv4);
            }
        }
    }

    #[test]
    fn the_name_localhost_is_a_redirect_uri_but_not_an_endpoint() {
        assert!(redirect("http://localhost:3000/callback").is_ok());
        assert_eq!(endpoint("http://localhost:3000/token"), Err(UriProblem::PlainHttp));
    }

    #[test]
    fn each_problem_has_its_name() {
        let long = format!("https://a/{}", "x".repeat(70_000));
        let cases = [
            ("", UriProblem::Empty),
            ("/callback", UriProblem::NotAbsolute),
            ("https:/a", UriProblem::NotAbsolute),
            ("ftp://a/", UriProblem::Scheme),
            ("javascript://a/", UriProblem::Scheme),
            ("https://user@a/", UriProblem::UserInformation),
            ("http://localhost:x@evil/", UriProblem::UserInformation),
            ("https://a/#f", UriProblem::Fragment),
            ("https://a/b c", UriProblem::Character),
            ("https://a/\"", UriProblem::Character),
            ("https://a/\r\nX: y", UriProblem::Character),
            ("https://a/é", UriProblem::Character),
            ("https://a/%zz", UriProblem::Character),
            ("https://a/%4", UriProblem::Character),
            ("https:///path", UriProblem::Host),
            ("https://[::1/", UriProblem::Host),
            ("https://[fe80::1%25eth0]/", UriProblem::Host),
            ("https://[::1]x/", UriProblem::Host),
            ("https://[a.example]/", UriProblem::Host),
            ("https://[]/", UriProblem::Host),
            ("https://[abc]/", UriProblem::Host),
            ("https://[::g]/", UriProblem::Host),
            ("https://a!b/", UriProblem::Host),
            ("https://a:/", UriProblem::Port),
            ("https://a:0/", UriProblem::Port),
            ("https://a:65536/", UriProblem::Port),
            ("https://a:+80/", UriProblem::Port),
            ("https://::1/", UriProblem::Host),
            (long.as_str(), UriProblem::TooLong),
        ];
        for (uri, problem) in cases {
            assert_eq!(split(uri), Err(problem), "{uri:.40}");
        }
    }
}
