//! The compact form of a saved document: the same JSON text in about a third of its bytes, for stores that hold many.
//!
//! A document of ours is mostly names of members, and texts that say little for their length: tokens and hashes in
//! hexadecimal digits, times in decimal ones. [`pack`] writes a name as one byte and digits as the number that they are.
//! [`unpack`] gives the text back byte for byte, so nothing else has to know of the form.
//!
//! ```
//! use restream_oauth_keeper::compact::{pack, unpack};
//!
//! let saved = r#"{"version":2,"kind":"tokens","access_token":"2a407cfcfdf8920242fd6dc7e5f83c86374ef925"}"#;
//! let packed = pack(saved);
//! assert_eq!(packed.len(), 31); // of 86
//! assert_eq!(**unpack(&packed)?, *saved.as_bytes());
//! # Ok::<(), restream_oauth_core::SavedError>(())
//! ```
//!
//! The first byte of a compact document is 1. Each value follows its code:
//!
//! | code | value | what follows |
//! |---|---|---|
//! | 0 | | the end of an object or a list |
//! | 1, 2 | object, list | names and values, or values, up to an end |
//! | 3, 4, 5 | `true`, `false`, `null` | |
//! | 6 | whole number | the number |
//! | 7, 8 | another number; text | how many bytes, and the bytes as they are written |
//! | 9 | text of lower-case hexadecimal digits | how many pairs, and a byte for each pair |
//! | 10 | text with a UUID | 16 bytes |
//! | 11 | text with a time, such as `1700000000.000000001` | seconds and nanoseconds |
//! | 12 | texts with a space between them | how many, and the texts |
//! | 13 | text in base64 | how many bytes, and the bytes that it stands for |
//! | 14 | text in base64 that stands for JSON | its value, in which no further code 14 is |
//! | from 16 on | one of the [words](self) that documents of ours have | |
//!
//! Numbers have seven bits a byte, the lowest first; the eighth bit says that another byte follows (LEB128).

mod base64;
mod code;
mod digits;
mod pack;
mod unpack;
mod words;

pub use pack::pack;
#[cfg_attr(
    not(feature = "sealed"),
    allow(unused_imports, reason = "who has a ring writes the head of a sealed document")
)]
pub(crate) use pack::pack_value;
pub use unpack::unpack;
pub(crate) use unpack::unpack_value;

#[cfg(test)]
mod tests {
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use restream_oauth_core::SavedError;

    use super::code::COMPACT;
    use super::*;

    fn round_trip(text: &str) -> usize {
        let packed = pack(text);
        assert_eq!(String::from_utf8_lossy(&unpack(&packed).unwrap()), text);
        assert_eq!(packed.capacity(), packed.len(), "the memory of a secret never grows");
        packed.len()
    }

    #[test]
    fn each_kind_of_value_has_the_length_that_the_table_says() {
        for (text, length) in [
            ("{}", 3),
            ("[]", 3),
            ("{\"version\":1}", 6),
            ("[true,false,null]", 6),
            ("[0]", 5),
            ("[127]", 5),
            ("[128]", 6),
            ("[18446744073709551615]", 14),
            ("[-1]", 7),
            ("[1.5]", 8),
            ("[18446744073709551616]", 25),
            ("[\"Bearer\"]", 4),
            ("[\"?\"]", 6),
            ("[\"\\\"\\\\\"]", 9),
            ("[\"00ff00ff\"]", 9),
            ("[\"00ff00f\"]", 12),
            ("[\"00FF00FF\"]", 13),
            ("[\"2a407cfcfdf8920242fd6dc7e5f83c86374ef925\"]", 25),
            ("[\"123e4567-e89b-12d3-a456-426614174000\"]", 20),
            ("[\"123e4567-e89b-12d3-a456-42661417400g\"]", 41),
            ("[\"0.000000000\"]", 6),
            ("[\"1700000000.000000001\"]", 10),
            ("[\"-1.000000000\"]", 17),
            ("[\"01.000000000\"]", 17),
            ("[\"profile.read chat.read\"]", 7),
            ("[\"profile.read  x\"]", 10),
            ("[\"x y\"]", 8),
            ("[\"AAECAwQFBgcICQoLDA0ODw==\"]", 21),
            ("[\"AAECAwQFBgcICQoLDA0ODxA=\"]", 22),
            ("[\"++//++//++//++//++//++//\"]", 23),
            // {"kind":"Bearer"}, and an object that holds the same in base64 again.
            ("[\"eyJraW5kIjoiQmVhcmVyIn0=\"]", 8),
            ("[\"eyJraW5kIjoiZXlKcmFXNWtJam9pUW1WaGNtVnlJbjA9In0=\"]", 26),
            // The last one has bits that no byte has, and the next ones are too short or of the other alphabet.
            ("[\"AAECAwQFBgcICQoLDA0ODx==\"]", 29),
            ("[\"AAECAwQFBgcICQoLDA0O=w==\"]", 29),
            ("[\"AAECAwQFBgcICQoLDA0ODw=\"]", 28),
            ("[\"-_-_-_-_-_-_-_-_-_-_-_-_\"]", 29),
        ] {
            assert_eq!(round_trip(text), length, "{text}");
        }
    }

