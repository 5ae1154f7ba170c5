//! A registered application, and how it turns a step of the flow into a [`Call`].

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};

use crate::encoding::form::{self, Piece, Space};
use crate::encoding::uri;
use crate::error::Operation;
use crate::registration::{BasicEncoding, ConfigError, Credentials, Endpoints, JSON, Registration};
use crate::round_trip::{Body, Call, Interpret, Question};
use crate::secret::SecretText;

/// A registered application (RFC 6749 §2). Clones are cheap and share one configuration.
///
/// Each step of the flow is one method: [`login`](Self::login) (1 and 2), [`exchange`](Self::exchange) (3),
/// [`refresh`](Self::refresh) (4), [`revoke`](Self::revoke) (5), and [`profile`](Self::profile).
///
/// ```
/// use restream_oauth_core::Client;
///
/// let client = Client::builder("client-id")
///     .secret("client-secret")
///     .redirect_uri("https://app.example/callback")
///     .build()?;
/// # Ok::<(), restream_oauth_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Client {
    registration: Arc<Registration>,
}

impl Client {
    /// Starts a [`ClientBuilder`] with the application's client identifier. Without a secret, the application is a
    /// public client (RFC 6749 §2.1).
    pub fn builder(client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            client_id: client_id.into(),
            credentials: Credentials::Public,
            redirect_uri: String::new(),
            endpoints: Endpoints::restream(),
            body_limit: DEFAULT_BODY_LIMIT,
        }
    }

    /// The client identifier.
    pub fn client_id(&self) -> &str {
        &self.registration.binding.client_id
    }

    /// The redirect URI, byte for byte as the builder received it.
    pub fn redirect_uri(&self) -> &str {
        &self.registration.redirect_uri
    }

    /// The URLs of the authorization server and of the profile call.
    pub fn endpoints(&self) -> &Endpoints {
        &self.registration.endpoints
    }

    pub(crate) fn registration(&self) -> &Arc<Registration> {
        &self.registration
    }

    /// Posts a form to `endpoint`.
    #[inline]
    pub(crate) fn post<T, const N: usize>(
        &self,
        operation: Operation,
        endpoint: &Uri,
        headers: HeaderMap,
        form: [Piece<'_>; N],
        interpret: Interpret<T>,
    ) -> Call<T> {
        let body = Bytes::from_owner(form::assemble(form, Space::Plus));
        let mut request = Request::new(Body::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        *request.headers_mut() = headers;
        let question = Question { operation, registration: Arc::clone(&self.registration), sent: body };
        Call::new(request, question, interpret)
    }

    /// Gets `endpoint` with a bearer token.
    pub(crate) fn get<T>(
        &self,
        operation: Operation,
        endpoint: &Uri,
        (bearer, sent): (HeaderValue, Bytes),
        interpret: Interpret<T>,
    ) -> Call<T> {
        let mut request = Request::new(Body::new(Bytes::new()));
        *request.uri_mut() = endpoint.clone();
        request.headers_mut().insert(ACCEPT, JSON);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let question = Question { operation, registration: Arc::clone(&self.registration), sent };
        Call::new(request, question, interpret)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registration { binding, credentials, redirect_uri, endpoints, body_limit, .. } = &*self.registration;
        f.debug_struct("Client")
            .field("client_id", &binding.client_id)
            .field("credentials", credentials)
            .field("redirect_uri", redirect_uri)
            .field("endpoints", endpoints)
            .field("body_limit", body_limit)
            .finish()
    }
}

/// The default of [`ClientBuilder::body_limit`], in bytes: 256 KiB.
const DEFAULT_BODY_LIMIT: usize = 256 * 1024;

/// Builds a [`Client`]. Only [`build`](Self::build) checks the configuration.
#[derive(Clone)]
#[must_use = "a builder does nothing until build() is called"]
pub struct ClientBuilder {
    client_id: String,
    credentials: Credentials,
    redirect_uri: String,
    endpoints: Endpoints,
    body_limit: usize,
}

impl ClientBuilder {
    /// Sets the client secret, which is sent in a Basic header (RFC 6749 §2.3.1). Restream recommends this.
    pub fn secret(self, secret: impl Into<String>) -> Self {
        self.secret_encoded(secret, BasicEncoding::Form)
    }

    /// Sets the client secret, which is sent in a Basic header with this encoding.
    pub fn secret_encoded(mut self, secret: impl Into<String>, encoding: BasicEncoding) -> Self {
        self.credentials = Credentials::Basic { secret: SecretText::new(secret), encoding };
        self
    }

    /// Sets the client secret, which is sent with the client identifier in the form body (RFC 6749 §2.3.1).
    pub fn secret_in_body(mut self, secret: impl Into<String>) -> Self {
        self.credentials = Credentials::Body { secret: SecretText::new(secret) };
        self
    }

    /// Sets the redirect URI: one of those that are registered for the application. Required.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = redirect_uri.into();
        self
    }

    /// Sets other endpoints than Restream's.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Sets the longest response body that is read, in bytes: from 1 byte to 16 MiB, by default 256 KiB. Collecting a
    /// response takes at most this much memory plus 64 KiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Checks the configuration, and builds the client.
    ///
    /// # Errors
    /// [`ConfigError`] names the value that cannot be used, and says why.
    ///
    /// ```
    /// use restream_oauth_core::Client;
    /// use restream_oauth_core::config::{ConfigError, UriProblem};
    ///
    /// let refused = Client::builder("id").redirect_uri("http://app.example/callback").build();
    /// assert_eq!(refused.unwrap_err(), ConfigError::RedirectUri(UriProblem::PlainHttp));
    /// ```
    pub fn build(self) -> Result<Client, ConfigError> {
        let Self { client_id, credentials, redirect_uri, endpoints, body_limit } = self;
        let registration = Registration::check(client_id, credentials, redirect_uri, endpoints, body_limit)?;
        Ok(Client { registration: Arc::new(registration) })
    }
}

