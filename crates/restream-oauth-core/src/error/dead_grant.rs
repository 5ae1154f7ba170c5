//! Servers that say in words of their own that a grant is dead, without the `invalid_grant` of RFC 6749 §5.2.
//!
//! A text means it if one of [`STATES`] is beside what the request sent: the refresh token, the authorization code, or
//! the grant, which is either. Beside means that nothing but [`LINKS`] is between both. Words are compared without
//! case; `refresh_token.expired` and `RefreshTokenExpired` are read as three words.

use super::kind::Operation;

/// What a server says of a grant that is dead.
const STATES: [&[&str]; 7] =
    [&["invalid"], &["invalidated"], &["expired"], &["revoked"], &["reused"], &["blacklisted"], &["not", "found"]];
/// What a refresh sends. A grant type is not a grant.
const OF_REFRESH: [&[&str]; 3] = [&["refresh", "token"], &["refreshtoken"], &["grant"]];
/// What a code exchange sends.
const OF_EXCHANGE: [&[&str]; 3] = [&["authorization", "code"], &["auth", "code"], &["grant"]];
/// The words that may be between both.
#[rustfmt::skip]
const LINKS: [&str; 22] = [
    "a", "already", "an", "and", "are", "be", "been", "given", "has", "have", "is", "or", "presented", "provided",
    "redacted", "specified", "submitted", "supplied", "the", "this", "was", "your",
];
/// No server needs more to say it. Bounds the time that a long text takes.
const MOST_WORDS: usize = 128;

/// True if `text`, an error code or a message, means that what this step sent is dead.
pub(crate) fn means_dead_grant(text: &str, operation: Operation) -> bool {
    let subjects = match operation {
        Operation::Exchange => OF_EXCHANGE,
        Operation::Refresh => OF_REFRESH,
        Operation::Revoke | Operation::Profile => return false,
    };
    let words: Vec<&str> = words(text).take(MOST_WORDS).collect();
    (0..words.len()).any(|at| {
        let (before, rest) = words.split_at_checked(at).unwrap_or_default();
        subjects.iter().filter_map(|subject| after(rest, subject)).any(|after_subject| {
            let grant_type = after_subject.first().is_some_and(|word| is(word, "type") || is(word, "types"));
            !grant_type && (begins_with_state(after_subject) || ends_with_state(before))
        })
    })
}

fn begins_with_state(mut words: &[&str]) -> bool {
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

fn ends_with_state(mut words: &[&str]) -> bool {
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

/// What follows `expected` at the front of `words`.
fn after<'a, 'b>(words: &'a [&'b str], expected: &[&str]) -> Option<&'a [&'b str]> {
    let (front, rest) = words.split_at_checked(expected.len())?;
    front.iter().zip(expected).all(|(word, expected)| is(word, expected)).then_some(rest)
}

fn is(word: &str, expected: &str) -> bool {
    word.eq_ignore_ascii_case(expected)
}

fn is_link(word: &str) -> bool {
    LINKS.iter().any(|link| is(word, link))
}

/// The words of a text: split at all that is neither letter nor digit, and where a capital follows a small letter.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric()).flat_map(|mut rest| {
        std::iter::from_fn(move || {
            let mut previous_is_small = false;
            let end = rest.char_indices().find_map(|(at, character)| {
                let begins_word = previous_is_small && character.is_uppercase();
                previous_is_small = character.is_lowercase();
                begins_word.then_some(at)
            });
            let (word, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, ""));
            rest = after;
            (!word.is_empty()).then_some(word)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_beside_the_refresh_token_or_the_grant_means_a_dead_grant() {
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
    fn words_that_belong_to_something_else_do_not() {
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
    fn a_text_of_any_length_takes_a_bounded_time() {
        let late = "is ".repeat(200_000) + "refresh token expired";
        assert!(!means_dead_grant(&late, Operation::Refresh));
        assert_eq!(words("aB cD--éÉf\u{1F980}G1x").collect::<Vec<_>>(), ["a", "B", "c", "D", "é", "Éf", "G1x"]);
    }
}
