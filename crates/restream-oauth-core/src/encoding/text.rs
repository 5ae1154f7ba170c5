//! The encoding of a body (UTF-8 or UTF-16), and invisible characters.

use crate::secret::WipedBuffer;

/// A body as UTF-8: borrowed, or converted from UTF-16 into memory that is wiped. Some bytes may be invalid.
pub(crate) struct Text<'a> {
    body: TextBytes<'a>,
    /// The body had a byte order mark.
    marked: bool,
}

enum TextBytes<'a> {
    Borrowed(&'a [u8]),
    Owned(WipedBuffer),
}

impl<'a> Text<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        if let Some(units) = bytes.strip_prefix(b"\xFF\xFE") {
            return Self::of_utf16(units, u16::from_le_bytes);
        }
        if let Some(units) = bytes.strip_prefix(b"\xFE\xFF") {
            return Self::of_utf16(units, u16::from_be_bytes);
        }
        let without_mark = bytes.strip_prefix(b"\xEF\xBB\xBF");
        Self { body: TextBytes::Borrowed(without_mark.unwrap_or(bytes)), marked: without_mark.is_some() }
    }

    /// True if the body had a byte order mark, or has bytes that are not UTF-8. `is_ascii` may be true only if all bytes
    /// are known to be ASCII: then no byte is looked at.
    pub(crate) fn is_oddly_encoded(&self, is_ascii: bool) -> bool {
        // A character that is truncated at the very end of the body is not strange.
        let is_odd = |bytes| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_some());
        self.marked || !is_ascii && is_odd(self.as_bytes())
    }

    /// A lone surrogate becomes a byte that is not valid UTF-8.
    fn of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
        let characters = char::decode_utf16(units).map(Result::ok);
        // Computes the length first, so that the buffer has the exact size, never grows, and leaves no copy.
        let length = characters.clone().map(|character| character.map_or(1, char::len_utf8)).sum();
        let mut made = WipedBuffer::with_room_for(length);
        for character in characters {
            let mut utf8 = [0; 4];
            let encoded = character.map(|character| character.encode_utf8(&mut utf8).as_bytes());
            made.push_if_there_is_room(encoded.unwrap_or(b"\xFF"));
        }
        Self { body: TextBytes::Owned(made), marked: true }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.body {
            TextBytes::Borrowed(bytes) => bytes,
            TextBytes::Owned(bytes) => bytes.as_slice(),
        }
    }
}

/// True if `is_such` is true of at least one byte. Judges every byte, so that compilers can judge many at once; they do if
/// `is_such` consists of a few comparisons.
#[inline]
pub(crate) fn any_byte(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |found, &byte| found | u8::from(is_such(byte))) != 0
}

/// True for the invisible characters (Unicode: format characters) that are often copied along with a text.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_becomes_utf8_from_every_encoding() {
        let cases: [(&[u8], &[u8], bool); 9] = [
            (b"{}", b"{}", false),
            (b"\xEF\xBB\xBF{}", b"{}", true),
            (b"{\xE9}", b"{\xE9}", true),
            (b"{\xC3", b"{\xC3", false),
            (b"\xFF\xFE{\0}\0", b"{}", true),
            (b"\xFE\xFF\0{\0}", b"{}", true),
            (b"\xFF\xFE{\0}", b"{", true),
            (b"\xFF\xFE{\0\0\xD8\xE9\0", b"{\xFF\xC3\xA9", true),
            (b"", b"", false),
        ];
        for (bytes, expected, oddly_encoded) in cases {
            let text = Text::of(bytes);
            assert_eq!((text.as_bytes(), text.is_oddly_encoded(false)), (expected, oddly_encoded), "{bytes:?}");
        }
    }
}
