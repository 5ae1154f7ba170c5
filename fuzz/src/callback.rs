//! The redirect that comes back.
//!
//! - A callback is accepted if and only if it is for the redirect URI, and holds the right `state`, one code and no
//!   error. `form_urlencoded` and `url` judge what it holds and where it leads.
//! - A callback that is not accepted leaves the login open. An accepted one closes it.
//! - Neither state nor code is printed.

use std::borrow::Cow;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use restream_oauth_core::login::{CallbackError, state_of};
use restream_oauth_core::{Client, Login};
use url::Url;

use crate::allocation::bounded;
use crate::canary::{Silence, WORD};
use crate::client::builder;

/// One client for each special form of redirect URI.
static CLIENTS: LazyLock<[Client; 5]> = LazyLock::new(|| {
    [
        "https://app.example/callback",
        "https://app.example",
        "http://127.0.0.1:8976/cb",
        "http://[::1]:80/",
        "https://App.example:443/a/callback?tenant=1",
    ]
    .map(|redirect_uri| builder().redirect_uri(redirect_uri).build().expect("the configuration is right"))
});

/// The oracle. `data` is the callback. `$t` stands for the right `state`, `$v` for the verifier, `$c` for a code.
pub fn callback(data: &[u8]) {
    let uri = String::from_utf8_lossy(data).replace("$t", &SECRETS[0]).replace("$v", &SECRETS[1]).replace("$c", WORD);
    for client in &*CLIENTS {
        check(&mut login(client), client.redirect_uri(), &uri, &Silence::after(data));
    }
}

/// A login. All have the same state and verifier.
fn login(client: &Client) -> Login {
    client.login(std::array::from_fn(|n| n.to_le_bytes()[0].wrapping_mul(37)).into())
}

/// The state, and the verifier as the exchange sends it.
static SECRETS: LazyLock<[String; 2]> = LazyLock::new(|| {
    let mut login = login(&CLIENTS[0]);
    let state = login.state().expose_secret().to_owned();
    let code = login.read_callback(&format!("code=c&state={state}")).expect("it is right");
    let call = CLIENTS[0].exchange(&code);
    let mut form = form_urlencoded::parse(call.request().body().as_ref());
    let verifier = form.find(|(name, _)| name == "code_verifier").expect("PKCE is on").1.into_owned();
    [state, verifier]
});

fn check(login: &mut Login, redirect_uri: &str, uri: &str, silence: &Silence) {
    let [state, verifier] = &*SECRETS;
    let outcome = bounded(uri.len(), || login.read_callback(uri));
    let looked_up = bounded(uri.len(), || state_of(uri));
    match outcome {
        Ok(code) => {
            assert!(is_for(redirect_uri, uri), "accepted at another place");
            assert_eq!(right_code(uri, state).as_deref(), Some(code.expose_secret()), "accepted, but not right");
            assert_eq!(looked_up.expect("what is accepted has a state").expose_secret(), state);
            silence.check_debug(&code);
            assert_eq!(login.read_callback(uri).map(|_| ()), Err(CallbackError::AlreadyUsed));
        }
        Err(error) => {
            let right = right_code(uri, state).is_some() && is_plainly_for(redirect_uri, uri);
            assert!(!right, "refused as {error:?}, but right");
            assert_ne!(error, CallbackError::AlreadyUsed);
            let printed = format!("{error} {error:?} {looked_up:?}");
            assert!(!printed.contains(state) && !printed.contains(verifier), "{printed:?}");
            // The server wrote the message of this error. It may hold a code, which nothing can recognize as one.
            if !matches!(error, CallbackError::Refused { .. }) {
                silence.check(&printed);
            }
            assert!(printed.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{printed:?}");
            // The right callback is still accepted.
            let code = login.read_callback(&format!("code=c&state={state}")).expect("the login is open");
            assert_eq!(code.expose_secret(), "c");
        }
    }
}

/// The code, if the parameters are those of a success with this state.
fn right_code(uri: &str, state: &str) -> Option<String> {
    let query = query(uri);
    // These parameters must be decodable. `form_urlencoded` would replace what is not.
    let counts = |name: &str| ["code", "state", "error"].contains(&name);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).unwrap_or_default();
        if counts(&name) && decoded(value).is_none() {
            return None;
        }
    }
    let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let all =
        |name: &str| parameters.iter().filter(|(one, _)| one == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    match (all("state").as_slice(), all("code").as_slice(), all("error").as_slice()) {
        ([one], [code], [] | [""]) if *one == state && !code.is_empty() => Some((*code).to_owned()),
        _ => None,
    }
}

fn query(uri: &str) -> &str {
    let uri = uri.split('#').next().unwrap_or_default();
    if uri.starts_with(['/', '?']) || is_absolute(uri) {
        return uri.split_once('?').map_or("", |(_, query)| query);
    }
    // A bare query. A question mark in it is an ordinary character.
    uri
}

/// Percent-decoded, if every escape is whole and the bytes are text.
fn decoded(text: &str) -> Option<String> {
    let is_hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let whole = text.bytes().enumerate().all(|(at, byte)| byte != b'%' || is_hex(at + 1) && is_hex(at + 2));
    let spaced = text.replace('+', " ");
    whole.then(|| percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)).flatten()
}

fn is_absolute(uri: &str) -> bool {
    let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https"].iter().any(|one| scheme.eq_ignore_ascii_case(one))
}

/// True if `uri` leads a browser to the redirect URI. A path alone does if it is the path of the redirect URI; a query
/// alone always does.
fn is_for(redirect_uri: &str, uri: &str) -> bool {
    let expected = Url::parse(redirect_uri).expect("it was checked");
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    if is_absolute(uri) {
        return Url::parse(uri).is_ok_and(|url| place(&url) == place(&expected) && url.path() == expected.path());
    }
    !uri.starts_with('/') || uri.split(['?', '#']).next() == Some(expected.path())
}

/// True for the three forms in which a redirect reaches a program, in their usual spelling.
fn is_plainly_for(redirect_uri: &str, uri: &str) -> bool {
    let path = Url::parse(redirect_uri).expect("it was checked").path().to_owned();
    let bare = redirect_uri.split('?').next().unwrap_or_default();
    match uri.split('#').next().unwrap_or_default().split_once('?') {
        Some((place, _)) => place.is_empty() || place == bare || place == path,
        None => !uri.contains(['/', ':']),
    }
}
