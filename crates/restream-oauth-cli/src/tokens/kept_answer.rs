//! Answers that the store has set aside for a person, and whether one of them can hold a token.

use std::path::Path;
use std::time::SystemTime;

use restream_oauth_core::{Client, RefreshToken};
use restream_oauth_keeper::Spooled;
use restream_oauth_keeper::store::file::private_file;

use crate::files;
use crate::terminal::alert;

/// The names of the members with a token, in lower case and without underscores.
const MEMBERS: [&[u8]; 2] = [b"accesstoken", b"refreshtoken"];

/// Removes an answer that was set aside if it holds no token, or else tells a person where it is. `sent` is the refresh
/// token that it belongs to. Returns whether it is removed.
pub(crate) fn remove_or_tell(path: &Path, sent: Option<&RefreshToken>) -> bool {
    let removed = sent.is_some_and(|sent| remove_if_empty(path, sent));
    if !removed {
        alert(&format!(
            "the answer is kept in {}, because it may hold a token; the next refresh or login that succeeds removes it",
            path.display()
        ));
    }
    removed
}

/// Removes an answer to this refresh token if it certainly holds no token, such as an empty body or an error page. Returns
/// whether it is removed.
fn remove_if_empty(path: &Path, sent: &RefreshToken) -> bool {
    body_of(path, sent).is_some_and(|body| !can_hold_a_token(&body)) && private_file::remove(path).is_ok()
}

/// The body of an answer that is kept; `None` if the file cannot be read as an answer to this refresh token.
fn body_of(path: &Path, sent: &RefreshToken) -> Option<Vec<u8>> {
    let spooled = Spooled::from_saved(files::read(path).ok()?.as_bytes()).ok()?;
    // An answer belongs to the refresh token that was sent, whichever client sent it.
    let client = Client::builder("any").redirect_uri("https://any.example/").build().ok()?;
    let (_, reader) = client.refresh(sent).into_parts(SystemTime::UNIX_EPOCH);
    let answer = reader.restore_answer(spooled.answer.as_bytes()).ok()?;
    Some(answer.expose_body().to_vec())
}

/// True unless the body is plain text in which no member is named like a token. Compression, wide characters and escapes
/// hide names, so a body with such bytes can hold anything.
pub(crate) fn can_hold_a_token(body: &[u8]) -> bool {
    let is_plain = |byte: &u8| (byte.is_ascii_graphic() || byte.is_ascii_whitespace()) && *byte != b'\\';
    if !body.iter().all(is_plain) {
        return true;
    }
    let letters: Vec<u8> = body.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase).collect();
    MEMBERS.iter().any(|name| letters.windows(name.len()).any(|part| part == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_body_that_names_no_token_in_plain_sight_holds_none() {
        for body in [
            "",
            "{}",
            "<html>portal</html>",
            r#"{"access_tok"#,
            r#"{"error":"invalid_grant"}"#,
            r#"{"error":{"name":"invalid_grant","message":"Invalid grant: refresh token is invalid"}}"#,
        ] {
            assert!(!can_hold_a_token(body.as_bytes()), "{body}");
        }
        for body in [
            &br#"{"access_token":"half","expi"#[..],
            br#"{"refreshToken":"r1"}"#,
            br#"{"RefreshToken":"r1"}"#,
            br#"{"\u0061ccess_token":"a1"}"#,
            b"\x1F\x8B\x08\0\0",
            b"\xFF\xFE{\0\"\0a\0",
        ] {
            assert!(can_hold_a_token(body), "{body:?}");
        }
    }
}