/// Shows no query and no user information of a URI: the URIs are not checked yet, and may hold secrets.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, credentials, redirect_uri, endpoints, body_limit } = self;
        f.debug_struct("ClientBuilder")
            .field("client_id", client_id)
            .field("credentials", credentials)
            .field("redirect_uri", &uri::Place(redirect_uri))
            .field("endpoints", endpoints)
            .field("body_limit", body_limit)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::uri::UriProblem;
    use crate::registration::{LARGEST_BODY_LIMIT, TextProblem};

    fn builder() -> ClientBuilder {
        Client::builder("id").secret("secret").redirect_uri("https://app.example/callback")
    }

    fn refusal(builder: ClientBuilder) -> ConfigError {
        builder.build().unwrap_err()
    }

    /// RUSTSEC-2024-0008.
    #[test]
    fn invalid_identifiers_and_secrets_are_refused_with_the_reason() {
        let cases = [
            ("", TextProblem::Empty),
            ("a\n", TextProblem::Control),
            (" a", TextProblem::Space),
            ("a ", TextProblem::Space),
            ("a\u{A0}b", TextProblem::Space),
            ("\"a\"", TextProblem::Quote),
        ];
        for (id, problem) in cases {
            let builder = Client::builder(id).redirect_uri("https://app.example/callback");
            assert_eq!(refusal(builder), ConfigError::ClientId(problem), "{id:?}");
        }
        for (secret, problem) in
            [("", TextProblem::Empty), ("a\r\nb", TextProblem::Control), (" a", TextProblem::Space)]
        {
            assert_eq!(refusal(builder().secret(secret)), ConfigError::ClientSecret(problem), "{secret:?}");
            assert_eq!(refusal(builder().secret_in_body(secret)), ConfigError::ClientSecret(problem), "{secret:?}");
        }
        let raw = Client::builder("a:b").redirect_uri("https://a/").secret_encoded("s", BasicEncoding::Raw);
        assert_eq!(refusal(raw), ConfigError::ClientId(TextProblem::Colon));
    }

    #[test]
    fn every_endpoint_is_checked_and_named() {
        let wrong = "http://api.restream.io/";
        let good = Endpoints::restream();
        let cases = [
            ("authorization", Endpoints { authorization: wrong.into(), ..good.clone() }),
            ("token", Endpoints { token: wrong.into(), ..good.clone() }),
            ("revocation", Endpoints { revocation: wrong.into(), ..good.clone() }),
            ("profile", Endpoints { profile: wrong.into(), ..good.clone() }),
        ];
        for (name, endpoints) in cases {
            let expected = ConfigError::Endpoint { name, problem: UriProblem::PlainHttp };
            assert_eq!(refusal(builder().endpoints(endpoints)), expected);
        }
    }

    #[test]
    fn rfc_6749_3_1_an_existing_query_of_the_authorization_endpoint_is_kept() {
        for (authorization, begin) in [
            ("https://a.example/login?x=1", "https://a.example/login?x=1&response_type=code&client_id=id&"),
            ("https://a.example/login?", "https://a.example/login?response_type=code&"),
            ("https://a.example/login", "https://a.example/login?response_type=code&"),
        ] {
            let endpoints = Endpoints { authorization: authorization.into(), ..Endpoints::restream() };
            let client = builder().endpoints(endpoints).build().unwrap();
            assert!(client.registration.authorization_prefix.starts_with(begin), "{authorization}");
        }
        for query in ["state=x", "a=b&client%5Fid=x", "scope"] {
            let authorization = format!("https://a.example/login?{query}");
            let endpoints = Endpoints { authorization, ..Endpoints::restream() };
            let problem = UriProblem::ReservedParameter;
            let expected = ConfigError::Endpoint { name: "authorization", problem };
            assert_eq!(refusal(builder().endpoints(endpoints)), expected, "{query}");
        }
    }

    #[test]
    fn a_body_limit_of_zero_or_above_16_mib_is_refused() {
        for limit in [0, LARGEST_BODY_LIMIT + 1, usize::MAX] {
            assert_eq!(refusal(builder().body_limit(limit)), ConfigError::BodyLimit);
        }
        assert!(builder().body_limit(LARGEST_BODY_LIMIT).build().is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", builder().secret("hunter2"), builder().secret("hunter2").build());
        assert!(!shown.contains("hunter2"), "{shown}");
        // Not even a secret in a URI that `build` is going to refuse.
        let astray = "https://user:hunter2@a.example/b?client_secret=hunter2#hunter2";
        let endpoints = Endpoints { token: astray.into(), ..Endpoints::restream() };
        let shown = format!("{:?}", builder().redirect_uri(astray).endpoints(endpoints));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(r#"token: "https://…@a.example/b""#), "{shown}");
    }

    /// RFC 6749 §2.3.1.
    #[test]
    fn no_endpoint_has_a_parameter_of_the_flow_or_a_secret_in_its_query() {
        for name in ["authorization", "token", "revocation", "profile"] {
            for (query, problem) in [
                ("client_secret=x", UriProblem::ReservedParameter),
                ("a=b&access%5Ftoken=x", UriProblem::ReservedParameter),
                ("grant_type", UriProblem::ReservedParameter),
                ("%FF=x", UriProblem::Character),
            ] {
                let mut endpoints = Endpoints::restream();
                let endpoint = match name {
                    "authorization" => &mut endpoints.authorization,
                    "token" => &mut endpoints.token,
                    "revocation" => &mut endpoints.revocation,
                    _ => &mut endpoints.profile,
                };
                *endpoint = format!("https://a.example/x?{query}");
                assert_eq!(refusal(builder().endpoints(endpoints)), ConfigError::Endpoint { name, problem }, "{query}");
            }
        }
        let redirect_uri = builder().redirect_uri("https://a.example/?%FF=1");
        assert_eq!(refusal(redirect_uri), ConfigError::RedirectUri(UriProblem::Character));
    }
}
