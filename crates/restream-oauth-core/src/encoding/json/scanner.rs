//! The grammar of JSON (RFC 8259 §2 to §7), checked in one pass over the bytes.

use super::string::unescaped;
use super::string_end::{self, StringEnd};
use super::value::{Kind, Value};

/// Why a value is not whole. As wide as a word for speed: with a narrower tag, the compiler copies each result in
/// several pieces that depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Stop {
    Cut,
    Broken,
}

/// What to call with the key and the value of each member.
type OnMember<'f, 'a> = &'f mut dyn FnMut(&[u8], Value<'a>);

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    /// The place of the next byte.
    at: usize,
    /// True only if all bytes so far are ASCII.
    pub(super) is_ascii: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, is_ascii: true }
    }

    /// The unread text.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Calls `on_member` with each whole member of an object. Skips a value that has a syntax error, and reports it at
    /// the end.
    ///
    /// Not generic, because a page would download one copy for each kind of answer.
    pub(super) fn members(&mut self, on_member: OnMember<'_, 'a>) -> Result<(), Stop> {
        let mut broken = false;
        let end = self.each_member(on_member, &mut broken);
        if broken { Err(Stop::Broken) } else { end }
    }

    #[inline]
    fn each_member(&mut self, on_member: OnMember<'_, 'a>, broken: &mut bool) -> Result<(), Stop> {
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
            let start = self.at;
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
                    self.at = start;
                    b'?'
                }
            };
            let next = match next {
                b',' | b'}' => next,
                _ => {
                    *broken = true;
                    self.at = end_of_broken_value(self.text, self.at);
                    self.token()?
                }
            };
            self.skip();
            if next == b'}' {
                return Ok(());
            }
        }
    }

    /// Skips white space, and returns the next byte without taking it.
    #[inline]
    pub(super) fn token(&mut self) -> Result<u8, Stop> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.skip(),
                Some(byte) => return Ok(byte),
                None => return Err(Stop::Cut),
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

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes the next byte, which must be there: so the place cannot overflow.
    #[inline]
    fn skip(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    /// Takes the next byte if it is this one.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.skip();
        }
        is_next
    }

    #[inline]
    pub(super) fn value(&mut self) -> Result<Value<'a>, Stop> {
        let (kind, end) = match self.token()? {
            b'"' => {
                self.skip();
                return self.string();
            }
            b'{' => (Kind::Object, end_of_nested(self.text, self.at)?),
            b'[' => (Kind::Array, end_of_nested(self.text, self.at)?),
            b'-' | b'0'..=b'9' => (Kind::Number, end_of_number(self.text, self.at)?),
            _ => (Kind::Literal, end_of_literal(self.text, self.at)?),
        };
        let written = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        // A number or a literal is always ASCII.
        self.is_ascii &= !matches!(kind, Kind::Object | Kind::Array) || written.is_ascii();
        Ok(Value { written, kind })
    }

    /// A string whose opening quote was taken.
    #[inline]
    fn string(&mut self) -> Result<Value<'a>, Stop> {
        let start = self.at;
        let (end, kind) = match string_end::find(self.text, start) {
            (end, StringEnd::Ascii) => (end, Kind::Ascii),
            (end, StringEnd::Plain) => (end, Kind::Plain),
            (end, StringEnd::Escaped) => (end, Kind::Escaped),
            (_, StringEnd::Cut) => return Err(Stop::Cut),
            (_, StringEnd::Broken) => return Err(Stop::Broken),
        };
        let written = self.text.get(start..end).unwrap_or_default();
        self.at = end.wrapping_add(1);
        self.is_ascii &= kind == Kind::Ascii || (kind == Kind::Escaped && written.is_ascii());
        Ok(Value { written, kind })
    }

    /// Takes the next value, if it is a whole string.
    pub(super) fn value_if_string(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        let value = self.require(b'"').and_then(|()| self.string());
        if value.is_err() {
            self.at = start;
        }
        value.ok()
    }

    /// The next text between quotes. Ignores everything before it, and does not check its content.
    pub(super) fn next_loose_string(&mut self) -> Option<Value<'a>> {
        let quote = self.rest().iter().position(|&byte| byte == b'"')?;
        let start = self.at.saturating_add(quote).saturating_add(1);
        let end = end_of_loose_string(self.text, start)?;
        let written = self.text.get(start..end).unwrap_or_default();
        self.at = end.saturating_add(1);
        let kind = if written.contains(&b'\\') { Kind::Escaped } else { Kind::Plain };
        Some(Value { written, kind })
    }

    fn skip_key(&mut self) -> Result<(), Stop> {
        self.require(b'"')?;
        self.string()?;
        self.require(b':')
    }

    /// One digit or more.
    #[inline]
    fn digits(&mut self) -> Result<(), Stop> {
        if !self.peek().ok_or(Stop::Cut)?.is_ascii_digit() {
            return Err(Stop::Broken);
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.skip();
        }
        Ok(())
    }
}

