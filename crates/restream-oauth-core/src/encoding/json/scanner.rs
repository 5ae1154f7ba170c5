//! The grammar of JSON (RFC 8259 §2 to §7), checked in one pass over the bytes.

use super::string::unescaped;
use super::value::{Kind, Value};

/// Why a value is not whole. As wide as a word for speed: with a narrower tag, the compiler copies each result in
/// several pieces that depend on each other.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(super) enum Stop {
    Cut,
    Broken,
}

/// A position in a JSON text: the unread rest.
pub(super) struct Scanner<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// Calls `on_member` with each whole member of an object. Skips a value that has a syntax error, and reports it at
    /// the end.
    pub(super) fn members(&mut self, on_member: impl FnMut(&[u8], Value<'a>)) -> Result<(), Stop> {
        let mut broken = false;
        let end = self.each_member(on_member, &mut broken);
        if broken { Err(Stop::Broken) } else { end }
    }

    #[inline]
    fn each_member(&mut self, mut on_member: impl FnMut(&[u8], Value<'a>), broken: &mut bool) -> Result<(), Stop> {
        self.require(b'{')?;
        if self.token()? == b'}' {
            return self.require(b'}');
        }
        loop {
            self.require(b'"')?;
            let key = self.string()?;
            // A key with a lone surrogate stays as written. No known key has one.
            let decoded = if key.kind == Kind::Escaped { unescaped(key.written) } else { None };
            let key = decoded.as_ref().map_or(key.written, |key| key.expose().as_bytes());
            self.require(b':')?;
            let start = self.rest;
            let next = match self.value() {
                Ok(value) => {
                    let next = self.token();
                    if value.is_closed() || matches!(next, Ok(b',' | b'}')) {
                        on_member(key, value);
                    }
                    next?
                }
                Err(Stop::Cut) => return Err(Stop::Cut),
                Err(Stop::Broken) => {
                    self.rest = start;
                    b'?'
                }
            };
            let next = match next {
                b',' | b'}' => next,
                _ => {
                    *broken = true;
                    self.pass_over()?
                }
            };
            self.skip();
            if next == b'}' {
                return Ok(());
            }
        }
    }

    /// Skips a value that has a syntax error, up to the comma or brace after it; returns that byte without taking it.
    /// Assumes that quotes and brackets inside the value have their usual meaning.
    #[cold]
    fn pass_over(&mut self) -> Result<u8, Stop> {
        let mut depth = 0_usize;
        loop {
            let [byte, ref after @ ..] = *self.rest else { return Err(Stop::Cut) };
            match byte {
                b',' | b'}' if depth == 0 => return Ok(byte),
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.rest = if byte == b'"' { after_loose_string(after).ok_or(Stop::Cut)? } else { after };
        }
    }

    /// Skips white space, and returns the next byte without taking it.
    #[inline]
    pub(super) fn token(&mut self) -> Result<u8, Stop> {
        loop {
            match *self.rest {
                [b' ' | b'\n' | b'\r' | b'\t', ref after @ ..] => self.rest = after,
                [byte, ..] => return Ok(byte),
                [] => return Err(Stop::Cut),
            }
        }
    }

    /// Takes the next token, which must be this byte.
    #[inline]
    pub(super) fn require(&mut self, byte: u8) -> Result<(), Stop> {
        if self.token()? != byte {
            return Err(Stop::Broken);
        }
        self.skip();
        Ok(())
    }

    /// Takes the next byte.
    #[inline]
    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Takes the next byte if it is this one.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.skip();
        }
        is_next
    }

    #[inline]
    pub(super) fn value(&mut self) -> Result<Value<'a>, Stop> {
        let token = self.token()?;
        if token == b'"' {
            self.skip();
            return self.string();
        }
        let start = self.rest;
        let kind = match token {
            b'{' | b'[' => self.nested()?,
            _ => self.scalar(token)?,
        };
        Ok(Value { written: up_to(start, self.rest), kind })
    }

    /// The next value, if it is a whole string.
    pub(super) fn value_if_string(&mut self) -> Option<Value<'a>> {
        self.require(b'"').ok()?;
        self.string().ok()
    }

    /// The next text between quotes. Ignores everything before it, and does not check its content.
    pub(super) fn next_loose_string(&mut self) -> Option<Value<'a>> {
        let quote = self.rest.iter().position(|&byte| byte == b'"')?;
        let (_, quoted) = self.rest.split_at_checked(quote.saturating_add(1))?;
        self.rest = after_loose_string(quoted)?;
        let written = up_to(quoted, self.rest).split_last().map_or(&[][..], |(_quote, written)| written);
        let kind = if written.contains(&b'\\') { Kind::Escaped } else { Kind::Plain };
        Some(Value { written, kind })
    }

    /// An object or array of any depth. Each open bracket takes one bit of memory.
    fn nested(&mut self) -> Result<Kind, Stop> {
        let kind = if self.rest.first() == Some(&b'{') { Kind::Object } else { Kind::Array };
        let mut open = Brackets::default();
        loop {
            match self.token()? {
                b'"' => {
                    self.skip();
                    self.string()?;
                }
                bracket @ (b'{' | b'[') => {
                    self.skip();
                    open.push(bracket == b'{');
                    let token = self.token()?;
                    if bracket == b'[' && token != b']' {
                        continue;
                    }
                    if bracket == b'{' && token != b'}' {
                        self.skip_key()?;
                        continue;
                    }
                }
                token => {
                    self.scalar(token)?;
                }
            }
            // The value is whole. Either another value follows, or the object or array around it ends.
            loop {
                let token = self.token()?;
                self.skip();
                match (token, open.in_object()) {
                    (b',', true) => self.skip_key()?,
                    (b',', false) => {}
                    (b'}', true) | (b']', false) => {
                        open.pop();
                        if open.is_empty() {
                            return Ok(kind);
                        }
                        continue;
                    }
                    _ => return Err(Stop::Broken),
                }
                break;
            }
        }
    }

    fn skip_key(&mut self) -> Result<(), Stop> {
        self.require(b'"')?;
        self.string()?;
        self.require(b':')
    }

    /// A string whose opening quote was taken.
    #[inline]
    fn string(&mut self) -> Result<Value<'a>, Stop> {
        let start = self.rest;
        let mut kind = Kind::Plain;
        let mut rest = start;
        loop {
            // Reads eight bytes at a time, up to the first special byte, or until fewer than eight are left.
            while let Some((word, after)) = rest.split_first_chunk::<8>() {
                let special = special_bytes(u64::from_le_bytes(*word));
                if special != 0 {
                    rest = rest.get((special.trailing_zeros() / 8) as usize..).unwrap_or_default();
                    break;
                }
                rest = after;
            }
            match *rest {
                [b'"', ref after @ ..] => {
                    self.rest = after;
                    return Ok(Value { written: up_to(start, rest), kind });
                }
                [b'\\', ref after @ ..] => {
                    kind = Kind::Escaped;
                    rest = after_escape(after)?;
                }
                [0..=0x1F, ..] => return Err(Stop::Broken),
                [_, ref after @ ..] => rest = after,
                [] => return Err(Stop::Cut),
            }
        }
    }

    /// A number or a literal.
    fn scalar(&mut self, first: u8) -> Result<Kind, Stop> {
        match first {
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(Stop::Broken),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<Kind, Stop> {
        for &byte in word {
            if self.rest.is_empty() {
                return Err(Stop::Cut);
            }
            if !self.take(byte) {
                return Err(Stop::Broken);
            }
        }
        Ok(Kind::Literal)
    }

    /// RFC 8259 §6.
    fn number(&mut self) -> Result<Kind, Stop> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Stop> {
        match self.rest.first() {
            None => return Err(Stop::Cut),
            Some(byte) if !byte.is_ascii_digit() => return Err(Stop::Broken),
            Some(_) => {}
        }
        while let [b'0'..=b'9', after @ ..] = self.rest {
            self.rest = after;
        }
        Ok(())
    }
}

impl<'a> Value<'a> {
    /// The elements of an array; none of anything else.
    pub(crate) fn elements(self) -> impl Iterator<Item = Value<'a>> {
        let mut scanner = Scanner { rest: if self.is_array() { self.written } else { b"" } };
        let mut before = b'[';
        std::iter::from_fn(move || {
            scanner.require(before).ok()?;
            before = b',';
            // The array is valid, so only its end can fail to be a value.
            scanner.value().ok()
        })
    }
}

