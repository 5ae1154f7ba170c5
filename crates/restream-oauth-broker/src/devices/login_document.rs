//! The document of a login whose browser is at Restream, as a database keeps it: JSON, sealed under the cookie of that
//! browser. The database alone shows neither the `state`s nor the PKCE verifier.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::device::{CodeBinding, Owner};
use super::key::Hash;
use super::logins::Login;
use crate::seal::{Purpose, open, seal};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document<'a> {
    version: u32,
    /// Absent at OBS's door.
    client_id: Option<Cow<'a, str>>,
    redirect_uri: Option<Cow<'a, str>>,
    code_challenge: Option<Cow<'a, str>>,
    device_state: Option<Cow<'a, str>>,
    saved: Cow<'a, str>,
}

/// Seals a login under the cookie of its browser. `None` if the operating system gives no random bytes.
pub(super) fn write(login: &Login, cookie: &str) -> Option<Vec<u8>> {
    let document = Document {
        version: VERSION,
        client_id: match &login.owner {
            Owner::Obs => None,
            Owner::Client(id) => Some(id.into()),
        },
        redirect_uri: login.binding.as_ref().map(|binding| (&*binding.redirect_uri).into()),
        code_challenge: login.binding.as_ref().map(|binding| (&*binding.code_challenge).into()),
        device_state: login.device_state.as_deref().map(Into::into),
        saved: login.saved.as_str().into(),
    };
    let text = Zeroizing::new(serde_json::to_vec(&document).ok()?);
    seal(cookie.as_bytes(), Purpose::Login, &login.state.into_bytes(), &text)
}

/// Opens what [`write`] sealed. `None` if it was sealed for another browser or another login, or by a newer release.
pub(super) fn read(state: Hash, cookie: &str, began_at: SystemTime, sealed: &[u8]) -> Option<Login> {
    let text = open(cookie.as_bytes(), Purpose::Login, &state.into_bytes(), sealed)?;
    let document: Document<'_> = serde_json::from_slice(&text).ok()?;
    if document.version != VERSION {
        return None;
    }
    let binding = match (document.redirect_uri, document.code_challenge) {
        (None, None) => None,
        (Some(redirect_uri), Some(code_challenge)) => {
            Some(CodeBinding { redirect_uri: redirect_uri.into_owned(), code_challenge: code_challenge.into_owned() })
        }
        _ => return None,
    };
    Some(Login {
        state,
        browser: Hash::of(cookie),
        owner: document.client_id.map_or(Owner::Obs, |id| Owner::Client(id.into_owned())),
        binding,
        device_state: document.device_state.map(Cow::into_owned),
        saved: Zeroizing::new(document.saved.into_owned()),
        began_at,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const COOKIE: &str = "cookie";

    fn logins() -> Vec<Login> {
        let of_obs = Login {
            state: Hash::of("state"),
            browser: Hash::of(COOKIE),
            owner: Owner::Obs,
            binding: None,
            device_state: None,
            saved: Zeroizing::new("{\"verifier\":\"s3cret\"}".into()),
            began_at: SystemTime::UNIX_EPOCH + Duration::from_secs(7),
        };
        let binding = CodeBinding { redirect_uri: "https://a.example/?\"é".into(), code_challenge: "c".repeat(43) };
        let of_client = Login {
            owner: Owner::Client("overlay".into()),
            binding: Some(binding),
            device_state: Some("s&t=é\"\n".into()),
            ..of_obs.clone()
        };
        vec![of_obs, of_client]
    }

    #[test]
    fn a_login_opens_in_its_own_browser_alone() {
        for login in logins() {
            let sealed = write(&login, COOKIE).unwrap();
            let read_by = |state, cookie| read(state, cookie, login.began_at, &sealed);
            let same = read_by(login.state, COOKIE).unwrap();
            assert_eq!(same.browser, login.browser);
            assert_eq!((&same.owner, &same.binding), (&login.owner, &login.binding));
            assert_eq!((&same.device_state, &same.saved), (&login.device_state, &login.saved));
            assert_eq!(same.began_at, login.began_at);
            assert!(read_by(login.state, "another").is_none());
            assert!(read_by(Hash::of("another"), COOKIE).is_none());
        }
    }

    #[test]
    fn the_document_shows_nothing_of_the_login() {
        for login in logins() {
            let sealed = write(&login, COOKIE).unwrap();
            for secret in ["s3cret", "verifier", "s&t"] {
                assert!(!sealed.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
            }
        }
    }
}
