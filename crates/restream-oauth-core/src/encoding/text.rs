//! Text of any encoding, and characters that cannot be seen.

use crate::secret::WipedBuffer;

/// A body in UTF-8, as far as it is text at all: as it is, or put so from UTF-16 in wiped memory.
pub(crate) struct Text<'a> {
    body: TextBytes<'a>,
    /// A byte order mark was taken off, or some bytes are no text.
    pub(crate) oddly_encoded: bool,
    /// No byte is anything but text.
    pub(crate) wholly_utf8: bool,
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
        let bytes = without_mark.unwrap_or(bytes);
        let checked = std::str::from_utf8(bytes);
        // A character that is cut at the very end is not strange.
        let odd = checked.is_err_and(|error| error.error_len().is_some());
        Self {
            body: TextBytes::Borrowed(bytes),
            oddly_encoded: odd || without_mark.is_some(),
            wholly_utf8: checked.is_ok(),
        }
    }

    /// A unit that is no character becomes a byte that is none.
    fn of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
        let characters = char::decode_utf16(units).map(Result::ok);
        // Counted first, so that the buffer takes no more than it needs, never grows, and leaves no copy.
        let length = characters.clone().map(|character| character.map_or(1, char::len_utf8)).sum();
        let mut made = WipedBuffer::with_room_for(length);
        for character in characters {
            let mut utf8 = [0; 4];
            let encoded = character.map(|character| character.encode_utf8(&mut utf8).as_bytes());
            made.push_if_there_is_room(encoded.unwrap_or(b"\xFF"));
        }
        Self { body: TextBytes::Owned(made), oddly_encoded: true, wholly_utf8: false }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.body {
            TextBytes::Borrowed(bytes) => bytes,
            TextBytes::Owned(bytes) => bytes.as_slice(),
        }
    }
}

/// What Unicode calls format characters, as far as they come along with copied text.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_text_whatever_their_encoding() {
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
            assert_eq!((text.as_bytes(), text.oddly_encoded), (expected, oddly_encoded), "{bytes:?}");
        }
    }
}
