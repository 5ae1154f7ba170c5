//! The random part of a login: `state` (RFC 6749 §10.12) and the PKCE code verifier (RFC 7636).

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use crate::secret::base64::{self, Alphabet};
use crate::secret::{SecretBytes, SecretText, same_bytes, secret_type};

/// 64 bytes from a cryptographic random generator, for one login. They are wiped when they are used.
///
/// The core draws no randomness itself. Take new bytes from the operating system (`getrandom`,
/// `crypto.getRandomValues`) for each login, and fail the login if the system gives none.
///
/// 32 bytes become `state`, and 32 the PKCE verifier: 256 bits each. RFC 6749 §10.10 asks for at least 128 bits, and
/// RFC 7636 §7.1 recommends 256.
pub struct Entropy(SecretBytes<64>);

impl From<[u8; 64]> for Entropy {
    fn from(mut bytes: [u8; 64]) -> Self {
        let entropy = Self(SecretBytes(bytes));
        bytes.as_mut_slice().zeroize();
        entropy
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(redacted)")
    }
}

impl Entropy {
    pub(super) fn into_texts(self) -> [RandomText; 2] {
        let (first, second) = self.0.0.split_at(32);
        [RandomText::encode(first), RandomText::encode(second)]
    }
}

secret_type! {
    /// The `state` of a login (RFC 6749 §4.1.1): a random text that the callback must bring back unchanged.
    State
}

/// A PKCE code verifier (RFC 7636 §4.1) that another program made. A [`Login`](crate::Login) makes its own.
///
/// ```
/// use restream_oauth_core::login::CodeVerifier;
///
/// assert!(CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").is_ok());
/// assert!(CodeVerifier::new("too short").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeVerifier(pub(super) SecretText);

impl CodeVerifier {
    /// Takes ownership of the text. Dropping the verifier wipes the text.
    ///
    /// # Errors
    /// [`InvalidCodeVerifier`] if the text is not 43 to 128 letters, digits, `-`, `.`, `_` or `~`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidCodeVerifier> {
        let text = SecretText::new(text);
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let valid = (43..=128).contains(&text.expose().len()) && text.expose().bytes().all(is_unreserved);
        if valid { Ok(Self(text)) } else { Err(InvalidCodeVerifier) }
    }

    /// The verifier itself. No other method returns it: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.0.expose()
    }
}

/// The text is not a PKCE code verifier (RFC 7636 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCodeVerifier;

impl fmt::Display for InvalidCodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code verifier must be 43 to 128 letters, digits, `-`, `.`, `_` or `~`")
    }
}

impl std::error::Error for InvalidCodeVerifier {}

/// `state` as the URL carries it: 43 random characters. If the program adds data, a dot and the data in base64url
/// follow.
pub(crate) struct LoginState {
    random: RandomText,
    /// A dot and the data in base64url; empty without data.
    data: SecretText,
}

impl LoginState {
    pub(super) fn new(random: RandomText, data: Option<&str>) -> Self {
        let Some(data) = data else { return Self { random, data: SecretText::default() } };
        // Base64 writes at most four characters for every three bytes, rounded up.
        let mut text = SecretText::with_capacity(data.len().div_ceil(3).saturating_mul(4).saturating_add(1));
        text.push('.');
        text.push_base64(data.as_bytes(), Alphabet::UrlSafe);
        Self { random, data: text }
    }

    /// Reads the text of a saved login; `None` if it does not have the form of a `state`.
    pub(crate) fn from_saved(text: &str) -> Option<Self> {
        let (random, data) = text.split_at_checked(RANDOM_LENGTH)?;
        let state = Self { random: RandomText::from_saved(random)?, data: SecretText::from(data) };
        (data.is_empty() || state.data().is_some()).then_some(state)
    }

    /// The two parts of the text: the random part, and the dot with the data.
    pub(crate) fn pieces(&self) -> [&str; 2] {
        [self.random.as_str(), self.data.expose()]
    }

