//! `application/x-www-form-urlencoded` as RFC 6749 appendix B defines it: UTF-8, then percent-encoding.
//!
//! In a body a space is `+`. In a query and in Basic credentials it is `%20`, which both form decoders and percent
//! decoders read.

use super::text::any_byte;
use crate::secret::{CleanText, SecretText, WipedBuffer};

/// How a space is encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Plus,
    Percent,
}

/// A part of a form: text that is already encoded, or plain text to encode.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Encoded(&'a str),
    Plain(&'a str),
}

/// Encodes and joins the pieces, in one allocation of the exact size.
pub(crate) fn assemble<const N: usize>(mut pieces: [Piece<'_>; N], space: Space) -> SecretText {
    join(&mut pieces, space)
}

/// Not generic over the number of pieces, so that the binary contains only one copy.
fn join(pieces: &mut [Piece<'_>], space: Space) -> SecretText {
    let mut length = 0_usize;
    // Most values need no encoding. They are marked as encoded here, so that they are checked only once.
    for piece in pieces.iter_mut() {
        let (Piece::Encoded(text) | Piece::Plain(text)) = *piece;
        length = length.saturating_add(text.len());
        if let Piece::Plain(text) = *piece {
            match escaping(text, space) {
                Some(more) => length = length.saturating_add(more),
                None => *piece = Piece::Encoded(text),
            }
        }
    }
    let mut out = SecretText::with_capacity(length);
    for piece in pieces {
        match *piece {
            Piece::Encoded(text) => out.push_str(text),
            Piece::Plain(text) => encode(text, space, |part| out.push_str(part)),
        }
    }
    out
}

/// The number of bytes by which `text` grows when it is encoded; `None` if encoding does not change it.
fn escaping(text: &str, space: Space) -> Option<usize> {
    if !any_byte(text.as_bytes(), |byte| !is_unreserved(byte)) {
        return None;
    }
    let special = text.bytes().filter(|&byte| !is_unreserved(byte)).count();
    let pluses = if space == Space::Plus { text.bytes().filter(|&byte| byte == b' ').count() } else { 0 };
    Some(special.saturating_sub(pluses).saturating_mul(2))
}

/// Encodes `text`, and calls `push` with each piece of the result.
fn encode(text: &str, space: Space, mut push: impl FnMut(&str)) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut rest = text;
    while let Some(position) = rest.bytes().position(|byte| !is_unreserved(byte)) {
        let (plain, special) = rest.split_at_checked(position).unwrap_or((rest, ""));
        push(plain);
        // Encodes a whole character, so that the rest begins at a character boundary.
        let mut characters = special.chars();
        match characters.next() {
            Some(' ') if space == Space::Plus => push("+"),
            Some(character) => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    push("%");
                    for nibble in [byte >> 4, byte & 0x0F] {
                        let digit = HEX.get(usize::from(nibble)).copied().unwrap_or('0');
                        push(digit.encode_utf8(&mut [0; 4]));
                    }
                }
            }
            None => {}
        }
        rest = characters.as_str();
    }
    push(rest);
}

/// Decodes one name or value; `None` if an escape is invalid, or the decoded bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<CleanText<'_>> {
    if !any_byte(text.as_bytes(), |byte| byte == b'%' || byte == b'+') {
        return Some(CleanText::Borrowed(text));
    }
    // Decoded text is never longer.
    let mut decoded = WipedBuffer::with_room_for(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        let (plain, special) = rest.split_at_checked(at)?;
        decoded.push_if_there_is_room(plain);
        let (byte, after) = match special {
            [b'+', after @ ..] => (b' ', after),
            [_, high, low, after @ ..] => (hex_digit(*high)?.wrapping_mul(16).wrapping_add(hex_digit(*low)?), after),
            _ => return None,
        };
        decoded.push_if_there_is_room(&[byte]);
        rest = after;
    }
    decoded.push_if_there_is_room(rest);
    SecretText::from_buffer(decoded).map(CleanText::Owned)
}

/// The names and values of a form or a query, still encoded. Empty pairs are left out.
pub(crate) fn pairs(form: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(form);
    let pairs = std::iter::from_fn(move || {
        let (pair, after) = split_at_byte(rest?, b'&');
        rest = after;
        Some(pair)
    });
    pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = split_at_byte(pair, b'=');
        (name, value.unwrap_or_default())
    })
}

/// The text before the first `byte` and the text after it. Searches by bytes: forms are short, and `str`'s own search
/// takes longer to set up than to run.
pub(crate) fn split_at_byte(text: &str, byte: u8) -> (&str, Option<&str>) {
    let Some(at) = text.bytes().position(|one| one == byte) else { return (text, None) };
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    (before, after.get(1..))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'*' || byte == b'-' || byte == b'.' || byte == b'_'
}

pub(crate) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, space: Space) -> String {
        assemble([Piece::Plain(text)], space).expose().to_owned()
    }

    /// RFC 6749 appendix B.
    #[test]
    fn the_example_of_rfc_6749_appendix_b_is_encoded_as_shown_there() {
        assert_eq!(encoded(" %&+£€", Space::Plus), "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn a_space_can_be_encoded_so_that_percent_decoders_read_it_too() {
        assert_eq!(encoded("p%+ é", Space::Percent), "p%25%2B%20%C3%A9");
    }

    #[test]
    fn an_assembled_form_has_exactly_the_size_that_was_reserved() {
        for (space, expected) in
            [(Space::Plus, "a=x+y%26%7E%C3%A9&b=xyz"), (Space::Percent, "a=x%20y%26%7E%C3%A9&b=xyz")]
        {
            let pieces = [Piece::Encoded("a="), Piece::Plain("x y&~é"), Piece::Encoded("&b="), Piece::Plain("xyz")];
            let form = assemble(pieces, space);
            assert_eq!(form.expose(), expected);
            assert_eq!(form.room(), 0);
        }
    }

    #[test]
    fn decoding_reads_both_encodings_of_a_space() {
        for encoded in ["a+b%C3%A9", "a%20b%c3%a9"] {
            assert_eq!(&*decode(encoded).unwrap(), "a bé");
        }
    }

    #[test]
    fn invalid_escapes_and_invalid_utf8_are_refused() {
        for encoded in ["%", "%4", "%zz", "%+1", "%ff", "%C3"] {
            assert!(decode(encoded).is_none(), "{encoded}");
        }
    }

    #[test]
    fn pairs_may_lack_a_value_and_empty_ones_are_skipped() {
        let read: Vec<_> = pairs("a=1&&b&c==x&=d").collect();
        assert_eq!(read, [("a", "1"), ("b", ""), ("c", "=x"), ("", "d")]);
    }
}