/// The end of an object or array of any depth. Each open bracket takes one bit of memory.
fn end_of_nested(text: &[u8], start: usize) -> Result<usize, Stop> {
    let mut scanner = Scanner { text, at: start, is_ascii: true };
    let mut open = Brackets::default();
    loop {
        match scanner.token()? {
            bracket @ (b'{' | b'[') => {
                scanner.skip();
                open.push(bracket == b'{');
                let token = scanner.token()?;
                if bracket == b'[' && token != b']' {
                    continue;
                }
                if bracket == b'{' && token != b'}' {
                    scanner.skip_key()?;
                    continue;
                }
            }
            b'"' => {
                scanner.skip();
                scanner.string()?;
            }
            b'-' | b'0'..=b'9' => scanner.at = end_of_number(text, scanner.at)?,
            _ => scanner.at = end_of_literal(text, scanner.at)?,
        }
        // The value is whole. Either another value follows, or the object or array around it ends.
        loop {
            let token = scanner.token()?;
            scanner.skip();
            match (token, open.in_object()) {
                (b',', true) => scanner.skip_key()?,
                (b',', false) => {}
                (b'}', true) | (b']', false) => {
                    open.pop();
                    if open.is_empty() {
                        return Ok(scanner.at);
                    }
                    continue;
                }
                _ => return Err(Stop::Broken),
            }
            break;
        }
    }
}

fn end_of_literal(text: &[u8], start: usize) -> Result<usize, Stop> {
    let rest = text.get(start..).unwrap_or_default();
    let word: &[u8] = match rest {
        [b't', ..] => b"true",
        [b'f', ..] => b"false",
        [b'n', ..] => b"null",
        _ => return Err(Stop::Broken),
    };
    match rest {
        _ if rest.starts_with(word) => Ok(start.saturating_add(word.len())),
        _ if word.starts_with(rest) => Err(Stop::Cut),
        _ => Err(Stop::Broken),
    }
}

/// RFC 8259 §6.
fn end_of_number(text: &[u8], start: usize) -> Result<usize, Stop> {
    let mut scanner = Scanner { text, at: start, is_ascii: true };
    scanner.take(b'-');
    if !scanner.take(b'0') {
        scanner.digits()?;
    }
    if scanner.take(b'.') {
        scanner.digits()?;
    }
    if scanner.take(b'e') || scanner.take(b'E') {
        let _sign = scanner.take(b'+') || scanner.take(b'-');
        scanner.digits()?;
    }
    Ok(scanner.at)
}

/// The place of the comma or brace after a value that has a syntax error; the end of the text if there is neither.
/// Assumes that quotes and brackets inside the value have their usual meaning.
#[cold]
fn end_of_broken_value(text: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b',' | b'}' if depth == 0 => break,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = end_of_loose_string(text, at.saturating_add(1)).unwrap_or(text.len()),
            _ => {}
        }
        at = at.saturating_add(1);
    }
    at
}

/// The place of the closing quote of a string whose opening quote was taken. Does not check the content of the string.
fn end_of_loose_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at = at.saturating_add(2),
            _ => at = at.saturating_add(1),
        }
    }
}

impl<'a> Value<'a> {
    /// The elements of an array; none of anything else.
    pub(crate) fn elements(self) -> impl Iterator<Item = Value<'a>> {
        let mut scanner = Scanner::new(if self.is_array() { self.written } else { b"" });
        let mut before = b'[';
        std::iter::from_fn(move || {
            scanner.require(before).ok()?;
            before = b',';
            // The array is valid, so only its end can fail to be a value.
            scanner.value().ok()
        })
    }
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
