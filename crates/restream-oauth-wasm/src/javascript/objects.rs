//! Results as plain objects, which `JSON.stringify` and `structuredClone` copy unchanged.

use std::time::{Duration, SystemTime};

use js_sys::{Array, Object};
use restream_oauth_core::{Profile, RefreshToken, Scopes, Tokens};
use wasm_bindgen::JsValue;

use crate::platform::set;

pub(super) fn tokens(tokens: &Tokens) -> JsValue {
    let object = Object::new();
    set(&object, "accessToken", tokens.access_token().expose_secret());
    set_some(&object, "refreshToken", tokens.refresh_token().map(RefreshToken::expose_secret));
    set(&object, "tokenType", tokens.token_type().as_str());
    set_some(&object, "scopes", tokens.scopes().map(scopes));
    set(&object, "sentAt", milliseconds(tokens.sent_at()));
    set(&object, "expiresAt", milliseconds(tokens.expires_at()));
    set(&object, "refreshExpiresAt", milliseconds(tokens.refresh_expires_at()));
    set(&object, "oddities", tokens.oddities().map(|oddity| JsValue::from(oddity.as_str())).collect::<Array>());
    object.into()
}

pub(super) fn profile(profile: &Profile) -> JsValue {
    let object = Object::new();
    set(&object, "id", profile.id());
    set_some(&object, "username", profile.username());
    set_some(&object, "email", profile.email());
    object.into()
}

/// Sets a member if there is a value.
pub(super) fn set_some(object: &JsValue, member: &str, value: Option<impl Into<JsValue>>) {
    if let Some(value) = value {
        set(object, member, value);
    }
}

/// Converts a duration to milliseconds, as JavaScript counts time.
pub(super) fn whole_milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round()
}

fn milliseconds(time: SystemTime) -> f64 {
    whole_milliseconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn scopes(scopes: &Scopes) -> Array {
    scopes.iter().map(JsValue::from).collect()
}
