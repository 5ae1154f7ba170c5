//! Bytes to text.

use restream_oauth_core::SavedError;
use zeroize::Zeroizing;

use super::code::{self, COMPACT, DEEPEST};
use super::digits::{self, UUID_GROUPS};
use super::{base64, words};

const DAMAGED: SavedError = SavedError::Damaged("compact form");

/// Returns the text of a document that [`pack`](super::pack()) wrote. A document in another form stays as it is.
///
/// # Errors
/// [`SavedError`] if the document is damaged, or a later release wrote it.
pub fn unpack(document: &[u8]) -> Result<Zeroizing<Vec<u8>>, SavedError> {
    let Some(packed) = document.strip_prefix(&[COMPACT]) else { return Ok(Zeroizing::new(document.to_vec())) };
    let (text, rest) = Packed::text(packed, false)?;
    if rest.is_empty() { Ok(text) } else { Err(DAMAGED) }
}

/// Returns the text of the first value, and what follows it.
pub(crate) fn unpack_value(packed: &[u8]) -> Result<(Zeroizing<Vec<u8>>, &[u8]), SavedError> {
    Packed::text(packed, false)
}

/// What is left of the bytes.
struct Packed<'a> {
    rest: &'a [u8],
    /// True for JSON in base64 in JSON, which is not nested further.
    is_inner: bool,
}

impl<'a> Packed<'a> {
    fn text(packed: &'a [u8], is_inner: bool) -> Result<(Zeroizing<Vec<u8>>, &'a [u8]), SavedError> {
        let write = |emit: &mut dyn FnMut(&[u8])| {
            let mut packed = Self { rest: packed, is_inner };
            packed.value(DEEPEST, emit)?;
            Ok(packed.rest)
        };
        // Memory that holds a secret never grows, because growing leaves a copy behind. So the bytes are counted first.
        let mut length = 0_usize;
        write(&mut |bytes| length = length.saturating_add(bytes.len()))?;
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        let rest = write(&mut |bytes| text.extend_from_slice(bytes))?;
        Ok((text, rest))
    }

    fn value(&mut self, depth: u32, emit: &mut dyn FnMut(&[u8])) -> Result<(), SavedError> {
        match self.byte()? {
            code::OBJECT => {
                return self.all(depth, [b"{", b"}"], emit, |packed, depth, emit| {
                    packed.string(emit)?;
                    emit(b":");
                    packed.value(depth, emit)
                });
            }
            code::LIST => return self.all(depth, [b"[", b"]"], emit, Self::value),
            code::TRUE => emit(b"true"),
            code::FALSE => emit(b"false"),
            code::NULL => emit(b"null"),
            code::NUMBER => emit(self.number()?.to_string().as_bytes()),
            code::LITERAL => emit(self.counted()?),
            code => return self.string_of(code, emit),
        }
        Ok(())
    }

    fn all(
        &mut self,
        depth: u32,
        [begin, end]: [&[u8]; 2],
        emit: &mut dyn FnMut(&[u8]),
        mut one: impl FnMut(&mut Self, u32, &mut dyn FnMut(&[u8])) -> Result<(), SavedError>,
    ) -> Result<(), SavedError> {
        let depth = depth.checked_sub(1).ok_or(DAMAGED)?;
        emit(begin);
        let mut is_first = true;
        while self.rest.first() != Some(&code::END) {
            if !is_first {
                emit(b",");
            }
            is_first = false;
            one(self, depth, emit)?;
        }
        self.byte()?;
        emit(end);
        Ok(())
    }

    fn string(&mut self, emit: &mut dyn FnMut(&[u8])) -> Result<(), SavedError> {
        let code = self.byte()?;
        self.string_of(code, emit)
    }

    fn string_of(&mut self, code: u8, emit: &mut dyn FnMut(&[u8])) -> Result<(), SavedError> {
        emit(b"\"");
        if code == code::TEXTS {
            for index in 0..self.number()? {
                if index > 0 {
                    emit(b" ");
                }
                let code = self.byte()?;
                self.word(code, emit)?;
            }
        } else {
            self.word(code, emit)?;
        }
        emit(b"\"");
        Ok(())
    }

    fn word(&mut self, code: u8, emit: &mut dyn FnMut(&[u8])) -> Result<(), SavedError> {
        match code {
            code::TEXT => emit(self.counted()?),
            code::HEX => digits::hex(self.counted()?, emit),
            code::UUID => {
                let mut uuid = self.take(16)?;
                for (index, length) in UUID_GROUPS.into_iter().enumerate() {
                    let (group, rest) = uuid.split_at_checked(length).ok_or(DAMAGED)?;
                    uuid = rest;
                    if index > 0 {
                        emit(b"-");
                    }
                    digits::hex(group, emit);
                }
            }
            code::TIME => {
                let seconds = self.number()?;
                let nanoseconds = self.number().ok().filter(|number| *number < 1_000_000_000).ok_or(DAMAGED)?;
                emit(format!("{seconds}.{nanoseconds:09}").as_bytes());
            }
            code::BASE64 => base64::encode(self.counted()?, emit),
            code::BASE64_JSON if !self.is_inner => {
                let (text, rest) = Self::text(self.rest, true)?;
                self.rest = rest;
                base64::encode(&text, emit);
            }
            // Only a value can be these.
            code::END..=code::LITERAL | code::TEXTS | code::BASE64_JSON => return Err(DAMAGED),
            code => {
                let place = code.checked_sub(code::WORDS).ok_or(SavedError::UnknownVersion)?;
                emit(words::at(place).ok_or(SavedError::UnknownVersion)?.as_bytes());
            }
        }
        Ok(())
    }

    /// A length, and as many bytes.
    fn counted(&mut self) -> Result<&'a [u8], SavedError> {
        let length = usize::try_from(self.number()?).map_err(|_| DAMAGED)?;
        self.take(length)
    }

    fn number(&mut self) -> Result<u64, SavedError> {
        let (number, rest) = digits::read_number(self.rest).ok_or(DAMAGED)?;
        self.rest = rest;
        Ok(number)
    }

    fn byte(&mut self) -> Result<u8, SavedError> {
        let (byte, rest) = self.rest.split_first().ok_or(DAMAGED)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], SavedError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DAMAGED)?;
        self.rest = rest;
        Ok(taken)
    }
}
