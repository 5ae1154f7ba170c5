//! The remote control under `/_sandbox/`, for tests in any language.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::http::guard;
use crate::http::request::Request;
use crate::http::state::State;
use crate::http::watch;
use crate::orders::decision::decide;
use crate::orders::fault::Fault;
use crate::restream::error_response::ErrorResponse;
use crate::restream::json::quoted;
use crate::restream::rules::Rotation;
use crate::system::sync::lock;

/// The start of every path of the remote control.
pub(crate) const PREFIX: &str = "/_sandbox/";

/// Does what a request to the remote control asks for, if the request is allowed.
pub(crate) fn act(state: &State, request: &Request) -> Answer {
    let head = &request.head;
    if let Err(error) = guard::check(state, head) {
        return error.into();
    }
    let done = |result: Result<(), String>| match result {
        Ok(()) => Answer::json(200, "{\"ok\":true}".to_owned()),
        Err(message) => ErrorResponse::invalid_request(message).into(),
    };
    match (head.method(), head.path().strip_prefix(PREFIX).unwrap_or_default()) {
        ("GET", "ledger") => Answer::json(200, state.provider.book.snapshot().to_json()),
        ("GET", "config") => Answer::json(200, config(state)),
        ("GET", "") => watch::show(state),
        ("GET", "page.js") => watch::script(),
        ("GET", "page.css") => watch::style(),
        ("POST", path) if path.starts_with("page/") => watch::act(state, request),
        ("POST", "faults") => done(inject(state, &request.body)),
        ("DELETE", "faults") => {
            lock(&state.faults).clear();
            done(Ok(()))
        }
        ("POST", "approve") => pressed(state, &request.body, true),
        ("POST", "deny") => pressed(state, &request.body, false),
        ("POST", "advance") => done(advance(state, &request.body)),
        ("POST", "rules") => done(set_rules(state, &request.body)),
        ("POST", "end_grants") => Answer::json(200, format!("{{\"ended\":{}}}", state.provider.end_grants(None))),
        ("POST", "reset") => {
            state.reset();
            done(Ok(()))
        }
        _ => ErrorResponse::invalid_request("Not found").with_status(404).into(),
    }
}

fn inject(state: &State, body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let fault = Fault::from_json(text).map_err(|error| error.to_string())?;
    lock(&state.faults).push(fault);
    Ok(())
}

/// Presses a button. The body of the request is the URL of the consent page and nothing else.
fn pressed(state: &State, body: &[u8], approved: bool) -> Answer {
    match decide(&state.provider, &state.base_url, &String::from_utf8_lossy(body), approved) {
        Ok(callback) => Answer::json(200, format!("{{\"callback\":{}}}", quoted(&callback))),
        Err(error) => ErrorResponse::invalid_request(error.to_string()).into(),
    }
}

fn advance(state: &State, body: &[u8]) -> Result<(), String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let seconds = value.get("seconds").and_then(Value::as_u64);
    let seconds = seconds.ok_or("`seconds`: expected a number, not negative")?;
    state.provider.clock.advance(Duration::from_secs(seconds));
    Ok(())
}

/// Sets all the rules that the object names, or none of them.
fn set_rules(state: &State, body: &[u8]) -> Result<(), String> {
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    state.provider.change_rules(|rules| {
        object.iter().try_for_each(|(rule, word)| {
            let word = word.as_str().ok_or_else(|| format!("`{rule}`: expected a word"))?;
            rules.set(rule, word).map_err(|error| error.to_string())
        })
    })
}

/// The configuration of the sandbox, without the secret. The program that started the sandbox has the secret.
fn config(state: &State) -> String {
    let settings = &state.provider.settings;
    let rules = state.provider.rules();
    let words = rules.words().into_iter().map(|(rule, word)| (rule.to_owned(), Value::from(word)));
    json!({
        "base_url": state.base_url,
        "client_id": settings.client_id,
        "public_client": settings.client_secret.is_none(),
        "redirect_uris": settings.redirect_uris,
        "scopes": settings.scopes,
        "code_lifetime_seconds": settings.code_lifetime.as_secs(),
        "access_token_lifetime_seconds": settings.access_token_lifetime.as_secs(),
        "refresh_token_lifetime_seconds": settings.refresh_token_lifetime.as_secs(),
        "revoke_grant_on_reuse": rules.rotation == Rotation::Family,
        "rules": words.collect::<Map<_, _>>(),
    })
    .to_string()
}
