//! Saved tokens and saved logins.
//!
//! - A value that loads is equal after it is saved and loaded again. An independent reader takes the saved form for one
//!   line of JSON.
//! - No proper prefix of a saved form loads. A dozen prefixes are tried, from the empty one to all but the last byte.
//! - An error prints no secret of the document.

use std::sync::LazyLock;
use std::time::Duration;

use restream_oauth_core::error::Operation;
use restream_oauth_core::{SavedError, Tokens};

use crate::allocation::bounded;
use crate::canary::{CODE, Silence, echo};
use crate::client::client;
use crate::expand::expand;
use crate::json;

/// The oracle. `data` is a saved document of either kind.
pub fn saved_tokens(data: &[u8]) {
    let text = document(data);
    let silence = Silence::after(data);
    match bounded(text.len(), || Tokens::from_saved(&text)) {
        Ok(tokens) => check_tokens(&tokens),
        Err(error) => check_error(&error, &silence),
    }
    match bounded(text.len(), || client().restore_login(&text)) {
        Ok(mut login) => {
            let saved = login.to_saved();
            check_document(saved.expose_secret());
            for prefix in prefixes(saved.expose_secret()) {
                assert_eq!(client().restore_login(prefix).err(), Some(SavedError::NotJson), "{prefix:?}");
            }
            let again = client().restore_login(saved.expose_secret()).expect("what was saved can be loaded");
            assert_eq!(again.to_saved(), saved);
            assert_eq!((again.state(), again.url().as_str()), (login.state(), login.url().as_str()));
            assert!(!format!("{login:?}").contains(login.state().expose_secret()));
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("code", CODE)
                .append_pair("state", login.state().expose_secret())
                .finish();
            assert_eq!(login.read_callback(&query).expect("a restored login is open").expose_secret(), CODE);
        }
        Err(error) => check_error(&error, &silence),
    }
}

fn document(data: &[u8]) -> String {
    String::from_utf8_lossy(&expand(&with_identity(&echo(data, Operation::Exchange)))).into_owned()
}

fn check_tokens(tokens: &Tokens) {
    let saved = tokens.to_saved();
    let text = saved.expose_secret();
    let again = Tokens::from_saved(text).expect("what was saved can be loaded");
    assert_eq!(&again, tokens, "saved and loaded");
    assert_eq!(again.to_saved(), saved);
    check_document(text);
    for prefix in prefixes(text) {
        assert_eq!(Tokens::from_saved(prefix).err(), Some(SavedError::NotJson), "{prefix:?}");
    }
    // These must not panic for any lifetime and any time.
    let _ = (tokens.expires_at(), tokens.refresh_expires_at(), tokens.is_fresh(tokens.sent_at(), Duration::MAX));
    let _ = tokens.bearer_header();
}

/// A dozen proper prefixes, with the longest one. A cut inside a character is left out.
fn prefixes(text: &str) -> impl Iterator<Item = &str> {
    let longest = text.len().saturating_sub(1);
    (0..longest).step_by(longest.div_ceil(11).max(1)).chain([longest]).filter_map(|cut| text.get(..cut))
}

fn check_document(text: &str) {
    assert!(!text.contains(['\n', '\r']));
    let document = json::object(text.as_bytes()).expect("a saved document is JSON to anyone");
    // Saved tokens of version 2 hold their binding, those of version 1 do not. Saved logins have version 1 only.
    let bound = document.only("client_id").is_some() && document.only("kind") == Some(&"tokens".into());
    assert_eq!(document.only("version").and_then(json::Value::as_u64), Some(1 + u64::from(bound)));
}

fn check_error(error: &SavedError, silence: &Silence) {
    silence.check(&format!("{error} {error:?}"));
}

/// Replaces `$l` by the members that say which client a saved login belongs to.
fn with_identity(data: &[u8]) -> Vec<u8> {
    static IDENTITY: LazyLock<String> = LazyLock::new(|| {
        let client = client();
        let pairs = [
            ("client_id", client.client_id()),
            ("redirect_uri", client.redirect_uri()),
            ("token_endpoint", &client.endpoints().token),
        ];
        pairs.map(|(name, text)| format!("{}:{}", json::Value::from(name), json::Value::from(text))).join(",")
    });
    match data.windows(2).position(|pair| pair == b"$l") {
        Some(at) => [&data[..at], IDENTITY.as_bytes(), &data[at + 2..]].concat(),
        None => data.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If the corpus no longer loaded, the target would only try errors.
    #[test]
    fn the_saved_forms_of_the_corpus_are_those_of_today() {
        for tokens in [
            include_bytes!("../corpus/saved_tokens/tokens").as_slice(),
            include_bytes!("../corpus/saved_tokens/tokens_bound"),
        ] {
            let tokens = document(tokens);
            assert_eq!(Tokens::from_saved(&tokens).unwrap().to_saved().expose_secret(), tokens);
        }
        let login = document(include_bytes!("../corpus/saved_tokens/login"));
        assert_eq!(client().restore_login(&login).unwrap().to_saved().expose_secret(), login);
    }
}
