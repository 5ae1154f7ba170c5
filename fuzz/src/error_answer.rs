//! The judgement of an error response: kind, delivery, advice, and what is printed.
//!
//! - If an independent reader finds an error code, the error has the same code.
//! - Only a success status gives a success, and for a revocation only 200 or 204, whatever the body holds.
//! - What counts as refused is derived a second time here, from status and error code.
//! - The advice fits the delivery: a credential that works once is sent again only if the response proves that it was
//!   not used, or as the replay of a refresh.
//! - If the server repeats secrets of the call (`$s` and so on), they are not printed.

use std::time::Duration;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use restream_oauth_core::error::{ErrorKind, Operation, Salvaged};
use restream_oauth_core::transport::Stage;
use restream_oauth_core::{Advice, Delivery, Error};

use crate::allocation::bounded;
use crate::canary::{Silence, WORD};
use crate::client::sent_at;
use crate::expand::expand;
use crate::json::{self, Object, Value};
use crate::script::{Got, Script, Way};

/// The oracle. `data` is a script; `script.rs` describes it.
pub fn error_answer(data: &[u8]) {
    let script = Script::read(&expand(data));
    let outcome = script.outcome(Bounded);
    script.check(&outcome);
    match outcome {
        Ok(Got::Tokens(tokens)) => Silence::after(data).check_tokens(&tokens),
        Ok(_) => {}
        Err(error) => {
            let object = json::object(&script.body).filter(|_| script.body.len() <= script.limit);
            check_words(&error);
            check_judgement(&script, object.as_ref(), &error);
            check_code(&script, object.as_ref(), &error);
            Silence::after(data).check_error(&error);
        }
    }
}

/// Measures what interpreting allocates, without the receiving.
struct Bounded;

impl Way for Bounded {
    fn go<T: std::fmt::Debug>(self, script: &Script, call: restream_oauth_core::Call<T>) -> Result<T, Error> {
        let answer = script.end(script.feed_whole(call.into_parts(sent_at()).1));
        bounded(script.len(), || answer.interpret())
    }
}

/// Printed text is short, and plain ASCII.
fn check_words(error: &Error) {
    let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert_eq!(size_of_val(error), size_of::<usize>());
    let message = error.server_message().unwrap_or_default();
    assert!(plain(message) && message.len() <= 512 + "...".len(), "{message:?}");
    let shown = error.to_string();
    assert!(plain(&shown) && shown.len() < 400, "{shown:?}");
    assert!(plain(&format!("{error:?}")));
    if let ErrorKind::Refused(code) = error.kind() {
        assert!(!code.as_str().is_empty() && code.as_str().len() <= 64 + "...".len(), "{code:?}");
    }
    assert!(error.retry_after().unwrap_or_default() <= Duration::from_secs(3600));
}

/// The delivery is proven or unknown, and the advice fits it.
fn check_judgement(script: &Script, object: Option<&Object>, error: &Error) {
    assert_eq!(error.operation(), script.step);
    let refused = error.delivery() == Delivery::Refused;
    match script.status() {
        Some(status) if status.is_success() => {
            assert!(!refused || success_may_refuse(script, object, error), "{error:?}");
        }
        Some(status) => {
            let code = error_code(object, error);
            assert_eq!(refused, is_refusal(status, code), "{error:?}");
        }
        None => assert!(!refused, "{error:?}"),
    }
    let has_body = script.step != Operation::Profile;
    match error.delivery() {
        Delivery::NotSent => {
            let before = script.failure.is_some_and(|(stage, _)| stage == Stage::BeforeBody);
            assert!(before && has_body && script.status().is_none());
        }
        Delivery::Completed => assert!(error.salvaged().is_some()),
        _ => assert!(error.salvaged().is_none()),
    }
    let proven = refused || error.delivery() == Delivery::NotSent;
    let newest = matches!(error.salvaged(), Some(Salvaged::RefreshToken(_)));
    let fits = match error.advice() {
        Advice::Retry { after } => {
            assert_eq!(after, error.retry_after());
            // A revocation or a profile call does no harm when it is sent twice.
            proven || matches!(script.step, Operation::Revoke | Operation::Profile)
        }
        Advice::Replay => script.step == Operation::Refresh && !proven && !newest,
        Advice::Refresh => newest || script.step == Operation::Profile,
        Advice::Reauthorize => proven || script.step == Operation::Exchange,
        // If such a call is redirected, it would be redirected again.
        _ => proven || matches!(error.kind(), ErrorKind::Redirected(_)),
    };
    assert!(fits, "{error:?}");
}

/// True if the response proves that the server did not act. These do: a redirect other than 303; 425 and 429 with any
/// code; any other 4xx, unless the code is `server_error`, which a server like Restream's sends after it acted; a
/// success, 408 or 499 with one of [`TELLING_CODES`]. A 5xx proves nothing, because a gateway may have sent it.
fn is_refusal(status: StatusCode, code: &str) -> bool {
    match status.as_u16() {
        303 => false,
        300..=399 | 425 | 429 => true,
        _ if code == "server_error" => false,
        200..=299 | 408 | 499 => TELLING_CODES.contains(&code),
        400..=499 => true,
        _ => false,
    }
}

