//! Cleans the server's messages for people: redacts the secrets of the call, escapes all characters outside the set of
//! RFC 6749 §5.2, and truncates. A cleaned message is still kept apart from our own messages.

use super::form::hex_digit;
use super::text::any_byte;
use crate::secret::{CleanText, SecretText};

/// The longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 512;
/// The longest error code that is kept, in characters.
const LONGEST_CODE: usize = 64;
/// [`LONGEST_CODE`] plus the three dots that mark a truncated code.
#[cfg(feature = "serde")]
pub(crate) const LONGEST_PRINTED_CODE: usize = LONGEST_CODE + 3;
/// In bytes. A shorter secret hides the whole text: the gaps left in the text would reveal the secret.
const SHORTEST_TO_CUT: usize = 4;
const CUT_OUT: &str = "[redacted]";

/// Cleans a message for people.
pub(crate) fn message(text: &str, secrets: &[CleanText<'_>]) -> Box<str> {
    printable(text, secrets, LONGEST_MESSAGE)
}

/// Cleans an unknown error code or token type.
pub(crate) fn code(text: &str, secrets: &[CleanText<'_>]) -> Box<str> {
    printable(text, secrets, LONGEST_CODE)
}

/// Redacts each secret in `text`. Returns `text` itself if it has no secret.
pub(crate) fn redacted<'a>(text: &'a str, secrets: &[CleanText<'_>]) -> CleanText<'a> {
    let parts = || Parts::of(text, secrets);
    if parts().all(|part| matches!(part, Part::Plain(_))) {
        return CleanText::Borrowed(text);
    }
    let mut length = 0_usize;
    for part in parts() {
        length = length.saturating_add(match part {
            Part::Plain(plain) => plain.len(),
            Part::Secret => CUT_OUT.len(),
            Part::Hidden => return CleanText::Borrowed(CUT_OUT),
        });
    }
    let mut clean = SecretText::with_capacity(length);
    for part in parts() {
        match part {
            Part::Plain(plain) => clean.push_str(plain),
            Part::Secret | Part::Hidden => clean.push_str(CUT_OUT),
        }
    }
    CleanText::Owned(clean)
}

fn printable(text: &str, secrets: &[CleanText<'_>], longest: usize) -> Box<str> {
    let mut out = Cut { text: String::with_capacity(text.len().min(longest)), left: longest };
    for part in Parts::of(text, secrets) {
        let fits = match part {
            Part::Plain(plain) if !any_byte(plain.as_bytes(), |byte| !is_plain(byte)) && out.push(plain) => true,
            Part::Plain(plain) => plain.chars().all(|character| {
                if character.is_ascii() && is_plain(character as u8) {
                    out.push(character.encode_utf8(&mut [0; 4]))
                } else {
                    out.push(&escaped(character))
                }
            }),
            Part::Secret => out.push(CUT_OUT),
            Part::Hidden => return CUT_OUT.into(),
        };
        if !fits {
            out.text.push_str("...");
            break;
        }
    }
    out.text.into()
}

/// Writes a character as in the source of a Rust program: `\n`, `\"`, `\u{202e}`. `char::escape_default` and the
/// formatting that it needs would cost a page 1.2 KB.
fn escaped(character: char) -> String {
    let mut escaped = String::from("\\");
    match character {
        '\t' => escaped.push('t'),
        '\r' => escaped.push('r'),
        '\n' => escaped.push('n'),
        '"' | '\\' => escaped.push(character),
        _ => {
            escaped.push_str("u{");
            let code = u32::from(character);
            // Without zeros at the front.
            for shift in [20, 16, 12, 8, 4, 0].into_iter().filter(|&shift| shift == 0 || code >> shift != 0) {
                escaped.extend(char::from_digit(code >> shift & 0x0F, 16));
            }
            escaped.push('}');
        }
    }
    escaped
}

/// RFC 6749 §5.2: visible ASCII characters and the space, without `"` and `\`.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Text that is truncated at a length.
struct Cut {
    text: String,
    left: usize,
}

impl Cut {
    /// Appends the text if all of it fits.
    fn push(&mut self, text: &str) -> bool {
        let left = self.left.checked_sub(text.len());
        if let Some(left) = left {
            self.left = left;
            self.text.push_str(text);
        }
        left.is_some()
    }
}

/// A part of a text.
#[derive(Clone, Copy)]
enum Part<'a> {
    Plain(&'a str),
    /// A secret, or several overlapping secrets.
    Secret,
    /// Means that the whole text must be hidden.
    Hidden,
}

/// Splits a text into parts. Finds a secret in plain text, and percent-encoded in any way.
struct Parts<'a> {
    rest: &'a str,
    secrets: &'a [CleanText<'a>],
    /// The bytes with which a secret may begin, plain or encoded.
    beginnings: [bool; 256],
    /// The number of byte comparisons that are left. It bounds the time for a text that repeats the beginning of a
    /// secret.
    comparisons: usize,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, secrets: &'a [CleanText<'a>]) -> Self {
        const SLACK: usize = 4096;
        let mut beginnings = [false; 256];
        let first_bytes = secrets.iter().filter_map(|secret| secret.bytes().next());
        for byte in first_bytes.chain([b'%', b'+']) {
            if let Some(beginning) = beginnings.get_mut(usize::from(byte)) {
                *beginning = true;
            }
        }
        let comparisons = text.len().saturating_mul(16).saturating_add(SLACK);
        Self { rest: text, secrets, beginnings, comparisons }
    }

    /// True for a byte with which a secret may begin. Such a byte is the first of its character.
    fn is_beginning(&self, byte: u8) -> bool {
        self.beginnings.get(usize::from(byte)) == Some(&true)
    }

    /// The length of the longest secret at the beginning of `text`, in the spelling of `text`.
    fn secret_at(&mut self, text: &str) -> Option<usize> {
        let first = text.bytes().next()?;
        if !self.is_beginning(first) {
            return None;
        }
        let mut longest = None;
        for secret in self.secrets {
            for encoded in [false, true] {
                longest = longest.max(self.spelled(text.as_bytes(), secret.as_bytes(), encoded));
            }
        }
        longest
    }

    fn spelled(&mut self, text: &[u8], secret: &[u8], encoded: bool) -> Option<usize> {
        let mut rest = text;
        for &byte in secret {
            rest = match *rest {
                [b'%', high, low, ref after @ ..] if encoded && is_escape(high, low, byte) => after,
                [b'+', ref after @ ..] if encoded && byte == b' ' => after,
                // An encoder always encodes `%`.
                [same, ref after @ ..] if same == byte && !(encoded && byte == b'%') => after,
                _ => return None,
            };
            self.comparisons = self.comparisons.saturating_sub(1);
            if self.comparisons == 0 {
                return None;
            }
        }
        let length = text.len().saturating_sub(rest.len());
        (length > 0).then_some(length)
    }

    /// Takes this many bytes, and more up to the end of a character.
    fn take(&mut self, bytes: usize) -> &'a str {
        let ends = bytes..=self.rest.len();
        let end = ends.into_iter().find(|&end| self.rest.is_char_boundary(end)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn hide(&mut self) -> Part<'a> {
        self.rest = "";
        Part::Hidden
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let text = self.rest;
        let plain = text.bytes().position(|byte| self.is_beginning(byte)).unwrap_or(text.len());
        if plain > 0 {
            return Some(Part::Plain(self.take(plain)));
        }
        if text.is_empty() {
            return None;
        }
        let found = self.secret_at(text);
        let mut end = found.unwrap_or(1);
        // A secret that begins inside another one belongs to the same part.
        for (start, _) in text.char_indices().take_while(|_| found.is_some()) {
            if start >= end {
                break;
            }
            let overlapping = text.get(start..).and_then(|text| self.secret_at(text));
            end = end.max(start.saturating_add(overlapping.unwrap_or(0)));
        }
        let taken = self.take(end);
        Some(match found {
            _ if self.comparisons == 0 => self.hide(),
            None => Part::Plain(taken),
            Some(_) if end < SHORTEST_TO_CUT => self.hide(),
            Some(_) => Part::Secret,
        })
    }
}

