//! JSON strings (RFC 8259 §7), read and written in memory that is wiped.

use crate::secret::SecretText;

/// Unescapes the text between the quotes of a string; `None` if the text has a lone surrogate or is not UTF-8.
pub(super) fn unescaped(written: &[u8]) -> Option<SecretText> {
    let written = std::str::from_utf8(written).ok()?;
    // Unescaped text is never longer.
    let mut out = SecretText::with_capacity(written.len());
    let mut rest = written.chars();
    while let Some(character) = rest.next() {
        out.push(if character == '\\' { unescape(&mut rest)? } else { character });
    }
    Some(out)
}

fn unescape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'b' => '\u{8}',
        'f' => '\u{C}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let unit = hex_unit(rest)?;
            if !(0xD800..0xDC00).contains(&unit) {
                // The second half of a pair, without the first one, is no character.
                return char::from_u32(unit);
            }
            if rest.next() != Some('\\') || rest.next() != Some('u') {
                return None;
            }
            let second = Some(hex_unit(rest)?).filter(|second| (0xDC00..0xE000).contains(second))?;
            char::from_u32(((unit & 0x3FF) << 10 | (second & 0x3FF)).wrapping_add(0x1_0000))?
        }
        other @ ('"' | '\\' | '/') => other,
        _ => return None,
    })
}

fn hex_unit(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut unit = 0_u32;
    for _ in 0..4 {
        unit = unit << 4 | rest.next()?.to_digit(16)?;
    }
    Some(unit)
}

/// Appends `text` as a JSON string to `out`, which needs room for six times its bytes, and for two quotes.
pub(crate) fn write_string(out: &mut SecretText, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1F' => {
                out.push_str("\\u00");
                let [high, low] = [u32::from(character) >> 4, u32::from(character) & 0x0F];
                out.push(char::from_digit(high, 16).unwrap_or('0'));
                out.push(char::from_digit(low, 16).unwrap_or('0'));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
