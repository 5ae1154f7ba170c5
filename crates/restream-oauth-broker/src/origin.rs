//! An origin (RFC 6454): scheme, host and port, written as browsers write it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An `https` origin, or an `http` one on this machine. It is compared with what a browser sends byte for byte, so only
/// the form that browsers write can be parsed: lower case, no default port, nothing after the port.
///
/// ```
/// use restream_oauth_broker::settings::{Origin, OriginProblem};
///
/// let origin: Origin = "https://overlay.example".parse()?;
/// assert_eq!(origin.as_str(), "https://overlay.example");
/// assert_eq!("https://overlay.example/".parse::<Origin>(), Err(OriginProblem::Path));
/// assert_eq!("http://overlay.example".parse::<Origin>(), Err(OriginProblem::PlainHttp));
/// # Ok::<(), OriginProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Box<str>);

impl Origin {
    /// The origin, such as `https://overlay.example` or `http://127.0.0.1:8080`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host: a domain name or an IP address, an IPv6 one in brackets.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(&*self.0, |(_, authority)| authority);
        split_port(authority).map_or(authority, |(host, _)| host)
    }

    /// True for `https`, false for `http`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl FromStr for Origin {
    type Err = OriginProblem;

    fn from_str(text: &str) -> Result<Self, OriginProblem> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginProblem::Scheme)?;
        let default_port = match scheme {
            "https" => "443",
            "http" => "80",
            _ if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") => {
                return Err(OriginProblem::UpperCase);
            }
            _ => return Err(OriginProblem::Scheme),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at_checked(end).ok_or(OriginProblem::Host)?;
        if authority.contains('@') {
            return Err(OriginProblem::UserInformation);
        }
        if !after.is_empty() {
            return Err(OriginProblem::Path);
        }
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        if port.is_some_and(|port| port == default_port) {
            return Err(OriginProblem::DefaultPort);
        }
        if port.is_some_and(|port| !is_port(port)) {
            return Err(OriginProblem::Port);
        }
        if scheme == "http" && host != "localhost" && !is_loopback(host) {
            return Err(OriginProblem::PlainHttp);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an origin that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginProblem {
    /// It does not begin with `https://` or `http://`; so `*` and `null` cannot be used.
    Scheme,
    /// The scheme is `http`, and the host is not this machine.
    PlainHttp,
    /// Something stands before the host: `user@` or `user:password@`.
    UserInformation,
    /// Something stands after the host and the port: a path (also `/` alone), a query or a fragment.
    Path,
    /// The host is missing, or no browser writes it like this.
    Host,
    /// The port is the scheme's own, which browsers leave out.
    DefaultPort,
    /// The port is not a number from 1 to 65535 without zeros in front.
    Port,
    /// A letter of the scheme or the host is in upper case, and browsers write lower case.
    UpperCase,
}

impl fmt::Display for OriginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it must begin with https://, or for this machine with http://",
            Self::PlainHttp => "plain http is for this machine alone: write https",
            Self::UserInformation => "it must not hold a user name or password",
            Self::Path => "nothing may follow the host and the port, not even a slash",
            Self::Host => {
                "its host cannot be used: write a domain name (as ASCII) or an IP address, without a dot at the end"
            }
            Self::DefaultPort => "leave out the port, because it is the scheme's own",
            Self::Port => "its port must be a number from 1 to 65535",
            Self::UpperCase => "write it in lower case, as browsers do",
        })
    }
}

impl std::error::Error for OriginProblem {}

/// True for `127.0.0.0/8`, and for `[::1]` in brackets.
pub(crate) fn is_loopback(host: &str) -> bool {
    let v6 = || host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()) || v6().is_some_and(|it| it.is_loopback())
}

/// True for a port from 1 to 65535, without a sign and without zeros in front.
pub(crate) fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0) && text.starts_with(|first: char| matches!(first, '1'..='9'))
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), OriginProblem> {
    // The colons of an IPv6 address stand in brackets.
    let end_of_host = authority.rfind(']').map_or(0, |end| end.saturating_add(1));
    let (_, after) = authority.split_at_checked(end_of_host).ok_or(OriginProblem::Host)?;
    let Some(colon) = after.find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at_checked(end_of_host.saturating_add(colon)).ok_or(OriginProblem::Host)?;
    Ok((host, port.strip_prefix(':')))
}

