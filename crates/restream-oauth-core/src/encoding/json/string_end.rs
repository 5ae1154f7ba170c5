//! Finds the end of a string (RFC 8259 §7), many bytes at once, and notes on the way what the string consists of.

use crate::encoding::text::any_byte;

/// How a string ends, and what it consists of. As wide as a word, so that it is returned in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum StringEnd {
    /// A closing quote, after nothing but ASCII and no escape.
    Ascii,
    /// A closing quote, after no escape. Perhaps not all is ASCII.
    Plain,
    /// A closing quote, after at least one escape.
    Escaped,
    /// The end of the text.
    Cut,
    /// A control character, or an escape that is not valid.
    Broken,
}

/// Not in a page, which downloads the code: there, 64 KiB read byte by byte take less time than half a kilobyte of code.
const MANY_AT_ONCE: bool = !cfg!(target_family = "wasm");
const WORD: usize = 8;
/// In bytes. Most strings are shorter.
const BLOCK: usize = 64;

/// The place where the string that begins at `start` ends, and how it ends: quick for a short string of ASCII.
pub(super) fn find(text: &[u8], start: usize) -> (usize, StringEnd) {
    let short = if MANY_AT_ONCE { find_in_short_ascii(text, start) } else { None };
    if let Some(end) = short {
        return (end, StringEnd::Ascii);
    }
    let (length, end) = find_in_any(text.get(start..).unwrap_or_default());
    (start.saturating_add(length), end)
}

/// The place where a short string of ASCII without an escape ends.
#[inline]
fn find_in_short_ascii(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut bits = 0;
    for _ in 0..BLOCK / WORD {
        let word = u64::from_le_bytes(*text.get(at..)?.first_chunk::<WORD>()?);
        bits |= word;
        let special = special_bytes(word);
        if special != 0 {
            let end = at.wrapping_add((special.trailing_zeros() / 8) as usize);
            return (text.get(end) == Some(&b'"') && bits & each(0x80) == 0).then_some(end);
        }
        at = at.wrapping_add(WORD);
    }
    None
}

/// Like [`find`], for strings of every kind.
#[inline(never)]
fn find_in_any(text: &[u8]) -> (usize, StringEnd) {
    let mut rest = text;
    let mut bits = 0;
    let mut escaped = false;
    let end = loop {
        rest = after_plain_run(rest, &mut bits);
        match *rest {
            [b'"', ..] if escaped => break StringEnd::Escaped,
            [b'"', ..] if bits & each(0x80) != 0 => break StringEnd::Plain,
            [b'"', ..] => break StringEnd::Ascii,
            [b'\\', ref after @ ..] => {
                escaped = true;
                rest = match after_escape(after) {
                    Ok(after) => after,
                    Err(end) => break end,
                };
            }
            [_, ..] => break StringEnd::Broken,
            [] => break StringEnd::Cut,
        }
    };
    (text.len().saturating_sub(rest.len()), end)
}

/// The text from its first quote, backslash or control character on. Adds every byte that it looks at to `bits`, by
/// "or": the highest bit of a byte is 0 in ASCII.
fn after_plain_run<'a>(text: &'a [u8], bits: &mut u64) -> &'a [u8] {
    if !MANY_AT_ONCE {
        return after_short_run(text, bits);
    }
    let mut rest = text;
    loop {
        // Words first, so that a text full of escapes is not looked at in blocks again and again.
        for _ in 0..BLOCK / WORD {
            let Some((word, after)) = rest.split_first_chunk::<WORD>() else { return after_short_run(rest, bits) };
            let word = u64::from_le_bytes(*word);
            *bits |= word;
            let special = special_bytes(word);
            if special != 0 {
                return rest.get((special.trailing_zeros() / 8) as usize..).unwrap_or_default();
            }
            rest = after;
        }
        rest = after_plain_blocks(rest);
    }
}

/// The text after its first blocks, if they are ASCII and have no special byte.
fn after_plain_blocks(text: &[u8]) -> &[u8] {
    // One comparison finds control characters and bytes beyond ASCII.
    let is_other = |byte: u8| byte.wrapping_sub(b' ') >= 0x60 || byte == b'"' || byte == b'\\';
    let plain = text.chunks_exact(BLOCK).take_while(|block| !any_byte(block, is_other)).count();
    text.get(plain.saturating_mul(BLOCK)..).unwrap_or_default()
}

/// Like [`after_plain_run`], for the last bytes of the whole text.
fn after_short_run<'a>(text: &'a [u8], bits: &mut u64) -> &'a [u8] {
    let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)).unwrap_or(text.len());
    let (plain, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    for &byte in plain {
        *bits |= u64::from(byte);
    }
    rest
}

/// The text after an escape whose backslash was taken.
fn after_escape(rest: &[u8]) -> Result<&[u8], StringEnd> {
    match rest {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', after @ ..] => Ok(after),
        [b'u', after @ ..] => {
            let digits = after.iter().take(4);
            match (digits.clone().all(u8::is_ascii_hexdigit), after.get(4..)) {
                (true, Some(after)) => Ok(after),
                (true, None) => Err(StringEnd::Cut),
                (false, _) => Err(StringEnd::Broken),
            }
        }
        [] => Err(StringEnd::Cut),
        _ => Err(StringEnd::Broken),
    }
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the bytes of a word that are special in a string: quotes, backslashes and control characters. Only the lowest
/// mark is exact: bytes above a marked byte may be marked by mistake.
#[inline]
fn special_bytes(word: u64) -> u64 {
    // Flipping this bit turns a quote into a space, which is next to the control characters, and keeps every control
    // character in their range. So one subtraction finds both.
    let quote_or_control = (word ^ each(b'"' ^ b' ')).wrapping_sub(each(b' ' + 1));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    let plain = !quote_or_control & !backslash;
    !plain & !word & each(0x80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_position_of_a_word() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut word = [b'a', b'!', b'#', b'[', b']', 0x7F, 0x80, 0xFF];
                word[place] = byte;
                let special = matches!(byte, b'"' | b'\\' | 0..=0x1F);
                let marks = special_bytes(u64::from_le_bytes(word));
                let first = (marks != 0).then(|| marks.trailing_zeros() as usize / 8);
                assert_eq!(first, special.then_some(place), "{byte:#x} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_run_of_any_length_ends_at_its_first_special_byte(length in 0..300_usize, other: u8, place in 0..300_usize) {
            let mut text = vec![b'a'; length];
            if let Some(byte) = text.get_mut(place) {
                *byte = other;
            }
            let mut bits = 0;
            let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)).unwrap_or(length);
            prop_assert_eq!(after_plain_run(&text, &mut bits), &text[end..]);
            prop_assert_eq!(bits & each(0x80) == 0, text.is_ascii());
        }

        #[test]
        fn a_string_of_any_length_ends_where_the_grammar_says(length in 1..300_usize, other: u8, place in 0..300_usize) {
            let mut text = vec![b'a'; length];
            text.push(b'"');
            let place = place % length;
            text[place] = other;
            let last = place + 1 == length;
            let (end, how) = find(&text, 0);
            match other {
                b'"' => prop_assert_eq!((end, how), (place, StringEnd::Ascii)),
                // The closing quote is escaped.
                b'\\' if last => prop_assert_eq!(how, StringEnd::Cut),
                b'\\' | 0..=0x1F => prop_assert_eq!(how, StringEnd::Broken),
                0x80.. => prop_assert_eq!((end, how), (length, StringEnd::Plain)),
                _ => prop_assert_eq!((end, how), (length, StringEnd::Ascii)),
            }
        }
    }
}
