//! Why a document is not opened, or not sealed.

use std::fmt;

use super::key_id::KeyId;

/// Why a document is not opened, or not sealed. It holds neither keys nor text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The key is missing: the document is sealed with one that the ring does not have.
    KeyMissing {
        /// The key.
        key: KeyId,
    },
    /// The document is damaged: neither a whole sealed document nor a plain one.
    Damaged,
    /// The document cannot be opened with the key that it names. Its bytes were changed, it belongs to another grant, or
    /// the ring has another key of that name.
    CannotBeOpened {
        /// The key.
        key: KeyId,
    },
    /// The document is sealed, and the store was given no ring of keys.
    NoRing {
        /// The key that the document is sealed with.
        key: KeyId,
    },
    /// The document is plain, and the store was told to refuse such documents.
    Plain,
    /// A newer version of this library sealed the document.
    UnknownVersion,
    /// The operating system gave no random bytes, so nothing can be sealed now.
    NoRandomness,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMissing { key } => write!(f, "it is sealed with the key {key}, which is not in the key ring"),
            Self::Damaged => f.write_str("it is damaged: neither a whole sealed document nor a plain one"),
            Self::CannotBeOpened { key } => write!(
                f,
                "it cannot be opened with the key {key}: it was changed, it belongs to another grant, or the key is another one"
            ),
            Self::NoRing { key } => write!(f, "it is sealed with the key {key}, and no key ring was given"),
            Self::Plain => f.write_str("it is not sealed, and plain documents are refused"),
            Self::UnknownVersion => f.write_str("it was sealed by a newer version: update this program"),
            Self::NoRandomness => f.write_str("it cannot be sealed: the operating system gives no random bytes"),
        }
    }
}

impl std::error::Error for SealError {}
