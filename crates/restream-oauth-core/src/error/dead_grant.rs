//! Recognises a dead grant when a server does not send `invalid_grant` (RFC 6749 §5.2), but describes it in a text.
//!
//! A text means that the grant is dead if one of [`STATES`] is next to the name of the credential that the request
//! sent: "refresh token", "authorization code", or "grant", which stands for both. Only [`LINKS`] may come between the
//! two. Case does not matter; `refresh_token.expired` and `RefreshTokenExpired` are read as three words.

use super::kind::Operation;

/// The words for a dead grant.
const STATES: [&[&str]; 7] =
    [&["invalid"], &["invalidated"], &["expired"], &["revoked"], &["reused"], &["blacklisted"], &["not", "found"]];
/// The names of the credential that a refresh sends. "Grant type" does not count as "grant".
const OF_REFRESH: [&[&str]; 3] = [&["refresh", "token"], &["refreshtoken"], &["grant"]];
/// The names of the credential that a code exchange sends.
const OF_EXCHANGE: [&[&str]; 3] = [&["authorization", "code"], &["auth", "code"], &["grant"]];
/// The words that may come between the name and the state.
#[rustfmt::skip]
const LINKS: [&str; 22] = [
    "a", "already", "an", "and", "are", "be", "been", "given", "has", "have", "is", "or", "presented", "provided",
    "redacted", "specified", "submitted", "supplied", "the", "this", "was", "your",
];
/// Later words are ignored, so that a long text takes bounded time.
const MOST_WORDS: usize = 128;

/// True if `text` (an error code or a message) means that the credential this step sent is dead.
pub(crate) fn means_dead_grant(text: &str, operation: Operation) -> bool {
    let subjects = match operation {
        Operation::Exchange => &OF_EXCHANGE,
        Operation::Refresh => &OF_REFRESH,
        Operation::Revoke | Operation::Profile => return false,
    };
    let words = words(text);
    for at in 0..words.len() {
        let (before, rest) = words.split_at_checked(at).unwrap_or_default();
        for subject in subjects {
            let Some(after_subject) = after(rest, subject) else { continue };
            let grant_type = after_subject.first().is_some_and(|word| is(word, "type") || is(word, "types"));
            if !grant_type && (begins_with_state(after_subject) || ends_with_state(before)) {
                return true;
            }
        }
    }
    false
}

fn begins_with_state(mut words: &[&[u8]]) -> bool {
    while let [word, rest @ ..] = words {
        if STATES.iter().any(|state| after(words, state).is_some()) {
            return true;
        }
        if !is_link(word) {
            return false;
        }
        words = rest;
    }
    false
}

fn ends_with_state(mut words: &[&[u8]]) -> bool {
    while let [rest @ .., word] = words {
        let state_at = |state: &[&str]| words.len().checked_sub(state.len()).and_then(|at| words.get(at..));
        if STATES.iter().any(|state| state_at(state).is_some_and(|end| after(end, state).is_some())) {
            return true;
        }
        if !is_link(word) {
            return false;
        }
        words = rest;
    }
    false
}

/// If `words` begin with `expected`, returns the words after it.
fn after<'a, 'b>(words: &'a [&'b [u8]], expected: &[&str]) -> Option<&'a [&'b [u8]]> {
    let (front, rest) = words.split_at_checked(expected.len())?;
    front.iter().zip(expected).all(|(word, expected)| is(word, expected)).then_some(rest)
}

fn is(word: &[u8], expected: &str) -> bool {
    word.eq_ignore_ascii_case(expected.as_bytes())
}

fn is_link(word: &[u8]) -> bool {
    LINKS.iter().any(|link| is(word, link))
}

/// The first words of a text. Splits at each byte that is neither a letter nor a digit of ASCII, and before an upper-case
/// letter that follows a lower-case one. Letters of other alphabets do not matter here, and their tables would add 4 KB to
/// the module that a page downloads.
fn words(text: &str) -> Vec<&[u8]> {
    let mut words = Vec::with_capacity(MOST_WORDS);
    for run in text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
        for word in run.chunk_by(|previous, next| !(previous.is_ascii_lowercase() && next.is_ascii_uppercase())) {
            if words.len() == MOST_WORDS {
                return words;
            }
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_next_to_the_name_of_the_credential_means_a_dead_grant() {
        for text in [
            "Invalid refresh token",
            "Invalid grant: refresh token is invalid",
            "refresh_token_invalidated",
            "refreshTokenExpired",
            "RefreshTokenNotFound",
            "REFRESH_TOKEN_REUSED",
            "refreshtoken revoked",
            "The provided refresh token has already been revoked.",
            "expired or revoked refresh token",
            "Refresh token [redacted] was not found",
            "blacklisted: refresh token",
            "grant expired",
            "not found: the grant",
            "invalid_grant",
            "Bad Request. The refresh token is expired, log in again",
        ] {
            assert!(means_dead_grant(text, Operation::Refresh), "{text}");
        }
        for text in ["authorization code expired", "Invalid auth code", "AuthorizationCodeNotFound", "grant revoked"] {
            assert!(means_dead_grant(text, Operation::Exchange), "{text}");
        }
    }

    #[test]
    fn words_about_something_else_do_not_mean_a_dead_grant() {
        for text in [
            "",
            "Bad Request",
            "token_expired",
            "invalid client",
            "Invalid grant type",
            "invalid_grant_type: refresh_token",
            "unsupported grant types, expired",
            "refresh token missing",
            "Invalid parameter: refresh_token",
            "client not found for this refresh token",
            "invalid client or grant",
            "the refresh token was issued to another client, whose secret expired",
            "refresh",
            "expired",
            "not found",
            "refresh token not",
            "found refresh token",
            "authorization code expired",
        ] {
            assert!(!means_dead_grant(text, Operation::Refresh), "{text}");
        }
        assert!(!means_dead_grant("refresh token expired", Operation::Exchange));
        for operation in [Operation::Revoke, Operation::Profile] {
            assert!(!means_dead_grant("refresh token expired", operation), "{operation}");
        }
    }

    #[test]
    fn a_text_of_any_length_takes_bounded_time() {
        let late = "is ".repeat(200_000) + "refresh token expired";
        assert!(!means_dead_grant(&late, Operation::Refresh));
        assert_eq!(words("aB cD--éÉf\u{1F980}G1x"), [&b"a"[..], b"B", b"c", b"D", b"f", b"G1x"]);
    }
}
