//! Scopes (RFC 6749 §3.3). Restream has renamed scopes between versions of its API, so a scope is any valid text, with
//! constants for the documented names.

use std::borrow::Cow;
use std::fmt;

use crate::encoding::text::any_byte;

/// The largest number of scopes that are read from a server. It bounds the time, because each scope is searched for
/// among the others.
pub(crate) const MOST_FROM_SERVER: usize = 256;

/// One scope: a permission of an access token (RFC 6749 §3.3).
///
/// ```
/// use restream_oauth_core::Scope;
///
/// assert_eq!(Scope::CHAT_READ.as_str(), "chat.read");
/// assert!(Scope::new("chat.default.read").is_ok());
/// assert!(Scope::new("two scopes").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Cow<'static, str>);

impl Scope {
    /// `profile.read`: read the user's profile.
    pub const PROFILE_READ: Self = Self(Cow::Borrowed("profile.read"));
    /// `channels.read`: read the connected channels.
    pub const CHANNELS_READ: Self = Self(Cow::Borrowed("channels.read"));
    /// `channels.write`: change the connected channels.
    pub const CHANNELS_WRITE: Self = Self(Cow::Borrowed("channels.write"));
    /// `stream.read`: read the stream key and the ingest settings.
    pub const STREAM_READ: Self = Self(Cow::Borrowed("stream.read"));
    /// `chat.read`: read the messages of the chat.
    pub const CHAT_READ: Self = Self(Cow::Borrowed("chat.read"));
    /// `chat.write`: write to the chat.
    pub const CHAT_WRITE: Self = Self(Cow::Borrowed("chat.write"));
    /// `events.read`: read the past, running and scheduled streams.
    pub const EVENTS_READ: Self = Self(Cow::Borrowed("events.read"));

    /// Accepts every scope of RFC 6749 §3.3: visible ASCII characters except `"` and `\`.
    ///
    /// # Errors
    /// [`InvalidScope`] if the text is empty or holds another character.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidScope> {
        let text = text.into();
        if is_scope(text.as_bytes()) { Ok(Self(Cow::Owned(text))) } else { Err(InvalidScope) }
    }

    /// The scope as text, as a request sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not one scope (RFC 6749 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidScope;

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope must be one word of visible ASCII characters without quotes and backslashes")
    }
}

impl std::error::Error for InvalidScope {}

/// A list of scopes without repetition, in the order in which they were added.
///
/// ```
/// use restream_oauth_core::{Scope, Scopes};
///
/// let scopes = Scopes::from_iter([Scope::PROFILE_READ, Scope::CHAT_READ]);
/// assert_eq!(scopes.as_str(), "profile.read chat.read");
/// assert!(scopes.contains("chat.read"));
/// assert_eq!(scopes.iter().count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    joined: String,
}

impl Scopes {
    /// The scopes as RFC 6749 §3.3 writes them: separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.joined
    }

    /// True if the list has no scope.
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    /// True if `scope` is in the list. Scopes are case-sensitive.
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|one| one == scope)
    }

    /// The scopes as text, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.joined.split(' ').filter(|scope| !scope.is_empty())
    }

    /// Takes over a server's list unchanged, if it is up to eight valid, different scopes with single spaces between
    /// them. Returns `None` for any other list; then use [`add`](Self::add) for each scope.
    pub(crate) fn from_plain_list(text: &[u8]) -> Option<Self> {
        let text = if is_plain_list(text) { std::str::from_utf8(text).ok()? } else { return None };
        Some(Self { joined: text.to_owned() })
    }

    /// Reads a server's list of scopes, separated by spaces or commas. Leaves out invalid scopes.
    pub(crate) fn from_list(text: String) -> Self {
        if is_plain_list(text.as_bytes()) {
            return Self { joined: text };
        }
        let mut scopes = Self::with_capacity(text.len());
        for scope in words(text.as_bytes()).take(MOST_FROM_SERVER) {
            scopes.add(scope);
        }
        scopes
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { joined: String::with_capacity(bytes) }
    }

    /// Adds a scope as a server wrote it. Returns false if it is not a valid scope.
    pub(crate) fn add(&mut self, scope: &[u8]) -> bool {
        let Some(scope) = std::str::from_utf8(scope).ok().filter(|scope| is_scope(scope.as_bytes())) else {
            return false;
        };
        if !self.contains(scope) {
            if !self.is_empty() {
                self.joined.push(' ');
            }
            self.joined.push_str(scope);
        }
        true
    }
}

/// True if a list already has the form of [`Scopes::as_str`]: up to eight different scopes with single spaces between
/// them.
fn is_plain_list(text: &[u8]) -> bool {
    let is_other = |byte| !(b' '..=b'~').contains(&byte) || byte == b'"' || byte == b'\\' || byte == b',';
    if any_byte(text, is_other) {
        return false;
    }
    let mut known: [&[u8]; 8] = [b""; 8];
    for (index, word) in text.split(|&byte| byte == b' ').enumerate() {
        if word.is_empty() || known.iter().take(index).any(|one| *one == word) {
            return false;
        }
        let Some(place) = known.get_mut(index) else { return false };
        *place = word;
    }
    true
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut all = Self::default();
        all.extend(scopes);
        all
    }
}

impl Extend<Scope> for Scopes {
    fn extend<I: IntoIterator<Item = Scope>>(&mut self, scopes: I) {
        for scope in scopes {
            self.add(scope.as_str().as_bytes());
        }
    }
}

/// The words of a server's list of scopes, separated by spaces or commas.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b',')).filter(|word| !word.is_empty())
}

/// True for a `scope-token` of RFC 6749 §3.3: one or more visible ASCII characters except `"` and `\`.
pub(crate) fn is_scope(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_with_a_space_a_quote_a_backslash_or_a_control_character_is_refused() {
        for text in ["", "a b", "a\"", "a\\b", "a\n", "\u{7F}", "é", "a\tb"] {
            assert_eq!(Scope::new(text), Err(InvalidScope), "{text:?}");
        }
    }

    #[test]
    fn a_plain_list_equals_adding_its_scopes_one_by_one() {
        for list in ["a", "a b", "profile.read channels.read chat.read stream.read", "1 2 3 4 5 6 7 8"] {
            let mut added = Scopes::default();
            words(list.as_bytes()).for_each(|scope| assert!(added.add(scope)));
            assert_eq!(Scopes::from_plain_list(list.as_bytes()), Some(added), "{list}");
        }
        for list in ["", " a", "a ", "a  b", "a a", "a,b", "a\\", "a \u{e9}", "1 2 3 4 5 6 7 8 9"] {
            assert_eq!(Scopes::from_plain_list(list.as_bytes()), None, "{list}");
        }
    }

    #[test]
    fn joining_and_splitting_are_inverse() {
        assert_eq!(Scope::CHAT_READ.to_string(), "chat.read");
        let scopes = Scopes::from_iter([Scope::CHAT_READ, Scope::CHAT_WRITE, Scope::CHAT_READ]);
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["chat.read", "chat.write"]);
        assert_eq!(Scopes::default().iter().count(), 0);
    }
}
