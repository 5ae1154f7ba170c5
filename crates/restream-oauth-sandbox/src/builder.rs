//! [`Builder`]: the settings of a sandbox and their checks.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

#[cfg(feature = "tls")]
use crate::http::tls::{Certificate, TlsError};
use crate::restream::rules::{Rotation, Rules};
use crate::restream::settings::Settings;
use crate::system::random;

/// The settings of a [`Sandbox`](crate::Sandbox) before it starts.
///
/// ```
/// use std::time::Duration;
/// use restream_oauth_sandbox::Sandbox;
///
/// let sandbox = Sandbox::builder()
///     .client_id("my app")
///     .client_secret("p&ss:w+rd")
///     .redirect_uri("http://127.0.0.1:3000/callback")
///     .access_token_lifetime(Duration::from_secs(5))
///     .start()?;
/// assert_eq!(sandbox.client_secret(), Some("p&ss:w+rd"));
/// # Ok::<(), restream_oauth_sandbox::StartError>(())
/// ```
#[must_use]
pub struct Builder {
    address: SocketAddr,
    allow_non_loopback: bool,
    client_id: Option<String>,
    secret: Secret,
    redirect_uris: Vec<String>,
    scopes: Option<Vec<String>>,
    token_prefix: String,
    code_lifetime: Duration,
    access_token_lifetime: Duration,
    refresh_token_lifetime: Duration,
    rules: Rules,
    one_request_per_connection: bool,
    most_connections: usize,
    #[cfg(feature = "tls")]
    certificate: Option<Certificate>,
}

enum Secret {
    Random,
    Given(String),
    /// A public client has no secret.
    None,
}

/// The redirect URI that is registered by default.
const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";
/// The scopes in the documented token response.
const SCOPES: [&str; 4] = ["profile.read", "channels.read", "chat.read", "stream.read"];

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_non_loopback: false,
            client_id: None,
            secret: Secret::Random,
            redirect_uris: Vec::new(),
            scopes: None,
            token_prefix: String::new(),
            code_lifetime: Duration::from_secs(60),
            access_token_lifetime: Duration::from_secs(3600),
            refresh_token_lifetime: Duration::from_secs(31_536_000),
            rules: Rules::default(),
            one_request_per_connection: false,
            most_connections: 256,
            #[cfg(feature = "tls")]
            certificate: None,
        }
    }
}

impl Builder {
    /// Sets the id of the registered client. Random by default.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        Self { client_id: Some(id.into()), ..self }
    }

    /// Sets the secret of the registered client. Random by default.
    pub fn client_secret(self, secret: impl Into<String>) -> Self {
        Self { secret: Secret::Given(secret.into()), ..self }
    }

    /// Registers a public client, which has no secret.
    pub fn public_client(self) -> Self {
        Self { secret: Secret::None, ..self }
    }

    /// Registers one more redirect URI. `http://127.0.0.1:8976/callback` by default. The sandbox compares redirect URIs byte
    /// for byte, port included. Only the slash of an empty path may be missing.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Sets the scopes of the application. Every approval grants all of them, unless a [rule](crate::rules) says otherwise.
    pub fn scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: Some(scopes.into_iter().map(Into::into).collect()), ..self }
    }

    /// Sets the text at the start of every code and token, so that tests can search logs for all its
    /// [`spellings`](crate::spellings). It replaces as many of the 40 random digits and has 20 characters at most. Empty by
    /// default.
    pub fn token_prefix(self, prefix: impl Into<String>) -> Self {
        Self { token_prefix: prefix.into(), ..self }
    }

    /// Sets the address to listen on. A free port of 127.0.0.1 by default.
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Permits an address that other machines can reach. Everyone there can get tokens and control the sandbox.
    pub fn allow_non_loopback(self) -> Self {
        Self { allow_non_loopback: true, ..self }
    }

    /// Sets the lifetime of a code. 60 s by default.
    pub fn code_lifetime(self, lifetime: Duration) -> Self {
        Self { code_lifetime: lifetime, ..self }
    }

    /// Sets the lifetime of an access token. 3600 s by default.
    pub fn access_token_lifetime(self, lifetime: Duration) -> Self {
        Self { access_token_lifetime: lifetime, ..self }
    }

    /// Sets the lifetime of a refresh token. 31,536,000 s by default.
    pub fn refresh_token_lifetime(self, lifetime: Duration) -> Self {
        Self { refresh_token_lifetime: lifetime, ..self }
    }

    /// Makes the use of a dead refresh token also revoke the living pair of its grant, as other servers do. Sets the rule
    /// [`Rotation::Family`].
    pub fn revoke_grant_on_reuse(mut self) -> Self {
        self.rules.rotation = Rotation::Family;
        self
    }

    /// Sets all rules that the server follows, in place of those set before. The default rules if not given.
    pub fn rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// Closes each connection after one request, as some servers do. Then a fault that concerns a connection also strikes
    /// a client that would otherwise reuse its connection. It also keeps such a client from sending a request on a
    /// connection that the server is closing, which the client would have to send again.
    pub fn one_request_per_connection(self) -> Self {
        Self { one_request_per_connection: true, ..self }
    }

    /// Sets how many connections may be open at the same time. The sandbox closes further ones at once. 256 by default; each
    /// takes a thread.
    pub fn most_connections(self, most: usize) -> Self {
        Self { most_connections: most, ..self }
    }

    /// Serves https with this certificate.
    #[cfg(feature = "tls")]
    pub fn tls(self, certificate: Certificate) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// Draws the random settings and checks all of them.
    pub(crate) fn plan(self) -> Result<Plan, StartError> {
        if !self.address.ip().is_loopback() && !self.allow_non_loopback {
            return Err(StartError::NotLoopback(self.address));
        }
        let settings = Settings {
            client_id: self.client_id.map_or_else(random::hex_40, Ok).map_err(no_randomness)?,
            client_secret: match self.secret {
                Secret::Random => Some(random::hex_40().map_err(no_randomness)?),
                Secret::Given(secret) => Some(secret),
                Secret::None => None,
            },
            redirect_uris: if self.redirect_uris.is_empty() {
                vec![REDIRECT_URI.to_owned()]
            } else {
                self.redirect_uris
            },
            scopes: self.scopes.unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec()),
            token_prefix: self.token_prefix,
            code_lifetime: self.code_lifetime,
            access_token_lifetime: self.access_token_lifetime,
            refresh_token_lifetime: self.refresh_token_lifetime,
        };
        check(&settings)?;
        Ok(Plan {
            address: self.address,
            public: self.allow_non_loopback,
            settings,
            rules: self.rules,
            one_request_per_connection: self.one_request_per_connection,
            most_connections: self.most_connections,
            #[cfg(feature = "tls")]
            certificate: self.certificate,
        })
    }
}

