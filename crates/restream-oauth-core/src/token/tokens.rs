//! What a code exchange or a refresh gave, and when it was asked.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::access::{AccessToken, BearerError, TokenType};
use super::binding::Binding;
use super::oddity::{Oddities, Oddity};
use super::refresh::RefreshToken;
use super::scope::Scopes;

/// What a code exchange or a refresh gave, and when it was asked.
///
/// Only a missing access token makes a success answer an error. All else that is strange is tolerated and listed in
/// [`oddities`](Self::oddities), because the pair may be the only one of its grant.
///
/// There is no `Serialize`: saving is an explicit act, [`to_saved`](Self::to_saved).
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
    /// The client and the server that the tokens belong to. `None` for tokens of a saved document of version 1, which did
    /// not say.
    pub fn binding(&self) -> Option<&Binding> {
        self.binding.as_deref()
    }

    /// The access token.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// The refresh token; `None` if a code exchange gave none. A refresh that gave none keeps the one that was sent.
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

    /// The granted scopes; `None` if the answer did not say, which means: what was asked for (RFC 6749 §5.1). A user
    /// may grant fewer than were asked for.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    /// When the request was sent. Lifetimes count from here: the server issued the tokens later, so this never claims
    /// more life than there is.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// How long the access token lives: `expires_in`, or an hour when the answer did not say.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// How long the refresh token lives: `refreshTokenExpiresIn`, or a year when the answer did not say.
    pub fn refresh_lifetime(&self) -> Duration {
        self.refresh_lifetime
    }

    /// When the access token expires: `sent_at + lifetime`, which no server clock can bend. A time that the platform
    /// cannot express counts as `sent_at`: expired at once.
    pub fn expires_at(&self) -> SystemTime {
        self.sent_at.checked_add(self.lifetime).unwrap_or(self.sent_at)
    }

    /// When the refresh token expires, counted likewise.
    pub fn refresh_expires_at(&self) -> SystemTime {
        self.sent_at.checked_add(self.refresh_lifetime).unwrap_or(self.sent_at)
    }

    /// True while the access token lives for `margin` or longer after `now`. False is a reason to refresh; true is no
    /// promise, since the server may revoke a token at any time. Tokens that were asked for more than a minute after `now`
    /// are not fresh: they prove that the clock was moved, so nobody knows how old they are.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use restream_oauth_core::{Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// # let answer = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// let sent_at = SystemTime::UNIX_EPOCH;
    /// let tokens = reader.read(answer)?;
    /// let after = |seconds| sent_at + Duration::from_secs(seconds);
    /// assert!(tokens.is_fresh(after(3000), Duration::from_secs(600)));
    /// assert!(!tokens.is_fresh(after(3001), Duration::from_secs(600)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_fresh(&self, now: SystemTime, margin: Duration) -> bool {
        let age_is_known = now.checked_add(CLOCK_TOLERANCE).is_none_or(|soon| self.sent_at <= soon);
        age_is_known && now.checked_add(margin).is_some_and(|soon| soon <= self.expires_at())
    }

    /// When the server's own clock says that the access token expires. For people to look at: the documented answer
    /// contradicts itself, and clocks differ. Never used to decide anything.
    pub fn server_expires_at(&self) -> Option<SystemTime> {
        self.server_expires_at
    }

    /// When the server's own clock says that the refresh token expires.
    pub fn server_refresh_expires_at(&self) -> Option<SystemTime> {
        self.server_refresh_expires_at
    }

    /// What was strange about the answer, and tolerated.
    pub fn oddities(&self) -> impl Iterator<Item = Oddity> {
        self.oddities.iter()
    }
}

/// Without the scopes: they are the server's own words, and it may have repeated a secret among them.
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

/// By how much the clocks of two processes, or one clock before and after it was set right, may differ.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
