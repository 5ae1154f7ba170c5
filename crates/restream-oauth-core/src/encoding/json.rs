//! A JSON reader (RFC 8259) that keeps what it has read when the rest of the text is truncated or has a syntax error.
//!
//! A general parser returns everything or nothing. This scanner checks the whole grammar, copies nothing, and passes
//! each member to a closure as soon as the member is whole. Values stay as written, so an unusable value (deep nesting,
//! `1e400`, a lone surrogate, invalid UTF-8) does not affect the other members.

mod scanner;
mod string;
mod string_end;
mod value;

use scanner::{Scanner, Stop};
pub(crate) use string::write_string;
pub(crate) use value::Value;

/// How a JSON text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One whole value, and nothing after it.
    Complete,
    /// One whole value, and something after it.
    Followed,
    /// The text ends within the value.
    Cut,
    /// The text has a syntax error.
    Broken,
}

/// How a JSON text was read.
pub(crate) struct Reading<'a> {
    pub(crate) shape: Shape,
    /// The unread text: the text after the object, or from the syntax error on.
    pub(crate) rest: &'a [u8],
    /// True only if the whole text is ASCII.
    pub(crate) is_ascii: bool,
}

/// Calls `on_member` with the key and the value of each whole member of the object in `text`, in order.
///
/// A number or a literal counts only if a comma or a brace follows: at the end of a truncated text, it may be truncated
/// itself.
pub(crate) fn read_object<'a>(text: &'a [u8], mut on_member: impl FnMut(&[u8], Value<'a>)) -> Reading<'a> {
    let mut scanner = Scanner::new(text);
    let shape = match scanner.members(&mut on_member) {
        Ok(()) if scanner.token().is_err() => Shape::Complete,
        Ok(()) => Shape::Followed,
        Err(Stop::Cut) => Shape::Cut,
        Err(Stop::Broken) => Shape::Broken,
    };
    Reading { shape, rest: scanner.rest(), is_ascii: shape == Shape::Complete && scanner.is_ascii }
}

/// Like [`read_object`], if only the shape matters.
pub(crate) fn members<'a>(text: &'a [u8], on_member: impl FnMut(&[u8], Value<'a>)) -> Shape {
    read_object(text, on_member).shape
}

/// Calls `on_string` with the key and the value of each `"key": "string"` in `text`, at any depth and with any text
/// around them. The value is `None` if it is not a whole string. Reads each byte at most twice.
pub(crate) fn loose_strings<'a>(text: &'a [u8], mut on_string: impl FnMut(&[u8], Option<Value<'a>>)) {
    let mut scanner = Scanner::new(text);
    while let Some(key) = scanner.next_loose_string() {
        if scanner.require(b':').is_err() {
            continue;
        }
        let value = scanner.value_if_string();
        let decoded = key.string();
        on_string(decoded.as_ref().map_or(key.written, |key| key.as_bytes()), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::SecretText;

    /// Each member as written, strings with their quotes.
    fn read(text: &str) -> (Vec<(String, String)>, Shape) {
        let mut found = Vec::new();
        let key = |key: &[u8]| String::from_utf8(key.to_owned()).unwrap();
        let shape = members(text.as_bytes(), |name, value| found.push((key(name), quoted(value))));
        (found, shape)
    }

    fn quoted(value: Value<'_>) -> String {
        let written = std::str::from_utf8(value.written()).unwrap();
        if value.is_string() { format!("\"{written}\"") } else { written.to_owned() }
    }

    fn pair(key: &str, raw: &str) -> (String, String) {
        (key.to_owned(), raw.to_owned())
    }

    /// The text of the only member of an object.
    fn string(raw: &str) -> Option<String> {
        let text = format!("{{\"a\":{raw}}}");
        let mut found = None;
        assert_eq!(
            members(text.as_bytes(), |_, value| found = value.string().map(|text| text.to_string())),
            Shape::Complete
        );
        found
    }

    #[test]
    fn members_come_in_order_with_their_raw_values() {
        let (found, shape) = read(r#" {"a": "x", "b" :[1, {}],"c":1e400,"a":null} "#);
        assert_eq!(shape, Shape::Complete);
        assert_eq!(found, [pair("a", "\"x\""), pair("b", "[1, {}]"), pair("c", "1e400"), pair("a", "null")]);
    }

    #[test]
    fn whole_members_of_a_truncated_text_are_kept_but_a_number_at_its_end_is_not() {
        assert_eq!(read(r#"{"a":"x","b":36"#), (vec![pair("a", "\"x\"")], Shape::Cut));
        assert_eq!(read(r#"{"a":"x","b":"#), (vec![pair("a", "\"x\"")], Shape::Cut));
        assert_eq!(read(r#"{"b":36"#), (vec![], Shape::Cut));
        assert_eq!(read(r#"{"b":36,"#), (vec![pair("b", "36")], Shape::Cut));
        assert_eq!(read(r#"{"b":null"#), (vec![], Shape::Cut));
    }

    #[test]
    fn a_value_with_a_syntax_error_does_not_affect_other_members() {
        for broken in [
            "tru",
            "NaN",
            "",
            "03",
            "1 2",
            "+1",
            "'x'",
            "[1,2}",
            r#"{"x":1,"y"}"#,
            r#"{"c":"]},","d":[{NaN,{}}]}"#,
            "\"a\tb\"",
            r#""a\xb\\\",""#,
            r#"["]}","\"]}"x]"#,
        ] {
            let text = format!(r#"{{"a":"x","b":{broken},"c":"y"}}"#);
            assert_eq!(read(&text), (vec![pair("a", "\"x\""), pair("c", "\"y\"")], Shape::Broken), "{broken}");
            for cut in 0..text.len() {
                let (found, shape) = read(&text[..cut]);
                assert!(found.len() <= 1 || cut == text.len() - 1, "{broken} cut at {cut}");
                assert!(matches!(shape, Shape::Cut | Shape::Broken), "{broken} cut at {cut}");
            }
        }
        // A bracket that is never closed swallows the members after it.
        assert_eq!(read(r#"{"a":"x","b":[NaN,"c":"y"}"#), (vec![pair("a", "\"x\"")], Shape::Broken));
    }

    #[test]
    fn whole_members_before_a_syntax_error_or_trailing_text_are_kept() {
        assert_eq!(read(r#"{"a":"x",b:1,"c":1}"#), (vec![pair("a", "\"x\"")], Shape::Broken));
        assert_eq!(read(r#"{"a":"x","b" 1,"c":1}"#), (vec![pair("a", "\"x\"")], Shape::Broken));
        assert_eq!(read(r#"{"a":"x",}"#), (vec![pair("a", "\"x\"")], Shape::Broken));
        assert_eq!(read(r#"{"a":"x"} trailing"#), (vec![pair("a", "\"x\"")], Shape::Followed));
    }

    #[test]
    fn values_other_than_objects_have_no_members() {
        for text in ["[]", "3", "\"a\"", "null", "<html>"] {
            assert_eq!(read(text), (vec![], Shape::Broken), "{text}");
        }
        assert_eq!(read(""), (vec![], Shape::Cut));
    }

    /// RUSTSEC-2024-0012.
    #[test]
    fn deep_nesting_and_lone_surrogates_do_not_affect_other_members() {
        for (open, close) in [("[", "]"), ("{\"\":[", "]}"), ("[[{\"a\":", "}]]")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            let text = format!(r#"{{"x":{deep},"\ud800":"\udfff","a":"x"}}"#);
            let (found, shape) = read(&text);
            assert_eq!(shape, Shape::Complete);
            assert_eq!(found, [pair("x", &deep), pair(r"\ud800", r#""\udfff""#), pair("a", "\"x\"")]);
        }
    }

    #[test]
    fn every_bracket_is_closed_by_a_bracket_of_its_kind() {
        for depth in [1, 63, 64, 65, 128, 129] {
            for wrong in 0..depth {
                let brackets = |at: usize| if at % 3 == 0 { ("[", "]") } else { ("{\"k\":", "}") };
                let opening: String = (0..depth).map(|at| brackets(at).0).collect();
                let closing = |at: usize| brackets(if at == wrong { at + 1 + at % 3 % 2 } else { at }).1;
                let right: String = (0..depth).rev().map(|at| brackets(at).1).collect();
                let other: String = (0..depth).rev().map(closing).collect();
                assert_eq!(read(&format!("{{\"a\":{opening}0{right}}}")).1, Shape::Complete, "{depth}");
                if other != right {
                    assert_eq!(read(&format!("{{\"a\":{opening}0{other}}}")).1, Shape::Broken, "{depth} {wrong}");
                }
            }
        }
    }

    /// `serde_json` accepts the same grammar, so it decides.
    #[test]
    fn serde_json_accepts_what_we_accept_and_refuses_what_we_refuse() {
        let values = [
            "0",
            "-0",
            "12",
            "1.5",
            "1e5",
            "1E+5",
            "1e-5",
            "-1.0e1",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "+1",
            "--1",
            "0x1",
            "true",
            "false",
            "null",
            "True",
            "nul",
            "nulll",
            "truefalse",
            "\"\"",
            "\"a",
            "a\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\u1234\"",
            "\"\\\"\"",
            "\"\t\"",
            "\"\u{7F}\"",
            "\"\u{1F}\"",
            "\"é😀\"",
            "[]",
            "[,]",
            "[1,]",
            "[1 2]",
            "[1,2]",
            "[",
            "]",
            "{}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{1:2}",
            "{\"a\":[{}]}",
            "[}",
            "{]",
            "[[]",
            "",
            " ",
            "/**/1",
            "1//",
            "'a'",
            "NaN",
            "[\"12345678\\\"\"]",
            "\"1234567\\\\\"",
        ];
        for value in values {
            let text = format!("{{\"a\":{value},\"b\":1}}");
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            assert_eq!(read(&text).1 == Shape::Complete, theirs, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn serde_json_agrees_on_any_sequence_of_tokens(
            tokens in proptest::collection::vec(proptest::sample::select(TOKENS), 0..24),
        ) {
            let text = tokens.concat();
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text);
            let object = theirs.is_ok_and(|value| value.get().starts_with('{'));
            prop_assert_eq!(read(&text).1 == Shape::Complete, object, "{}", text);
        }
    }

    /// The parts of objects, and texts that make them invalid. Whole objects are among them, because chance would build
    /// too few.
    const TOKENS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\"",
        "\\",
        "\"a\"",
        "\"a\":",
        "\"\\u00e9\":",
        "\"\\ud800\"",
        "1",
        "-",
        "0",
        ".5",
        "e9",
        "true",
        "null",
        "nul",
        "\"é\"",
        "\u{1F}",
        "{}",
        "[]",
        "{\"a\":1",
        "{\"a\":[",
        "]}",
        ",\"b\":\"x\"}",
        "\"long text \\\" with",
    ];

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
    fn invalid_utf8_affects_only_the_string_that_contains_it() {
        let mut found = Vec::new();
        let shape = members(b"{\"\xFF\":\"\xFE\",\"a\":\"\xC3\\n\",\"b\":\"x\"}", |_, value| {
            found.push(value.string().map(|text| text.to_string()));
        });
        assert_eq!((found, shape), (vec![None, None, Some("x".to_owned())], Shape::Complete));
        assert_eq!(members(b"{\"a\":\xFF}", |_, _| ()), Shape::Broken);
    }

    #[test]
    fn integers_are_plain_digits_that_fit_64_bits() {
        for (number, expected) in [
            ("0", Some(0)),
            ("3600", Some(3600)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("1.0", None),
            ("1e3", None),
            ("\"1\"", None),
            ("null", None),
        ] {
            members(format!("{{\"a\":{number}}}").as_bytes(), |_, read| {
                assert_eq!(read.integer(), expected, "{number}");
            });
        }
    }

    #[test]
    fn keys_are_unescaped() {
        assert_eq!(read(r#"{"\u0061\n":1}"#).0, [pair("a\n", "1")]);
    }

    #[test]
    fn written_strings_are_read_back_by_serde_json() {
        let text = "a\"b\\c\u{0}\u{1F}\n\u{7F}é😀";
        let mut out = SecretText::with_capacity(text.len() * 6 + 2);
        write_string(&mut out, text);
        assert_eq!(serde_json::from_str::<String>(out.expose()).unwrap(), text);
        assert_eq!(string(out.expose()).unwrap(), text);
    }

    #[test]
    fn the_elements_of_an_array_come_in_order() {
        for (array, expected) in [
            (r#"["a", 1 , null,[2,[3]],{"b":[4]}]"#, vec!["\"a\"", "1", "null", "[2,[3]]", "{\"b\":[4]}"]),
            ("[ ]", vec![]),
            ("[[]]", vec!["[]"]),
            ("3", vec![]),
            ("\"[1]\"", vec![]),
        ] {
            let text = format!("{{\"a\":{array}}}");
            let mut found = Vec::new();
            members(text.as_bytes(), |_, value| found.extend(value.elements().map(quoted)));
            assert_eq!(found, expected, "{array}");
        }
    }

    #[test]
    fn null_an_empty_string_and_an_empty_array_hold_nothing() {
        for (value, expected) in [
            ("null", false),
            ("\"\"", false),
            ("[]", false),
            ("0", true),
            ("false", true),
            ("{}", true),
            ("\"null\"", true),
            ("\"[]\"", true),
            ("[0]", true),
        ] {
            members(format!("{{\"a\":{value}}}").as_bytes(), |_, read| {
                assert_eq!(read.holds_something(), expected, "{value}");
            });
        }
    }
}
