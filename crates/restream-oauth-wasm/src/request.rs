//! From an `http::Request` to the `Request` that `fetch` takes.

use js_sys::{Array, Object, Reflect, Uint8Array};
use restream_oauth_core::Body;
use wasm_bindgen::JsValue;

use crate::platform::{construct, get, global, set};

/// Nothing is sent by this: whoever fails here has not handed anything to `fetch`.
pub(crate) fn build(request: &http::Request<Body>, signal: &JsValue) -> Result<JsValue, JsValue> {
    let init = Object::new();
    set(&init, "method", request.method().as_str());
    set(&init, "headers", headers(request.headers())?);
    if !request.body().is_empty() {
        set(&init, "body", Uint8Array::from(request.body().as_ref()));
    }
    set(&init, "signal", signal);
    // Following one would carry the credentials elsewhere.
    set(&init, "redirect", "manual");
    set_where_known(&init)?;
    construct("Request", &Array::of2(&request.uri().to_string().into(), &init))
}

/// What only means something where there are cookies, a cache and pages. A runtime without them may refuse a member
/// that it does not know (Cloudflare's workerd does), and says so by not having it.
fn set_where_known(init: &Object) -> Result<(), JsValue> {
    let prototype = get(&get(&global(), "Request")?, "prototype")?;
    for (member, value) in [("credentials", "omit"), ("cache", "no-store"), ("referrerPolicy", "no-referrer")] {
        if Reflect::has(&prototype, &member.into())? {
            set(init, member, value);
        }
    }
    Ok(())
}

fn headers(from: &http::HeaderMap) -> Result<Object, JsValue> {
    let headers = Object::new();
    for (name, value) in from {
        let value = value.to_str().map_err(|error| js_sys::Error::new(&error.to_string()))?;
        set(&headers, name.as_str(), value);
    }
    // Browsers let neither be set, and say nothing. Elsewhere the second keeps the connection from being used again: a
    // kept one may fail only after the request was written to it (Node), or have it sent twice (Deno).
    set(&headers, "accept-encoding", "identity");
    set(&headers, "connection", "close");
    Ok(headers)
}
