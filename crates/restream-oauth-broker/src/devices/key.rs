//! Codes and handles: an identifier that is no secret, and 256 random bits that are.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The identifier of a device, and the name of its grant in the keeper's store: 32 hexadecimal digits. No secret.
///
/// ```
/// use restream_oauth_broker::devices::DeviceId;
///
/// let id: DeviceId = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
/// assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
/// assert!("../../etc/passwd".parse::<DeviceId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 16]);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

impl std::str::FromStr for DeviceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        bytes_of(text).map(Self).ok_or(InvalidId)
    }
}

/// The text is no identifier of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected the identifier of a device: 32 hexadecimal digits in lower case, as `devices list` prints it",
        )
    }
}

impl std::error::Error for InvalidId {}

/// The SHA-256 of a secret with 256 random bits. It tells secrets apart and reveals none.
#[derive(Clone, Copy)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of a secret.
    pub fn of(secret: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(secret.as_ref()).into())
    }

    /// A hash that was stored as bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash itself, as the key of a map or of a row.
    pub(crate) fn into_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The form in which a document holds it: 64 hexadecimal digits.
    pub fn to_text(self) -> String {
        hex(&self.0)
    }

    /// Reads what [`to_text`](Self::to_text) wrote; `None` if the text is something else.
    pub fn from_text(text: &str) -> Option<Self> {
        bytes_of(text).map(Self)
    }
}

/// Compares in constant time.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Hash {}

/// Shows the first bytes: enough to tell two hashes apart.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({:.8})", self.to_text())
    }
}

/// What a device holds: a code or a handle. Its text is the identifier of the device and 256 random bits, 96 hexadecimal
/// digits in all. OBS puts it into forms without encoding it, so it has letters and digits only.
///
/// ```
/// use restream_oauth_broker::devices::{DeviceId, Key};
///
/// let id = DeviceId::from([7; 16]);
/// let key = Key::new(id, [9; 32]); // in a program, from the operating system
/// let read = Key::parse(key.expose_secret()).unwrap();
/// assert_eq!((read.id(), read.hash()), (id, key.hash()));
/// assert!(!format!("{key:?}").contains("0909"));
/// ```
#[derive(Clone)]
pub struct Key {
    id: DeviceId,
    text: Zeroizing<String>,
}

/// The digits of an identifier.
const ID_DIGITS: usize = 32;
/// The digits of a whole key.
const DIGITS: usize = 96;

impl From<[u8; 16]> for DeviceId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl Key {
    /// A new key of a device, from random bytes of the operating system.
    pub fn new(id: DeviceId, random: [u8; 32]) -> Self {
        let random = Zeroizing::new(random);
        let digits = Zeroizing::new(hex(random.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(DIGITS));
        text.push_str(&id.to_string());
        text.push_str(&digits);
        Self { id, text }
    }

    /// Reads what a device sent; `None` if no broker made it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != DIGITS || !text.bytes().all(is_digit) {
            return None;
        }
        let id = text.get(..ID_DIGITS)?.parse().ok()?;
        Some(Self { id, text: Zeroizing::new(text.to_owned()) })
    }

    /// The device that the key says it belongs to. Whether it does, its hash decides.
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// What the broker stores of the key.
    pub fn hash(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }

    /// The key itself. No other method returns it: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        &self.text
    }
}

/// Shows the identifier alone.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'));
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// Reads exactly the digits that [`hex`] writes for `N` bytes.
fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N.checked_mul(2)? || !text.bytes().all(is_digit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(DeviceId::from([0xAB; 16]), [0x5C; 32])
    }

    #[test]
    fn a_key_has_letters_and_digits_only_and_names_its_device() {
        let key = key();
        assert_eq!(key.expose_secret(), format!("{}{}", "ab".repeat(16), "5c".repeat(32)));
        assert_eq!(key.id().to_string(), "ab".repeat(16));
    }

    #[test]
    fn what_no_broker_made_is_no_key() {
        let good = key().expose_secret().to_owned();
        for bad in [
            String::new(),
            good[1..].to_owned(),
            format!("{good}0"),
            good.to_uppercase(),
            good.replacen('a', "g", 1),
            good.replacen("ab", "+b", 1),
            format!("{}é", &good[..94]),
        ] {
            assert!(Key::parse(&bad).is_none(), "{bad}");
        }
        assert!(Key::parse(&good).is_some());
    }

    #[test]
    fn an_identifier_is_a_safe_file_name() {
        for bad in ["", "..", "a", &"A".repeat(32), &"/".repeat(32), &"0".repeat(31), &"0".repeat(33)] {
            assert_eq!(bad.parse::<DeviceId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn a_hash_survives_its_text_and_no_other_text_is_one() {
        let hash = key().hash();
        assert_eq!(Hash::from_text(&hash.to_text()), Some(hash));
        assert_eq!(Hash::from_text("00"), None);
        assert_ne!(hash, Hash::of("something else"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = key();
        let shown = format!("{key:?} {:?}", key.hash());
        assert!(!shown.contains("5c5c") && !shown.contains(&key.hash().to_text()), "{shown}");
    }
}
