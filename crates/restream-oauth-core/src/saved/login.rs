//! The saved form of a login, for the time until the browser comes back.

use std::sync::Arc;

use super::document::{Document, Kind, Saved, SavedError, Writer};
use crate::client::Client;
use crate::flow::{AuthorizationUrl, Login, LoginState, RandomText};
use crate::registration::Registration;
use crate::secret::same_bytes;

const LOGIN: Kind = Kind { name: "login", newest: "1" };

impl Login {
    /// Writes the saved form: one line of JSON that [`Client::restore_login`] reads when the browser comes back. It
    /// holds `state` and the PKCE verifier, so keep it on the server.
    pub fn to_saved(&self) -> Saved {
        let registration = &self.registration;
        let identity = identity(registration);
        let mut writer = Writer::new(
            &LOGIN,
            LOGIN.newest,
            identity.iter().map(|text| text.len()).sum::<usize>().saturating_add(self.url.as_str().len()),
        );
        for (name, text) in IDENTITY.into_iter().zip(identity) {
            writer.text(name, text);
        }
        writer.boolean("accepted", self.accepted);
        writer.text("url", self.url.as_str());
        writer.text("state", self.state.text().expose());
        if let Some(verifier) = &self.verifier {
            writer.text("code_verifier", verifier.as_str());
        }
        writer.finish()
    }
}

/// The members of a saved login that must equal those of the client that restores it, so that a code never goes to
/// another authorization server than the one that issued it (RFC 9700 §4.4).
const IDENTITY: [&str; 3] = ["client_id", "redirect_uri", "token_endpoint"];

fn identity(registration: &Registration) -> [&str; 3] {
    [&registration.binding.client_id, &registration.redirect_uri, &registration.binding.token_endpoint]
}

impl Client {
    /// Restores a login that [`Login::to_saved`] wrote.
    ///
    /// # Errors
    /// [`SavedError`] if the document is not a saved login, is damaged, or belongs to another client.
    ///
    /// ```
    /// use restream_oauth_core::{Client, Entropy};
    ///
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let saved = client.login(Entropy::from(random_64_bytes())).to_saved();
    /// let mut login = client.restore_login(saved.expose_secret())?;
    /// assert!(login.read_callback("/callback?code=c&state=forged").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_login(&self, document: impl AsRef<[u8]>) -> Result<Login, SavedError> {
        let document = Document::read(document.as_ref(), &LOGIN)?;
        let registration = self.registration();
        for (name, own) in IDENTITY.into_iter().zip(identity(registration)) {
            if !same_bytes(document.text(name)?.as_bytes(), own.as_bytes()) {
                return Err(SavedError::OtherClient(name));
            }
        }
        let random = |name, text: &str| RandomText::from_saved(text).ok_or(SavedError::Damaged(name));
        let verifier = document.optional_text("code_verifier")?;
        let state = LoginState::from_saved(&document.text("state")?).ok_or(SavedError::Damaged("state"))?;
        let url = document.text("url")?;
        // The URL must lead to this client's authorization server, with this client's parameters and this `state`.
        let rest = url.strip_prefix(&registration.authorization_prefix).ok_or(SavedError::OtherClient("url"))?;
        if rest.strip_prefix(state.text().expose()).is_none_or(|after| !after.is_empty() && !after.starts_with('&')) {
            return Err(SavedError::Damaged("url"));
        }
        let accepted = document.boolean("accepted")?;
        Ok(Login {
            registration: Arc::clone(registration),
            state,
            verifier: verifier.map(|text| random("code_verifier", &text)).transpose()?,
            accepted,
            url: AuthorizationUrl(url.into_owned()),
        })
    }
}

/// The redirect URI of a saved login. Use it in a program that builds its [`Client`] only when the browser comes back.
///
/// # Errors
/// [`SavedError`] if the document is not a saved login, or is damaged.
///
/// ```
/// use restream_oauth_core::login::redirect_uri_of;
/// use restream_oauth_core::{Client, Entropy};
///
/// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let saved = client.login(Entropy::from(random_64_bytes())).to_saved();
/// assert_eq!(redirect_uri_of(saved.expose_secret())?, "https://app.example/callback");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn redirect_uri_of(saved_login: impl AsRef<[u8]>) -> Result<String, SavedError> {
    Document::read(saved_login.as_ref(), &LOGIN)?.text("redirect_uri").map(|uri| uri.to_string())
}
