//! An answer that is no success: what it says, and what it may not say.
//!
//! - Where an independent reader finds an error code, it is ours.
//! - Only a success is one, of a revocation only a 200, whatever the body holds.
//! - What to do follows from whether the server perhaps acted: a credential that is used once is never sent again
//!   because of an answer that does not prove that it was not used.
//! - Secrets of the call that the server repeats (`$s` and so on) are not printed.

use std::time::Duration;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use restream_oauth_core::{Advice, Delivery, Error, ErrorKind, Operation, Salvaged, Stage};

use crate::allocation::bounded;
use crate::canary::{Silence, WORD};
use crate::client::sent_at;
use crate::expand::expand;
use crate::json::{self, Value};
use crate::script::{Got, Script, Way};

/// The oracle: `data` is a script, as `script.rs` describes it.
pub fn error_answer(data: &[u8]) {
    let script = Script::read(&expand(data));
    let outcome = script.outcome(Bounded);
    script.check(&outcome);
    match outcome {
        Ok(Got::Tokens(tokens)) => Silence::after(data).check_tokens(&tokens),
        Ok(_) => {}
        Err(error) => {
            check_words(&error);
            check_judgement(&script, &error);
            check_code(&script, &error);
            Silence::after(data).check_error(&error);
        }
    }
}

/// Measures the reading, not the receiving.
struct Bounded;

impl Way for Bounded {
    fn go<T: std::fmt::Debug>(self, script: &Script, call: restream_oauth_core::Call<T>) -> Result<T, Error> {
        let answer = script.end(script.feed_whole(call.into_parts().1));
        bounded(script.len(), || answer.read(sent_at()))
    }
}

/// What is printed is short and plain.
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

/// Delivery is proven or unknown, and the advice keeps to it.
fn check_judgement(script: &Script, error: &Error) {
    assert_eq!(error.operation(), script.step);
    let has_body = script.step != Operation::Profile;
    match error.delivery() {
        Delivery::NotSent => {
            let before = script.failure.is_some_and(|(stage, _)| stage == Stage::BeforeBody);
            assert!(before && has_body && script.status().is_none());
        }
        Delivery::Completed => assert!(error.salvaged().is_some()),
        Delivery::Refused => assert!(error.status().is_some(), "{error:?}"),
        _ => assert!(error.salvaged().is_none()),
    }
    let proven = matches!(error.delivery(), Delivery::NotSent | Delivery::Refused);
    let newest = matches!(error.salvaged(), Some(Salvaged::RefreshToken(_)));
    let fits = match error.advice() {
        Advice::Retry { after } => {
            assert_eq!(after, error.retry_after());
            // Twice does no harm to a revocation or a profile.
            proven || matches!(script.step, Operation::Revoke | Operation::Profile)
        }
        Advice::Replay => script.step == Operation::Refresh && !proven && !newest,
        Advice::Refresh => newest || script.step == Operation::Profile,
        Advice::Reauthorize => proven || script.step == Operation::Exchange,
        _ => proven,
    };
    assert!(fits, "{error:?}");
}

/// What an independent reader takes for the error code is the one that is reported.
fn check_code(script: &Script, error: &Error) {
    let Some(status) = script.status().filter(|status| !status.is_success()) else { return };
    assert_eq!(error.status(), Some(status));
    if status.is_redirection() {
        assert_eq!(error.kind(), &ErrorKind::Redirected(status));
        return;
    }
    let Some(object) = json::object(&script.body).filter(|_| script.body.len() <= script.limit) else { return };
    let code = match object.only("error") {
        Some(Value::String(code)) => code,
        Some(Value::Object(nested)) => nested.get("name").and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::Refused(told) if code.is_empty() => {
            assert!(object.has("error") || script.headers.contains_key(WWW_AUTHENTICATE), "{told} out of nothing");
        }
        ErrorKind::Refused(told) => {
            let plain = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            // The word of our secrets is cut out.
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
