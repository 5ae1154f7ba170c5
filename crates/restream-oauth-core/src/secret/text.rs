//! Secret text: `Debug` is redacted, there is no `Display`, and dropping it wipes the memory. Every public secret type
//! contains a [`SecretText`].

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq;

use super::base64::{self, Alphabet};
use super::buffer::{WipedBuffer, wipe};

/// Secret text. Only two values of the same type can be compared, in constant time.
#[derive(Clone, Default)]
pub(crate) struct SecretText(String);

impl SecretText {
    /// Takes ownership of the text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An empty text with room for this many bytes. Pushed text must fit: a text that grows leaves a copy behind.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// The bytes of a buffer, without a copy; `None` if they are not UTF-8.
    pub(crate) fn from_buffer(mut buffer: WipedBuffer) -> Option<Self> {
        match String::from_utf8(buffer.take()) {
            Ok(text) => Some(Self(text)),
            Err(error) => {
                wipe(&mut error.into_bytes());
                None
            }
        }
    }

    /// Takes the text out, if it is not a secret after all. It is no longer wiped.
    pub(crate) fn into_string(mut self) -> String {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        debug_assert!(text.len() <= self.room(), "a secret that grows leaves a copy behind");
        self.0.push_str(text);
    }

    pub(crate) fn push(&mut self, character: char) {
        debug_assert!(character.len_utf8() <= self.room(), "a secret that grows leaves a copy behind");
        self.0.push(character);
    }

    /// Appends `bytes` in base64.
    pub(crate) fn push_base64(&mut self, bytes: &[u8], alphabet: Alphabet) {
        // Base64 is ASCII.
        base64::encode(bytes, alphabet, &mut |piece| self.push_str(std::str::from_utf8(piece).unwrap_or_default()));
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The number of bytes that can still be pushed.
    pub(crate) fn room(&self) -> usize {
        self.0.capacity().saturating_sub(self.0.len())
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// The text itself, for `Bytes::from_owner`.
impl AsRef<[u8]> for SecretText {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        same_bytes(self.as_ref(), other.as_ref())
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redacted")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_bytes());
    }
}

/// Text that is borrowed as written, or owned after a change (unescaped, decoded or redacted) in memory that is wiped.
#[derive(Debug)]
pub(crate) enum CleanText<'a> {
    Borrowed(&'a str),
    Owned(SecretText),
}

impl CleanText<'_> {
    pub(crate) fn into_owned(self) -> SecretText {
        match self {
            Self::Borrowed(text) => SecretText::from(text),
            Self::Owned(text) => text,
        }
    }
}

impl Deref for CleanText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text.expose(),
        }
    }
}

/// Compares in a time that depends only on the lengths.
pub(crate) fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        assert_eq!(format!("{:?}", SecretText::new("hunter2")), "redacted");
    }

    #[test]
    fn equality_is_by_text() {
        assert_eq!(SecretText::new("a"), SecretText::new("a"));
        assert_ne!(SecretText::new("a"), SecretText::new("b"));
        assert_ne!(SecretText::new("a"), SecretText::new("ab"));
    }
}
