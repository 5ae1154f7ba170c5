//! The text of a key ring: names and keys.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::cipher::KEY;
use super::key_id::KeyId;
use super::ring_error::KeyRingError;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
/// More than any key takes in base64.
const ROOM: usize = 64;

/// A key. It lies on the heap, so that moving it copies no key material.
pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) secret: Box<Zeroizing<[u8; KEY]>>,
}

/// Reads the keys, in their order.
pub(super) fn keys(text: &str) -> Result<Vec<Key>, KeyRingError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let entries = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
    let mut keys = Vec::new();
    for (entry, text) in (1..).zip(entries) {
        let (id, key) = text.split_once(':').ok_or(KeyRingError::NoName { entry })?;
        let id = id.trim().parse().map_err(|_| KeyRingError::NoName { entry })?;
        let secret = secret(key.trim()).ok_or(KeyRingError::NoKey { entry })?;
        keys.push(Key { id, secret });
    }
    Ok(keys)
}

fn secret(text: &str) -> Option<Box<Zeroizing<[u8; KEY]>>> {
    let mut secret = Box::new(Zeroizing::new([0; KEY]));
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        for (byte, pair) in secret.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(secret);
    }
    let mut room = Zeroizing::new([0; ROOM]);
    let read = |engine: &GeneralPurpose, room: &mut [u8]| engine.decode_slice(text, room).ok();
    let length = read(&STANDARD, &mut *room).or_else(|| read(&URL_SAFE, &mut *room))?;
    secret.copy_from_slice(room.get(..length).filter(|bytes| bytes.len() == KEY)?);
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::super::ring::KeyRing;
    use super::*;

    /// 32 bytes of which both alphabets of base64 have a letter of their own.
    const HEX: &str = "fbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbef";

    fn ids(ring: &KeyRing) -> Vec<&str> {
        ring.ids().map(KeyId::as_str).collect()
    }

    fn error(text: &str) -> KeyRingError {
        KeyRing::parse(text).unwrap_err()
    }

    #[test]
    fn a_key_is_the_same_in_hexadecimal_and_in_either_base64() {
        // printf HEX | xxd -r -p | base64
        let base64 = "++++++++++++++++++++++++++++++++++++++++++8=";
        let spellings = [
            HEX.to_owned(),
            HEX.to_uppercase(),
            base64.to_owned(),
            base64.trim_end_matches('=').to_owned(),
            base64.replace('+', "-"),
            base64.replace('+', "-").trim_end_matches('=').to_owned(),
        ];
        for spelling in spellings {
            let keys = keys(&format!("k:{spelling}")).unwrap();
            assert_eq!(keys.len(), 1);
            assert_eq!(crate::record::hex(&**keys[0].secret), HEX, "{spelling}");
        }
    }

    #[test]
    fn the_order_of_the_lines_is_the_order_of_the_keys() {
        let text = format!("\u{feff}# newest first\r\n\n  b : {HEX}  \r\na:{HEX}\n#c:{HEX}\n");
        assert_eq!(ids(&KeyRing::parse(&text).unwrap()), ["b", "a"]);
        assert_eq!(ids(&KeyRing::parse(&format!("b:{HEX},a:{HEX},")).unwrap()), ["b", "a"]);
    }

    #[test]
    fn what_is_no_ring_is_an_error_that_names_the_entry_and_shows_no_key() {
        for empty in ["", "\n \n", "# k\n", ","] {
            assert_eq!(error(empty), KeyRingError::Empty, "{empty:?}");
        }
        for (text, expected) in [
            (HEX.to_owned(), KeyRingError::NoName { entry: 1 }),
            (format!("a:{HEX}\n:{HEX}"), KeyRingError::NoName { entry: 2 }),
            (format!("a b:{HEX}"), KeyRingError::NoName { entry: 1 }),
            (format!("a:{HEX}00"), KeyRingError::NoKey { entry: 1 }),
            (format!("a:{}", &HEX[2..]), KeyRingError::NoKey { entry: 1 }),
            (format!("a:{}", HEX.replace('b', "x")), KeyRingError::NoKey { entry: 1 }),
            ("a:".to_owned(), KeyRingError::NoKey { entry: 1 }),
            (format!("a:{}", "A".repeat(10_000)), KeyRingError::NoKey { entry: 1 }),
            (format!("a:{HEX}\na:{HEX}"), KeyRingError::Twice("a".parse().unwrap())),
        ] {
            let got = error(&text);
            assert_eq!(got, expected, "{text}");
            assert!(!format!("{got} {got:?}").contains("fbef"), "{got}");
        }
    }

    #[test]
    fn debug_shows_the_names_of_the_keys_alone() {
        let ring = KeyRing::parse(&format!("b:{HEX}\na:{HEX}")).unwrap();
        assert_eq!(format!("{ring:?}"), "KeyRing[KeyId(b), KeyId(a)]");
    }
}