    /// What nobody of ours writes stays as it is.
    #[test]
    fn a_text_that_is_no_tight_json_stays_as_it_is() {
        let deep = "[".repeat(20) + &"]".repeat(20);
        for text in ["", "{", "{\"a\": 1}", "{} ", "[1,]", "{\"a\"1}", "{\"a\":1 \"b\":2}", "nul", "\u{feff}{}", &deep]
        {
            assert_eq!(**pack(text), *text.as_bytes(), "{text}");
            assert_eq!(**unpack(text.as_bytes()).unwrap(), *text.as_bytes());
        }
    }

    #[test]
    fn a_damaged_document_is_an_error_and_never_reads_past_its_end() {
        let packed =
            pack(r#"{"version":2,"kind":"tokens","access_token":"a b","list":[1,"0.000000000","00ff00ff",1.5]}"#);
        for length in 1..packed.len() {
            assert_eq!(unpack(&packed[..length]), Err(SavedError::Damaged("compact form")), "{length}");
        }
        assert_eq!(unpack(&[&packed[..], &[0]].concat()), Err(SavedError::Damaged("compact form")));
        for bytes in [
            // A length that no memory has, in ten bytes, and a number in eleven.
            &[COMPACT, code::TEXT, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1][..],
            &[COMPACT, code::HEX, 255, 255, 255, 255, 255, 255, 255, 255, 127],
            &[COMPACT, code::NUMBER, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            &[COMPACT, code::NUMBER, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            &[COMPACT, code::TIME, 1, 255, 255, 255, 255, 127],
            &[COMPACT, code::TEXTS, 255, 255, 255, 255, 127, code::WORDS],
            &[COMPACT, code::TEXTS, 2, code::TEXTS, 1, code::WORDS, code::WORDS],
            &[COMPACT, code::OBJECT, code::TRUE, code::TRUE, code::END],
            &[COMPACT, code::END],
            &[COMPACT, code::BASE64_JSON, code::BASE64_JSON, code::OBJECT, code::END],
            &[COMPACT; 40],
        ] {
            assert_eq!(unpack(bytes), Err(SavedError::Damaged("compact form")), "{bytes:?}");
        }
        for bytes in [[COMPACT, 255], [COMPACT, code::WORDS - 1]] {
            assert_eq!(unpack(&bytes), Err(SavedError::UnknownVersion), "a word of a later release");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[0-9a-f]{0,80}".prop_map(Value::from),
            "[A-Za-z0-9+/]{20,40}={0,3}".prop_map(Value::from),
            prop::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| Value::from(STANDARD.encode(bytes))),
            "-?[0-9]{0,20}[.][0-9]{8,10}".prop_map(Value::from),
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}".prop_map(Value::from),
            "(profile.read|chat.read| |a|)( (profile.read|chat.read| |a|)){0,9}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_text_comes_back_byte_for_byte(value in json()) {
            round_trip(&value.to_string());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = unpack(&[&[COMPACT], bytes.as_slice()].concat());
        }
    }
}
