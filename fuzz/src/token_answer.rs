//! The body of a token response.
//!
//! - If an independent reader takes the body for an object, the tokens are those that it finds there. The result is an
//!   error only if the object has no access token, or a refresh token that is not usable.
//! - However the body is truncated or broken, each token is one that the server wrote under one of its names.
//! - A longer prefix never loses a token that a shorter prefix gave, and never turns a success with both into an error.
//! - Tokens are equal after they are saved and loaded again.

use http::Response;
use restream_oauth_core::error::Salvaged;
use restream_oauth_core::token::{Oddity, TokenType};
use restream_oauth_core::{Call, Error, RefreshToken, Tokens};

use crate::allocation::bounded;
use crate::canary::{REFRESH, Silence};
use crate::client::{client, exchange, refresh, sent_at};
use crate::expand::expand;
use crate::json::{Object, Value};
use crate::written::Written;

/// The oracle. `data` is the body of a 200 response, to a refresh and to an exchange.
pub fn token_answer(data: &[u8]) {
    let body = expand(data);
    let silence = Silence::after(data);
    let refreshed = read(refresh(client()), &body);
    let exchanged = read(exchange(client()), &body);
    match &refreshed {
        Ok(tokens) => check_tokens(tokens, &silence),
        Err(error) => check_error(error, &silence),
    }
    let written = Written::of(&body);
    written.check(refreshed.as_ref());
    written.check(exchanged.as_ref());
    if let Some(object) = &written.object {
        check_against_judge(object, &refreshed, &exchanged);
    }
    check_prefixes(&body, &written, arrived(&refreshed));
}

fn read(call: Call<Tokens>, body: &[u8]) -> Result<Tokens, Error> {
    let answer = Response::new(body);
    let (_, mut reader) = call.into_parts(sent_at());
    let _ = reader.head(answer.status(), answer.headers());
    let _ = reader.chunk(body);
    let answer = reader.finish();
    bounded(body.len(), || answer.interpret())
}

