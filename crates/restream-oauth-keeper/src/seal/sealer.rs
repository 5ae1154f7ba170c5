//! [`Sealer`]: seals documents with the newest key of a ring, and opens those of every key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use restream_oauth_core::SavedError;
use zeroize::Zeroizing;

use super::cipher;
use super::envelope::{Envelope, Look, SALT, Sealed};
use super::error::SealError;
use super::key_id::KeyId;
use super::kind::{About, Kind};
use super::ring::KeyRing;
use crate::compact::{pack, unpack};
use crate::name::GrantName;

/// Seals documents with the newest key of a ring, and opens those of every key. For a store of your own; the file store
/// takes it by `FileStore::sealed`.
///
/// ```
/// use restream_oauth_keeper::GrantName;
/// use restream_oauth_keeper::seal::{About, KeyRing, Kind, Sealer};
///
/// let ring = KeyRing::parse("2026-11:5e1f1c8d3a9b7e6f0011223344556677889900aabbccddeeff00112233445566")?;
/// let (sealer, grant) = (Sealer::new(ring), "default".parse::<GrantName>()?);
/// let sealed = sealer.seal(Kind::Row, &grant, &About::default(), "{\"kind\":\"row\"}")?;
/// assert!(sealed.starts_with("{\"version\":1,\"kind\":\"sealed\""));
/// assert_eq!(**sealer.open(Kind::Row, &grant, sealed.as_bytes())?, *b"{\"kind\":\"row\"}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sealer {
    ring: KeyRing,
    refuses_plain: bool,
}

impl Sealer {
    /// Seals with the first key of the ring. Plain documents are read, so that a store can be sealed while programs use
    /// it: the next write seals.
    pub fn new(ring: KeyRing) -> Self {
        Self { ring, refuses_plain: false }
    }

    /// Refuses plain documents: whoever can write to the store without a key can no longer bring in tokens of their own.
    #[must_use]
    pub fn refuse_plain(mut self) -> Self {
        self.refuses_plain = true;
        self
    }

    /// The ring of keys.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Seals a document of a grant. Returns one line of JSON.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(&self, kind: Kind, grant: &GrantName, about: &About, text: &str) -> Result<String, SealError> {
        self.seal_with(&random()?, kind, grant, about, text.as_bytes())
    }

    fn seal_with(
        &self,
        salt: &[u8; SALT],
        kind: Kind,
        grant: &GrantName,
        about: &About,
        text: &[u8],
    ) -> Result<String, SealError> {
        let (key, secret) = self.ring.newest();
        // Only a text that no memory can hold is too long for the cipher.
        let sealed = cipher::seal(secret, salt, &associated_data(JSON, kind, key, about, grant), text);
        let sealed = STANDARD.encode(sealed.ok_or(SealError::NoRandomness)?);
        Ok(Envelope::json(kind, key, about, &STANDARD.encode(salt), &sealed))
    }

    /// Seals a document of a grant in the compact form.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal_compact(&self, kind: Kind, grant: &GrantName, about: &About, text: &str) -> Result<Vec<u8>, SealError> {
        self.seal_compact_with(&random()?, kind, grant, about, text)
    }

    fn seal_compact_with(
        &self,
        salt: &[u8; SALT],
        kind: Kind,
        grant: &GrantName,
        about: &About,
        text: &str,
    ) -> Result<Vec<u8>, SealError> {
        let (key, secret) = self.ring.newest();
        let associated = associated_data(COMPACT, kind, key, about, grant);
        let sealed = cipher::seal(secret, salt, &associated, &pack(text)).ok_or(SealError::NoRandomness)?;
        Ok(Envelope::compact(kind, key, about, salt, &sealed))
    }

    /// Opens a document of a grant, compact or not, and returns its text. A plain document is returned too, unless it is to
    /// be refused.
    ///
    /// # Errors
    /// [`SealError`] tells a missing key, a damaged document and one that cannot be opened apart.
    pub fn open(&self, kind: Kind, grant: &GrantName, document: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match Look::at(document) {
            Look::Sealed(envelope) => {
                let envelope = envelope?;
                if envelope.kind != kind {
                    return Err(SealError::CannotBeOpened { key: envelope.key });
                }
                self.open_envelope(&envelope, grant)
            }
            Look::Other { .. } => {
                let text = plain(kind, document)?;
                if self.refuses_plain { Err(SealError::Plain) } else { Ok(text) }
            }
        }
    }

    /// Seals a document of a grant again. Returns `None` if the newest key has sealed it already. `plain` says what it is
    /// if it is plain; such a document is sealed even if it is to be refused.
    ///
    /// # Errors
    /// [`SealError`], as of [`open`](Self::open) and [`seal`](Self::seal).
    pub fn reseal(&self, plain: Kind, grant: &GrantName, document: &[u8]) -> Result<Option<String>, SealError> {
        let Some(Opened { kind, about, text }) = self.open_older(plain, grant, document)? else { return Ok(None) };
        self.seal(kind, grant, &about, as_text(&text)?).map(Some)
    }

    /// The same, in the compact form.
    ///
    /// # Errors
    /// [`SealError`], as of [`reseal`](Self::reseal).
    pub fn reseal_compact(
        &self,
        plain: Kind,
        grant: &GrantName,
        document: &[u8],
    ) -> Result<Option<Vec<u8>>, SealError> {
        let Some(Opened { kind, about, text }) = self.open_older(plain, grant, document)? else { return Ok(None) };
        self.seal_compact(kind, grant, &about, as_text(&text)?).map(Some)
    }

    /// Opens a document that is to be sealed again. `None` if the newest key has sealed it already.
    fn open_older(&self, plain_kind: Kind, grant: &GrantName, document: &[u8]) -> Result<Option<Opened>, SealError> {
        match Look::at(document) {
            Look::Sealed(envelope) => {
                let envelope = envelope?;
                let text = self.open_envelope(&envelope, grant)?;
                let is_newest = envelope.key == *self.ring.newest().0;
                Ok((!is_newest).then_some(Opened { kind: envelope.kind, about: envelope.about, text }))
            }
            Look::Other { .. } => {
                let (about, text) = (About::default(), plain(plain_kind, document)?);
                Ok(Some(Opened { kind: plain_kind, about, text }))
            }
        }
    }

    fn open_envelope(&self, envelope: &Envelope<'_>, grant: &GrantName) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let Envelope { kind, key, about, sealed } = envelope;
        let secret = self.ring.get(key).ok_or_else(|| SealError::KeyMissing { key: key.clone() })?;
        let open = |format, salt, sealed| {
            let associated = associated_data(format, *kind, key, about, grant);
            cipher::open(secret, salt, &associated, sealed)
                .ok_or_else(|| SealError::CannotBeOpened { key: key.clone() })
        };
        match sealed {
            Sealed::Json { salt, text } => {
                let salt = STANDARD.decode(salt).map_err(|_| SealError::Damaged)?;
                let salt = <[u8; SALT]>::try_from(salt).map_err(|_| SealError::Damaged)?;
                open(JSON, &salt, STANDARD.decode(text).map_err(|_| SealError::Damaged)?)
            }
            Sealed::Compact { salt, text } => unpacked(&open(COMPACT, salt, text.to_vec())?),
        }
    }
}