/// The part of `start` before `rest`. `rest` must be the end of `start`.
#[inline]
fn up_to<'a>(start: &'a [u8], rest: &[u8]) -> &'a [u8] {
    start.get(..start.len().saturating_sub(rest.len())).unwrap_or_default()
}

/// The text after a string whose opening quote was taken. Does not check the content of the string.
fn after_loose_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match *rest {
            [b'"', ref after @ ..] => return Some(after),
            [b'\\', _, ref after @ ..] | [_, ref after @ ..] => after,
            [] => return None,
        };
    }
}

/// The text after an escape whose backslash was taken.
fn after_escape(rest: &[u8]) -> Result<&[u8], Stop> {
    match rest {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', after @ ..] => Ok(after),
        [b'u', after @ ..] => {
            let digits = after.iter().take(4);
            match (digits.clone().all(u8::is_ascii_hexdigit), after.get(4..)) {
                (true, Some(after)) => Ok(after),
                (true, None) => Err(Stop::Cut),
                (false, _) => Err(Stop::Broken),
            }
        }
        [] => Err(Stop::Cut),
        _ => Err(Stop::Broken),
    }
}

/// Marks the bytes of a word that are special in a string: quotes, backslashes and control characters. Only the lowest
/// mark is exact: bytes above a marked byte may be marked by mistake.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    // Flipping this bit turns a quote into a space, which is next to the control characters, and keeps every control
    // character in their range. So one subtraction finds both.
    let quote_or_control = (word ^ each(b'"' ^ b' ')).wrapping_sub(each(b' ' + 1));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    let plain = !quote_or_control & !backslash;
    !plain & !word & each(0x80)
}

/// The open brackets, one bit each: 1 for an object, 0 for an array.
#[derive(Default)]
struct Brackets {
    /// The innermost brackets, up to 64. The last one is the lowest bit.
    inner: u64,
    depth: usize,
    /// The outer brackets, 64 in each word.
    outer: Vec<u64>,
}

impl Brackets {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth % 64 == 0 {
            self.outer.push(self.inner);
        }
        self.depth = self.depth.saturating_add(1);
        self.inner = self.inner.wrapping_mul(2).wrapping_add(u64::from(object));
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.inner >>= 1;
        if self.depth % 64 == 0 {
            self.inner = self.outer.pop().unwrap_or(0);
        }
    }

    fn in_object(&self) -> bool {
        self.inner & 1 == 1
    }

    fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

#[cfg(test)]
mod tests {
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
}
