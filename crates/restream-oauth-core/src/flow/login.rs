//! Step 1: the browser goes to the consent dialog (RFC 6749 §4.1.1).
//!
//! Every login has a `state` (RFC 6749 §10.12). PKCE (RFC 7636) is on by default too, but is not the only protection:
//! Restream does not document PKCE, so its server may ignore it (RFC 9700 §2.1 and §2.1.1).

use std::fmt;
use std::sync::Arc;

use super::entropy::{Entropy, LoginState, RandomText, State};
use crate::client::Client;
use crate::encoding::form::{self, Piece, Space};
use crate::encoding::uri;
use crate::registration::{ConfigError, Registration, is_reserved};
use crate::secret::SecretText;
use crate::token::{Scope, Scopes};

impl Client {
    /// Begins a login: makes `state`, the PKCE verifier, and the URL to open in the user's browser (RFC 6749 §4.1.1).
    ///
    /// ```
    /// use restream_oauth_core::{Client, Entropy};
    ///
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let mut login = client.login(Entropy::from(random_64_bytes()));
    /// assert!(login.url().as_str().starts_with("https://api.restream.io/login?response_type=code&client_id=id&"));
    ///
    /// let state = login.state(); // the browser brings it back
    /// let came_back = format!("https://app.example/callback?code=4f1a&state={}", state.expose_secret());
    /// let code = login.read_callback(&came_back)?;
    /// let call = client.exchange(&code);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn login(&self, entropy: Entropy) -> Login {
        self.begin(entropy, &LoginOptions::default())
    }

    /// Like [`login`](Self::login), with [options](LoginOptions): scopes, more query parameters, data inside `state`,
    /// or no PKCE.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if the query of the authorization URL already has one of the added parameters.
    pub fn login_with(&self, entropy: Entropy, options: &LoginOptions) -> Result<Login, ConfigError> {
        let query = uri::split(&self.endpoints().authorization).ok().and_then(|parts| parts.query);
        match options.names.iter().find(|known| uri::check_query(query, |name| name == known.as_str()).is_err()) {
            Some(name) => Err(ConfigError::Parameter { name: name.clone() }),
            None => Ok(self.begin(entropy, options)),
        }
    }

    fn begin(&self, entropy: Entropy, options: &LoginOptions) -> Login {
        let [random, verifier] = entropy.into_texts();
        let state = LoginState::new(random, options.state_data.as_deref());
        let verifier = (!options.without_pkce).then_some(verifier);
        let challenge = verifier.as_ref().map(RandomText::s256_challenge);
        let (name, challenge, method) = match &challenge {
            Some(challenge) => ("&code_challenge=", challenge.as_str(), "&code_challenge_method=S256"),
            None => ("", "", ""),
        };
        let [random, data] = state.pieces();
        let scope_name = if options.scopes.is_empty() { "" } else { "&scope=" };
        let pieces = [
            Piece::Encoded(&self.registration().authorization_prefix),
            Piece::Encoded(random),
            Piece::Encoded(data),
            Piece::Encoded(name),
            Piece::Encoded(challenge),
            Piece::Encoded(method),
            Piece::Encoded(scope_name),
            Piece::Plain(options.scopes.as_str()),
            Piece::Encoded(&options.parameters),
        ];
        let url = form::assemble(pieces, Space::Percent);
        Login {
            registration: Arc::clone(self.registration()),
            url: AuthorizationUrl(url),
            state,
            verifier,
            accepted: false,
        }
    }
}

/// In bytes. Longer data belongs in a session of the program.
const LONGEST_STATE_DATA: usize = 1024;

/// Options of a login.
///
/// ```
/// use restream_oauth_core::Scope;
/// use restream_oauth_core::login::LoginOptions;
///
/// let options = LoginOptions::new().scopes([Scope::PROFILE_READ, Scope::CHAT_READ]).parameter("prompt", "consent")?;
/// assert!(options.parameter("state", "mine").is_err());
/// # Ok::<(), restream_oauth_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are given to Client::login_with"]
pub struct LoginOptions {
    without_pkce: bool,
    scopes: Scopes,
    names: Vec<String>,
    /// The added parameters, encoded, each with a leading `&`.
    parameters: String,
    state_data: Option<String>,
}

