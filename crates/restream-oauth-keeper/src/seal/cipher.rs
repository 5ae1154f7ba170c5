//! The cryptography: a key for each document, and authenticated encryption with it.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::envelope::SALT;

/// The length of a key, in bytes.
pub(super) const KEY: usize = 32;
/// The length of the tag behind a sealed text, in bytes.
const TAG: usize = 16;
/// Keeps keys of this format apart from whatever else is derived from the same key.
const PURPOSE: &[u8] = b"restream-oauth sealed 1";

/// Seals a text. `None` if it is too long for the cipher (256 GiB).
pub(super) fn seal(key: &[u8; KEY], salt: &[u8; SALT], associated: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    // If sealing fails halfway, the memory still holds the text. It never grows.
    let mut buffer = Zeroizing::new(Vec::with_capacity(text.len().checked_add(TAG)?));
    buffer.extend_from_slice(text);
    let cipher = cipher_of(key, salt)?;
    cipher.encrypt_in_place(&Nonce::default(), associated, &mut *buffer).ok()?;
    Some(std::mem::take(&mut *buffer))
}

/// Opens a sealed text. `None` if anything about it is not as it was sealed.
pub(super) fn open(
    key: &[u8; KEY],
    salt: &[u8; SALT],
    associated: &[u8],
    sealed: Vec<u8>,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(sealed);
    cipher_of(key, salt)?.decrypt_in_place(&Nonce::default(), associated, &mut *buffer).ok()?;
    Some(buffer)
}

/// The cipher with the key of one document. That key seals once, so the nonce may be constant.
fn cipher_of(key: &[u8; KEY], salt: &[u8; SALT]) -> Option<ChaCha20Poly1305> {
    let mut own = Zeroizing::new([0; KEY]);
    Hkdf::<Sha256>::new(Some(salt), key).expand(PURPOSE, &mut *own).ok()?;
    ChaCha20Poly1305::new_from_slice(&*own).ok()
}