fn is_escape(high: u8, low: u8, byte: u8) -> bool {
    hex_digit(high) == Some(byte >> 4) && hex_digit(low) == Some(byte & 0x0F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets<'a>(all: &[&'a str]) -> Vec<CleanText<'a>> {
        all.iter().map(|&secret| CleanText::Borrowed(secret)).collect()
    }

    #[test]
    fn rfc_6749_5_2_characters_outside_the_set_are_escaped() {
        let shown = message("a\u{1B}[31m\r\n\"\\\u{202E}é", &[]);
        assert_eq!(&*shown, r#"a\u{1b}[31m\r\n\"\\\u{202e}\u{e9}"#);
        for character in ('\0'..=char::MAX).filter(|character| !character.is_ascii() || !is_plain(*character as u8)) {
            assert_eq!(escaped(character), character.escape_default().to_string());
        }
        let plain: String = (' '..='~').filter(|character| !matches!(character, '"' | '\\')).collect();
        assert_eq!(&*message(&plain, &[]), plain);
        assert_eq!(&*message(&format!("{plain}é"), &[]), plain + r"\u{e9}");
    }

    #[test]
    fn a_long_text_is_truncated() {
        let shown = message(&"x".repeat(1 << 20), &[]);
        assert_eq!(shown.len(), LONGEST_MESSAGE + 3);
        assert_eq!(code(&"\u{202E}".repeat(1000), &[]).len(), LONGEST_CODE + 3);
    }

    #[test]
    fn secrets_are_redacted_before_the_text_is_truncated_or_escaped() {
        let text = format!("{}s3cret\"x bad s3cret\"x", "y".repeat(509));
        let shown = message(&text, &secrets(&["s3cret\"x"]));
        assert!(!shown.contains("s3c"), "{shown}");
        assert_eq!(&*message("token abcd is bad", &secrets(&["", "abcd"])), "token [redacted] is bad");
    }

    #[test]
    fn a_secret_too_short_to_redact_hides_the_whole_text() {
        assert_eq!(&*message("bad token", &secrets(&["b"])), "[redacted]");
        assert_eq!(&*message("code 17", &secrets(&["b"])), "code 17");
    }

    #[test]
    fn secrets_are_found_in_every_encoding() {
        let secret = "s3 %25+/~é&";
        for spelling in
            [secret, "s3+%2525%2B%2F~%C3%A9%26", "s3%20%2525%2b%2f%7e%c3%a9%26", "%73%33+%25%32%35%2B/%7E%C3%A9%26"]
        {
            assert_eq!(&*message(&format!("a {spelling} b"), &secrets(&[secret])), "a [redacted] b", "{spelling}");
            assert_eq!(&*redacted(&format!("a {spelling} é"), &secrets(&[secret])), "a [redacted] é", "{spelling}");
        }
        assert_eq!(&*message("s3 %25", &secrets(&[secret])), "s3 %25", "a part of a secret is not the secret");
        // A plus stands only for a space of the secret.
        for other in ["s3+%25+/~+&", "+3 %25", "abc+", "a+cd", "%61b%63%65", "%71bcd", "ab%62d"] {
            assert_eq!(&*message(other, &secrets(&[secret, "abcd"])), other);
        }
    }

    #[test]
    fn overlapping_secrets_are_redacted_together() {
        for (text, expected) in
            [("xabcdefghx", "x[redacted]x"), ("abcdabcdefgh", "[redacted][redacted]"), ("cdefgh", "[redacted]")]
        {
            assert_eq!(&*message(text, &secrets(&["abcd", "cdefgh"])), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_repeats_the_beginning_of_a_secret_is_hidden() {
        let secret = format!("{}b", "a".repeat(65_536));
        let text = "a".repeat(65_536);
        assert_eq!(&*message(&text, &secrets(&[&secret])), "[redacted]");
        assert_eq!(&*redacted(&text, &secrets(&[&secret])), "[redacted]");
    }

    #[test]
    fn a_text_without_a_secret_is_not_copied() {
        assert!(matches!(redacted("plain", &secrets(&["s3cret"])), CleanText::Borrowed("plain")));
    }
}
