//! What a program does with each [`Advice`], shown on responses that a server could have sent to a refresh.
//!
//!     cargo run -p restream-oauth-core --example advice
//!
//! `RETRY_RULES.md` has the rules themselves. The example `bot` of restream-oauth-ureq follows them in a loop.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "the core itself does none of this")]

use std::error::Error as StdError;
use std::time::SystemTime;

use http::Response;
use restream_oauth_core::error::Salvaged;
use restream_oauth_core::{Advice, Client, Error, RefreshToken};

fn main() -> Result<(), Box<dyn StdError>> {
    for (status, body) in [
        (429, ""),
        (502, "<html>Bad gateway</html>"),
        (200, r#"{"refresh_token":"7b12"}"#),
        (400, r#"{"error":{"statusCode":400,"name":"invalid_grant","message":"Invalid grant"}}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"access_denied"}"#),
    ] {
        let error = refresh_answered_with(status, body)?;
        println!("{error}\n  → {}\n", next_step(&error));
    }
    Ok(())
}

/// One arm for each advice. Advice may grow: a new one is treated as "stop and look".
pub(crate) fn next_step(error: &Error) -> String {
    match error.advice() {
        Advice::Retry { after: Some(after) } => format!("build the call again in {} s", after.as_secs()),
        Advice::Retry { after: None } => "build the call again, and wait longer each time".to_owned(),
        Advice::Replay => "refresh once more with the same token, soon, from one place only".to_owned(),
        Advice::Refresh => match error.salvaged() {
            Some(Salvaged::RefreshToken(_)) => "save the refresh token that arrived, and refresh with it".to_owned(),
            _ => "refresh, then call the API again".to_owned(),
        },
        Advice::Reauthorize => "ask the user to log in again".to_owned(),
        Advice::FixConfiguration => "tell the operator: identifier, secret, URLs or scopes are wrong".to_owned(),
        Advice::Abort => format!("stop; the server says: {}", error.server_message().unwrap_or("nothing")),
        _ => "stop and tell the operator".to_owned(),
    }
}

/// The error that a refresh gives whose answer has this status and body. No network is needed for it.
pub(crate) fn refresh_answered_with(status: u16, body: &'static str) -> Result<Error, Box<dyn StdError>> {
    let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    let (_request, reader) = client.refresh(&RefreshToken::new("9ca0")).into_parts(SystemTime::now());
    let response = Response::builder().status(status).body(body)?;
    match reader.read(response) {
        Ok(_) => Err("this answer is a success".into()),
        Err(error) => Ok(error),
    }
}
