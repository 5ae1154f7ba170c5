//! The access token (RFC 6749 §1.4), and its use as a bearer token (RFC 6750 §2.1).

use std::fmt;

use bytes::Bytes;
use http::header::HeaderValue;

use crate::encoding::redaction;
use crate::secret::{CleanText, SecretText, sensitive_header};

/// An access token, and its type (RFC 6749 §1.4 and §7.1).
///
/// It has no `Display` and no `Serialize`, and its `Debug` is redacted. Dropping it wipes the text. The token is
/// opaque: this library never parses or changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    text: SecretText,
    /// `None` for a bearer token. Boxed, because there is hardly another one, and a process may keep a million tokens.
    other_type: Option<Box<TokenType>>,
}

impl AccessToken {
    /// A bearer token from another source, such as a store of the program.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: SecretText::new(text), other_type: None }
    }

    pub(crate) fn of_type(text: SecretText, token_type: TokenType) -> Self {
        let other_type = (token_type != TokenType::Bearer).then(|| Box::new(token_type));
        Self { text, other_type }
    }

    /// The token itself. No other method returns it as text: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.text.expose()
    }

    /// The type that the server gave the token (`token_type`, RFC 6749 §5.1).
    pub fn token_type(&self) -> &TokenType {
        self.other_type.as_deref().unwrap_or(&TokenType::Bearer)
    }

    /// The value of the Authorization header of an API call (RFC 6750 §2.1), marked sensitive.
    ///
    /// # Errors
    /// [`BearerError`] if the token has another type (RFC 6749 §7.1 forbids its use), or has a character that a header
    /// cannot carry.
    ///
    /// ```
    /// use restream_oauth_core::AccessToken;
    ///
    /// let header = AccessToken::new("2a407cfc").bearer_header()?;
    /// assert_eq!(header.as_bytes(), b"Bearer 2a407cfc");
    /// assert!(AccessToken::new("two\r\nlines").bearer_header().is_err());
    /// # Ok::<(), restream_oauth_core::token::BearerError>(())
    /// ```
    pub fn bearer_header(&self) -> Result<HeaderValue, BearerError> {
        self.shared_bearer_header().map(|(header, _)| header)
    }

    /// The header value, and a handle to its bytes.
    pub(crate) fn shared_bearer_header(&self) -> Result<(HeaderValue, Bytes), BearerError> {
        if self.other_type.is_some() {
            return Err(BearerError::UnsupportedTokenType);
        }
        let token = self.expose_secret();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BearerError::InvalidCharacter);
        }
        let mut value = SecretText::with_capacity(token.len().saturating_add("Bearer ".len()));
        value.push_str("Bearer ");
        value.push_str(token);
        sensitive_header(value).ok_or(BearerError::InvalidCharacter)
    }
}

/// The type of an access token (RFC 6749 §7.1). A server may write `Bearer` in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenType {
    /// A bearer token (RFC 6750).
    Bearer,
    /// Another type. The token is kept and can be saved, but [`AccessToken::bearer_header`] refuses it.
    Other(Box<str>),
}

impl TokenType {
    /// Reads the type that a server wrote, and redacts secrets in it.
    pub(crate) fn read(text: &str, secrets: &[CleanText<'_>]) -> Self {
        let text = text.trim();
        if text.eq_ignore_ascii_case("bearer") { Self::Bearer } else { Self::Other(redaction::code(text, secrets)) }
    }

    /// Reads the text that [`as_str`](Self::as_str) returned; `None` for a text that it never returns.
    pub(crate) fn from_saved(text: &str) -> Option<Self> {
        match text {
            _ if text.trim().eq_ignore_ascii_case("bearer") => Some(Self::Bearer),
            _ if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Some(Self::Other(text.into())),
            _ => None,
        }
    }

    /// The type as text: `Bearer`, or the text of another type.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bearer => "Bearer",
            Self::Other(text) => text,
        }
    }
}

/// Why an access token cannot be sent as a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BearerError {
    /// The server gave the token another type than `Bearer`.
    UnsupportedTokenType,
    /// The token is empty, or holds a control character, a space or a character outside ASCII.
    InvalidCharacter,
}

impl fmt::Display for BearerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedTokenType => "the access token is not a bearer token: this library cannot use it",
            Self::InvalidCharacter => {
                "the access token is empty or has a character that a header cannot hold: log in again"
            }
        })
    }
}

impl std::error::Error for BearerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6750_2_1_a_token_that_a_header_cannot_carry_is_an_error() {
        for token in ["", "a b", "a\r\nX: y", "a\0", "é", "a\u{7F}"] {
            assert_eq!(AccessToken::new(token).bearer_header(), Err(BearerError::InvalidCharacter), "{token:?}");
        }
        assert!(AccessToken::new("a~+/=.-_").bearer_header().unwrap().is_sensitive());
    }

    #[test]
    fn rfc_6749_7_1_a_token_of_another_type_is_kept_but_not_used() {
        let token = AccessToken::of_type(SecretText::new("abc"), TokenType::read("mac", &[]));
        assert_eq!(token.bearer_header(), Err(BearerError::UnsupportedTokenType));
        assert_eq!(token.expose_secret(), "abc");
    }

    #[test]
    fn the_case_of_a_token_type_does_not_matter() {
        for text in ["bearer", "BEARER", "Bearer"] {
            assert_eq!(TokenType::read(text, &[]), TokenType::Bearer);
        }
        assert_eq!(TokenType::read("mac", &[]).as_str(), "mac");
    }
}
