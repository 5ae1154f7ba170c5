//! `application/x-www-form-urlencoded`, exactly as RFC 6749 appendix B asks: UTF-8, then percent-encoding.
//!
//! Bodies write a space as `+`. Queries and Basic credentials write it as `%20`, which form decoders and percent
//! decoders read alike.

use zeroize::Zeroizing;

/// How a space is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Plus,
    Percent,
}

/// The length of `text` once encoded; the same whichever way spaces are written is not given, so it is asked.
pub(crate) fn encoded_len(text: &str, space: Space) -> usize {
    text.bytes().map(|byte| if is_unreserved(byte) || (byte == b' ' && space == Space::Plus) { 1 } else { 3 }).sum()
}

/// Appends `text`, encoded.
pub(crate) fn encode_into(out: &mut String, text: &str, space: Space) {
    let mut rest = text;
    while let Some(position) = rest.bytes().position(|byte| !is_unreserved(byte)) {
        let (plain, special) = rest.split_at_checked(position).unwrap_or((rest, ""));
        out.push_str(plain);
        // A character at a time, so that the text is never cut within one.
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            encode_character(out, character, space);
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// Joins constant pieces and values to be encoded, in one allocation of the exact size.
pub(crate) fn assemble(pieces: &[Piece<'_>], space: Space) -> Zeroizing<String> {
    let length = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Encoded(text) => text.len(),
            Piece::Plain(text) => encoded_len(text, space),
        })
        .sum();
    let mut out = Zeroizing::new(String::with_capacity(length));
    for piece in pieces {
        match piece {
            Piece::Encoded(text) => out.push_str(text),
            Piece::Plain(text) => encode_into(&mut out, text, space),
        }
    }
    out
}

/// A part of a form: already encoded, or plain text still to be encoded.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Encoded(&'a str),
    Plain(&'a str),
}

/// Decodes one name or value; `None` if an escape is broken or the bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut input = text.bytes();
    while let Some(byte) = input.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(input.next()?)? << 4 | hex_digit(input.next()?)?,
            other => other,
        });
    }
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// The ways in which others may write a text: as it is, and percent-encoded with either space, either case of the
/// digits, the tilde escaped or not.
pub(crate) fn spellings(text: &str) -> Vec<Zeroizing<String>> {
    let mut spellings = vec![Zeroizing::new(text.to_owned())];
    for space in [Space::Plus, Space::Percent] {
        let encoded = assemble(&[Piece::Plain(text)], space);
        let ways = [(false, false), (false, true), (true, false), (true, true)];
        spellings.extend(ways.map(|(lower_case, bare_tilde)| respelled(&encoded, lower_case, bare_tilde)));
    }
    spellings
}

/// Never longer than what was encoded, so the buffer never grows and leaves no copy.
fn respelled(encoded: &str, lower_case: bool, bare_tilde: bool) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(encoded.len()));
    let mut rest = encoded;
    while let Some((before, escape)) = rest.split_once('%') {
        out.push_str(before);
        let (digits, following) = escape.split_at_checked(2).unwrap_or((escape, ""));
        match digits {
            "7E" if bare_tilde => out.push('~'),
            _ => {
                out.push('%');
                let case = |digit: char| if lower_case { digit.to_ascii_lowercase() } else { digit };
                out.extend(digits.chars().map(case));
            }
        }
        rest = following;
    }
    out.push_str(rest);
    out
}

/// The names and values of a form or query, still encoded; empty pairs are left out.
pub(crate) fn pairs(form: &str) -> impl Iterator<Item = (&str, &str)> {
    form.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_')
}

fn encode_character(out: &mut String, character: char, space: Space) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    if character == ' ' && space == Space::Plus {
        out.push('+');
        return;
    }
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        let digits = [byte >> 4, byte & 0x0F].map(|nibble| HEX.get(usize::from(nibble)).copied().unwrap_or('0'));
        out.push('%');
        out.extend(digits);
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str, space: Space) -> String {
        assemble(&[Piece::Plain(text)], space).to_string()
    }

    #[test]
    fn the_example_of_rfc_6749_appendix_b() {
        assert_eq!(encode(" %&+£€", Space::Plus), "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn a_space_can_be_written_so_that_percent_decoders_read_it_too() {
        assert_eq!(encode("p%+ é", Space::Percent), "p%25%2B%20%C3%A9");
    }

    #[test]
    fn an_assembled_form_has_exactly_the_size_that_was_reserved() {
        let form = assemble(&[Piece::Encoded("a="), Piece::Plain("x y&~é"), Piece::Encoded("&b=")], Space::Plus);
        assert_eq!(form.as_str(), "a=x+y%26%7E%C3%A9&b=");
        assert_eq!(form.capacity(), form.len());
    }

    #[test]
    fn decoding_reads_both_ways_of_writing_a_space() {
        for encoded in ["a+b%C3%A9", "a%20b%c3%a9"] {
            assert_eq!(decode(encoded).unwrap().as_str(), "a bé");
        }
    }

    #[test]
    fn broken_escapes_and_bytes_that_are_no_text_are_refused() {
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
