//! Redirect URIs: what may be registered, and which request names a registered one.
//!
//! RFC 9700 §2.1: compared byte for byte, so there is nothing to parse in what a request brings. The one exception is the
//! port of a loopback address (RFC 8252 §7.3), because an app takes the port that is free.

use std::fmt;

use restream_oauth_core::Client;
use restream_oauth_core::config::{ConfigError, UriProblem};

use crate::origin;

/// A registered redirect URI: `https`, a private-use scheme such as `com.example.app:/callback` (RFC 8252 §7.1), or `http`
/// on this machine.
///
/// ```
/// use restream_oauth_broker::settings::RedirectUri;
///
/// let web = RedirectUri::new("https://overlay.example/callback")?;
/// assert!(web.matches("https://overlay.example/callback"));
/// assert!(!web.matches("https://overlay.example/callback?x=1"));
///
/// let app = RedirectUri::new("http://127.0.0.1/callback")?;
/// assert!(app.matches("http://127.0.0.1:51004/callback"));
/// assert!(!app.matches("http://localhost:51004/callback"));
/// # Ok::<(), restream_oauth_broker::settings::RedirectUriProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: Box<str>,
    /// What stands before and after the port, if any port counts.
    around_port: Option<(Box<str>, Box<str>)>,
}

impl RedirectUri {
    /// Checks a redirect URI that is to be registered.
    ///
    /// # Errors
    /// [`RedirectUriProblem`] says why it cannot be used.
    pub fn new(text: &str) -> Result<Self, RedirectUriProblem> {
        // The core knows what a redirect URI may be.
        match Client::builder("any").redirect_uri(text).build() {
            Ok(_) => {}
            Err(ConfigError::RedirectUri(problem)) => return Err(RedirectUriProblem::Uri(problem)),
            Err(_) => return Err(RedirectUriProblem::Uri(UriProblem::NotAbsolute)),
        }
        if text.contains('*') {
            return Err(RedirectUriProblem::Wildcard);
        }
        let query = text.split_once('?').map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair == "iss" || pair.starts_with("iss=")) {
            return Err(RedirectUriProblem::Uri(UriProblem::ReservedParameter));
        }
        Ok(Self { text: text.into(), around_port: around_loopback_port(text) })
    }

    /// The URI as it was registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if a request may name `requested`: the same bytes, or the same bytes with another port if this is `http` on a
    /// literal loopback address.
    pub fn matches(&self, requested: &str) -> bool {
        let differs_in_port = |(before, after): &(Box<str>, Box<str>)| {
            let rest = requested.strip_prefix(&**before)?;
            let port = rest.strip_suffix(&**after)?;
            Some(port.is_empty() || port.strip_prefix(':').is_some_and(origin::is_port))
        };
        *requested == *self.text || self.around_port.as_ref().and_then(differs_in_port).unwrap_or(false)
    }
}

/// Why a redirect URI cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectUriProblem {
    /// It is not a URI that a browser may be sent to.
    Uri(UriProblem),
    /// It holds a `*`, which would stand for itself alone.
    Wildcard,
}

impl fmt::Display for RedirectUriProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(problem) => problem.fmt(f),
            Self::Wildcard => f.write_str("there are no wildcards: list each URI"),
        }
    }
}

impl std::error::Error for RedirectUriProblem {}

