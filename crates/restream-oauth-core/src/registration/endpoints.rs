//! The URLs of the authorization server and of the profile call: by default Restream's.

use std::fmt;

use http::Uri;

use super::config_error::ConfigError;
use super::parameters::is_reserved;
use crate::encoding::uri;

const AUTHORIZATION: &str = "https://api.restream.io/login";
const TOKEN: &str = "https://api.restream.io/oauth/token";
const REVOCATION: &str = "https://api.restream.io/oauth/revoke";
const PROFILE: &str = "https://api.restream.io/v2/user/profile";

/// The three URLs of an authorization server, and the URL of the profile call.
///
/// [`ClientBuilder::build`](crate::ClientBuilder::build) checks them. Each must be `https`, or for development `http`
/// on a literal loopback address (`127.0.0.1`, `[::1]`). A query in the authorization URL is kept (RFC 6749 §3.1).
///
/// ```
/// use restream_oauth_core::Endpoints;
///
/// assert_eq!(Endpoints::restream().token, "https://api.restream.io/oauth/token");
/// let local = Endpoints { profile: "http://127.0.0.1:9000/me".into(), ..Endpoints::at("http://127.0.0.1:8000") };
/// assert_eq!(local.revocation, "http://127.0.0.1:8000/oauth/revoke");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Step 1: the authorization endpoint, which the browser opens (RFC 6749 §3.1).
    pub authorization: String,
    /// Steps 3 and 4: the token endpoint, for code exchange and refresh (RFC 6749 §3.2).
    pub token: String,
    /// Step 5: the revocation endpoint (RFC 7009 §2).
    pub revocation: String,
    /// The profile call.
    pub profile: String,
}

impl Endpoints {
    /// Restream's URLs, as its developer site documents them.
    pub fn restream() -> Self {
        let [authorization, token, revocation, profile] =
            [AUTHORIZATION, TOKEN, REVOCATION, PROFILE].map(str::to_owned);
        Self { authorization, token, revocation, profile }
    }

    /// Restream's paths at another base URL, such as a local sandbox. A trailing `/` of the base URL is ignored.
    pub fn at(base_url: &str) -> Self {
        let base = base_url.trim_end_matches('/');
        Self {
            authorization: format!("{base}/login"),
            token: format!("{base}/oauth/token"),
            revocation: format!("{base}/oauth/revoke"),
            profile: format!("{base}/v2/user/profile"),
        }
    }
}

/// Hides user information and queries: they should not hold a secret, but may.
impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorization, token, revocation, profile } = self;
        f.debug_struct("Endpoints")
            .field("authorization", &uri::Place(authorization))
            .field("token", &uri::Place(token))
            .field("revocation", &uri::Place(revocation))
            .field("profile", &uri::Place(profile))
            .finish()
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::restream()
    }
}

/// Checks the URL of an endpoint, and parses it for requests.
pub(crate) fn request_uri(name: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let refuse = |problem| ConfigError::Endpoint { name, problem };
    let parts = uri::endpoint(text).map_err(refuse)?;
    uri::check_query(parts.query, is_reserved).map_err(refuse)?;
    Ok(match text {
        // Each request clones the URI. Cloning is free if the text is a constant.
        TOKEN => Uri::from_static(TOKEN),
        REVOCATION => Uri::from_static(REVOCATION),
        PROFILE => Uri::from_static(PROFILE),
        other => other.parse().map_err(|_| refuse(uri::UriProblem::Character))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restreams_endpoints_are_its_paths_at_its_base_url() {
        assert_eq!(Endpoints::restream(), Endpoints::at("https://api.restream.io"));
    }
}
