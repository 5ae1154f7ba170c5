//! How the documents of one grant are written: plain, or sealed under its name.

use std::path::Path;

use restream_oauth_core::SavedError;
use zeroize::Zeroizing;

#[cfg(feature = "sealed")]
use crate::name::GrantName;
use crate::operation::{StoreError, StoreErrorKind};
#[cfg(feature = "sealed")]
use crate::seal::Sealer;
use crate::seal::{About, Kind, SealError};

/// How the documents of one grant are written. Plain unless the store was given keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    #[cfg(feature = "sealed")]
    sealed: Option<(Sealer, GrantName)>,
}

impl Form {
    /// Sealed under the name of a grant.
    #[cfg(feature = "sealed")]
    pub(super) fn sealed(sealer: Sealer, grant: GrantName) -> Self {
        Self { sealed: Some((sealer, grant)) }
    }

    /// Returns what is to be written for a document.
    #[cfg_attr(not(feature = "sealed"), allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "it is plain"))]
    pub(super) fn close(
        &self,
        kind: Kind,
        path: &Path,
        text: Zeroizing<String>,
        about: impl FnOnce() -> About,
    ) -> Result<Zeroizing<String>, StoreError> {
        #[cfg(feature = "sealed")]
        if let Some((sealer, grant)) = &self.sealed {
            let sealed = sealer.seal(kind, grant, &about(), &text);
            return sealed.map(Zeroizing::new).map_err(|error| not_sealed(path, error));
        }
        #[cfg(not(feature = "sealed"))]
        let _ = (kind, path, about);
        Ok(text)
    }

    /// Reads a document.
    #[cfg_attr(not(feature = "sealed"), allow(clippy::unused_self, reason = "it is plain"))]
    pub(super) fn read<T>(
        &self,
        kind: Kind,
        bytes: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<T, SavedError>,
    ) -> Result<T, Unread> {
        #[cfg(feature = "sealed")]
        if let Some((sealer, grant)) = &self.sealed {
            return Ok(parse(&sealer.open(kind, grant, bytes)?)?);
        }
        let _ = kind;
        match crate::seal::key_of(bytes)? {
            Some(key) => Err(SealError::NoRing { key }.into()),
            None => Ok(parse(bytes)?),
        }
    }
}

/// Why a document was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It was opened, or is plain, and holds something else.
    Saved(SavedError),
    /// It was not opened.
    Sealed(SealError),
}

impl Unread {
    /// True if nothing is wrong with the document. Another program reads it, or this one with other keys, so it stays
    /// where it is.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Saved(error) => *error == SavedError::UnknownVersion,
            Self::Sealed(error) => !matches!(error, SealError::Damaged | SealError::CannotBeOpened { .. }),
        }
    }

    /// The error of the document at this path.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Saved(error) => unusable(path, error),
            Self::Sealed(error) => not_sealed(path, error),
        }
    }
}

impl From<SavedError> for Unread {
    fn from(error: SavedError) -> Self {
        Self::Saved(error)
    }
}

impl From<SealError> for Unread {
    fn from(error: SealError) -> Self {
        match error {
            // As of a plain document: what a newer program wrote is left alone.
            SealError::UnknownVersion => Self::Saved(SavedError::UnknownVersion),
            error => Self::Sealed(error),
        }
    }
}

pub(super) fn not_sealed(path: &Path, error: SealError) -> StoreError {
    let message = format!("cannot use {}: {error}", path.display());
    StoreError::new(StoreErrorKind::Sealed(error), message)
}

/// The error of a document that cannot be used. It is left as it is.
pub(super) fn unusable(path: &Path, error: SavedError) -> StoreError {
    let message = format!("cannot use {}: {error}", path.display());
    StoreError::new(StoreErrorKind::Document(error), message)
}
