//! [`Builder`]: what a sandbox is before it starts, and why it may not start.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

#[cfg(feature = "tls")]
use crate::http::tls::{Certificate, TlsError};
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
    revoke_grant_on_reuse: bool,
    one_request_per_connection: bool,
    #[cfg(feature = "tls")]
    certificate: Option<Certificate>,
}

enum Secret {
    Random,
    Given(String),
    /// A public client has none.
    None,
}

/// The redirect URI that is registered if no other is.
const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";
/// Those of the documented answer.
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
            revoke_grant_on_reuse: false,
            one_request_per_connection: false,
            #[cfg(feature = "tls")]
            certificate: None,
        }
    }
}

impl Builder {
    /// The id of the registered client; random if not given.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        Self { client_id: Some(id.into()), ..self }
    }

    /// The secret of the registered client; random if not given.
    pub fn client_secret(self, secret: impl Into<String>) -> Self {
        Self { secret: Secret::Given(secret.into()), ..self }
    }

    /// The registered client is a public one: it has no secret.
    pub fn public_client(self) -> Self {
        Self { secret: Secret::None, ..self }
    }

    /// Registers one more redirect URI; `http://127.0.0.1:8976/callback` if none is given. They are
    /// compared byte for byte, port included.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// What the application's settings ask for, and every approval grants.
    pub fn scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: Some(scopes.into_iter().map(Into::into).collect()), ..self }
    }

    /// What every code and every token begins with, in the place of as many of its 40 random digits, up to 20: a word that
    /// logs can be searched for, in all its [`spellings`](crate::spellings). Nothing if not given.
    pub fn token_prefix(self, prefix: impl Into<String>) -> Self {
        Self { token_prefix: prefix.into(), ..self }
    }

    /// Where to listen; 127.0.0.1 on a free port if not given.
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Permits an address that other machines reach. Anyone there can have tokens and drive the sandbox.
    pub fn allow_non_loopback(self) -> Self {
        Self { allow_non_loopback: true, ..self }
    }

    /// How long a code lives; 60 s if not given.
    pub fn code_lifetime(self, lifetime: Duration) -> Self {
        Self { code_lifetime: lifetime, ..self }
    }

    /// How long an access token lives; 3600 s if not given.
    pub fn access_token_lifetime(self, lifetime: Duration) -> Self {
        Self { access_token_lifetime: lifetime, ..self }
    }

    /// How long a refresh token lives; 31,536,000 s if not given.
    pub fn refresh_token_lifetime(self, lifetime: Duration) -> Self {
        Self { refresh_token_lifetime: lifetime, ..self }
    }

    /// The use of a dead refresh token kills the living pair of its grant too, as other servers do.
    pub fn revoke_grant_on_reuse(self) -> Self {
        Self { revoke_grant_on_reuse: true, ..self }
    }

    /// Every answer closes its connection, as some servers do. A fault of a connection that is ordered over HTTP then
    /// meets the next request, even of a client that would rather use a connection again, and none is sent twice because
    /// the connection that it was put on had ended.
    pub fn one_request_per_connection(self) -> Self {
        Self { one_request_per_connection: true, ..self }
    }

    /// Serves https, with this certificate.
    #[cfg(feature = "tls")]
    pub fn tls(self, certificate: Certificate) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// The settings, checked, and the random ones drawn.
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
            revoke_grant_on_reuse: self.revoke_grant_on_reuse,
        };
        check(&settings)?;
        Ok(Plan {
            address: self.address,
            public: self.allow_non_loopback,
            settings,
            one_request_per_connection: self.one_request_per_connection,
            #[cfg(feature = "tls")]
            certificate: self.certificate,
        })
    }
}

/// Settings that can work.
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) public: bool,
    pub(crate) settings: Settings,
    pub(crate) one_request_per_connection: bool,
    #[cfg(feature = "tls")]
    pub(crate) certificate: Option<Certificate>,
}

fn no_randomness(error: getrandom::Error) -> StartError {
    StartError::Random(error.into())
}

/// Settings that no client could meet are refused at the start, not at the first request.
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
    /// The address is reachable from elsewhere and nobody said that it may be.
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no random bytes.
    Random(io::Error),
    /// A setting cannot work.
    Setting(&'static str),
    /// No certificate could be made.
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
