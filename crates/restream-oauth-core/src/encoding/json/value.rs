//! A JSON value, as written.

use super::string;
use crate::secret::CleanText;

/// A value whose grammar is checked, and which is not converted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    /// The text as written; for a string, the text between the quotes.
    pub(super) written: &'a [u8],
    pub(super) kind: Kind,
}

/// As wide as a word, for the same reason as the scanner's `Stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Kind {
    /// A string of ASCII characters, without escapes.
    Ascii,
    /// A string without escapes, which may have other characters, or bytes that are not UTF-8.
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
    /// The text as written; for a string, the text between the quotes, with its escapes.
    pub(crate) fn written(self) -> &'a [u8] {
        self.written
    }

    /// True for a string without escapes.
    pub(crate) fn is_plain_string(self) -> bool {
        matches!(self.kind, Kind::Ascii | Kind::Plain)
    }

    pub(crate) fn is_string(self) -> bool {
        matches!(self.kind, Kind::Ascii | Kind::Plain | Kind::Escaped)
    }

    /// True for a string of at least one character; false if it has a lone surrogate, or is not UTF-8.
    pub(crate) fn is_text(self) -> bool {
        let is_ascii = self.kind == Kind::Ascii && !self.written.is_empty();
        is_ascii || self.string().is_some_and(|text| !text.is_empty())
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

    /// True for every value except `null`, `""` and `[]`.
    pub(crate) fn holds_something(self) -> bool {
        !(self.written.is_empty() || self.is_null() || (self.is_array() && self.written == b"[]"))
    }

    /// True for a number of any size without sign, fraction and exponent.
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

    /// A number without sign, fraction and exponent; `None` if it does not fit 64 bits.
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

    /// The text of a string; `None` if the value is not a string, has a lone surrogate, or is not UTF-8.
    pub(crate) fn string(self) -> Option<CleanText<'a>> {
        match self.kind {
            Kind::Ascii | Kind::Plain => std::str::from_utf8(self.written).ok().map(CleanText::Borrowed),
            Kind::Escaped => string::unescaped(self.written).map(CleanText::Owned),
            _ => None,
        }
    }

    /// True if the value shows its own end, like a string, an object or an array. More digits or letters could belong
    /// to a number or a literal.
    pub(super) fn is_closed(self) -> bool {
        !matches!(self.kind, Kind::Number | Kind::Literal)
    }
}