/// A document that was opened to be sealed again.
struct Opened {
    kind: Kind,
    about: About,
    text: Zeroizing<Vec<u8>>,
}

impl From<KeyRing> for Sealer {
    fn from(ring: KeyRing) -> Self {
        Self::new(ring)
    }
}

fn random() -> Result<[u8; SALT], SealError> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|_| SealError::NoRandomness)?;
    Ok(salt)
}

/// The text of a plain document, compact or not.
fn plain(kind: Kind, document: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let text = unpacked(document)?;
    match Look::at(&text) {
        Look::Other { kind: Some(found) } if found == kind.plain_name() => Ok(text),
        _ => Err(SealError::Damaged),
    }
}

fn unpacked(document: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    unpack(document).map_err(|error| match error {
        SavedError::UnknownVersion => SealError::UnknownVersion,
        _ => SealError::Damaged,
    })
}

fn as_text(text: &[u8]) -> Result<&str, SealError> {
    std::str::from_utf8(text).map_err(|_| SealError::Damaged)
}

/// The formats of sealed documents.
const JSON: &str = "restream-oauth sealed 1";
const COMPACT: &str = "restream-oauth sealed compact 1";

/// What a text is sealed together with. Each field follows its length, so no two sets of fields give the same bytes. An
/// absent field is told from an empty one.
fn associated_data(format: &str, kind: Kind, key: &KeyId, about: &About, grant: &GrantName) -> Vec<u8> {
    let About { client, generation } = about;
    let generation = generation.map(|generation| generation.to_string());
    let fields = [
        Some(format),
        Some(kind.name()),
        Some(grant.as_str()),
        client.as_deref(),
        generation.as_deref(),
        Some(key.as_str()),
    ];
    let mut data = Vec::new();
    for field in fields {
        let length = field.map_or(u64::MAX, |field| u64::try_from(field.len()).unwrap_or(u64::MAX));
        data.extend_from_slice(&length.to_le_bytes());
        data.extend_from_slice(field.unwrap_or_default().as_bytes());
    }
    data
}

#[cfg(test)]
mod tests;
