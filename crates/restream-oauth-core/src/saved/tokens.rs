//! The saved form of tokens.

use std::sync::Arc;

use super::document::{Document, Kind, Saved, SavedError, Writer};
use crate::client::Client;
use crate::registration::Endpoints;
use crate::token::{AccessToken, Binding, MOST_FROM_SERVER, Oddities, Oddity, RefreshToken, Scopes, TokenType, Tokens};

/// Version 2 names the client and the server that the tokens belong to. Version 1 does not.
const TOKENS: Kind = Kind { name: "tokens", newest: "2" };
const UNBOUND_VERSION: &str = "1";

impl Tokens {
    /// Writes the saved form: one line of JSON. [`Client::restore_tokens`] and [`from_saved`](Self::from_saved) read it
    /// back to an equal value.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// # let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// # let tokens = reader.read(response)?;
    /// use restream_oauth_core::Tokens;
    ///
    /// let saved = tokens.to_saved();
    /// assert_eq!(Tokens::from_saved(saved.expose_secret())?, tokens);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_saved(&self) -> Saved {
        let binding = self.binding();
        let texts = [
            self.access_token.expose_secret(),
            self.refresh_token.as_ref().map_or("", RefreshToken::expose_secret),
            self.token_type().as_str(),
            self.scopes.as_ref().map_or("", Scopes::as_str),
            binding.map_or("", Binding::client_id),
            binding.map_or("", Binding::token_endpoint),
        ];
        // Tokens without a binding are saved without one: the client that saves them may not be theirs.
        let version = if binding.is_some() { TOKENS.newest } else { UNBOUND_VERSION };
        let mut writer = Writer::new(&TOKENS, version, texts.map(str::len).iter().sum());
        if let Some(binding) = binding {
            writer.text("client_id", binding.client_id());
            writer.text("token_endpoint", binding.token_endpoint());
        }
        writer.text("access_token", self.access_token.expose_secret());
        if let Some(token) = &self.refresh_token {
            writer.text("refresh_token", token.expose_secret());
        }
        writer.text("token_type", self.token_type().as_str());
        if let Some(scopes) = &self.scopes {
            writer.text("scope", scopes.as_str());
        }
        writer.time("sent_at", self.sent_at);
        writer.number("expires_in", self.lifetime.as_secs());
        writer.number("refresh_expires_in", self.refresh_lifetime.as_secs());
        for (name, time) in [
            ("server_expires_at", self.server_expires_at),
            ("server_refresh_expires_at", self.server_refresh_expires_at),
        ] {
            if let Some(time) = time {
                writer.time(name, time);
            }
        }
        let mut oddities = String::new();
        for oddity in self.oddities.iter() {
            if !oddities.is_empty() {
                oddities.push(' ');
            }
            oddities.push_str(oddity.as_str());
        }
        writer.text("oddities", &oddities);
        writer.finish()
    }

    /// Reads the saved form of tokens of any client and server: [`binding`](Self::binding) says which. Prefer
    /// [`Client::restore_tokens`], which refuses the tokens of another client. Skips a byte order mark.
    ///
    /// # Errors
    /// [`SavedError`] if the document does not hold saved tokens, is damaged, or has an unknown version.
    pub fn from_saved(document: impl AsRef<[u8]>) -> Result<Self, SavedError> {
        let document = Document::read(document.as_ref(), &TOKENS)?;
        let binding = match document.version {
            UNBOUND_VERSION => None,
            _ => Some(Arc::new(Binding {
                client_id: document.text("client_id")?.to_string(),
                token_endpoint: document.text("token_endpoint")?.to_string(),
            })),
        };
        let token_type = TokenType::from_saved(&document.text("token_type")?);
        let token_type = token_type.ok_or(SavedError::Damaged("token_type"))?;
        let mut scopes = None;
        if let Some(text) = document.optional_text("scope")? {
            let all = scopes.insert(Scopes::default());
            for (index, scope) in text.split(' ').filter(|scope| !scope.is_empty()).enumerate() {
                // No response gives more scopes. The limit bounds the time, because each is searched for among the
                // others.
                if index >= MOST_FROM_SERVER || !all.add(scope.as_bytes()) {
                    return Err(SavedError::Damaged("scope"));
                }
            }
        }
        let mut oddities = Oddities::default();
        for name in document.text("oddities")?.split(' ').filter(|name| !name.is_empty()) {
            // A later release may write an unknown oddity. That is no reason to lose a pair.
            if let Some(oddity) = Oddity::from_name(name) {
                oddities.add(oddity);
            }
        }
        Ok(Self {
            binding,
            access_token: AccessToken::of_type(document.token("access_token")?, token_type),
            refresh_token: document.optional_token("refresh_token")?.map(RefreshToken),
            sent_at: document.time("sent_at")?.ok_or(SavedError::Damaged("sent_at"))?,
            lifetime: document.seconds("expires_in")?,
            refresh_lifetime: document.seconds("refresh_expires_in")?,
            scopes,
            server_expires_at: document.time("server_expires_at")?,
            server_refresh_expires_at: document.time("server_refresh_expires_at")?,
            oddities,
        })
    }
}

impl Client {
    /// Restores tokens that [`Tokens::to_saved`] wrote, if they belong to this client and its server.
    ///
    /// A document of version 1 does not say whom its tokens belong to. It is restored too, and the tokens'
    /// [`binding`](Tokens::binding) is `None`.
    ///
    /// # Errors
    /// [`SavedError`] if the document cannot be read, or says that the tokens belong to another server or client.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Client, RefreshToken, SavedError};
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// # let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// # let tokens = reader.read(response)?;
    /// let saved = tokens.to_saved();
    /// assert_eq!(client.restore_tokens(saved.expose_secret())?, tokens);
    ///
    /// let other = Client::builder("other").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let refused = other.restore_tokens(saved.expose_secret()).unwrap_err();
    /// assert_eq!(refused, SavedError::TokensOfOtherClient { client_id: "id".into() });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_tokens(&self, document: impl AsRef<[u8]>) -> Result<Tokens, SavedError> {
        let tokens = Tokens::from_saved(document)?;
        self.check_owner(&tokens)?;
        Ok(tokens)
    }

    /// Fails if tokens belong to another client or server. Tokens without a [`binding`](Tokens::binding) pass.
    ///
    /// # Errors
    /// [`SavedError::TokensOfOtherServer`] or [`SavedError::TokensOfOtherClient`].
    pub fn check_owner(&self, tokens: &Tokens) -> Result<(), SavedError> {
        self.endpoints().check_server(tokens)?;
        match tokens.binding() {
            Some(binding) if binding.client_id() != self.client_id() => {
                Err(SavedError::TokensOfOtherClient { client_id: binding.client_id().into() })
            }
            _ => Ok(()),
        }
    }
}

impl Endpoints {
    /// Like [`Client::restore_tokens`], for a program without a client identifier, such as one that only calls the API.
    /// Compares only the token endpoint.
    ///
    /// # Errors
    /// [`SavedError`] if the document cannot be read, or says that the tokens belong to another server.
    pub fn restore_tokens(&self, document: impl AsRef<[u8]>) -> Result<Tokens, SavedError> {
        let tokens = Tokens::from_saved(document)?;
        self.check_server(&tokens)?;
        Ok(tokens)
    }

    fn check_server(&self, tokens: &Tokens) -> Result<(), SavedError> {
        match tokens.binding() {
            Some(binding) if !binding.is_of_endpoint(&self.token) => {
                Err(SavedError::TokensOfOtherServer { token_endpoint: binding.token_endpoint().into() })
            }
            _ => Ok(()),
        }
    }
}
