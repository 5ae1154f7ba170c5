//! `GET /v2/user/profile`: whose token is this, and is it alive?

use std::fmt;
use std::time::SystemTime;

use crate::answer::Received;
use crate::bearer::{AccessToken, BearerError};
use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, Malformed, Operation};
use crate::json::{self, Value};

impl Client {
    /// Asks for the profile of the user who granted the access token.
    ///
    /// # Errors
    /// [`BearerError`] if the token cannot be used as a bearer token.
    pub fn profile(&self, access_token: &AccessToken) -> Result<Call<Profile>, BearerError> {
        let header = access_token.shared_bearer_header()?;
        Ok(self.get(Operation::Profile, &self.registration().profile_uri, header, read))
    }
}

/// A user of Restream.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    id: String,
    username: Option<String>,
    email: Option<String>,
}

impl Profile {
    /// The user's identifier, as text whether the server sent a number or a string.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The user's name.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The user's mail address.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

/// Without the mail address: logs are not the place for it.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("id", &self.id).field("username", &self.username).finish_non_exhaustive()
    }
}

fn read(received: Received<'_>, sent_at: SystemTime) -> Result<Profile, Error> {
    match received.status() {
        Some(status) if status.is_success() => {}
        _ => return Err(received.into_refusal(sent_at)),
    }
    let text = received.text();
    let (mut id, mut username, mut email) = (None, None, None);
    let mut error = false;
    let string = |value: Value<'_>| value.string().map(|text| text.to_string()).filter(|text| !text.is_empty());
    let shape = json::members(text.as_bytes(), |key, value| match key {
        b"id" => {
            let number =
                || std::str::from_utf8(value.written()).ok().filter(|_| value.is_unsigned()).map(str::to_owned);
            id = string(value).or_else(number).or(id.take());
        }
        b"username" => username = string(value).or(username.take()),
        b"email" => email = string(value).or(email.take()),
        b"error" => error = true,
        _ => {}
    });
    drop(text);
    match id {
        Some(id) => Ok(Profile { id, username, email }),
        None if error && received.read_refusal().is_error() => Err(received.into_refusal(sent_at)),
        None => Err(received.into_unusable(Malformed::NoId, None, shape, sent_at)),
    }
}
