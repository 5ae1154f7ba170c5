//! Using an access token (RFC 6750): the Authorization header of an API call, and the challenge of a 401 or 403.

use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::credentials::sensitive_header;
use crate::error::ErrorCode;
use crate::scope::{MOST_FROM_SERVER, Scopes};
use crate::secret::{CleanText, SecretText};
use crate::server_text;

/// An access token and the type the server gave it.
///
/// No `Display`, no `Serialize`; `Debug` is redacted; wiped when dropped. The token is opaque: never parsed, never
/// changed (RFC 6749 §1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    text: SecretText,
    token_type: TokenType,
}

impl AccessToken {
    /// A bearer token that arrived some other way, such as from a program's own store.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: SecretText::new(text), token_type: TokenType::Bearer }
    }

    pub(crate) fn of_type(text: SecretText, token_type: TokenType) -> Self {
        Self { text, token_type }
    }

    /// The token itself. The only way in: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.text.expose()
    }

    /// What the server called the token's type.
    pub fn token_type(&self) -> &TokenType {
        &self.token_type
    }

    /// The value of the Authorization header of an API call (RFC 6750 §2.1), marked sensitive.
    ///
    /// # Errors
    /// [`BearerError`] if the token is of another type (RFC 6749 §7.1 forbids using it) or cannot stand in a header.
    ///
    /// ```
    /// use restream_oauth_core::AccessToken;
    ///
    /// let header = AccessToken::new("2a407cfc").bearer_header()?;
    /// assert_eq!(header.as_bytes(), b"Bearer 2a407cfc");
    /// assert!(AccessToken::new("two\r\nlines").bearer_header().is_err());
    /// # Ok::<(), restream_oauth_core::BearerError>(())
    /// ```
    pub fn bearer_header(&self) -> Result<HeaderValue, BearerError> {
        self.shared_bearer_header().map(|(header, _)| header)
    }

    /// The header, and a handle to its bytes.
    pub(crate) fn shared_bearer_header(&self) -> Result<(HeaderValue, Bytes), BearerError> {
        if self.token_type != TokenType::Bearer {
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

/// The type of an access token (RFC 6749 §7.1), compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenType {
    /// A bearer token (RFC 6750).
    Bearer,
    /// Another type. The token is kept and can be saved; using it as a bearer token is refused.
    Other(Box<str>),
}

impl TokenType {
    /// What a server wrote, cleared of secrets that it repeats.
    pub(crate) fn read(text: &str, secrets: &[CleanText<'_>]) -> Self {
        let text = text.trim();
        if text.eq_ignore_ascii_case("bearer") { Self::Bearer } else { Self::Other(server_text::code(text, secrets)) }
    }

    /// What [`as_str`](Self::as_str) gave; `None` for what it never gives.
    pub(crate) fn from_saved(text: &str) -> Option<Self> {
        match text {
            _ if text.trim().eq_ignore_ascii_case("bearer") => Some(Self::Bearer),
            _ if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Some(Self::Other(text.into())),
            _ => None,
        }
    }

    /// The type as text.
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
    /// The token is empty or holds a character that no bearer token has: a control, a space, or beyond ASCII.
    InvalidCharacter,
}

impl fmt::Display for BearerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedTokenType => "the access token is not a bearer token: this library cannot use it",
            Self::InvalidCharacter => {
                "the access token is empty or holds a character that cannot stand in a header: log in again"
            }
        })
    }
}

impl std::error::Error for BearerError {}

/// The Bearer challenge of a refused API call: the `WWW-Authenticate` header (RFC 6750 §3).
///
/// ```
/// use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
/// use restream_oauth_core::{Challenge, ErrorCode};
///
/// let mut headers = HeaderMap::new();
/// let value = r#"Basic realm="x", Bearer error="insufficient_scope", scope="chat.read chat.write""#;
/// headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(value));
/// let challenge = Challenge::from_headers(&headers).unwrap();
/// assert_eq!(challenge.error(), Some(&ErrorCode::InsufficientScope));
/// assert!(challenge.scopes().unwrap().contains("chat.write"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    error: Option<ErrorCode>,
    error_description: Option<Box<str>>,
    scopes: Option<Scopes>,
}

