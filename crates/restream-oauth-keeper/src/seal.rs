//! Documents that are encrypted at rest: records, spooled answers and stashed logins.
//!
//! A store that is given a ring of keys *seals* what it writes. Whoever reads its files, or a backup of them, then sees
//! no token. The feature `sealed` brings `KeyRing` and `Sealer`; without it a sealed document is recognised, and
//! refused by name.
//!
//! # The sealed document
//!
//! ```text
//! {"version":1,"kind":"sealed","of":"record","key":"2026-11","client":"id","generation":7,"salt":"…","sealed":"…"}
//! ```
//!
//! - The text is encrypted and authenticated with ChaCha20-Poly1305 (RFC 8439).
//! - Each document has a key of its own: HKDF-SHA256 (RFC 5869) of the key of the ring, with a random salt of 32 bytes.
//!   A random nonce of 96 bits under one key would run out: after 2³² documents, two of them share it with a probability
//!   of 2⁻³³, and two that do are as good as open. A key that is used once needs no nonce.
//! - The associated data are the format, what the document is (`of`), the name of the grant, and the members `client`,
//!   `generation` and `key`. So a document that is moved to another grant, or whose members are changed, does not open.
//!   The name of the grant is not in the document: the store knows it.
//! - `client` and `generation` are `null` where the writer does not know them.
//!
//! A store that keeps many documents seals their [compact](crate::compact) form (`Sealer::seal_compact`). Such a document is
//! the byte 2, the compact form of `["record","2026-11","id",7]`, the salt and the sealed bytes. It tells the same, and is
//! sealed in the same way; another format in the associated data keeps the two apart.
//!
//! # The ring
//!
//! The first key of a `KeyRing` is the newest. It seals every document that is written; every key of the ring opens.
//! To change the key of programs that run on several machines:
//!
//! 1. Add the new key *behind* the others, everywhere. Each program can open it now, and none seals with it.
//! 2. Move it to the front, everywhere.
//! 3. Seal what is stored again: `FileStore::reseal`. Repeat it until it finds nothing.
//! 4. Remove the old key.
//!
//! # When a document does not open
//!
//! [`SealError`] tells a missing key, a damaged document and one that cannot be opened apart. None of the three harms the
//! document, and none of them is taken for a logout: nothing is sent until somebody has mended the store.
//!
//! # What sealing cannot do
//!
//! - **It does not see an old document that is put back.** The document was sealed for this grant, so it opens. The
//!   server finds out: it refuses the spent refresh token, and may end the whole grant.
//! - It hides no length, no time and no name of a grant. A tombstone holds no secret and is not sealed.
//! - A program that runs has its keys and its tokens in memory.
//! - It does not erase what was stored before. A disk may keep blocks of the plain file that a sealed one replaced.

#[cfg(feature = "sealed")]
mod cipher;
mod envelope;
mod error;
mod key_id;
mod kind;
#[cfg(feature = "sealed")]
mod ring;
#[cfg(feature = "sealed")]
mod ring_error;
#[cfg(feature = "sealed")]
mod ring_text;
#[cfg(feature = "sealed")]
mod sealer;

pub use envelope::key_of;
pub use error::SealError;
pub use key_id::{InvalidKeyId, KeyId};
pub use kind::{About, Kind};
#[cfg(feature = "sealed")]
pub use ring::KeyRing;
#[cfg(feature = "sealed")]
pub use ring_error::KeyRingError;
#[cfg(feature = "sealed")]
pub use sealer::Sealer;