/// Settings that passed the checks.
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) public: bool,
    pub(crate) settings: Settings,
    pub(crate) rules: Rules,
    pub(crate) one_request_per_connection: bool,
    pub(crate) most_connections: usize,
    #[cfg(feature = "tls")]
    pub(crate) certificate: Option<Certificate>,
}

fn no_randomness(error: getrandom::Error) -> StartError {
    StartError::Random(error.into())
}

/// Fails at the start, and not at the first request, if a setting is invalid.
fn check(settings: &Settings) -> Result<(), StartError> {
    let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !printable(&settings.client_id) {
        return Err(StartError::Setting("the client id must be printable ASCII (RFC 6749 appendix A.1)"));
    }
    if settings.client_secret.as_deref().is_some_and(|secret| !printable(secret)) {
        return Err(StartError::Setting("the client secret must be printable ASCII (RFC 6749 appendix A.2)"));
    }
    if settings.token_prefix.len() > 20 || !settings.token_prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = "a token's prefix must be visible ASCII (RFC 6750 section 2.1), 20 characters at the most";
        return Err(StartError::Setting(reason));
    }
    let is_absolute = |uri: &String| {
        let scheme = uri.split_once(':').map(|(scheme, rest)| (scheme, !rest.is_empty()));
        let graphic = uri.bytes().all(|byte| byte.is_ascii_graphic());
        matches!(scheme, Some((scheme, true)) if scheme.starts_with(|first: char| first.is_ascii_alphabetic()))
            && graphic
            && !uri.contains('#')
    };
    if !settings.redirect_uris.iter().all(is_absolute) {
        let reason = "a redirect URI must be absolute and have no fragment (RFC 6749 section 3.1.2)";
        return Err(StartError::Setting(reason));
    }
    let is_scope = |scope: &String| {
        !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
    };
    if !settings.scopes.iter().all(is_scope) {
        return Err(StartError::Setting("a scope must be a scope-token (RFC 6749 section 3.3)"));
    }
    Ok(())
}

/// Why a sandbox did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Other machines can reach the address, which [`Builder::allow_non_loopback`] did not permit.
    NotLoopback(SocketAddr),
    /// The sandbox cannot listen on the address.
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The operating system has no random bytes.
    Random(io::Error),
    /// A setting is invalid, for this reason.
    Setting(&'static str),
    /// The certificate could not be created.
    #[cfg(feature = "tls")]
    Tls(TlsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                formatter,
                "{address} can be reached from other machines; a sandbox gives tokens to anyone, \
                 so this must be allowed explicitly"
            ),
            Self::Listen { address, .. } => write!(formatter, "cannot listen on {address}"),
            Self::Random(_) => formatter.write_str("no random bytes from the operating system"),
            Self::Setting(reason) => formatter.write_str(reason),
            #[cfg(feature = "tls")]
            Self::Tls(_) => formatter.write_str("cannot make a certificate"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Random(source) => Some(source),
            #[cfg(feature = "tls")]
            Self::Tls(source) => Some(source),
            Self::NotLoopback(_) | Self::Setting(_) => None,
        }
    }
}