impl Challenge {
    /// The first Bearer challenge of an answer; `None` if there is none. Takes linear time.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::from_values(headers.get_all(WWW_AUTHENTICATE), &[])
    }

    /// As [`from_headers`](Self::from_headers), with secrets to be cut out of what it says.
    pub(crate) fn from_values<'a>(
        values: impl IntoIterator<Item = &'a HeaderValue>,
        secrets: &[CleanText<'_>],
    ) -> Option<Self> {
        values.into_iter().find_map(|value| {
            // Bytes that are no text take no more room than they had.
            let mut text = SecretText::with_capacity(value.len());
            for chunk in value.as_bytes().utf8_chunks() {
                text.push_str(chunk.valid());
                text.push_str(if chunk.invalid().is_empty() { "" } else { "?" });
            }
            // Once before it is taken apart, which could cut a secret short, and once after, which may unescape one.
            Self::read(&server_text::redacted(text.expose(), secrets), secrets)
        })
    }

    /// Why the call was refused: `invalid_token` asks for a refresh, `insufficient_scope` for a new login with
    /// more scopes. Absent when the request had no token at all.
    pub fn error(&self) -> Option<&ErrorCode> {
        self.error.as_ref()
    }

    /// The server's own words, escaped and cut to 512 characters.
    pub fn error_description(&self) -> Option<&str> {
        self.error_description.as_deref()
    }

    /// The scopes that the call needs.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn read(header: &str, secrets: &[CleanText<'_>]) -> Option<Self> {
        let mut found: Option<Self> = None;
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return found;
            }
            let (name, after) = take_token(rest);
            if name.is_empty() {
                // Not a token: a stray character is skipped, whatever it is.
                let mut characters = rest.chars();
                characters.next();
                rest = characters.as_str();
                continue;
            }
            let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') else {
                // A name without `=` begins the next challenge.
                if found.is_some() {
                    return found;
                }
                found = name.eq_ignore_ascii_case("bearer").then(Self::default);
                rest = after;
                continue;
            };
            let (value, after) = take_value(value.trim_start_matches([' ', '\t']));
            if let Some(challenge) = &mut found {
                challenge.set(name, &value, secrets);
            }
            rest = after;
        }
    }

    fn set(&mut self, name: &str, value: &str, secrets: &[CleanText<'_>]) {
        match name {
            // Without a value it counts as omitted.
            _ if value.is_empty() => {}
            _ if name.eq_ignore_ascii_case("error") => self.error = Some(ErrorCode::read(value, secrets)),
            _ if name.eq_ignore_ascii_case("error_description") => {
                self.error_description = Some(server_text::message(value, secrets));
            }
            _ if name.eq_ignore_ascii_case("scope") => {
                let mut scopes = Scopes::default();
                for scope in value.split(' ').take(MOST_FROM_SERVER) {
                    scopes.add(scope.as_bytes());
                }
                self.scopes = Some(scopes);
            }
            _ => {}
        }
    }
}

fn take_token(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !is_token_character(character)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || u8::try_from(character).is_ok_and(|byte| b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A token or a quoted string, and what follows it.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = take_token(text);
        return (value.to_owned(), rest);
    };
    let mut value = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(header: &str) -> Option<Challenge> {
        Challenge::read(header, &[])
    }

    #[test]
    fn rfc_6750_2_1_a_token_that_cannot_stand_in_a_header_is_an_error() {
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
    fn token_types_are_compared_without_case() {
        for text in ["bearer", "BEARER", "Bearer"] {
            assert_eq!(TokenType::read(text, &[]), TokenType::Bearer);
        }
        assert_eq!(TokenType::read("mac", &[]).as_str(), "mac");
    }

    #[test]
    fn the_bearer_challenge_is_found_among_others() {
        let cases = [
            (r#"Bearer error="invalid_token""#, Some(ErrorCode::InvalidToken)),
            (r#"bearer realm="a, b", error=invalid_token"#, Some(ErrorCode::InvalidToken)),
            (r#"Negotiate abc==, Bearer error = "insufficient_scope""#, Some(ErrorCode::InsufficientScope)),
            (r#"Bearer error="invalid_token", Basic error="other""#, Some(ErrorCode::InvalidToken)),
            (r#"Bearer realm="say \"hi\"", error="invalid_request""#, Some(ErrorCode::InvalidRequest)),
            ("Bearer", None),
            (r#"Bearer error="unterminated"#, Some(ErrorCode::Other("unterminated".into()))),
        ];
        for (header, error) in cases {
            assert_eq!(challenge(header).unwrap().error, error, "{header}");
        }
        for header in ["", "Basic realm=x", "=,=,\"", "Basic error=\"invalid_token\"", "é"] {
            assert_eq!(challenge(header), None, "{header}");
        }
    }

    #[test]
    fn the_servers_words_are_escaped() {
        let read = challenge("Bearer error_description=\"a\u{202E}b\", scope=\"a b\"").unwrap();
        assert_eq!(read.error_description(), Some(r"a\u{202e}b"));
        assert_eq!(read.scopes().unwrap().as_str(), "a b");
    }
}
