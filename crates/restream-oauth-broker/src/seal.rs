//! Text that only somebody with a certain secret can read: what the broker remembers for a browser or a device is sealed
//! under the secret that this one brings along. So neither a database nor a memory dump shows it.
//!
//! HKDF-SHA-256 (RFC 5869) makes a key of the secret and a random salt. That key seals one text, by ChaCha20-Poly1305
//! (RFC 8439), so the nonce may be constant.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The length of the salt before a sealed text, in bytes.
const SALT: usize = 16;
/// The length of the tag behind it, in bytes.
const TAG: usize = 16;

/// What a text is. A text that was sealed for one purpose cannot be opened for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A login whose browser is at Restream, sealed under the cookie.
    Login,
    /// The answer to a refresh, sealed under the refresh token that it replaced.
    Answer,
}

impl Purpose {
    fn info(self) -> &'static [u8] {
        match self {
            Self::Login => b"restream-oauth-broker login 1",
            Self::Answer => b"restream-oauth-broker answer 1",
        }
    }
}

/// Seals a text under a secret of 256 random bits. `associated` is what it belongs to: it cannot be opened for anything
/// else. `None` if the operating system gives no random bytes.
pub(crate) fn seal(secret: &[u8], purpose: Purpose, associated: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).ok()?;
    // It never grows: memory that was left behind would hold the text.
    let mut buffer = Zeroizing::new(Vec::with_capacity(text.len().checked_add(TAG)?));
    buffer.extend_from_slice(text);
    cipher(secret, purpose, &salt)?.encrypt_in_place(&Nonce::default(), associated, &mut *buffer).ok()?;
    Some([&salt, buffer.as_slice()].concat())
}

/// Opens what [`seal`] sealed. `None` if the secret is another one, or anything was changed.
pub(crate) fn open(secret: &[u8], purpose: Purpose, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, text) = sealed.split_first_chunk::<SALT>()?;
    let mut buffer = Zeroizing::new(text.to_vec());
    cipher(secret, purpose, salt)?.decrypt_in_place(&Nonce::default(), associated, &mut *buffer).ok()?;
    Some(buffer)
}

fn cipher(secret: &[u8], purpose: Purpose, salt: &[u8; SALT]) -> Option<ChaCha20Poly1305> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret).expand(purpose.info(), &mut *key).ok()?;
    ChaCha20Poly1305::new_from_slice(&*key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"code_verifier=secret";

    #[test]
    fn a_text_opens_with_its_secret_and_for_what_it_belongs_to() {
        let sealed = seal(b"cookie", Purpose::Login, b"state", TEXT).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(&**open(b"cookie", Purpose::Login, b"state", &sealed).unwrap(), TEXT);
        assert!(open(b"cookiE", Purpose::Login, b"state", &sealed).is_none());
        assert!(open(b"cookie", Purpose::Login, b"statE", &sealed).is_none());
    }

    #[test]
    fn what_was_changed_or_cut_does_not_open() {
        let sealed = seal(b"cookie", Purpose::Login, b"", TEXT).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(b"cookie", Purpose::Login, b"", &changed).is_none(), "{place}");
            assert!(open(b"cookie", Purpose::Login, b"", &sealed[..place]).is_none(), "{place}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let once = seal(b"cookie", Purpose::Login, b"", TEXT).unwrap();
        assert_ne!(once, seal(b"cookie", Purpose::Login, b"", TEXT).unwrap());
    }
}
