//! Tokens come from the server: each returned or salvaged token is in the response under one of its names.

use restream_oauth_core::error::Salvaged;
use restream_oauth_core::token::Oddity;
use restream_oauth_core::{Error, RefreshToken, Tokens};

use crate::canary::REFRESH;
use crate::json::{self, Object};

/// What the server wrote, as an independent reader sees it.
pub(crate) struct Written<'a> {
    body: &'a [u8],
    /// The body, if it is an object.
    pub(crate) object: Option<Object>,
}

const ACCESS_NAMES: [&str; 2] = ["access_token", "accessToken"];
const REFRESH_NAMES: [&str; 2] = ["refresh_token", "refreshToken"];

impl<'a> Written<'a> {
    pub(crate) fn of(body: &'a [u8]) -> Self {
        Self { body, object: json::object(body) }
    }

    /// Checks the outcome of the body, or of a part of it.
    pub(crate) fn check(&self, outcome: Result<&Tokens, &Error>) {
        match outcome {
            Ok(tokens) => {
                self.check_token(ACCESS_NAMES, tokens.access_token().expose_secret());
                let refresh_token = tokens.refresh_token().map(RefreshToken::expose_secret);
                if tokens.oddities().any(|oddity| oddity == Oddity::RefreshTokenKept) {
                    assert_eq!(refresh_token, Some(REFRESH), "not the one that was sent");
                } else if let Some(token) = refresh_token {
                    self.check_token(REFRESH_NAMES, token);
                }
            }
            Err(error) => match error.salvaged() {
                Some(Salvaged::AccessToken(token)) => self.check_token(ACCESS_NAMES, token.expose_secret()),
                Some(Salvaged::RefreshToken(token)) => self.check_token(REFRESH_NAMES, token.expose_secret()),
                _ => {}
            },
        }
    }

    fn check_token(&self, names: [&str; 2], token: &str) {
        let written = match &self.object {
            Some(object) => names.iter().any(|name| object.all(name).any(|value| value.as_str() == Some(token))),
            None => self.may_hold(token),
        };
        assert!(written, "the server wrote no token {token:?}");
    }

    /// In a broken body no names can be read. Unless there are escapes or UTF-16, a token is still there in quotes.
    fn may_hold(&self, token: &str) -> bool {
        let utf16 = self.body.starts_with(b"\xFF\xFE") || self.body.starts_with(b"\xFE\xFF");
        utf16 || self.body.contains(&b'\\') || String::from_utf8_lossy(self.body).contains(&format!("\"{token}\""))
    }
}