fn check_host(host: &str) -> Result<(), OriginProblem> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // Browsers write the shortest form.
        let is_canonical = address.parse::<Ipv6Addr>().is_ok_and(|it| it.to_string() == address);
        return if is_canonical { Ok(()) } else { Err(OriginProblem::Host) };
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(OriginProblem::UpperCase);
    }
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_plain)
    };
    // A browser takes a host whose last label is a number for an IPv4 address, and writes it with four numbers.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if !host.split('.').all(is_label) || (is_number && host.parse::<Ipv4Addr>().is_err()) {
        return Err(OriginProblem::Host);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for text in [
            "https://broker.example",
            "https://broker.example:8443",
            "https://xn--bcher-kva.example",
            "https://a_b.example",
            "https://192.0.2.1",
            "https://[2001:db8::1]:8443",
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "http://localhost:3000",
        ] {
            let origin: Origin = text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert_eq!((origin.as_str(), origin.is_https()), (text, text.starts_with("https")));
        }
    }

    #[test]
    fn an_origin_has_a_host() {
        for (text, host) in [
            ("https://broker.example", "broker.example"),
            ("https://192.0.2.1:8443", "192.0.2.1"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]"),
            ("http://[::1]", "[::1]"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().host(), host);
        }
    }

    #[test]
    fn each_problem_has_its_name() {
        for (text, problem) in [
            ("", OriginProblem::Scheme),
            ("*", OriginProblem::Scheme),
            ("null", OriginProblem::Scheme),
            ("broker.example", OriginProblem::Scheme),
            ("ftp://broker.example", OriginProblem::Scheme),
            ("https:broker.example", OriginProblem::Scheme),
            (" https://broker.example", OriginProblem::Scheme),
            ("HTTPS://broker.example", OriginProblem::UpperCase),
            ("https://Broker.example", OriginProblem::UpperCase),
            ("https://broker.example/", OriginProblem::Path),
            ("https://broker.example/x", OriginProblem::Path),
            ("https://broker.example?x", OriginProblem::Path),
            ("https://broker.example#x", OriginProblem::Path),
            ("https://broker.example\\x", OriginProblem::Path),
            ("https://user@broker.example", OriginProblem::UserInformation),
            ("https://a:b@broker.example/", OriginProblem::UserInformation),
            ("http://127.0.0.1:80@evil.example", OriginProblem::UserInformation),
            ("https://", OriginProblem::Host),
            ("https://:443", OriginProblem::Host),
            ("https://broker.example.", OriginProblem::Host),
            ("https://broker..example", OriginProblem::Host),
            ("https://*.example", OriginProblem::Host),
            ("https://bücher.example", OriginProblem::Host),
            ("https://broker example", OriginProblem::Host),
            ("https://broker%2eexample", OriginProblem::Host),
            ("https://2001:db8::1", OriginProblem::Host),
            ("https://[2001:DB8::1]", OriginProblem::Host),
            ("https://[0:0::1]", OriginProblem::Host),
            ("https://[::1", OriginProblem::Host),
            ("https://[::1]x", OriginProblem::Host),
            ("http://127.1", OriginProblem::Host),
            ("http://2130706433", OriginProblem::Host),
            ("http://0x7f.0x1", OriginProblem::Host),
            ("https://broker.example:443", OriginProblem::DefaultPort),
            ("http://127.0.0.1:80", OriginProblem::DefaultPort),
            ("https://broker.example:", OriginProblem::Port),
            ("https://broker.example:0", OriginProblem::Port),
            ("https://broker.example:08443", OriginProblem::Port),
            ("https://broker.example:+1", OriginProblem::Port),
            ("https://broker.example:65536", OriginProblem::Port),
            ("https://broker.example:8443x", OriginProblem::Port),
            ("http://broker.example", OriginProblem::PlainHttp),
            ("http://192.0.2.1", OriginProblem::PlainHttp),
            ("http://0.0.0.0:8080", OriginProblem::PlainHttp),
            ("http://[::]:8080", OriginProblem::PlainHttp),
            ("http://[::ffff:127.0.0.1]", OriginProblem::PlainHttp),
            ("http://localhost.evil.example", OriginProblem::PlainHttp),
            ("http://127.0.0.1.evil.example", OriginProblem::PlainHttp),
        ] {
            assert_eq!(text.parse::<Origin>(), Err(problem), "{text}");
        }
    }
}