/// Cuts the port out of a URI that is `http` on a literal loopback address.
fn around_loopback_port(text: &str) -> Option<(Box<str>, Box<str>)> {
    const SCHEME: &str = "http://";
    let rest = text.strip_prefix(SCHEME)?;
    let (authority, after) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
    let end_of_host = authority.rfind(':').filter(|colon| authority.get(*colon..).is_some_and(|it| !it.contains(']')));
    let host = authority.get(..end_of_host.unwrap_or(authority.len()))?;
    origin::is_loopback(host).then(|| (format!("{SCHEME}{host}").into(), after.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_registered() {
        for text in [
            "https://overlay.example/callback",
            "https://overlay.example:8443/callback?kind=chat",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:8976/callback",
            "http://[::1]/callback",
            "http://localhost:3000/callback",
            "com.example.app:/callback",
        ] {
            assert_eq!(RedirectUri::new(text).as_ref().map(RedirectUri::as_str), Ok(text));
        }
        for (text, problem) in [
            ("", RedirectUriProblem::Uri(UriProblem::Empty)),
            ("/callback", RedirectUriProblem::Uri(UriProblem::NotAbsolute)),
            ("http://overlay.example/", RedirectUriProblem::Uri(UriProblem::PlainHttp)),
            ("https://overlay.example/#", RedirectUriProblem::Uri(UriProblem::Fragment)),
            ("https://user@overlay.example/", RedirectUriProblem::Uri(UriProblem::UserInformation)),
            ("javascript:alert(1)", RedirectUriProblem::Uri(UriProblem::NotAbsolute)),
            ("https://overlay.example/?state=1", RedirectUriProblem::Uri(UriProblem::ReservedParameter)),
            ("https://overlay.example/?iss=1", RedirectUriProblem::Uri(UriProblem::ReservedParameter)),
            ("https://overlay.example/?a&iss", RedirectUriProblem::Uri(UriProblem::ReservedParameter)),
            ("https://overlay.example/*", RedirectUriProblem::Wildcard),
        ] {
            assert_eq!(RedirectUri::new(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn a_uri_that_only_looks_registered_is_another_one() {
        for (registered, others) in [
            (
                "https://overlay.example/callback",
                [
                    "http://overlay.example/callback",
                    "HTTPS://overlay.example/callback",
                    "https://Overlay.example/callback",
                    "https://overlay.example./callback",
                    "https://overlay.example:443/callback",
                    "https://overlay.example/callback/",
                    "https://overlay.example/callback?",
                    "https://overlay.example/callback#",
                    "https://overlay.example/callback?x=1",
                    "https://overlay.example/Callback",
                    "https://overlay.example/%63allback",
                    "https://overlay.example//callback",
                    "https://overlay.example/./callback",
                    "https://overlay.example/x/../callback",
                    "https://overlay.example\\/callback",
                    "https://overlay.example/callback ",
                    " https://overlay.example/callback",
                    "https://overlay.example/callback\n",
                    "https://user@overlay.example/callback",
                    "https://overlay.example@evil.example/callback",
                    "https://evil.example/https://overlay.example/callback",
                    "https://overlay.example.evil.example/callback",
                    "",
                ]
                .as_slice(),
            ),
            (
                "http://127.0.0.1/callback",
                &[
                    "http://127.0.0.1:0/callback",
                    "http://127.0.0.1:/callback",
                    "http://127.0.0.1:080/callback",
                    "http://127.0.0.1:+80/callback",
                    "http://127.0.0.1:65536/callback",
                    "http://127.0.0.1:80 /callback",
                    "http://127.0.0.1:80/callback?x",
                    "http://127.0.0.1:80/callback#x",
                    "http://127.0.0.1:80/callback/",
                    "http://127.0.0.1:80/%63allback",
                    "http://127.0.0.1:80@evil.example/callback",
                    "http://127.0.0.1:x@evil.example/callback",
                    "http://127.0.0.1@evil.example/callback",
                    "http://user@127.0.0.1:80/callback",
                    "http://127.0.0.1.evil.example/callback",
                    "http://127.0.0.1./callback",
                    "http://127.0.0.1\\.evil.example/callback",
                    "http://127.0.0.1:80\\@evil.example/callback",
                    "http://127.0.0.2:80/callback",
                    "http://127.1:80/callback",
                    "http://localhost:80/callback",
                    "http://[::1]:80/callback",
                    "http://[::ffff:127.0.0.1]:80/callback",
                    "https://127.0.0.1:80/callback",
                    "HTTP://127.0.0.1:80/callback",
                    "http://127.0.0.1:80",
                ],
            ),
            (
                "http://[::1]/callback",
                &[
                    "http://[::1]:0/callback",
                    "http://::1:80/callback",
                    "http://[0:0:0:0:0:0:0:1]:80/callback",
                    "http://[::1]x:80/callback",
                    "http://[::1%25lo]:80/callback",
                ],
            ),
            // Who answers for a name is the resolver's decision, so the leave for any port is not given to it.
            ("http://localhost:3000/callback", &["http://localhost:3001/callback", "http://localhost/callback"]),
            ("https://127.0.0.1/callback", &["https://127.0.0.1:8443/callback"]),
            ("com.example.app:/callback", &["com.example.app:/callback/", "com.example.app://callback"]),
            ("http://127.0.0.1", &["http://127.0.0.1:80/", "http://127.0.0.1:80@evil.example"]),
        ] {
            let uri = RedirectUri::new(registered).unwrap();
            assert!(uri.matches(registered), "{registered}");
            for other in others {
                assert!(!uri.matches(other), "{registered} {other}");
            }
        }
    }

    #[test]
    fn a_loopback_address_has_any_port() {
        for (registered, requested) in [
            ("http://127.0.0.1/callback", "http://127.0.0.1:1/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:65535/callback"),
            ("http://127.0.0.1:8976/callback", "http://127.0.0.1:51004/callback"),
            ("http://127.0.0.1:8976/callback", "http://127.0.0.1/callback"),
            ("http://127.0.0.1/callback?a=b:1", "http://127.0.0.1:51004/callback?a=b:1"),
            ("http://[::1]/callback", "http://[::1]:51004/callback"),
            ("http://[::1]:1/callback", "http://[::1]:51004/callback"),
            ("http://127.0.0.1", "http://127.0.0.1:51004"),
        ] {
            assert!(RedirectUri::new(registered).unwrap().matches(requested), "{registered} {requested}");
        }
    }

    proptest! {
        /// What is accepted differs from what was registered in the port alone: once both ports are cut out by another
        /// means, the two are the same.
        #[test]
        fn whatever_matches_differs_in_the_port_alone(requested in "http://127\\.0\\.0\\.1(:[0-9]{0,6})?[ -~]{0,6}(/cb)?") {
            let uri = RedirectUri::new("http://127.0.0.1/cb").unwrap();
            if uri.matches(&requested) {
                let parsed: http::Uri = requested.parse().unwrap();
                prop_assert_eq!((parsed.host(), parsed.path(), parsed.query()), (Some("127.0.0.1"), "/cb", None));
                let port = parsed.port_u16().map_or(String::new(), |port| format!(":{port}"));
                prop_assert_eq!(format!("http://127.0.0.1{port}/cb"), requested);
            }
        }
    }
}
