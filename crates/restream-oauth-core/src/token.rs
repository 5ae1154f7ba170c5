//! Steps 3 and 4: code exchange (RFC 6749 §4.1.3) and refresh (§6), and the tokens that they give.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use crate::authorization::AuthorizationCode;
use crate::bearer::{AccessToken, BearerError, TokenType};
use crate::binding::Binding;
use crate::call::Call;
use crate::client::Client;
use crate::error::Operation;
use crate::form::Piece;
use crate::scope::Scopes;
use crate::secret::secret_type;
use crate::token_answer;

impl Client {
    /// Step 3: exchanges a code for tokens. Use a code for one exchange only; see [`AuthorizationCode`].
    pub fn exchange(&self, code: &AuthorizationCode) -> Call<Tokens> {
        let registration = self.registration();
        let (verifier_name, verifier) = match &code.verifier {
            Some(verifier) => ("&code_verifier=", verifier.expose()),
            None => ("", ""),
        };
        let secret = code.expose_secret();
        let own = [Piece::Encoded(&registration.exchange_prefix), Piece::Encoded(""), Piece::Encoded("")];
        let foreign = [
            Piece::Encoded("grant_type=authorization_code&redirect_uri="),
            Piece::Plain(&code.redirect_uri),
            Piece::Encoded("&code="),
        ];
        let [prefix, redirect_uri, name] = if code.redirect_uri == registration.redirect_uri { own } else { foreign };
        let form = [
            prefix,
            redirect_uri,
            name,
            Piece::Plain(secret),
            Piece::Encoded(verifier_name),
            Piece::Plain(verifier),
            Piece::Encoded(registration.form_suffix.expose()),
        ];
        self.post_for_tokens(Operation::Exchange, form)
    }

    /// Step 4: exchanges a refresh token for a new pair. **The previous access and refresh token are dead from the
    /// moment the server answers**, so one byte sent is enough to be in doubt: keep the refresh token until the new
    /// pair is safe on disk, and let one caller refresh at a time.
    ///
    /// No scope is ever asked for: the new pair has those of the grant (RFC 6749 §6 allows no more).
    pub fn refresh(&self, refresh_token: &RefreshToken) -> Call<Tokens> {
        let registration = self.registration();
        let form = [
            Piece::Encoded("grant_type=refresh_token&refresh_token="),
            Piece::Plain(refresh_token.expose_secret()),
            Piece::Encoded(registration.form_suffix.expose()),
        ];
        self.post_for_tokens(Operation::Refresh, form)
    }

    #[inline]
    fn post_for_tokens<const N: usize>(&self, operation: Operation, form: [Piece<'_>; N]) -> Call<Tokens> {
        let registration = self.registration();
        let headers = registration.token_headers.clone();
        self.post(operation, &registration.token_uri, headers, form, token_answer::read)
    }
}

/// By how much the clocks of two processes, or one clock before and after it was set right, may differ.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

secret_type! {
    /// A refresh token: used once, for the next pair. Whoever has it and the client's credentials has the grant.
    RefreshToken
}

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
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts();
    /// # let answer = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// let sent_at = SystemTime::UNIX_EPOCH;
    /// let tokens = reader.read(answer, sent_at)?;
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

/// Something strange about a success answer that was tolerated, so that the pair was not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Oddity {
    /// A status of success that is not 200.
    Status,
    /// The Content-Type is not JSON.
    ContentType,
    /// A byte order mark, UTF-16, or bytes that are no UTF-8.
    Encoding,
    /// The answer broke off after the pair was whole.
    Truncated,
    /// The JSON breaks, or something follows it, after the pair was whole.
    BrokenJson,
    /// The answer carries an error beside the tokens.
    ErrorBesideTokens,
    /// A member came twice with different values; the last that holds something counts.
    DoubledMember,
    /// A member and its camelCase twin differ; the RFC 6749 name counts.
    TwinsDiffer,
    /// A token is not text; its twin counts.
    UnusableToken,
    /// A lifetime is spelled strangely, such as `"1800"` or `1800.0`.
    LifetimeSpelling,
    /// A lifetime is null, 0, negative, no number, or longer than ten years; its twin or the documented one counts.
    LifetimeUnusable,
    /// The answer does not say how long the access token lives: an hour is assumed.
    LifetimeAssumed,
    /// The answer does not say how long the refresh token lives: a year is assumed.
    RefreshLifetimeAssumed,
    /// There is no token type: `Bearer` is assumed.
    TokenTypeMissing,
    /// The token type is not `Bearer`: the token is kept, but cannot be used as a bearer token.
    TokenTypeUnknown,
    /// The scopes are an array or separated by commas.
    ScopeSpelling,
    /// Some of the scopes are no scopes, and left out.
    ScopeUnusable,
    /// A refresh gave no new refresh token: the one that was sent is kept.
    RefreshTokenKept,
}

impl Oddity {
    const ALL: [Self; 18] = [
        Self::Status,
        Self::ContentType,
        Self::Encoding,
        Self::Truncated,
        Self::BrokenJson,
        Self::ErrorBesideTokens,
        Self::DoubledMember,
        Self::TwinsDiffer,
        Self::UnusableToken,
        Self::LifetimeSpelling,
        Self::LifetimeUnusable,
        Self::LifetimeAssumed,
        Self::RefreshLifetimeAssumed,
        Self::TokenTypeMissing,
        Self::TokenTypeUnknown,
        Self::ScopeSpelling,
        Self::ScopeUnusable,
        Self::RefreshTokenKept,
    ];

    /// Its name in the saved form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ContentType => "content_type",
            Self::Encoding => "encoding",
            Self::Truncated => "truncated",
            Self::BrokenJson => "broken_json",
            Self::ErrorBesideTokens => "error_beside_tokens",
            Self::DoubledMember => "doubled_member",
            Self::TwinsDiffer => "twins_differ",
            Self::UnusableToken => "unusable_token",
            Self::LifetimeSpelling => "lifetime_spelling",
            Self::LifetimeUnusable => "lifetime_unusable",
            Self::LifetimeAssumed => "lifetime_assumed",
            Self::RefreshLifetimeAssumed => "refresh_lifetime_assumed",
            Self::TokenTypeMissing => "token_type_missing",
            Self::TokenTypeUnknown => "token_type_unknown",
            Self::ScopeSpelling => "scope_spelling",
            Self::ScopeUnusable => "scope_unusable",
            Self::RefreshTokenKept => "refresh_token_kept",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|oddity| oddity.as_str() == name)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of oddities.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Oddities(u32);

impl Oddities {
    pub(crate) fn add(&mut self, oddity: Oddity) {
        self.0 |= oddity.bit();
    }

    pub(crate) fn add_if(&mut self, condition: bool, oddity: Oddity) {
        if condition {
            self.add(oddity);
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::ALL.into_iter().filter(move |oddity| self.0 & oddity.bit() != 0)
    }
}

impl fmt::Debug for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_a_bit_and_a_name_of_its_own() {
        let mut all = Oddities::default();
        for (index, oddity) in Oddity::ALL.into_iter().enumerate() {
            assert_eq!(oddity as usize, index);
            assert_eq!(Oddity::from_name(oddity.as_str()), Some(oddity));
            assert!(all.iter().all(|known| known != oddity));
            all.add(oddity);
        }
        assert!(all.iter().eq(Oddity::ALL));
        assert_eq!(Oddity::from_name("other"), None);
    }
}