impl LoginOptions {
    /// The defaults: with PKCE, and without scopes. Restream then grants the scopes in the application's settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for these scopes, in addition to those already in the options (RFC 6749 §3.3). Without any scope, the URL
    /// has no `scope` parameter.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes);
        self
    }

    /// Adds a query parameter to the authorization URL.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if the name is empty, was added before, or belongs to the flow itself.
    pub fn parameter(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || is_reserved(name) || self.names.iter().any(|known| known == name) {
            return Err(ConfigError::Parameter { name: name.to_owned() });
        }
        self.names.push(name.to_owned());
        let pair = [Piece::Encoded("&"), Piece::Plain(name), Piece::Encoded("="), Piece::Plain(value)];
        self.parameters.push_str(form::assemble(pair, Space::Percent).expose());
        Ok(self)
    }

    /// Puts data of the program into `state`, such as the page to show after the login. It comes back with the code:
    /// [`AuthorizationCode::state_data`](crate::AuthorizationCode::state_data).
    ///
    /// `state` keeps its full random part. Anyone who sees the URL can read the data, so it must not be secret.
    ///
    /// # Errors
    /// [`ConfigError::StateData`] if the data is empty, or longer than 1,024 bytes (a URL must stay short).
    ///
    /// ```
    /// use restream_oauth_core::{Client, Entropy, login::LoginOptions};
    ///
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let options = LoginOptions::new().state_data("/dashboard?tab=chat")?;
    /// let mut login = client.login_with(Entropy::from(random_64_bytes()), &options)?;
    /// # let query = format!("code=4f1a&state={}", login.state().expose_secret());
    /// let code = login.read_callback(&query)?;
    /// assert_eq!(code.state_data(), Some("/dashboard?tab=chat"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_data(mut self, data: impl Into<String>) -> Result<Self, ConfigError> {
        let data = data.into();
        if !(1..=LONGEST_STATE_DATA).contains(&data.len()) {
            return Err(ConfigError::StateData);
        }
        self.state_data = Some(data);
        Ok(self)
    }

    /// Switches PKCE off, for a server that refuses it. `state` stays on. An application that is registered without a
    /// secret must keep PKCE (RFC 9700 §2.1.1).
    pub fn without_pkce(mut self) -> Self {
        self.without_pkce = true;
        self
    }
}

/// One login attempt, from the moment the browser leaves until it comes back.
///
/// It holds `state`, the PKCE verifier, and the client it belongs to. Bind it to the browser that you redirected (for
/// example with a session cookie), and discard it after ten minutes.
///
/// A web application saves the login ([`to_saved`](Self::to_saved)) under its [`state`](Self::state), finds it again
/// with [`state_of`](crate::login::state_of), and deletes it as soon as it has accepted a callback: a restored copy
/// does not know that another copy has accepted one.
pub struct Login {
    pub(crate) registration: Arc<Registration>,
    pub(crate) url: AuthorizationUrl,
    pub(crate) state: LoginState,
    pub(crate) verifier: Option<RandomText>,
    pub(crate) accepted: bool,
}

impl Login {
    /// The URL to open in the user's browser.
    pub fn url(&self) -> &AuthorizationUrl {
        &self.url
    }

    /// The `state` of this attempt.
    pub fn state(&self) -> State {
        State(self.state.text())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("client_id", &self.registration.binding.client_id)
            .field("redirect_uri", &self.registration.redirect_uri)
            .field("pkce", &self.verifier.is_some())
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

/// The URL to open in the user's browser. It contains `state`, so `Debug` is redacted, and there is no `Display`.
pub struct AuthorizationUrl(pub(crate) SecretText);

impl AuthorizationUrl {
    /// The URL as text. Open it in a browser; do not log it.
    pub fn as_str(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationUrl(redacted)")
    }
}
