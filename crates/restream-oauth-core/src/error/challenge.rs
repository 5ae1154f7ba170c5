//! The Bearer challenge of a refused API call (RFC 6750 §3).

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::code::ErrorCode;
use crate::encoding::redaction;
use crate::secret::{CleanText, SecretText};
use crate::token::{MOST_FROM_SERVER, Scopes};

/// The Bearer challenge of a refused API call, from its `WWW-Authenticate` header (RFC 6750 §3).
///
/// For a program that calls Restream's API itself: it says whether to refresh the access token or to log in again.
///
/// ```
/// use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
/// use restream_oauth_core::error::{Challenge, ErrorCode};
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
    /// The first Bearer challenge of a response; `None` if the headers hold no Bearer challenge. Takes linear time.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::from_values(headers.get_all(WWW_AUTHENTICATE), &[])
    }

    /// Like [`from_headers`](Self::from_headers), and redacts `secrets`.
    pub(crate) fn from_values<'a>(
        values: impl IntoIterator<Item = &'a HeaderValue>,
        secrets: &[CleanText<'_>],
    ) -> Option<Self> {
        values.into_iter().find_map(|value| {
            // `?` replaces bytes that are not UTF-8: it is never longer than they are.
            let mut text = SecretText::with_capacity(value.len());
            for chunk in value.as_bytes().utf8_chunks() {
                text.push_str(chunk.valid());
                text.push_str(if chunk.invalid().is_empty() { "" } else { "?" });
            }
            // Redacted here, because parsing could cut a secret in two; and again later, because parsing may unescape
            // one.
            Self::read(&redaction::redacted(text.expose(), secrets), secrets)
        })
    }

    /// Why the server refused the call. `invalid_token` means: refresh the access token. `insufficient_scope` means:
    /// log in again with more scopes. `None` if the server gave no error code, as when the request carried no token
    /// (RFC 6750 §3.1).
    pub fn error(&self) -> Option<&ErrorCode> {
        self.error.as_ref()
    }

    /// The server's message for people: escaped, and truncated to 512 characters.
    pub fn error_description(&self) -> Option<&str> {
        self.error_description.as_deref()
    }

    /// The scopes that the call needs; `None` if the challenge does not list them.
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
                // Skips a character that cannot begin a token.
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
            // An empty parameter counts as omitted.
            _ if value.is_empty() => {}
            _ if name.eq_ignore_ascii_case("error") => self.error = Some(ErrorCode::read(value, secrets)),
            _ if name.eq_ignore_ascii_case("error_description") => {
                self.error_description = Some(redaction::message(value, secrets));
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

/// Splits off a token or a quoted string, unescaped; returns it and the rest.
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
    fn the_message_of_the_server_is_escaped() {
        let read = challenge("Bearer error_description=\"a\u{202E}b\", scope=\"a b\"").unwrap();
        assert_eq!(read.error_description(), Some(r"a\u{202e}b"));
        assert_eq!(read.scopes().unwrap().as_str(), "a b");
    }
}
