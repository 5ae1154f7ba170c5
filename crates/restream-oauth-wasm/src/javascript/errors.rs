//! Failures as JavaScript `Error`s, with members that a program can compare.

use std::fmt::Display;

use js_sys::{Object, TypeError};
use restream_oauth_core::error::{ErrorKind, Salvaged};
use restream_oauth_core::login::CallbackError;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Error};
use wasm_bindgen::JsValue;

use super::objects::{set_some, whole_milliseconds};
use crate::platform::set;

/// Returns the error of a failed call.
pub(super) fn round_trip(error: &Error) -> JsValue {
    let object = named("RoundTripError", error);
    set(&object, "kind", kind(error.kind()));
    set(&object, "delivery", delivery(error.delivery()));
    set(&object, "advice", advice(error.advice()));
    if let ErrorKind::Refused(code) = error.kind() {
        set(&object, "code", code.as_str());
    }
    set_some(&object, "status", error.status().map(|status| status.as_u16()));
    set_some(&object, "retryAfter", error.retry_after().map(whole_milliseconds));
    set_some(&object, "serverMessage", error.server_message());
    set_some(&object, "salvaged", error.salvaged().map(salvaged));
    object
}

/// Returns the error of a callback without a code.
pub(super) fn callback(error: &CallbackError) -> JsValue {
    let object = named("CallbackError", error);
    let kind = match error {
        CallbackError::WrongPlace { .. } => "wrong_place",
        CallbackError::NoParameters => "no_parameters",
        CallbackError::Doubled(_) => "doubled",
        CallbackError::Unreadable(_) => "unreadable",
        CallbackError::StateMissing => "state_missing",
        CallbackError::StateMismatch => "state_mismatch",
        CallbackError::AlreadyUsed => "already_used",
        CallbackError::CodeAndError => "code_and_error",
        CallbackError::CodeMissing => "code_missing",
        CallbackError::Refused { .. } => "refused",
        _ => "other",
    };
    set(&object, "kind", kind);
    if let CallbackError::Refused { code, message } = error {
        set(&object, "code", code.as_str());
        set_some(&object, "serverMessage", message.as_deref());
    }
    object
}

/// Returns the error of a value that has the right type and cannot be used.
pub(super) fn configuration(error: &dyn Display) -> JsValue {
    named("ConfigurationError", error)
}

/// Returns the error of a value with the wrong type. The message leaves out the value, which may be a misplaced secret.
pub(super) fn wrong_type(name: &str, expected: &str) -> JsValue {
    TypeError::new(&format!("{name} must be {expected}")).into()
}

pub(super) fn unknown_member(name: &str) -> JsValue {
    TypeError::new(&format!("there is no option named {name}")).into()
}

/// Not generic, because a page would download one copy for each type of error.
fn named(name: &str, message: &dyn Display) -> JsValue {
    let error = js_sys::Error::new(&message.to_string());
    set(&error, "name", name);
    error.into()
}

fn kind(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Refused(_) => "refused",
        ErrorKind::Status(_) => "status",
        ErrorKind::Redirected(_) => "redirected",
        ErrorKind::Malformed(_) => "malformed",
        ErrorKind::TooLarge { .. } => "too_large",
        ErrorKind::Transport(FailureKind::Connect) => "connect",
        ErrorKind::Transport(FailureKind::Tls) => "tls",
        ErrorKind::Transport(FailureKind::Timeout) => "timeout",
        ErrorKind::Transport(FailureKind::Interrupted) => "interrupted",
        ErrorKind::Transport(FailureKind::Protocol) => "protocol",
        _ => "other",
    }
}

fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::NotSent => "not_sent",
        Delivery::Refused => "refused",
        Delivery::Completed => "completed",
        _ => "unknown",
    }
}

fn advice(advice: Advice) -> &'static str {
    match advice {
        Advice::Retry { .. } => "retry",
        Advice::Replay => "replay",
        Advice::Refresh => "refresh",
        Advice::Reauthorize => "reauthorize",
        Advice::FixConfiguration => "fix_configuration",
        _ => "abort",
    }
}

fn salvaged(salvaged: &Salvaged) -> Object {
    let object = Object::new();
    match salvaged {
        Salvaged::AccessToken(token) => set(&object, "accessToken", token.expose_secret()),
        Salvaged::RefreshToken(token) => set(&object, "refreshToken", token.expose_secret()),
        _ => {}
    }
    object
}
