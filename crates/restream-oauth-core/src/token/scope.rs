//! Scopes (RFC 6749 §3.3). Restream's names have moved between versions, so they are open-ended text with
//! constants for the documented ones.

use std::borrow::Cow;
use std::fmt;

/// As many scopes as are read from a server: each is looked up among the others, and time must stay bounded.
pub(crate) const MOST_FROM_SERVER: usize = 256;

/// One scope: what an access token may be used for.
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
    /// `profile.read`: the user's profile.
    pub const PROFILE_READ: Self = Self(Cow::Borrowed("profile.read"));
    /// `channels.read`: the connected channels.
    pub const CHANNELS_READ: Self = Self(Cow::Borrowed("channels.read"));
    /// `channels.write`: changing the connected channels.
    pub const CHANNELS_WRITE: Self = Self(Cow::Borrowed("channels.write"));
    /// `stream.read`: the stream key and ingest settings.
    pub const STREAM_READ: Self = Self(Cow::Borrowed("stream.read"));
    /// `chat.read`: the chat's messages.
    pub const CHAT_READ: Self = Self(Cow::Borrowed("chat.read"));
    /// `chat.write`: writing to the chat.
    pub const CHAT_WRITE: Self = Self(Cow::Borrowed("chat.write"));
    /// `events.read`: past, running and scheduled streams.
    pub const EVENTS_READ: Self = Self(Cow::Borrowed("events.read"));

    /// Takes any scope that RFC 6749 §3.3 can express: visible ASCII without `"` and `\`.
    ///
    /// # Errors
    /// [`InvalidScope`] if the text is empty or holds another character.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidScope> {
        let text = text.into();
        if is_scope(text.as_bytes()) { Ok(Self(Cow::Owned(text))) } else { Err(InvalidScope) }
    }

    /// The scope as it is sent.
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

/// A list of scopes, in the order in which they were given, without repetition.
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
    /// The scopes as RFC 6749 writes them: separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.joined
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    /// True if `scope` is one of them. Scopes are case-sensitive.
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|one| one == scope)
    }

    /// Each scope as text.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.joined.split(' ').filter(|scope| !scope.is_empty())
    }

    /// What a server wrote as a list of scopes, as it stands: a few different ones between single spaces. `None` for
    /// anything else, which [`add`](Self::add) takes one by one.
    pub(crate) fn from_plain_list(text: &[u8]) -> Option<Self> {
        plain_list(text).map(|text| Self { joined: text.to_owned() })
    }

    /// What a server wrote as a list of scopes, separated by spaces or commas; what is no scope is left out.
    pub(crate) fn from_list(text: String) -> Self {
        if plain_list(text.as_bytes()).is_some() {
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

    /// Adds what a server wrote as a scope: false if no scope looks like that.
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

/// The text of a list as [`Scopes::as_str`] gives it: a few different scopes between single spaces.
fn plain_list(text: &[u8]) -> Option<&str> {
    let other = |&&byte: &&u8| !matches!(byte, b' ' | b'!' | b'#'..=b'+' | b'-'..=b'[' | b']'..=b'~');
    if text.iter().filter(other).count() > 0 {
        return None;
    }
    let mut known: [&[u8]; 8] = [b""; 8];
    for (index, word) in text.split(|&byte| byte == b' ').enumerate() {
        if word.is_empty() || known.iter().take(index).any(|one| *one == word) {
            return None;
        }
        *known.get_mut(index)? = word;
    }
    std::str::from_utf8(text).ok()
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

/// The words of a server's list of scopes, whether it separates them by spaces or by commas.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b',')).filter(|word| !word.is_empty())
}

/// Visible ASCII but `"` and `\`: RFC 6749's NQCHAR.
pub(crate) fn is_scope(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_with_a_space_a_quote_a_backslash_or_a_control_is_refused() {
        for text in ["", "a b", "a\"", "a\\b", "a\n", "\u{7F}", "é", "a\tb"] {
            assert_eq!(Scope::new(text), Err(InvalidScope), "{text:?}");
        }
    }

    #[test]
    fn a_plain_list_is_what_adding_one_by_one_gives() {
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