    pub(crate) fn text(&self) -> SecretText {
        let [random, data] = self.pieces();
        let mut text = SecretText::with_capacity(random.len().saturating_add(data.len()));
        text.push_str(random);
        text.push_str(data);
        text
    }

    pub(super) fn data(&self) -> Option<SecretText> {
        let data = base64::decode(self.data.expose().strip_prefix('.')?, Alphabet::UrlSafe)?;
        SecretText::from_buffer(data).filter(|data| !data.expose().is_empty())
    }
}

/// Compares in a time that depends only on the lengths.
impl PartialEq<str> for LoginState {
    fn eq(&self, text: &str) -> bool {
        let Some((front, rest)) = text.as_bytes().split_at_checked(RANDOM_LENGTH) else { return false };
        same_bytes(front, &self.random.0.0) & same_bytes(rest, self.data.as_ref())
    }
}

/// 32 bytes are 43 characters in base64url.
const RANDOM_LENGTH: usize = 43;

/// 32 random bytes as 43 characters of base64url: the form of `state`, verifier and challenge.
pub(crate) struct RandomText(SecretBytes<RANDOM_LENGTH>);

impl RandomText {
    fn encode(bytes: &[u8]) -> Self {
        let mut text = SecretBytes([0; RANDOM_LENGTH]);
        base64::encode(bytes, Alphabet::UrlSafe, &mut |piece| {
            // 32 bytes are one piece of 43 characters.
            debug_assert_eq!(piece.len(), RANDOM_LENGTH);
            if let Ok(piece) = piece.try_into() {
                text.0 = piece;
            }
        });
        Self(text)
    }

    /// Reads the text of a saved login; `None` if it is not 43 characters of base64url.
    pub(crate) fn from_saved(text: &str) -> Option<Self> {
        let valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if valid { Some(Self(SecretBytes(text.as_bytes().try_into().ok()?))) } else { None }
    }

    pub(crate) fn as_str(&self) -> &str {
        // `encode` and `from_saved` put in only ASCII.
        std::str::from_utf8(&self.0.0).unwrap_or_default()
    }

    /// RFC 7636 §4.2: `BASE64URL(SHA256(ASCII(code_verifier)))`.
    pub(super) fn s256_challenge(&self) -> Self {
        Self::encode(&Sha256::digest(self.0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 §4.2.
    #[test]
    fn rfc_7636_appendix_b_the_example_has_its_challenge() {
        let verifier = RandomText::from_saved("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(verifier.s256_challenge().as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    /// RFC 9700 §4.7.1.
    #[test]
    fn rfc_7636_4_1_state_and_verifier_are_43_unreserved_characters_and_differ() {
        let [state, verifier] = Entropy::from(std::array::from_fn(|n| n.to_le_bytes()[0])).into_texts();
        for text in [&state, &verifier] {
            assert_eq!(text.as_str().len(), 43);
            assert!(RandomText::from_saved(text.as_str()).is_some());
        }
        assert_ne!(state.as_str(), verifier.as_str());
    }

    /// RFC 6749 §10.10, RUSTSEC-2024-0343.
    #[test]
    fn every_byte_of_the_entropy_is_used() {
        // Each of the 64 bytes changes `state` or the verifier.
        let text_of = |bytes: [u8; 64]| Entropy::from(bytes).into_texts().map(|text| text.as_str().to_owned());
        let base = text_of([0; 64]);
        for position in 0..64 {
            let mut bytes = [0; 64];
            bytes[position] = 1;
            assert_ne!(text_of(bytes), base, "byte {position}");
        }
    }

    #[test]
    fn a_saved_text_must_be_43_characters_of_base64url() {
        for text in ["", "short", &"a".repeat(44), &"a ".repeat(22)[..43], &"é".repeat(22)[..42]] {
            assert!(RandomText::from_saved(text).is_none(), "{text}");
        }
    }
}
