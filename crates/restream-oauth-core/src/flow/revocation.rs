//! Step 5: revocation (RFC 7009).
//!
//! Restream's takes no client authentication, always answers 200 with an empty body, and kills both tokens of the
//! pair, whichever was sent. Only a 200, or a 204 of other servers, means revoked: after a 503 the token still exists
//! (RFC 7009 §2.2.1).

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};

use crate::client::Client;
use crate::encoding::form::Piece;
use crate::encoding::json::{self, Shape};
use crate::error::{Error, Malformed, Operation};
use crate::round_trip::{Call, Received};
use crate::token::{AccessToken, RefreshToken};

impl Client {
    /// Step 5: revokes an access or refresh token, and says which of both it is (`token_type_hint`, RFC 7009 §2.1).
    ///
    /// ```
    /// use restream_oauth_core::{Client, RefreshToken};
    ///
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let call = client.revoke(&RefreshToken::new("9ca0e1e9"));
    /// assert_eq!(call.request().body().as_ref(), b"token=9ca0e1e9&token_type_hint=refresh_token");
    /// assert!(!call.request().headers().contains_key("authorization"));
    /// # Ok::<(), restream_oauth_core::ConfigError>(())
    /// ```
    pub fn revoke<'a>(&self, token: impl Into<RevocableToken<'a>>) -> Call<Revoked> {
        let token = token.into();
        self.revocation(token, Some(token.hint()), &self.registration().revocation_headers, "")
    }

    /// As [`revoke`](Self::revoke), without the hint.
    pub fn revoke_without_hint<'a>(&self, token: impl Into<RevocableToken<'a>>) -> Call<Revoked> {
        self.revocation(token.into(), None, &self.registration().revocation_headers, "")
    }

    /// As [`revoke`](Self::revoke), with the client authentication that exchange and refresh carry, for servers that ask
    /// for it (RFC 7009 §2.1). Restream documents none.
    ///
    /// ```
    /// use restream_oauth_core::{Client, RefreshToken};
    ///
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let call = client.revoke_authenticated(&RefreshToken::new("9ca0e1e9"));
    /// assert!(call.request().headers().contains_key("authorization"));
    /// # Ok::<(), restream_oauth_core::ConfigError>(())
    /// ```
    pub fn revoke_authenticated<'a>(&self, token: impl Into<RevocableToken<'a>>) -> Call<Revoked> {
        let token = token.into();
        let registration = self.registration();
        self.revocation(token, Some(token.hint()), &registration.token_headers, registration.form_suffix.expose())
    }

    /// As [`revoke_authenticated`](Self::revoke_authenticated), without the hint.
    pub fn revoke_authenticated_without_hint<'a>(&self, token: impl Into<RevocableToken<'a>>) -> Call<Revoked> {
        let registration = self.registration();
        self.revocation(token.into(), None, &registration.token_headers, registration.form_suffix.expose())
    }

    fn revocation(
        &self,
        token: RevocableToken<'_>,
        hint: Option<&str>,
        headers: &HeaderMap,
        authentication: &str,
    ) -> Call<Revoked> {
        let form = [
            Piece::Encoded("token="),
            Piece::Plain(token.text()),
            Piece::Encoded(if hint.is_some() { "&token_type_hint=" } else { "" }),
            Piece::Encoded(hint.unwrap_or_default()),
            Piece::Encoded(authentication),
        ];
        self.post(Operation::Revoke, &self.registration().revocation_uri, headers.clone(), form, read)
    }
}

/// A token that can be revoked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RevocableToken<'a> {
    /// An access token.
    Access(&'a AccessToken),
    /// A refresh token.
    Refresh(&'a RefreshToken),
}

impl<'a> RevocableToken<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Access(token) => token.expose_secret(),
            Self::Refresh(token) => token.expose_secret(),
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Access(_) => "access_token",
            Self::Refresh(_) => "refresh_token",
        }
    }
}

impl<'a> From<&'a AccessToken> for RevocableToken<'a> {
    fn from(token: &'a AccessToken) -> Self {
        Self::Access(token)
    }
}

impl<'a> From<&'a RefreshToken> for RevocableToken<'a> {
    fn from(token: &'a RefreshToken) -> Self {
        Self::Refresh(token)
    }
}

/// The server says that both tokens of the pair are dead, or never lived: forget them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked;

/// RFC 7009 §2.2: the status says it all, and the body is ignored. Two bodies are not from an authorization server that
/// revoked: an error, and a page, such as a captive portal's.
fn read(received: Received<'_>, sent_at: SystemTime) -> Result<Revoked, Error> {
    if !matches!(received.status(), Some(StatusCode::OK | StatusCode::NO_CONTENT)) {
        return Err(received.into_refusal(sent_at));
    }
    if received.read_refusal().is_error() {
        return Err(received.into_refusal(sent_at));
    }
    let text = received.text();
    let body = text.as_bytes().trim_ascii();
    let whole = match body.first() {
        _ if received.is_cut() || received.is_encoded() => false,
        Some(b'<') => false,
        // An object that is not whole may have become an error.
        Some(b'{') => json::members(body, |_, _| {}) == Shape::Complete,
        _ => true,
    };
    drop(text);
    if whole { Ok(Revoked) } else { Err(received.into_unusable(Malformed::Page, None, Shape::Complete, sent_at)) }
}
