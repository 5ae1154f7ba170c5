//! Reading JSON without losing what was read when the rest is broken.
//!
//! `serde_json` drops a visitor's own state at an error, so members are handed to a closure as soon as they are
//! whole. Values stay raw text: a bad one costs only itself, whatever it holds (deep nesting, `1e400`, lone
//! surrogates). Keys are bytes, for the same reason.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde_core::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// How the reading of a JSON text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One whole value and nothing after it.
    Complete,
    /// One whole value and something after it.
    Followed,
    /// The text ends within the value.
    Cut,
    /// The text breaks JSON's grammar.
    Broken,
}

/// Calls `on_member` with the key and the raw value of each whole member of the object in `text`, in order.
///
/// A number counts only once the next token was read: at the end of a cut text it may be cut itself.
pub(crate) fn members<'a>(text: &'a str, on_member: impl FnMut(&[u8], &'a str)) -> Shape {
    walk(text, '{', Members(on_member))
}

/// Calls `on_element` with the raw text of each element of the array in `text`.
pub(crate) fn elements<'a>(text: &'a str, on_element: impl FnMut(&'a str)) -> Shape {
    walk(text, '[', Elements(on_element))
}

/// The text of a JSON string: `None` if `raw` is not a string or has a lone surrogate.
pub(crate) fn string(raw: &str) -> Option<CleanText<'_>> {
    let inner = inside_quotes(raw)?;
    if !inner.contains('\\') {
        return Some(CleanText::AsItStands(inner));
    }
    // Unescaped text is never longer, so the buffer never grows and leaves no copy.
    let mut out = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        out.push(if character == '\\' { unescape(&mut rest)? } else { character });
    }
    Some(CleanText::Made(out))
}

/// Text where it stands in an answer, or made from it (unescaped, cleared of secrets) in wiped memory.
pub(crate) enum CleanText<'a> {
    AsItStands(&'a str),
    Made(Zeroizing<String>),
}

impl CleanText<'_> {
    pub(crate) fn into_owned(self) -> Zeroizing<String> {
        match self {
            Self::AsItStands(text) => Zeroizing::new(text.to_owned()),
            Self::Made(text) => text,
        }
    }
}

impl Deref for CleanText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::AsItStands(text) => text,
            Self::Made(text) => text,
        }
    }
}

/// The inside of a JSON string, escapes not yet resolved.
pub(crate) fn inside_quotes(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?.strip_suffix('"')
}

/// Appends `text` as a JSON string to `out`; it needs at most six bytes a byte and two for the quotes.
pub(crate) fn write_string(out: &mut String, text: &str) {
    use fmt::Write as _;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1F' => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn walk<'a, S: DeserializeSeed<'a, Value = ()>>(text: &'a str, opening: char, seed: S) -> Shape {
    match text.trim_start_matches([' ', '\t', '\n', '\r']) {
        "" => return Shape::Cut,
        value if value.starts_with(opening) => {}
        // serde_json would copy a string of another type into its error.
        _ => return Shape::Broken,
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match seed.deserialize(&mut deserializer) {
        Ok(()) if deserializer.end().is_ok() => Shape::Complete,
        Ok(()) => Shape::Followed,
        Err(error) if error.is_eof() => Shape::Cut,
        Err(_) => Shape::Broken,
    }
}

fn unescape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'b' => '\u{8}',
        'f' => '\u{C}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = hex_unit(rest)?;
            let mut units = [first, 0];
            let length = if (0xD800..0xDC00).contains(&first) {
                if rest.next() != Some('\\') || rest.next() != Some('u') {
                    return None;
                }
                units = [first, hex_unit(rest)?];
                2
            } else {
                1
            };
            let mut decoded = char::decode_utf16(units.into_iter().take(length));
            match (decoded.next(), decoded.next()) {
                (Some(Ok(character)), None) => character,
                _ => return None,
            }
        }
        other @ ('"' | '\\' | '/') => other,
        _ => return None,
    })
}

fn hex_unit(rest: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        unit = unit << 4 | u16::try_from(rest.next()?.to_digit(16)?).ok()?;
    }
    Some(unit)
}

struct Members<F>(F);

