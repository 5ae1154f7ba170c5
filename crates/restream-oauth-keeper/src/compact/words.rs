//! The words that documents of ours have: one byte each. The list only grows, at its end: a word's place is its name in
//! every document that was ever stored.

/// No more than 240.
const WORDS: &[&str] = &[
    // Of all documents.
    "",
    "version",
    "kind",
    // Of tokens.
    "tokens",
    "client_id",
    "token_endpoint",
    "access_token",
    "refresh_token",
    "token_type",
    "scope",
    "sent_at",
    "expires_in",
    "refresh_expires_in",
    "server_expires_at",
    "server_refresh_expires_at",
    "oddities",
    "Bearer",
    "https://api.restream.io/oauth/token",
    // Of a record.
    "keeper",
    "generation",
    "login",
    "logged_in_at",
    "parent",
    "usable_until",
    "requests",
    "run_at",
    "doubt",
    "since",
    "sends",
    "in_flight",
    "ended",
    "witnessed",
    "forwarded",
    "death",
    "why",
    "at",
    "revoked",
    "lost_answer",
    "no_refresh_token",
    "leaving",
    "user",
    "id",
    "username",
    "salvaged",
    "strays",
    // Of a late pair and of a spooled answer.
    "stray",
    "spooled",
    "number",
    "answer",
    "call",
    "status",
    "json",
    "encoded",
    "content_length",
    "retry_after",
    "retry_at",
    "server_now",
    "challenges",
    "too_large",
    "stage",
    "failure",
    "body",
    "before_body",
    "awaiting_head",
    "reading_body",
    "connect",
    "tls",
    "timeout",
    "interrupted",
    "protocol",
    "other",
    // Of the head of a sealed document.
    "record",
    "row",
    // Scopes.
    "profile.read",
    "channels.read",
    "channels.write",
    "stream.read",
    "chat.read",
    "chat.write",
    "events.read",
    "channel.read",
    "channel.write",
    "profile.default.read",
    "channels.default.read",
    "stream.default.read",
    "chat.default.read",
    // Oddities.
    "content_type",
    "encoding",
    "truncated",
    "broken_json",
    "error_beside_tokens",
    "doubled_member",
    "twins_differ",
    "unusable_token",
    "lifetime_spelling",
    "lifetime_unusable",
    "lifetime_assumed",
    "refresh_lifetime_assumed",
    "token_type_missing",
    "token_type_unknown",
    "scope_spelling",
    "scope_unusable",
    "refresh_token_kept",
    // Of Restream's answer to a refresh.
    "expires",
    "accessToken",
    "accessTokenExpiresIn",
    "accessTokenExpiresAt",
    "accessTokenExpiresEpoch",
    "refreshToken",
    "refreshTokenExpiresIn",
    "refreshTokenExpiresAt",
    "refreshTokenExpiresEpoch",
    "scopeJson",
    "tokenType",
    // Of a record whose token the API refused.
    "refused",
];

pub(super) fn place(text: &[u8]) -> Option<u8> {
    WORDS.iter().position(|word| word.as_bytes() == text).and_then(|place| u8::try_from(place).ok())
}

pub(super) fn at(place: u8) -> Option<&'static str> {
    WORDS.get(usize::from(place)).copied()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::record::hex;

    #[test]
    fn each_word_has_one_place_and_needs_no_escape() {
        assert!(WORDS.len() <= 240);
        for (index, word) in WORDS.iter().enumerate() {
            assert_eq!(place(word.as_bytes()).map(usize::from), Some(index), "{word}");
            assert!(word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'), "{word}");
        }
    }

    /// A word that moved would be read as another one in every stored document. New ones come behind these.
    #[test]
    fn no_word_has_ever_moved() {
        // hashlib.sha256("\n".join(words)) of Python.
        let first = WORDS[..114].join("\n");
        assert_eq!(hex(&Sha256::digest(first)[..8]), "c90fd8f2c4209325");
    }
}
