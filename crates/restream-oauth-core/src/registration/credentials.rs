//! Client authentication (RFC 6749 §2.3): in a Basic header, in the form body, or none for a public client. A request
//! uses one method only, and no URI contains a secret.

use std::fmt;

use http::HeaderValue;

use crate::encoding::form::{self, Piece, Space};
use crate::secret::base64::Alphabet;
use crate::secret::{SecretText, sensitive_header};

/// How the client identifier and the client secret are encoded in the Basic header.
///
/// Restream's identifiers and secrets consist of letters, digits, `.`, `_` and `-`. For these both encodings are the
/// same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasicEncoding {
    /// Form-encoded before base64, as RFC 6749 §2.3.1 requires. A space becomes `%20`, which every decoder reads.
    #[default]
    Form,
    /// Not encoded before base64, like `curl --user`: for servers that do not decode the form encoding.
    Raw,
}

/// Which client authentication a registered application uses.
#[derive(Clone)]
pub(crate) enum Credentials {
    Basic { secret: SecretText, encoding: BasicEncoding },
    Body { secret: SecretText },
    Public,
}

impl Credentials {
    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Self::Basic { secret, .. } | Self::Body { secret } => Some(secret.expose()),
            Self::Public => None,
        }
    }

    /// The value of the Authorization header, for Basic only.
    pub(crate) fn header(&self, client_id: &str) -> Option<HeaderValue> {
        let Self::Basic { secret, encoding } = self else { return None };
        let secret = secret.expose();
        let pieces = match encoding {
            BasicEncoding::Form => [Piece::Plain(client_id), Piece::Encoded(":"), Piece::Plain(secret)],
            BasicEncoding::Raw => [Piece::Encoded(client_id), Piece::Encoded(":"), Piece::Encoded(secret)],
        };
        let pair = form::assemble(pieces, Space::Percent);
        let pair = pair.expose().as_bytes();
        // Base64 writes four characters for every three bytes, rounded up.
        let length = pair.len().div_ceil(3).saturating_mul(4).saturating_add("Basic ".len());
        let mut value = SecretText::with_capacity(length);
        value.push_str("Basic ");
        value.push_base64(pair, Alphabet::Standard);
        sensitive_header(value).map(|(value, _)| value)
    }

    /// The client authentication in the form body, to be appended to the form.
    pub(crate) fn form_suffix(&self, client_id: &str) -> SecretText {
        let identifier = [Piece::Encoded("&client_id="), Piece::Plain(client_id)];
        match self {
            Self::Basic { .. } => SecretText::default(),
            Self::Public => form::assemble(identifier, Space::Plus),
            Self::Body { secret } => {
                let [name, value] = identifier;
                let pieces = [name, value, Piece::Encoded("&client_secret="), Piece::Plain(secret.expose())];
                form::assemble(pieces, Space::Plus)
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { encoding: BasicEncoding::Form, .. } => "Basic(redacted)",
            Self::Basic { encoding: BasicEncoding::Raw, .. } => "RawBasic(redacted)",
            Self::Body { .. } => "Body(redacted)",
            Self::Public => "Public",
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn basic(secret: &str, encoding: BasicEncoding) -> Credentials {
        Credentials::Basic { secret: SecretText::new(secret), encoding }
    }

    fn decoded(header: &HeaderValue) -> String {
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    #[test]
    fn rfc_6749_2_3_1_basic_encodes_identifier_and_secret_before_base64() {
        let header = basic("p%+ é", BasicEncoding::Form).header("a:b").unwrap();
        assert_eq!(decoded(&header), "a%3Ab:p%25%2B%20%C3%A9");
        assert!(header.is_sensitive());
    }

    #[test]
    fn raw_is_what_curl_sends() {
        let header = basic("p%+ é", BasicEncoding::Raw).header("a").unwrap();
        assert_eq!(decoded(&header), "a:p%+ é");
    }

    #[test]
    fn both_encodings_are_the_same_for_the_characters_of_restreams_credentials() {
        let [form, raw] = [BasicEncoding::Form, BasicEncoding::Raw].map(|e| basic("Z_9.-", e).header("a-B_0."));
        assert_eq!(form, raw);
    }

    #[test]
    fn the_body_identifies_the_client_only_if_the_header_does_not() {
        let body = Credentials::Body { secret: SecretText::new("s &") };
        assert_eq!(body.form_suffix("i d").expose(), "&client_id=i+d&client_secret=s+%26");
        assert_eq!(body.header("id"), None);
        assert_eq!(Credentials::Public.form_suffix("id").expose(), "&client_id=id");
        assert_eq!(Credentials::Public.header("id"), None);
        assert_eq!(basic("s", BasicEncoding::Form).form_suffix("id").expose(), "");
    }

    #[test]
    fn debug_shows_only_the_method() {
        assert_eq!(format!("{:?}", basic("hunter2", BasicEncoding::Raw)), "RawBasic(redacted)");
    }
}