impl<'de, F: FnMut(&[u8], &'de str)> DeserializeSeed<'de> for Members<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&[u8], &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut open: Option<(Cow<'de, [u8]>, &'de str)> = None;
        loop {
            let key = map.next_key_seed(Key)?;
            if let Some((key, raw)) = open.take() {
                (self.0)(&key, raw);
            }
            let Some(key) = key else { return Ok(()) };
            let raw = map.next_value::<&'de RawValue>()?.get();
            if raw.ends_with(['"', '}', ']']) {
                (self.0)(&key, raw);
            } else {
                open = Some((key, raw));
            }
        }
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de str)> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(raw) = sequence.next_element::<&'de RawValue>()? {
            (self.0)(raw.get());
        }
        Ok(())
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_bytes<E: serde_core::de::Error>(self, key: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_bytes<E: serde_core::de::Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }

    fn visit_borrowed_str<E: serde_core::de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, Shape) {
        let mut found = Vec::new();
        let shape = members(text, |key, raw| found.push((String::from_utf8_lossy(key).into(), raw.to_owned())));
        (found, shape)
    }

    fn pair(key: &str, raw: &str) -> (String, String) {
        (key.to_owned(), raw.to_owned())
    }

    #[test]
    fn members_come_in_order_with_their_raw_values() {
        let (found, shape) = read(r#" {"a": "x", "b" :[1, {}],"c":1e400,"a":null} "#);
        assert_eq!(shape, Shape::Complete);
        assert_eq!(found, [pair("a", "\"x\""), pair("b", "[1, {}]"), pair("c", "1e400"), pair("a", "null")]);
    }

    #[test]
    fn whole_members_of_a_cut_text_are_kept_but_a_number_at_the_cut_is_not() {
        assert_eq!(read(r#"{"a":"x","b":36"#), (vec![pair("a", "\"x\"")], Shape::Cut));
        assert_eq!(read(r#"{"a":"x","b":"#), (vec![pair("a", "\"x\"")], Shape::Cut));
        assert_eq!(read(r#"{"b":36,"#), (vec![], Shape::Cut));
        assert_eq!(read(r#"{"b":36,"c""#), (vec![pair("b", "36")], Shape::Cut));
    }

    #[test]
    fn whole_members_before_broken_grammar_or_something_else_are_kept() {
        assert_eq!(read(r#"{"a":"x","b":tru,"c":1}"#), (vec![pair("a", "\"x\"")], Shape::Broken));
        assert_eq!(read(r#"{"a":"x"} trailing"#), (vec![pair("a", "\"x\"")], Shape::Followed));
    }

    #[test]
    fn other_values_than_objects_have_no_members() {
        for text in ["[]", "3", "\"a\"", "null", "<html>"] {
            assert_eq!(read(text), (vec![], Shape::Broken), "{text}");
        }
        assert_eq!(read(""), (vec![], Shape::Cut));
    }

    #[test]
    fn deep_nesting_and_lone_surrogates_cost_nothing() {
        let deep = format!(r#"{{"x":{}1{},"\ud800":"\udfff","a":"x"}}"#, "[".repeat(200_000), "]".repeat(200_000));
        let (found, shape) = read(&deep);
        assert_eq!(shape, Shape::Complete);
        assert_eq!(found.last(), Some(&pair("a", "\"x\"")));
    }

    #[test]
    fn strings_are_unescaped() {
        let cases = [
            (r#""plain é""#, Some("plain é")),
            (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{C}\n\r\t")),
            (r#""\u0041\u20AC\ud83d\ude00""#, Some("A€😀")),
            (r#""\ud800""#, None),
            (r#""\ud800\u0041""#, None),
            (r#""\ud800x""#, None),
            (r#""\udc00""#, None),
            ("12", None),
            ("null", None),
        ];
        for (raw, expected) in cases {
            assert_eq!(string(raw).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn written_strings_are_read_back_by_serde_json() {
        let text = "a\"b\\c\u{0}\u{1F}\n\u{7F}é😀";
        let mut out = String::new();
        write_string(&mut out, text);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        assert_eq!(&*string(&out).unwrap(), text);
    }

    #[test]
    fn elements_of_an_array_are_raw() {
        let mut found = Vec::new();
        assert_eq!(elements(r#"["a", 1, null]"#, |raw| found.push(raw.to_owned())), Shape::Complete);
        assert_eq!(found, ["\"a\"", "1", "null"]);
    }
}
