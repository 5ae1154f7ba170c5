//! Steps 3 and 4: code exchange (RFC 6749 §4.1.3) and refresh (§6).

use super::callback::AuthorizationCode;
use super::token_response;
use crate::client::Client;
use crate::encoding::form::Piece;
use crate::error::Operation;
use crate::round_trip::Call;
use crate::token::{RefreshToken, Tokens};

impl Client {
    /// Step 3: exchanges a code for tokens (RFC 6749 §4.1.3). Use a code for one exchange only; see
    /// [`AuthorizationCode`].
    ///
    /// ```
    /// # use restream_oauth_core::{Client, Entropy};
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let mut login = client.login(Entropy::from(random_64_bytes()));
    /// # let callback = format!("/callback?code=4f1a&state={}", login.state().expose_secret());
    /// let code = login.read_callback(&callback)?;
    /// let call = client.exchange(&code);
    /// assert_eq!(call.request().uri(), "https://api.restream.io/oauth/token");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Step 4: exchanges a refresh token for a new pair (RFC 6749 §6).
    ///
    /// **The server revokes the previous access token and refresh token when it handles the request**, perhaps before
    /// its response arrives. So keep the refresh token until the new pair is stored, and let only one caller refresh at
    /// a time.
    ///
    /// The request has no `scope`: the new pair has the scopes of the grant, and RFC 6749 §6 allows no more.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Advice, Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let now = SystemTime::UNIX_EPOCH;
    /// let (request, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(now);
    /// // The connection closes, and no response arrives.
    /// let error = reader.finish().interpret().unwrap_err();
    /// assert_eq!(error.advice(), Advice::Replay); // keep r0, and send it once more
    /// # Ok::<(), restream_oauth_core::config::ConfigError>(())
    /// ```
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
        self.post(operation, &registration.token_uri, headers, form, token_response::read)
    }
}
