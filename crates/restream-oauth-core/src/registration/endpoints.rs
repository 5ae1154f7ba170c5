//! Where the authorization server answers: Restream's URLs by default.

use std::fmt;

use http::Uri;

use super::config_error::ConfigError;
use super::parameters::is_reserved;
use crate::encoding::uri;

const AUTHORIZATION: &str = "https://api.restream.io/login";
const TOKEN: &str = "https://api.restream.io/oauth/token";
const REVOCATION: &str = "https://api.restream.io/oauth/revoke";
const PROFILE: &str = "https://api.restream.io/v2/user/profile";

/// The four URLs of an authorization server and its profile call.
///
/// They are checked when a [`Client`](crate::Client) is built: `https`, or `http` on a literal loopback address
/// (`127.0.0.1`, `[::1]`) for development. A query that the authorization URL already has is kept (RFC 6749 §3.1).
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
    /// Step 1: where the browser is sent.
    pub authorization: String,
    /// Steps 3 and 4: code exchange and refresh.
    pub token: String,
    /// Step 5.
    pub revocation: String,
    /// The profile call.
    pub profile: String,
}

impl Endpoints {
    /// Restream's, as its developer site documents them.
    pub fn restream() -> Self {
        let [authorization, token, revocation, profile] =
            [AUTHORIZATION, TOKEN, REVOCATION, PROFILE].map(str::to_owned);
        Self { authorization, token, revocation, profile }
    }

    /// Restream's paths at another base, such as a local sandbox. A `/` at the end of the base does not matter.
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

/// Without what may hold a secret, though it should not: user information and query.
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

/// A checked endpoint, ready for requests.
pub(crate) fn request_uri(name: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let refuse = |problem| ConfigError::Endpoint { name, problem };
    let parts = uri::endpoint(text).map_err(refuse)?;
    uri::check_query(parts.query, is_reserved).map_err(refuse)?;
    Ok(match text {
        // Cloned for each request, which costs nothing if the text is a constant.
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
    fn restreams_own_are_its_paths_at_its_base() {
        assert_eq!(Endpoints::restream(), Endpoints::at("https://api.restream.io"));
    }
}
