//! The result of a code exchange or a refresh.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::access::{AccessToken, BearerError, TokenType};
use super::binding::Binding;
use super::oddity::{Oddities, Oddity};
use super::refresh::RefreshToken;
use super::scope::Scopes;

/// The result of a code exchange or a refresh: the tokens, their lifetimes and scopes, and when the request was sent.
///
/// The pair may be the only one of its grant, so a strange success response is tolerated as far as possible, and
/// [`oddities`](Self::oddities) lists what was strange. See [`Malformed`](crate::error::Malformed) for the success
/// responses that are errors.
///
/// The type has no `Serialize`: a program saves tokens explicitly, with [`to_saved`](Self::to_saved).
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    pub(crate) binding: Option<Arc<Binding>>,
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<RefreshToken>,
    pub(crate) sent_at: SystemTime,
    pub(crate) lifetime: Duration,
    pub(crate) refresh_lifetime: Duration,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) server_expires_at: Option<SystemTime>,
    pub(crate) server_refresh_expires_at: Option<SystemTime>,
    pub(crate) oddities: Oddities,
}

impl Tokens {
    /// The client and the server that the tokens belong to. `None` for tokens from a saved document of version 1, which
    /// does not name them.
    pub fn binding(&self) -> Option<&Binding> {
        self.binding.as_deref()
    }

    /// The access token.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// The refresh token; `None` if the response to a code exchange had none. If the response to a refresh had none,
    /// this is the refresh token that was sent (RFC 6749 §6).
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    /// The type of the access token.
    pub fn token_type(&self) -> &TokenType {
        self.access_token.token_type()
    }

    /// The Authorization header of an API call; see [`AccessToken::bearer_header`].
    ///
    /// # Errors
    /// [`BearerError`] if the token cannot be used as a bearer token.
    pub fn bearer_header(&self) -> Result<HeaderValue, BearerError> {
        self.access_token.bearer_header()
    }

    /// The granted scopes; `None` if the response names no valid scope. A response without `scope` means that the
    /// server granted the scopes that the program asked for (RFC 6749 §5.1). A user may grant fewer.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    /// When the request was sent. Lifetimes count from this time. The server issued the tokens later, so they never
    /// expire earlier than this library expects.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// The same tokens with another time of sending; all times that count from it move along. For a store that keeps
    /// times of a clock that is not this machine's.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use restream_oauth_core::{Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// # let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// # let tokens = reader.read(response)?;
    /// let ahead = Duration::from_secs(86_400); // the database's clock is a day ahead of ours
    /// let stored = tokens.clone().with_sent_at(tokens.sent_at() + ahead);
    /// assert_eq!(stored.expires_at(), tokens.expires_at() + ahead);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_sent_at(mut self, sent_at: SystemTime) -> Self {
        self.sent_at = sent_at;
        self
    }

    /// The lifetime of the access token: `expires_in` (RFC 6749 §5.1), or an hour if the response has no usable value.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The lifetime of the refresh token: `refreshTokenExpiresIn`, or a year if the response has no usable value.
    pub fn refresh_lifetime(&self) -> Duration {
        self.refresh_lifetime
    }

    /// When the access token expires: `sent_at + lifetime`. This does not depend on the server's clock. If the platform
    /// cannot express that time, this is `sent_at`, so the token counts as expired.
    pub fn expires_at(&self) -> SystemTime {
        self.sent_at.checked_add(self.lifetime).unwrap_or(self.sent_at)
    }

    /// When the refresh token expires: `sent_at + refresh_lifetime`, with the same exception as for
    /// [`expires_at`](Self::expires_at).
    pub fn refresh_expires_at(&self) -> SystemTime {
        self.sent_at.checked_add(self.refresh_lifetime).unwrap_or(self.sent_at)
    }

    /// True if the access token still lives for at least `margin` after `now`.
    ///
    /// If false, refresh. True is no guarantee, because the server may revoke a token at any time. Tokens whose
    /// [`sent_at`](Self::sent_at) is more than a minute after `now` are not fresh: the clock was set back, so their age
    /// is unknown.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use restream_oauth_core::{Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// # let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// let sent_at = SystemTime::UNIX_EPOCH;
    /// let tokens = reader.read(response)?;
    /// let after = |seconds| sent_at + Duration::from_secs(seconds);
    /// assert!(tokens.is_fresh(after(3000), Duration::from_secs(600)));
    /// assert!(!tokens.is_fresh(after(3001), Duration::from_secs(600)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_fresh(&self, now: SystemTime, margin: Duration) -> bool {
        let age_is_known = now.checked_add(CLOCK_TOLERANCE).is_none_or(|soon| self.sent_at <= soon);
        age_is_known && now.checked_add(margin).is_some_and(|soon| soon <= self.expires_at())
    }

    /// When the access token expires by the server's clock, if the response says so. Only for people to look at: the
    /// documented response contradicts itself, and clocks differ. This library decides nothing by this time.
    pub fn server_expires_at(&self) -> Option<SystemTime> {
        self.server_expires_at
    }

    /// When the refresh token expires by the server's clock, if the response says so. Only for people to look at.
    pub fn server_refresh_expires_at(&self) -> Option<SystemTime> {
        self.server_refresh_expires_at
    }

    /// The strange properties of the response that were tolerated.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Client, RefreshToken, token::Oddity};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// let body = r#"{"access_token":"a1","refresh_token":"r1","token_type":"Bearer","expires_in":"3600"}"#;
    /// let tokens = reader.read(http::Response::builder().header("content-type", "text/html").body(body)?)?;
    /// assert!(tokens.oddities().any(|oddity| oddity == Oddity::ContentType));
    /// assert!(tokens.oddities().any(|oddity| oddity == Oddity::LifetimeSpelling));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn oddities(&self) -> impl Iterator<Item = Oddity> {
        self.oddities.iter()
    }
}

/// Shows only the number of scopes: the server wrote them, and may have repeated a secret among them.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("binding", &self.binding)
            .field("access_token", &self.access_token)
            .field("refresh_token", &self.refresh_token)
            .field("sent_at", &self.sent_at)
            .field("lifetime", &self.lifetime)
            .field("refresh_lifetime", &self.refresh_lifetime)
            .field("scopes", &self.scopes.as_ref().map(|scopes| scopes.iter().count()))
            .field("oddities", &self.oddities)
            .finish_non_exhaustive()
    }
}

/// The tolerated difference between two clocks, or between one clock before and after its adjustment.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
