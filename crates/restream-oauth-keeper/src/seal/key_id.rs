//! The name of a key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a key in a ring, such as `2026-11`: 1 to 32 of the characters `A-Z a-z 0-9 . _ -`. It is no secret: every
/// document that is sealed with the key shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

/// The longest name, in bytes.
const LONGEST: usize = 32;

impl KeyId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(allowed) {
            return Err(InvalidKeyId);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

/// The text cannot be the name of a key. It is not shown: it may be the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeyId;

impl fmt::Display for InvalidKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected the name of a key: 1 to 32 of the characters A-Z a-z 0-9 . _ -")
    }
}

impl std::error::Error for InvalidKeyId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_key_can_stand_in_a_document_and_in_a_message_as_it_is() {
        for good in ["k", "2026-11", "a.b_C", &"k".repeat(32)] {
            assert_eq!(good.parse::<KeyId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a:b", "a\"", "a\n", "é", &"k".repeat(33)] {
            assert_eq!(bad.parse::<KeyId>(), Err(InvalidKeyId), "{bad:?}");
        }
    }
}
