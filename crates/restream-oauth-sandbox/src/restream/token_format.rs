//! What access tokens and refresh tokens look like.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::restream::rules::TokenFormat;

/// Writes a token from 40 random hexadecimal digits. It begins with `prefix`.
pub(crate) fn formatted(format: TokenFormat, prefix: &str, random: &str) -> String {
    match format {
        TokenFormat::Hex => format!("{prefix}{}", random.get(prefix.len()..).unwrap_or_default()),
        TokenFormat::Base64 => format!("{prefix}+/{}", STANDARD.encode(random)),
        TokenFormat::Jwt(bytes) => {
            let bytes = usize::from(bytes.clamp(TokenFormat::MIN_JWT, TokenFormat::MAX_JWT));
            format!("{prefix}{}", jwt(bytes.saturating_sub(prefix.len()), random))
        }
    }
}

/// Header, claims and a signature of 256 random-looking bytes. A claim of padding fills the rest.
fn jwt(length: usize, random: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"at+jwt"}"#);
    let claims = |padding: usize| {
        let padding = "x".repeat(padding);
        URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"https://sandbox.example","jti":"{random}","padding":"{padding}"}}"#))
    };
    let signature: String = random.chars().cycle().take(341).collect::<String>() + "A";
    let rest = length.saturating_sub(header.len() + claims(0).len() + signature.len() + 2);
    // Four characters hold three bytes. The signature takes what does not fit; `A` is valid as its last character.
    let claims = claims(rest * 3 / 4);
    let missing = length.saturating_sub(header.len() + claims.len() + signature.len() + 2);
    format!("{header}.{claims}.{signature}{}", "A".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: &str = "00112233445566778899aabbccddeeff00112233";

    #[test]
    fn a_hexadecimal_token_has_40_characters_with_its_prefix() {
        assert_eq!(formatted(TokenFormat::Hex, "", RANDOM), RANDOM);
        assert_eq!(formatted(TokenFormat::Hex, "c4nary", RANDOM), format!("c4nary{}", &RANDOM[6..]));
    }

    #[test]
    fn a_base64_token_has_the_characters_that_forms_must_escape() {
        let token = formatted(TokenFormat::Base64, "c4nary", RANDOM);
        assert!(token.starts_with("c4nary") && ['+', '/', '='].iter().all(|it| token.contains(*it)), "{token}");
    }

    #[test]
    fn a_jwt_has_exactly_the_ordered_length_and_its_parts_can_be_decoded() {
        for length in 1024..=1100 {
            let token = formatted(TokenFormat::Jwt(length), "", RANDOM);
            assert_eq!(token.len(), usize::from(length));
            let parts: Vec<_> = token.split('.').collect();
            assert_eq!(parts.len(), 3);
            for part in &parts[..2] {
                let json = URL_SAFE_NO_PAD.decode(part).unwrap();
                assert!(serde_json::from_slice::<serde_json::Value>(&json).unwrap().is_object());
            }
            assert!(URL_SAFE_NO_PAD.decode(parts[2]).is_ok(), "{length}");
        }
        for (ordered, length) in [(0, 1024), (4096, 4096), (u16::MAX, 4096)] {
            assert_eq!(formatted(TokenFormat::Jwt(ordered), "", RANDOM).len(), length);
        }
        let prefixed = formatted(TokenFormat::Jwt(2000), "c4nary", RANDOM);
        assert!(prefixed.starts_with("c4nary") && prefixed.len() == 2000);
    }
}
