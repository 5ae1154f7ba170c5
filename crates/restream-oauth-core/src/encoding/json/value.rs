//! A value, as it is written.

use super::string;
use crate::secret::CleanText;

/// A value of which nothing but the grammar was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    /// As it is written; of a string, what stands between its quotes.
    pub(super) written: &'a [u8],
    pub(super) kind: Kind,
}

/// As wide as a word, for the reason that the scanner's `Stop` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Kind {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Number,
    Object,
    Array,
    /// `true`, `false` or `null`.
    Literal,
}

impl<'a> Value<'a> {
    /// What is written: of a string, what stands between its quotes, escapes not resolved.
    pub(crate) fn written(self) -> &'a [u8] {
        self.written
    }

    /// True for a string without escapes.
    pub(crate) fn is_plain_string(self) -> bool {
        self.kind == Kind::Plain
    }

    pub(crate) fn is_string(self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Escaped)
    }

    pub(crate) fn is_object(self) -> bool {
        self.kind == Kind::Object
    }

    pub(crate) fn is_array(self) -> bool {
        self.kind == Kind::Array
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind == Kind::Literal && self.written == b"null"
    }

    /// True but for `null`, `""` and `[]`.
    pub(crate) fn holds_something(self) -> bool {
        !(self.written.is_empty() || self.is_null() || (self.is_array() && self.written == b"[]"))
    }

    /// True for a number without sign, fraction and exponent, of any size.
    pub(crate) fn is_whole(self) -> bool {
        self.kind == Kind::Number && self.written.iter().all(u8::is_ascii_digit)
    }

    pub(crate) fn boolean(self) -> Option<bool> {
        match (self.kind, self.written) {
            (Kind::Literal, b"true") => Some(true),
            (Kind::Literal, b"false") => Some(false),
            _ => None,
        }
    }

    /// A number without sign, fraction and exponent, if it fits.
    pub(crate) fn integer(self) -> Option<u64> {
        if self.kind != Kind::Number {
            return None;
        }
        let mut value = 0_u64;
        for byte in self.written {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
        Some(value)
    }

    /// The text of a string: `None` if it is none, has a lone surrogate, or is not UTF-8.
    pub(crate) fn string(self) -> Option<CleanText<'a>> {
        match self.kind {
            Kind::Plain => std::str::from_utf8(self.written).ok().map(CleanText::Borrowed),
            Kind::Escaped => string::unescaped(self.written).map(CleanText::Owned),
            _ => None,
        }
    }

    /// True if what follows cannot belong to it any more.
    pub(super) fn is_closed(self) -> bool {
        !matches!(self.kind, Kind::Number | Kind::Literal)
    }
}