/// Those of RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1 and RFC 6750 §3.1, without `server_error` and
/// `temporarily_unavailable`.
const TELLING_CODES: [&str; 11] = [
    "access_denied",
    "insufficient_scope",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_token",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
];

/// True if a success status may still mean that the server refused: its body holds an error code, the status of an
/// error (any of several may be the one that counts), or words which mean that the grant is dead.
fn success_may_refuse(script: &Script, object: Option<&Object>, error: &Error) -> bool {
    let asks_for_tokens = matches!(script.step, Operation::Exchange | Operation::Refresh);
    if asks_for_tokens && (script.failure.is_some() || script.body.len() > script.limit) {
        // The missing part may have held the tokens.
        return false;
    }
    let Some(object) = object else {
        // A body that the independent reader cannot read must at least name an error, perhaps escaped or in UTF-16.
        let in_another_way = script.body.iter().any(|byte| matches!(byte, 0 | b'\\'));
        let named = ERROR_MEMBERS.iter().any(|name| contains(&script.body, name));
        let fits = match error.kind() {
            ErrorKind::Refused(_) => true,
            ErrorKind::Status(status) => is_refusal(*status, "") || may_mean_dead_grant(&script.body),
            _ => false,
        };
        return (named || in_another_way) && fits;
    };
    let nested = json::nested(&script.body, "error");
    let names = ["statusCode", "status", "code"];
    let objects = nested.iter().chain([object]);
    let numbers = objects.flat_map(|object| names.iter().flat_map(|name| object.all(name)));
    let mut inside: Vec<StatusCode> = numbers
        .filter_map(|number| StatusCode::from_u16(u16::try_from(number.as_u64()?).ok()?).ok())
        .filter(|status| status.is_client_error() || status.is_server_error())
        .collect();
    if inside.is_empty() {
        inside.extend(script.status());
    }
    let code = error_code(Some(object), error);
    ERROR_MEMBERS.iter().any(|name| object.has(name))
        && (may_mean_dead_grant(&script.body) || inside.into_iter().any(|status| is_refusal(status, code)))
}

/// The members by which an object can be an error.
const ERROR_MEMBERS: [&str; 5] = ["error", "name", "code", "status", "statusCode"];

fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
}

/// False if no text in the body can mean that the grant is dead, because the words for it are missing.
fn may_mean_dead_grant(body: &[u8]) -> bool {
    let has_one = |words: &[&str]| words.iter().any(|word| contains(body, word));
    has_one(&["refresh", "grant", "code"])
        && has_one(&["invalid", "expired", "revoked", "reused", "blacklisted", "found"])
}

/// The error code that an independent reader finds in the body. If it finds none, the reported code, which may come
/// from a challenge.
fn error_code<'a>(object: Option<&'a Object>, error: &'a Error) -> &'a str {
    let reported = match error.kind() {
        ErrorKind::Refused(code) => code.as_str(),
        _ => "",
    };
    object.map(code_in).filter(|code| !code.is_empty()).unwrap_or(reported)
}

/// The first candidate that is a code of OAuth's; if there is no such candidate, the first one.
fn code_in(object: &Object) -> &str {
    let error = object.only("error");
    if object.has("error") && error.is_none() {
        return "";
    }
    let nested = |name| error.and_then(|error| error.get(name));
    let members =
        [error, nested("name"), nested("code"), last_held(object, "name", false), last_held(object, "code", true)];
    let codes = || members.into_iter().flatten().filter_map(Value::as_str).filter(|code| !code.is_empty());
    let known =
        |code: &&str| TELLING_CODES.contains(code) || ["server_error", "temporarily_unavailable"].contains(code);
    codes().find(known).or_else(|| codes().next()).unwrap_or_default()
}

/// The last value of this name that is neither null nor empty.
fn last_held<'a>(object: &'a Object, name: &str, only_text: bool) -> Option<&'a Value> {
    object.all(name).rfind(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !only_text && !elements.is_empty(),
        _ => !only_text,
    })
}

/// The reported error code is the one that an independent reader finds.
fn check_code(script: &Script, object: Option<&Object>, error: &Error) {
    let Some(status) = script.status().filter(|status| !status.is_success()) else { return };
    assert_eq!(error.status(), Some(status));
    if status.is_redirection() {
        assert_eq!(error.kind(), &ErrorKind::Redirected(status));
        return;
    }
    let Some(object) = object else { return };
    let code = code_in(object);
    match error.kind() {
        ErrorKind::Refused(told) if code.is_empty() => {
            let by_challenge = script.step == Operation::Profile && script.headers.contains_key(WWW_AUTHENTICATE);
            assert!(object.has("error") || by_challenge, "{told}, but the response holds no error");
        }
        ErrorKind::Refused(told) => {
            let plain = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            // A code with the word of our secrets in it is redacted.
            if plain && code.len() <= 64 && !code.contains(&WORD[..6]) {
                assert_eq!(told.as_str(), code);
            }
        }
        ErrorKind::Status(told) => {
            assert_eq!(*told, status);
            assert!(code.is_empty(), "{code} was not found");
        }
        other => panic!("{other:?} for {}", StatusCode::as_str(&status)),
    }
}
