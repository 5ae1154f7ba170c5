//! Base64 (RFC 4648): of credentials, of random texts, and of what a saved document holds.
//!
//! Of our own, because a secret passes through it: nothing is left in a buffer that is not wiped. It is also smaller by
//! 4 KB than a library that is built for speed, which a page would download.

use super::buffer::{SecretBytes, WipedBuffer};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// RFC 4648 §4, padded to a multiple of four characters.
    Standard,
    /// RFC 4648 §5, not padded.
    UrlSafe,
}

impl Alphabet {
    /// The character for six bits. Has no branch and no table, so that compilers convert many values at once, and the
    /// time tells nothing about a secret.
    fn character(self, value: u8) -> u8 {
        let [plus, slash] = match self {
            Self::Standard => *b"+/",
            Self::UrlSafe => *b"-_",
        };
        // Each range of characters begins at a distance from the end of the range before it.
        let step = |from: u8, before: u8, first: u8| {
            let distance = first.wrapping_sub(before).wrapping_sub(1);
            if value >= from { distance } else { 0 }
        };
        value
            .wrapping_add(b'A')
            .wrapping_add(step(26, b'Z', b'a'))
            .wrapping_add(step(52, b'z', b'0'))
            .wrapping_add(step(62, b'9', plus))
            .wrapping_add(step(63, plus, slash))
    }

    fn value(self, character: u8) -> Option<u8> {
        Some(match (character, self) {
            (b'A'..=b'Z', _) => character.wrapping_sub(b'A'),
            (b'a'..=b'z', _) => character.wrapping_sub(b'a').wrapping_add(26),
            (b'0'..=b'9', _) => character.wrapping_sub(b'0').wrapping_add(52),
            (b'+', Self::Standard) | (b'-', Self::UrlSafe) => 62,
            (b'/', Self::Standard) | (b'_', Self::UrlSafe) => 63,
            _ => return None,
        })
    }
}

/// In bytes. Their base64 has [`BLOCK_LENGTH`] characters.
const BLOCK: usize = 36;
const BLOCK_LENGTH: usize = 48;
/// Six bytes, which are eight characters, are read as eight.
const MARGIN: usize = 2;

/// Calls `push` with the pieces of the base64 of `bytes`. 32 bytes are one piece.
pub(crate) fn encode(bytes: &[u8], alphabet: Alphabet, push: &mut dyn FnMut(&[u8])) {
    for block in bytes.chunks(BLOCK) {
        // Zeros after the block, so that every group is whole.
        let mut padded = SecretBytes([0; BLOCK + MARGIN]);
        if let Some(place) = padded.0.get_mut(..block.len()) {
            place.copy_from_slice(block);
        }
        let mut text = SecretBytes([0; BLOCK_LENGTH]);
        for (six, eight) in padded.0.windows(6 + MARGIN).step_by(6).zip(text.0.chunks_exact_mut(8)) {
            if let Some(bytes) = six.first_chunk() {
                eight.copy_from_slice(&spread(u64::from_be_bytes(*bytes)).to_be_bytes());
            }
        }
        for character in &mut text.0 {
            *character = alphabet.character(*character);
        }
        // One byte takes two characters, two bytes take three.
        let length = block.len().saturating_mul(4).div_ceil(3);
        push(text.0.get(..length).unwrap_or_default());
        if alphabet == Alphabet::Standard && length % 4 != 0 {
            push(b"==".get(..4_usize.saturating_sub(length % 4)).unwrap_or_default());
        }
    }
}

/// Returns the first 48 bits as eight bytes of six bits each: first as two halves of 24, then as four of 12.
fn spread(bits: u64) -> u64 {
    let halves = bits >> 40 << 32 | bits >> 16 & 0x00FF_FFFF;
    let quarters = (halves & 0x00FF_F000_00FF_F000) << 4 | halves & 0x0000_0FFF_0000_0FFF;
    (quarters & 0x0FC0_0FC0_0FC0_0FC0) << 2 | quarters & 0x003F_003F_003F_003F
}

/// Returns the bytes whose base64 is exactly `text`; `None` if there are none (RFC 4648 §3.5 and §3.3: bits that are
/// not used must be 0, and other characters are an error).
pub(crate) fn decode(text: &str, alphabet: Alphabet) -> Option<WipedBuffer> {
    let digits = match alphabet {
        Alphabet::UrlSafe => text,
        Alphabet::Standard if text.len() % 4 == 0 => text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text),
        Alphabet::Standard => return None,
    };
    // The bytes are never more than the characters.
    let mut decoded = WipedBuffer::with_room_for(digits.len());
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let value = group.get(at).map_or(Some(0), |&character| alphabet.value(character))?;
            bits = bits << 6 | u32::from(value);
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (bytes, unused) = bytes.split_at_checked(group.len().saturating_sub(1))?;
        if bytes.is_empty() || unused.iter().any(|&byte| byte != 0) {
            return None;
        }
        decoded.push_if_there_is_room(bytes);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn encoded(bytes: &[u8], alphabet: Alphabet) -> String {
        let mut text = String::new();
        encode(bytes, alphabet, &mut |piece| text.push_str(std::str::from_utf8(piece).unwrap()));
        text
    }

    fn decoded(text: &str, alphabet: Alphabet) -> Option<Vec<u8>> {
        decode(text, alphabet).map(|bytes| bytes.as_slice().to_owned())
    }

    #[test]
    fn rfc_4648_10_the_examples_are_encoded_and_decoded() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let unpadded = text.trim_end_matches('=');
            for (text, alphabet) in [(text, Alphabet::Standard), (unpadded, Alphabet::UrlSafe)] {
                assert_eq!(encoded(plain.as_bytes(), alphabet), text);
                assert_eq!(decoded(text, alphabet).as_deref(), Some(plain.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn rfc_4648_3_a_text_that_is_not_written_by_an_encoder_is_refused() {
        for text in [
            "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "==", "Zh==", "Zm9=", "Zm9v====", "Zg==Zg==", "Zm-_",
            "Z m9", "Zm9é",
        ] {
            assert_eq!(decoded(text, Alphabet::Standard), None, "{text}");
        }
        for text in ["Z", "Zm9vZ", "Zh", "Zm9", "Zg==", "Zm+/", "Zm9\n", "Zm9v=", "é"] {
            assert_eq!(decoded(text, Alphabet::UrlSafe), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_crate_base64_writes_and_reads_the_same(bytes: Vec<u8>, text in "[A-Za-c0-2+/_=-]{0,12}") {
            prop_assert_eq!(encoded(&bytes, Alphabet::Standard), STANDARD.encode(&bytes));
            prop_assert_eq!(encoded(&bytes, Alphabet::UrlSafe), URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(decoded(&STANDARD.encode(&bytes), Alphabet::Standard), Some(bytes.clone()));
            prop_assert_eq!(decoded(&URL_SAFE_NO_PAD.encode(&bytes), Alphabet::UrlSafe), Some(bytes));
            prop_assert_eq!(decoded(&text, Alphabet::Standard), STANDARD.decode(&text).ok());
            prop_assert_eq!(decoded(&text, Alphabet::UrlSafe), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }
}
