//! The saved form of tokens.

use std::sync::Arc;

use super::document::{Document, Kind, Saved, SavedError, Writer};
use crate::client::Client;
use crate::registration::Endpoints;
use crate::token::{AccessToken, Binding, MOST_FROM_SERVER, Oddities, Oddity, RefreshToken, Scopes, TokenType, Tokens};

/// Version 2 says which client and which server the tokens belong to; version 1 did not.
const TOKENS: Kind = Kind { name: "tokens", newest: "2" };
const UNBOUND_VERSION: &str = "1";

impl Tokens {
    /// The saved form: one line of JSON that [`from_saved`](Self::from_saved) reads back to an equal value.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// # let answer = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// # let tokens = reader.read(answer)?;
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
        // Tokens that nobody bound stay what they are, rather than become those of whoever saves them.
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

    /// Reads a saved form, whichever client and server the tokens belong to: see [`binding`](Self::binding). Prefer
    /// [`Client::restore_tokens`], which refuses tokens of others. A byte order mark before the document is skipped.
    ///
    /// # Errors
    /// [`SavedError`] if it is not one, is damaged, or is of a version that this library does not know.
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
                // No answer gives more, and each is looked up among the others.
                if index >= MOST_FROM_SERVER || !all.add(scope.as_bytes()) {
                    return Err(SavedError::Damaged("scope"));
                }
            }
        }
        let mut oddities = Oddities::default();
        for name in document.text("oddities")?.split(' ').filter(|name| !name.is_empty()) {
            // One that a later release writes is no reason to lose a pair.
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
    /// Restores tokens that [`Tokens::to_saved`] wrote, if they are this client's.
    ///
    /// Tokens of a document of version 1 are restored too; their [`binding`](Tokens::binding) is `None`.
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
        let tokens = self.endpoints().restore_tokens(document)?;
        match tokens.binding() {
            Some(binding) if binding.client_id() != self.client_id() => {
                Err(SavedError::TokensOfOtherClient { client_id: binding.client_id().into() })
            }
            _ => Ok(tokens),
        }
    }
}

impl Endpoints {
    /// As [`Client::restore_tokens`], for programs that need no client, such as one that only asks for a profile: compares
    /// the token endpoint alone.
    ///
    /// # Errors
    /// [`SavedError`] if the document cannot be read, or says that the tokens belong to another server.
    pub fn restore_tokens(&self, document: impl AsRef<[u8]>) -> Result<Tokens, SavedError> {
        let tokens = Tokens::from_saved(document)?;
        match tokens.binding() {
            Some(binding) if !binding.is_of_endpoint(&self.token) => {
                Err(SavedError::TokensOfOtherServer { token_endpoint: binding.token_endpoint().into() })
            }
            _ => Ok(tokens),
        }
    }
}
