//! Text and bytes that must not be seen: redacted `Debug`, no `Display`, wiped when dropped.
//!
//! [`SecretText`] is the one definition; every public secret is a name around it. Wiping is best effort: it
//! reaches the buffers that this crate owns, not the copies that an HTTP stack, a swap device or a core dump keeps.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Secret text. Equal only to text of its own kind, compared in constant time.
#[derive(Clone)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for SecretText {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        same_text(self.expose(), other.expose())
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redacted")
    }
}

/// Compares two texts in a time that depends on their lengths only.
pub(crate) fn same_text(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Defines a public secret type: a name around [`SecretText`].
macro_rules! secret_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub(crate) crate::secret::SecretText);

        impl $name {
            /// Takes the text over; it is wiped when the value is dropped.
            pub fn new(text: impl Into<String>) -> Self {
                Self(crate::secret::SecretText::new(text))
            }

            /// The text itself. The only way in: search for this name to find every use.
            pub fn expose_secret(&self) -> &str {
                self.0.expose()
            }
        }
    };
}
pub(crate) use secret_type;

/// A growing buffer that never leaves a copy behind: what it outgrows is wiped first.
#[derive(Default)]
pub(crate) struct WipedBuffer(Vec<u8>);

/// Up to here the buffer doubles; beyond, it takes its whole limit at once, so that outgrown and new buffer
/// together stay within the limit and this much.
const LARGEST_STEP: usize = 32 * 1024;

impl WipedBuffer {
    /// Appends as much of `bytes` as fits below `limit`; false if some did not fit.
    pub(crate) fn push_within(&mut self, bytes: &[u8], limit: usize, expected: usize) -> bool {
        let room = limit.saturating_sub(self.0.len());
        let (fits, rest) = bytes.split_at(bytes.len().min(room));
        self.make_room(fits.len(), limit, expected);
        self.0.extend_from_slice(fits);
        rest.is_empty()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn make_room(&mut self, additional: usize, limit: usize, expected: usize) {
        let needed = self.0.len().saturating_add(additional);
        if needed <= self.0.capacity() {
            return;
        }
        let doubled = needed.max(expected.min(LARGEST_STEP)).max(self.0.capacity().saturating_mul(2));
        let capacity = match self.0.capacity() {
            // All that is expected comes at once.
            0 if needed >= expected && expected > 0 => needed,
            _ if doubled <= LARGEST_STEP => doubled,
            _ => limit.max(needed),
        };
        let mut grown = Vec::with_capacity(capacity);
        grown.extend_from_slice(&self.0);
        self.0.zeroize();
        self.0 = grown;
    }
}

impl Drop for WipedBuffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
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

    #[test]
    fn a_buffer_keeps_what_fits_below_its_limit() {
        let mut buffer = WipedBuffer::default();
        assert!(buffer.push_within(b"abc", 5, 0));
        assert!(buffer.push_within(b"de", 5, 0));
        assert!(buffer.push_within(b"", 5, 0));
        assert!(!buffer.push_within(b"f", 5, 0));
        assert_eq!(buffer.as_slice(), b"abcde");
    }

    #[test]
    fn a_buffer_of_many_small_pieces_is_their_concatenation() {
        let pieces: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut buffer = WipedBuffer::default();
        for piece in pieces.chunks(7) {
            assert!(buffer.push_within(piece, 256 * 1024, 0));
        }
        assert_eq!(buffer.as_slice(), pieces);
        assert!(buffer.0.capacity() <= 256 * 1024);
    }
}
