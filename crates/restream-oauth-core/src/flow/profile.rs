//! The profile call (`GET /v2/user/profile`): who granted the access token, and is the token still valid?

use crate::client::Client;
use crate::encoding::json::{self, Value};
use crate::error::{Error, Malformed, Operation};
use crate::round_trip::{Call, Received};
use crate::token::{AccessToken, BearerError};
use std::fmt;

impl Client {
    /// Fetches the profile of the user who granted the access token (`GET /v2/user/profile`).
    ///
    /// # Errors
    /// [`BearerError`] if the token cannot be used as a bearer token (RFC 6750 §2.1).
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use restream_oauth_core::{AccessToken, Client};
    ///
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let (request, reader) = client.profile(&AccessToken::new("2a40"))?.into_parts(SystemTime::UNIX_EPOCH);
    /// assert_eq!(request.headers()["authorization"], "Bearer 2a40");
    /// let response = http::Response::new(r#"{"id":7,"username":"streamer","email":"streamer@example.com"}"#);
    /// assert_eq!(reader.read(response)?.id(), "7");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(&self, access_token: &AccessToken) -> Result<Call<Profile>, BearerError> {
        let header = access_token.shared_bearer_header()?;
        Ok(self.get(Operation::Profile, &self.registration().profile_uri, header, read))
    }
}

/// The profile of a Restream user.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    id: String,
    username: Option<String>,
    email: Option<String>,
}

impl Profile {
    #[cfg(feature = "serde")]
    pub(crate) fn of(id: String, username: Option<String>, email: Option<String>) -> Self {
        Self { id, username, email }
    }

    /// The user's identifier, as text. The server may send a number or a string.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The user's name; `None` if the response has none.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The user's e-mail address; `None` if the response has none.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

/// Shows nothing: personal data does not belong in logs, and the server may have repeated a secret in the profile.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(redacted)")
    }
}

fn read(received: Received<'_>) -> Result<Profile, Error> {
    match received.status() {
        Some(status) if status.is_success() => {}
        _ => return Err(received.into_refusal()),
    }
    let text = received.text();
    let (mut id, mut username, mut email) = (None, None, None);
    let string = |value: Value<'_>| value.string().map(|text| text.to_string()).filter(|text| !text.is_empty());
    let shape = json::members(text.as_bytes(), |key, value| match key {
        b"id" => {
            let number = || std::str::from_utf8(value.written()).ok().filter(|_| value.is_whole()).map(str::to_owned);
            id = string(value).or_else(number).or(id.take());
        }
        b"username" => username = string(value).or(username.take()),
        b"email" => email = string(value).or(email.take()),
        _ => {}
    });
    drop(text);
    match id {
        Some(id) => Ok(Profile { id, username, email }),
        None if received.read_refusal().is_error() => Err(received.into_refusal()),
        None => Err(received.into_unusable(Malformed::NoId, None, shape)),
    }
}
