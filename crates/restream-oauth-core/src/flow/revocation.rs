//! Step 5: revocation (RFC 7009).
//!
//! Restream's endpoint requires no client authentication, always responds 200 with an empty body, and revokes both
//! tokens of the pair, whichever of them the request sends. Only 200 (or 204, from other servers) means that the tokens
//! are revoked: after a 503 the token still exists (RFC 7009 §2.2.1).

use http::StatusCode;

use crate::client::Client;
use crate::encoding::form::Piece;
use crate::encoding::json::{self, Shape};
use crate::error::{Error, Malformed, Operation};
use crate::round_trip::{Call, Received};
use crate::token::RevocableToken;

impl Client {
    /// Step 5: revokes an access token or a refresh token. The request says which of the two it is (`token_type_hint`,
    /// RFC 7009 §2.1).
    ///
    /// ```
    /// use restream_oauth_core::{Client, RefreshToken};
    ///
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let call = client.revoke(&RefreshToken::new("9ca0e1e9"));
    /// assert_eq!(call.request().body().as_ref(), b"token=9ca0e1e9&token_type_hint=refresh_token");
    /// assert!(!call.request().headers().contains_key("authorization"));
    /// # Ok::<(), restream_oauth_core::config::ConfigError>(())
    /// ```
    pub fn revoke<'a>(&self, token: impl Into<RevocableToken<'a>>) -> Call<Revoked> {
        self.revoke_with(token, RevocationOptions::new())
    }

    /// Like [`revoke`](Self::revoke), with [options](RevocationOptions) for servers that expect another request than
    /// Restream does.
    ///
    /// ```
    /// use restream_oauth_core::config::RevocationOptions;
    /// use restream_oauth_core::{Client, RefreshToken};
    ///
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let options = RevocationOptions::new().client_authentication().without_hint();
    /// let call = client.revoke_with(&RefreshToken::new("9ca0e1e9"), options);
    /// assert_eq!(call.request().body().as_ref(), b"token=9ca0e1e9");
    /// assert!(call.request().headers().contains_key("authorization"));
    /// # Ok::<(), restream_oauth_core::config::ConfigError>(())
    /// ```
    pub fn revoke_with<'a>(&self, token: impl Into<RevocableToken<'a>>, options: RevocationOptions) -> Call<Revoked> {
        let (token, registration) = (token.into(), self.registration());
        let (headers, authentication) = if options.client_authentication {
            (&registration.token_headers, registration.form_suffix.expose())
        } else {
            (&registration.revocation_headers, "")
        };
        let [name, hint] = if options.without_hint { ["", ""] } else { ["&token_type_hint=", token.hint()] };
        let form = [
            Piece::Encoded("token="),
            Piece::Plain(token.text()),
            Piece::Encoded(name),
            Piece::Encoded(hint),
            Piece::Encoded(authentication),
        ];
        self.post(Operation::Revoke, &registration.revocation_uri, headers.clone(), form, read)
    }
}

/// Options of a revocation.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "options do nothing until they are given to Client::revoke_with"]
pub struct RevocationOptions {
    without_hint: bool,
    client_authentication: bool,
}

impl RevocationOptions {
    /// The defaults: with `token_type_hint`, and without client authentication.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out `token_type_hint`.
    pub fn without_hint(mut self) -> Self {
        self.without_hint = true;
        self
    }

    /// Sends the same client authentication as code exchange and refresh (RFC 7009 §2.1).
    pub fn client_authentication(mut self) -> Self {
        self.client_authentication = true;
        self
    }
}

/// The server confirmed that both tokens of the pair are invalid: forget them. It does not say whether they were valid
/// before (RFC 7009 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked;

/// By RFC 7009 §2.2 the status decides, and the body is ignored. There are two exceptions, because no authorization
/// server sends them after a revocation: an error, and an HTML page, such as a captive portal's.
fn read(received: Received<'_>) -> Result<Revoked, Error> {
    if !matches!(received.status(), Some(StatusCode::OK | StatusCode::NO_CONTENT)) {
        return Err(received.into_refusal());
    }
    if received.read_refusal().is_error() {
        return Err(received.into_refusal());
    }
    let text = received.text();
    let body = text.as_bytes().trim_ascii();
    let whole = match body.first() {
        _ if received.is_cut() || received.is_encoded() => false,
        Some(b'<') => false,
        // An incomplete object may be the beginning of an error.
        Some(b'{') => json::members(body, |_, _| {}) == Shape::Complete,
        _ => true,
    };
    drop(text);
    if whole { Ok(Revoked) } else { Err(received.into_unusable(Malformed::Page, None, Shape::Complete)) }
}
