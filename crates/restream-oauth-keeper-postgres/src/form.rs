//! How the documents of a grant are written: in the compact form, plain or sealed under its name. Plain documents are read in
//! JSON too. The page of [`seal`] is about sealing.
//!
//! [`seal`]: restream_oauth_keeper::seal

use restream_oauth_core::{SavedError, Tokens};
use restream_oauth_keeper::compact::{pack, unpack};
use restream_oauth_keeper::seal::{About, Kind, SealError, key_of};
#[cfg(feature = "sealed")]
use restream_oauth_keeper::seal::{KeyId, Sealer};
use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use restream_oauth_keeper::{GrantName, Record, Spooled, Stray};
use zeroize::Zeroizing;

/// Stands before a whole record that another writer replaced, in the column of late pairs.
const REPLACED: &[u8] = b"replaced ";

/// How the documents of grants are written. Plain unless the store was given keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    #[cfg(feature = "sealed")]
    sealer: Option<Sealer>,
}

impl Form {
    #[cfg(feature = "sealed")]
    pub(crate) fn sealed(sealer: Sealer) -> Self {
        Self { sealer: Some(sealer) }
    }

    pub(crate) fn record(&self, grant: &GrantName, record: &Record) -> Result<Document, StoreError> {
        self.close(Kind::Record, grant, &record.to_saved(), || About::record(record))
    }

    pub(crate) fn answer(&self, grant: &GrantName, answer: &Spooled) -> Result<Document, StoreError> {
        self.close(Kind::Answer, grant, &answer.to_saved(), || About::answer(answer))
    }

    pub(crate) fn login(&self, grant: &GrantName, tokens: &Tokens) -> Result<Document, StoreError> {
        self.close(Kind::Login, grant, tokens.to_saved().expose_secret(), || About::login(tokens))
    }

    pub(crate) fn stray(&self, grant: &GrantName, stray: &Stray) -> Result<Document, StoreError> {
        self.close(Kind::Stray, grant, &stray.to_saved(), || About::stray(stray))
    }

    pub(crate) fn read_record(&self, grant: &GrantName, document: &[u8]) -> Result<Record, Unread> {
        self.open(Kind::Record, grant, document, |text| Record::from_saved(text))
    }

    pub(crate) fn read_answer(&self, grant: &GrantName, document: &[u8]) -> Result<Spooled, Unread> {
        self.open(Kind::Answer, grant, document, |text| Spooled::from_saved(text))
    }

    pub(crate) fn read_login(&self, grant: &GrantName, document: &[u8]) -> Result<Tokens, Unread> {
        self.open(Kind::Login, grant, document, |text| Tokens::from_saved(text))
    }

    /// Reads one late pair, or those of a record that a writer replaced who may not have known them.
    pub(crate) fn read_parked(&self, grant: &GrantName, document: &[u8]) -> Result<Vec<Stray>, Unread> {
        match document.strip_prefix(REPLACED) {
            Some(record) => Ok(self.read_record(grant, record)?.strays),
            None => Ok(vec![self.open(Kind::Stray, grant, document, |text| Stray::from_saved(text))?]),
        }
    }

    /// What is to be stored for a document.
    #[cfg_attr(not(feature = "sealed"), allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "it is plain"))]
    fn close(
        &self,
        kind: Kind,
        grant: &GrantName,
        text: &str,
        about: impl FnOnce() -> About,
    ) -> Result<Document, StoreError> {
        #[cfg(feature = "sealed")]
        if let Some(sealer) = &self.sealer {
            let mut about = about();
            // It stands in the sealed text, and would take room in each row.
            about.client = None;
            let sealed = sealer.seal_compact(kind, grant, &about, text);
            return sealed.map(Zeroizing::new).map_err(not_sealed);
        }
        let _ = (kind, grant, about);
        Ok(pack(text))
    }

    #[cfg_attr(not(feature = "sealed"), allow(clippy::unused_self, reason = "it is plain"))]
    fn open<T>(
        &self,
        kind: Kind,
        grant: &GrantName,
        document: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, SavedError>,
    ) -> Result<T, Unread> {
        #[cfg(feature = "sealed")]
        if let Some(sealer) = &self.sealer {
            return Ok(read(&sealer.open(kind, grant, document)?)?);
        }
        let _ = (kind, grant);
        match key_of(document)? {
            Some(key) => Err(SealError::NoRing { key }.into()),
            None => Ok(read(&unpack(document)?)?),
        }
    }

    /// A document of a column as the newest key seals it; `None` if it is so already, or nothing is sealed.
    #[cfg(feature = "sealed")]
    pub(crate) fn again(
        &self,
        column: Column,
        grant: &GrantName,
        document: &[u8],
    ) -> Result<Option<Document>, StoreError> {
        let Some(sealer) = &self.sealer else { return Ok(None) };
        let (before, kind, document) = match (column, document.strip_prefix(REPLACED)) {
            (Column::Parked, Some(record)) => (REPLACED, Kind::Record, record),
            (Column::Parked, None) => (&[][..], Kind::Stray, document),
            (Column::Record, _) => (&[][..], Kind::Record, document),
            (Column::Answers, _) => (&[][..], Kind::Answer, document),
            (Column::Logins, _) => (&[][..], Kind::Login, document),
        };
        let again = sealer.reseal_compact(kind, grant, document).map_err(not_sealed)?;
        Ok(again.map(|again| Zeroizing::new([before, &again].concat())))
    }

    /// The key that seals.
    #[cfg(feature = "sealed")]
    pub(crate) fn newest_key(&self) -> Option<&KeyId> {
        self.sealer.as_ref()?.ring().ids().next()
    }
}

/// A document as it is stored. It may hold tokens.
pub(crate) type Document = Zeroizing<Vec<u8>>;

/// The columns that hold documents.
#[cfg(feature = "sealed")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    Record,
    Parked,
    Answers,
    Logins,
}

/// Why a document was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It was opened, or is plain, and holds something else.
    Saved(SavedError),
    /// It was not opened.
    Sealed(SealError),
}

impl Unread {
    /// True if the document says of itself what it is, and cannot be used: somebody has to mend keys or program. A torn one
    /// tells nothing.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Sealed(_) | Self::Saved(SavedError::UnknownVersion))
    }

    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Saved(error) => {
                let words = format!("what the database holds of the grant cannot be read: {error}");
                StoreError::new(StoreErrorKind::Document(error), words)
            }
            Self::Sealed(error) => not_sealed(error),
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

fn not_sealed(error: SealError) -> StoreError {
    let words = format!("what the database holds of the grant cannot be used: {error}");
    StoreError::new(StoreErrorKind::Sealed(error), words)
}
