//! Reads queries and forms into typed fields.

use percent_encoding::percent_decode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why parameters cannot be read. The text goes to whoever sent them, so it repeats nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Reads a query or a form. Parameters that `T` does not name are ignored.
///
/// A parameter that `T` names must not come twice (RFC 6749 §3.1), and all of them must be percent-encoded UTF-8. Other
/// readers take what cannot be decoded as it is, or replace it, so that two of them can see two different values.
pub(super) fn read<T: DeserializeOwned>(encoded: &[u8]) -> Result<T, Malformed> {
    if !is_well_encoded(encoded) {
        return Err(Malformed("a parameter is not percent-encoded UTF-8"));
    }
    serde_urlencoded::from_bytes(encoded).map_err(|_| Malformed("a parameter comes twice"))
}

fn is_well_encoded(encoded: &[u8]) -> bool {
    let mut rest = encoded.split(|byte| *byte == b'%');
    rest.next();
    let complete = rest.all(|after| matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    let parts = || encoded.split(|byte| matches!(byte, b'&' | b'='));
    complete && parts().all(|part| percent_decode(part).decode_utf8().is_ok())
}

/// A parameter without a value counts as omitted (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value(Option<String>);

impl Value {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub(super) fn take(self) -> Option<String> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Some(text).filter(|text| !text.is_empty())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default)]
    #[derive(Default)]
    struct Form {
        code: Value,
        state: Value,
    }

    fn form(code: &str, state: &str) -> Form {
        let value = |text: &str| Value(Some(text.to_owned()).filter(|text| !text.is_empty()));
        Form { code: value(code), state: value(state) }
    }

    #[test]
    fn parameters_are_read_and_those_that_are_not_known_are_ignored() {
        for (text, code, state) in [
            ("", "", ""),
            ("code=1&state=2", "1", "2"),
            ("code=a+b%20c%2B&x=1&x=2&state=%C3%A9", "a b c+", "é"),
            ("code&state=", "", ""),
            ("&&code=1&", "1", ""),
            ("code=1=2", "1=2", ""),
            ("co%64e=1", "1", ""),
        ] {
            assert_eq!(read::<Form>(text.as_bytes()), Ok(form(code, state)), "{text}");
        }
    }

    #[test]
    fn a_doubled_parameter_is_refused_however_it_is_written() {
        for text in ["code=1&code=1", "code=1&code=2", "code=1&co%64e=2", "code=&code=", "code&state=1&code"] {
            assert!(read::<Form>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_encoding_is_refused_wherever_it_is() {
        for text in ["code=%", "code=%2", "code=%zz", "code=%FF", "code=%C3", "%FF=1", "x=%", "state=1&x=%ED%A0%80"] {
            assert!(read::<Form>(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read::<Form>(b"code=\xFF").is_err());
        // Half of a character in the one parameter, and the other half in the next one.
        assert!(read::<Form>(b"code=%C3&%A9=1").is_err());
    }
}