fn check_tokens(tokens: &Tokens, silence: &Silence) {
    let saved = tokens.to_saved();
    let loaded = Tokens::from_saved(saved.expose_secret()).expect("what was saved can be loaded");
    assert_eq!(&loaded, tokens, "saved and loaded");

    let token = tokens.access_token().expose_secret();
    assert!(!token.is_empty());
    assert!(tokens.refresh_token().is_none_or(|token| !token.expose_secret().is_empty()));
    match tokens.bearer_header() {
        Ok(header) => {
            assert_eq!(header.as_bytes(), [b"Bearer ", token.as_bytes()].concat());
            assert!(header.is_sensitive());
        }
        Err(_) => {
            assert!(tokens.token_type() != &TokenType::Bearer || !token.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
    assert!((1..=10 * 31_536_000).contains(&tokens.lifetime().as_secs()));
    assert!(tokens.expires_at() > tokens.sent_at() && tokens.refresh_expires_at() > tokens.sent_at());

    silence.check_tokens(tokens);
    let other = format!("{} {:?}", tokens.token_type().as_str(), tokens.scopes());
    let printed = format!("{tokens:?}");
    for token in [Some(token), tokens.refresh_token().map(RefreshToken::expose_secret)].into_iter().flatten() {
        assert_unprinted(token, &printed, &other);
    }
}

fn check_error(error: &Error, silence: &Silence) {
    silence.check_error(error);
    let Some(token) = salvaged(error) else { return };
    assert!(!token.is_empty());
    assert_unprinted(token, &format!("{error} {error:?}"), error.server_message().unwrap_or_default());
}

/// A token is not printed, unless the server itself wrote it in `other`, which is text for people. Short tokens are not
/// checked, because any text may hold them.
fn assert_unprinted(token: &str, printed: &str, other: &str) {
    assert!(token.len() < 32 || !printed.contains(token) || other.contains(token), "{token:?} in {printed:?}");
}

/// The independent reader takes the last value that is neither null nor empty, and the RFC 6749 name before its twin.
fn check_against_judge(object: &Object, refreshed: &Result<Tokens, Error>, exchanged: &Result<Tokens, Error>) {
    let either = |snake, camel| object.last_text(snake).or_else(|| object.last_text(camel));
    let refresh_token = either("refresh_token", "refreshToken");
    let Some(access_token) = either("access_token", "accessToken") else {
        let expected = Arrived { success: false, access: false, refresh: refresh_token.is_some() };
        assert_eq!([arrived(refreshed), arrived(exchanged)], [expected; 2], "no access token in the answer");
        let errors = [refreshed, exchanged].map(|outcome| outcome.as_ref().err());
        assert_eq!(errors.map(|error| error.and_then(salvaged)), [refresh_token; 2]);
        return;
    };
    for (outcome, otherwise) in [(refreshed, Some(REFRESH)), (exchanged, None)] {
        if otherwise.is_some() && refresh_token.is_none() && has_unusable_refresh_token(object) {
            let error = outcome.as_ref().expect_err("the token that was sent is not the newest");
            assert_eq!(salvaged(error), Some(access_token));
            continue;
        }
        let tokens = outcome.as_ref().expect("an answer with an access token is a success");
        assert_eq!(tokens.access_token().expose_secret(), access_token);
        assert_eq!(tokens.refresh_token().map(RefreshToken::expose_secret), refresh_token.or(otherwise));
        if let Some(seconds @ 1..=315_360_000) = object.only("expires_in").and_then(Value::as_u64) {
            assert_eq!(tokens.lifetime().as_secs(), seconds);
        }
    }
}

/// True if the body holds a refresh token in any form: then the server has rotated.
fn has_unusable_refresh_token(object: &Object) -> bool {
    let mut values = object.all("refresh_token").chain(object.all("refreshToken"));
    values.any(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        _ => true,
    })
}

fn salvaged(error: &Error) -> Option<&str> {
    match error.salvaged()? {
        Salvaged::AccessToken(token) => Some(token.expose_secret()),
        Salvaged::RefreshToken(token) => Some(token.expose_secret()),
        _ => None,
    }
}

/// The number of places to cut: fewer in a body that takes long to read.
fn most_cuts(body: &[u8]) -> usize {
    if body.len() > 4096 { 2 } else { 8 }
}

fn check_prefixes(body: &[u8], written: &Written<'_>, at_last: Arrived) {
    let mut before = Arrived::default();
    for cut in cuts(body) {
        let outcome = read(refresh(client()), &body[..cut]);
        written.check(outcome.as_ref());
        let now = arrived(&outcome);
        assert!(now.holds(before), "{now:?} after {cut} bytes, {before:?} after fewer");
        before = now;
    }
    assert!(at_last.holds(before), "{at_last:?} at the end, {before:?} after fewer bytes");
}

/// Where to cut: in a short body everywhere, in a longer one after some strings and objects, and at some places
/// between.
fn cuts(body: &[u8]) -> Vec<usize> {
    let all = 1..body.len();
    let most = most_cuts(body);
    if all.len() <= most {
        return all.collect();
    }
    let closing = |at: &usize| matches!(body[at - 1], b'"' | b'}');
    let (closings, others): (Vec<_>, Vec<_>) = all.partition(closing);
    let some = |places: &[usize]| {
        let step = places.len().div_ceil(most / 2).max(1);
        places.iter().copied().step_by(step).collect::<Vec<_>>()
    };
    let mut cuts = [some(&closings), some(&others)].concat();
    cuts.sort_unstable();
    cuts
}

/// What arrived with the response. The refresh token that was sent does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Arrived {
    success: bool,
    access: bool,
    refresh: bool,
}

impl Arrived {
    fn holds(self, earlier: Self) -> bool {
        self.success >= earlier.success && self.access >= earlier.access && self.refresh >= earlier.refresh
    }
}

fn arrived(outcome: &Result<Tokens, Error>) -> Arrived {
    match outcome {
        Ok(tokens) => {
            let kept = tokens.oddities().any(|oddity| oddity == Oddity::RefreshTokenKept);
            // A refresh token may still follow in a longer prefix.
            Arrived { success: !kept, access: true, refresh: tokens.refresh_token().is_some() && !kept }
        }
        Err(error) => {
            let access = matches!(error.salvaged(), Some(Salvaged::AccessToken(_)));
            let refresh = matches!(error.salvaged(), Some(Salvaged::RefreshToken(_)));
            Arrived { success: false, access, refresh }
        }
    }
}
