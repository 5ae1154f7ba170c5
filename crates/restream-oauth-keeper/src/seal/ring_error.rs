//! Why keys cannot be read.

use std::fmt;

use super::key_id::KeyId;

/// Why keys cannot be read. It never holds what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRingError {
    /// There is no key.
    Empty,
    /// The entry has no colon, or no valid name in front of it.
    NoName {
        /// The number of the entry, from 1.
        entry: usize,
    },
    /// What follows on the name is no key of 32 bytes.
    NoKey {
        /// The number of the entry, from 1.
        entry: usize,
    },
    /// Two keys have this name.
    Twice(KeyId),
    /// Other users can read or write the file.
    NotPrivate,
    /// It is not a regular file.
    NoFile,
    /// The file cannot be read.
    Unreadable(std::io::ErrorKind),
    /// The file is longer than 64 KiB.
    TooLong,
    /// The variable is not set.
    NoVariable,
    /// File or variable are not UTF-8.
    NoText,
}

impl fmt::Display for KeyRingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the key ring has no key"),
            Self::NoName { entry } => write!(f, "entry {entry} of the key ring is not NAME:KEY"),
            Self::NoKey { entry } => {
                write!(f, "entry {entry} of the key ring has no key: 64 hexadecimal digits, or 32 bytes in base64")
            }
            Self::Twice(id) => write!(f, "two keys of the key ring have the name {id}"),
            Self::NotPrivate => f.write_str("other users can read or write the file of the key ring: chmod 600 it"),
            Self::NoFile => f.write_str("the key ring is not a regular file"),
            Self::Unreadable(kind) => write!(f, "the file of the key ring cannot be read: {kind}"),
            Self::TooLong => f.write_str("the file of the key ring is longer than 64 KiB"),
            Self::NoVariable => f.write_str("the environment variable of the key ring is not set"),
            Self::NoText => f.write_str("the key ring is not UTF-8"),
        }
    }
}

impl std::error::Error for KeyRingError {}
