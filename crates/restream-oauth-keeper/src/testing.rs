//! What the unit tests of several modules need.

use std::time::SystemTime;

use http::Response;
use restream_oauth_core::{Client, RefreshToken, Tokens};

pub(crate) fn client() -> Client {
    Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build().unwrap()
}

/// A pair that lives for an hour from 1970 on.
pub(crate) fn tokens(access_token: &str, refresh_token: &str) -> Tokens {
    tokens_at(SystemTime::UNIX_EPOCH, access_token, refresh_token)
}

pub(crate) fn tokens_at(sent_at: SystemTime, access_token: &str, refresh_token: &str) -> Tokens {
    let (_, reader) = client().refresh(&RefreshToken::new("r")).into_parts(sent_at);
    let body = serde_json::json!({
        "access_token": access_token, "refresh_token": refresh_token, "token_type": "Bearer", "expires_in": 3600,
    });
    reader.read(Response::new(body.to_string())).unwrap()
}
