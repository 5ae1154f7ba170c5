//! The client and the authorization server that tokens belong to.

use std::fmt;

use crate::encoding::uri;

/// The client and the authorization server that tokens belong to.
///
/// No other client can use a refresh token (RFC 6749 §6), and a token that is sent to another server is exposed to that
/// server's operator. So the saved form of tokens holds the binding, and [`Client::restore_tokens`] refuses the tokens
/// of another client or server before anything is sent.
///
/// ```
/// # use std::time::SystemTime;
/// # use restream_oauth_core::{Client, RefreshToken};
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
/// # let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
/// # let tokens = reader.read(response)?;
/// let binding = tokens.binding().ok_or("tokens that a response gave are bound")?;
/// assert_eq!(binding.client_id(), "id");
/// assert_eq!(binding.token_endpoint(), "https://api.restream.io/oauth/token");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Client::restore_tokens`]: crate::Client::restore_tokens
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    pub(crate) client_id: String,
    pub(crate) token_endpoint: String,
}

impl Binding {
    /// The identifier of the client that the tokens were issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The URL of the token endpoint that issued the tokens.
    pub fn token_endpoint(&self) -> &str {
        &self.token_endpoint
    }

    /// True if `url` is the same endpoint. The spelling of scheme, host and default port does not matter.
    pub(crate) fn is_of_endpoint(&self, url: &str) -> bool {
        self.token_endpoint == url
            || match (uri::split(&self.token_endpoint), uri::split(url)) {
                (Ok(own), Ok(other)) => own.difference(&other).is_none() && own.query == other.query,
                _ => false,
            }
    }
}

/// Shows the URL without its query, which may hold a secret.
impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("client_id", &self.client_id)
            .field("token_endpoint", &uri::Place(&self.token_endpoint))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_of_an_endpoints_host_and_port_does_not_matter() {
        let of = |url: &str| Binding { client_id: "id".to_owned(), token_endpoint: url.to_owned() };
        let bound = of("https://a.example/token?x=1");
        for same in ["https://a.example/token?x=1", "https://A.example:443/token?x=1", "HTTPS://a.example/token?x=1"] {
            assert!(bound.is_of_endpoint(same), "{same}");
        }
        for other in [
            "https://a.example/token",
            "https://a.example/token?x=2",
            "https://a.example/Token?x=1",
            "https://a.example:8443/token?x=1",
            "https://b.example/token?x=1",
            "http://a.example/token?x=1",
            "",
        ] {
            assert!(!bound.is_of_endpoint(other), "{other}");
        }
    }
}
