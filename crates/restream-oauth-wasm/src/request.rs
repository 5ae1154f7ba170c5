//! From an `http::Request` to the `Request` that `fetch` takes.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use js_sys::{Array, Object, Reflect, Uint8Array};
use restream_oauth_core::Body;
use wasm_bindgen::JsValue;

use crate::platform::{construct, get, global, is_fetch_undici, set};

/// The names of all that the core sets. Reading any name at all (`HeaderName::as_str`) costs a page 900 bytes.
const HEADERS: [(HeaderName, &str); 3] =
    [(ACCEPT, "accept"), (AUTHORIZATION, "authorization"), (CONTENT_TYPE, "content-type")];

/// Nothing is sent by this: whoever fails here has not handed anything to `fetch`.
pub(crate) fn build(request: &http::Request<Body>, signal: &JsValue) -> Result<JsValue, JsValue> {
    let init = Object::new();
    let headers = headers(request.headers())?;
    set(&init, "method", request.method().as_str());
    if !request.body().is_empty() {
        set_body(&init, &headers, &Uint8Array::from(request.body().as_ref()))?;
    }
    set(&init, "headers", headers);
    set(&init, "signal", signal);
    // Following one would carry the credentials elsewhere.
    set(&init, "redirect", "manual");
    set_where_known(&init)?;
    construct("Request", &Array::of2(&request.uri().to_string().into(), &init))
}

/// Bytes, and in Node a stream of them, which can be read once and so be sent once: Node's `fetch` answers a 421 by sending
/// the request again by itself, unless its body is a stream (the Fetch standard, "HTTP-network-or-cache fetch"; undici 6.24
/// and 7.29). The length that is announced keeps the stream from going out in chunks, which not every server takes.
///
/// Chromium sends again as well, and takes a stream over HTTP/2 and later only, so a page has no such way.
fn set_body(init: &Object, headers: &Object, bytes: &Uint8Array) -> Result<(), JsValue> {
    if !is_fetch_undici() {
        set(init, "body", bytes);
        return Ok(());
    }
    set(headers, "content-length", bytes.length());
    set(init, "body", get(&construct("Response", &Array::of1(bytes))?, "body")?);
    set(init, "duplex", "half");
    Ok(())
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

fn headers(from: &HeaderMap) -> Result<Object, JsValue> {
    let headers = Object::new();
    for (name, value) in from {
        let known = HEADERS.iter().find(|(known, _)| known == name).zip(value.to_str().ok());
        let ((_, name), value) =
            known.ok_or_else(|| js_sys::Error::new("the request has a header that cannot be sent"))?;
        set(&headers, name, value);
    }
    // Browsers let neither be set, and say nothing. In Node the second keeps the connection from being used again: a kept
    // one may fail only after the request was written to it.
    set(&headers, "accept-encoding", "identity");
    set(&headers, "connection", "close");
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use restream_oauth_core::{AccessToken, AuthorizationCode, Call, Client, RefreshToken};

    use super::*;

    fn check<T>(call: Call<T>) {
        for name in call.into_parts(std::time::SystemTime::UNIX_EPOCH).0.headers().keys() {
            assert!(HEADERS.iter().any(|(known, _)| known == name), "{name}");
        }
    }

    #[test]
    fn every_header_that_the_core_sets_is_known_by_its_name() {
        let builder = || Client::builder("id").redirect_uri("https://app.example/callback");
        for builder in [builder(), builder().secret("secret"), builder().secret_in_body("secret")] {
            let client = builder.build().unwrap();
            let code = AuthorizationCode::without_state_check("c1", "https://app.example/callback", None);
            check(client.exchange(&code));
            check(client.refresh(&RefreshToken::new("r1")));
            check(client.revoke(&RefreshToken::new("r1")));
            check(client.profile(&AccessToken::new("a1")).unwrap());
        }
        for (name, text) in HEADERS {
            assert_eq!(name, text);
        }
    }
}
