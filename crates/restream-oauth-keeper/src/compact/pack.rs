//! Text to bytes.

use zeroize::Zeroizing;

use super::code::{self, COMPACT, DEEPEST};
use super::digits::{self, Bytes};
use super::{base64, words};

/// Writes the compact form of a saved document. A text that is not JSON without white space stays as it is.
pub fn pack(document: &str) -> Zeroizing<Vec<u8>> {
    pack_value(COMPACT, document).unwrap_or_else(|| Zeroizing::new(document.as_bytes().to_vec()))
}

/// Writes a byte and the compact form of a text; `None` if the text is not JSON without white space.
pub(crate) fn pack_value(first: u8, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    Text::packed(first, text.as_bytes(), false)
}

/// What is left of the text.
struct Text<'a> {
    rest: &'a [u8],
    /// True for JSON in base64 in JSON. Within it, base64 is base64: each level would double the work.
    is_inner: bool,
}

impl<'a> Text<'a> {
    fn packed(first: u8, text: &'a [u8], is_inner: bool) -> Option<Zeroizing<Vec<u8>>> {
        let write = |emit: &mut dyn FnMut(&[u8])| {
            let mut text = Self { rest: text, is_inner };
            text.value(DEEPEST, emit)?;
            text.rest.is_empty().then_some(())
        };
        // Memory that holds a secret never grows, because growing leaves a copy behind. So the bytes are counted first.
        let mut length = 1_usize;
        write(&mut |bytes| length = length.saturating_add(bytes.len()))?;
        let mut packed = Zeroizing::new(Vec::with_capacity(length));
        packed.push(first);
        write(&mut |bytes| packed.extend_from_slice(bytes))?;
        Some(packed)
    }

    fn value(&mut self, depth: u32, emit: &mut dyn FnMut(&[u8])) -> Option<()> {
        match self.rest.first()? {
            b'{' => {
                let depth = depth.checked_sub(1)?;
                self.all(b'}', code::OBJECT, emit, |text, emit| {
                    string(text.string()?, text.is_inner, emit);
                    text.take(b':')?;
                    text.value(depth, emit)
                })
            }
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.all(b']', code::LIST, emit, |text, emit| text.value(depth, emit))
            }
            b'"' => {
                string(self.string()?, self.is_inner, emit);
                Some(())
            }
            _ => self.literal(emit),
        }
    }

    /// What stands between brackets, with commas between.
    fn all(
        &mut self,
        end: u8,
        begin: u8,
        emit: &mut dyn FnMut(&[u8]),
        mut one: impl FnMut(&mut Self, &mut dyn FnMut(&[u8])) -> Option<()>,
    ) -> Option<()> {
        self.rest = self.rest.get(1..)?;
        emit(&[begin]);
        let mut is_first = true;
        while self.rest.first() != Some(&end) {
            if !is_first {
                self.take(b',')?;
            }
            is_first = false;
            one(self, emit)?;
        }
        self.take(end)?;
        emit(&[code::END]);
        Some(())
    }

    /// The text between two quotation marks, as it is written.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let mut is_escaped = false;
        let end = self.rest.iter().position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        });
        let (text, rest) = self.rest.split_at_checked(end?)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    fn literal(&mut self, emit: &mut dyn FnMut(&[u8])) -> Option<()> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
        let end = self.rest.iter().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let (literal, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        match literal {
            b"true" => emit(&[code::TRUE]),
            b"false" => emit(&[code::FALSE]),
            b"null" => emit(&[code::NULL]),
            _ => match digits::number(literal) {
                Some(number) => {
                    emit(&[code::NUMBER]);
                    emit(&Bytes::of(number));
                }
                None if literal.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit()) => {
                    emit(&[code::LITERAL]);
                    counted(literal, emit);
                }
                None => return None,
            },
        }
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }
}

fn string(text: &[u8], is_inner: bool, emit: &mut dyn FnMut(&[u8])) {
    let parts = || text.split(|byte| *byte == b' ');
    if text.contains(&b' ') && parts().any(|part| words::place(part).is_some()) {
        emit(&[code::TEXTS]);
        emit(&Bytes::of_length(parts().count()));
        parts().for_each(|part| word(part, is_inner, emit));
    } else {
        word(text, is_inner, emit);
    }
}

fn word(text: &[u8], is_inner: bool, emit: &mut dyn FnMut(&[u8])) {
    if let Some(place) = words::place(text) {
        emit(&[code::WORDS.saturating_add(place)]);
    } else if digits::is_hex(text) {
        emit(&[code::HEX]);
        emit(&Bytes::of_length(text.len() / 2));
        digits::pairs(text, emit);
    } else if let Some((seconds, nanoseconds)) = digits::time(text) {
        emit(&[code::TIME]);
        emit(&Bytes::of(seconds));
        emit(&Bytes::of(nanoseconds));
    } else if digits::is_uuid(text) {
        emit(&[code::UUID]);
        text.split(|byte| *byte == b'-').for_each(|group| digits::pairs(group, emit));
    } else if let Some(length) = base64::length(text) {
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        base64::decode(text, &mut |piece| bytes.extend_from_slice(piece));
        let packed = if is_inner { None } else { Text::packed(code::BASE64_JSON, &bytes, true) };
        if let Some(packed) = packed {
            emit(&packed);
        } else {
            emit(&[code::BASE64]);
            counted(&bytes, emit);
        }
    } else {
        emit(&[code::TEXT]);
        counted(text, emit);
    }
}

fn counted(bytes: &[u8], emit: &mut dyn FnMut(&[u8])) {
    emit(&Bytes::of_length(bytes.len()));
    emit(bytes);
}
