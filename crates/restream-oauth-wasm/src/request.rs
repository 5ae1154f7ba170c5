//! Turns an `http::Request` into a JavaScript `Request` for `fetch`.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use js_sys::{Array, Object, Reflect, Uint8Array};
use restream_oauth_core::Body;
use wasm_bindgen::JsValue;

use crate::platform::{construct, get, global, is_fetch_undici, set};

/// The headers that the core sets, with their names as text. `HeaderName::as_str` would cost a page 900 bytes.
const HEADERS: [(HeaderName, &str); 3] =
    [(ACCEPT, "accept"), (AUTHORIZATION, "authorization"), (CONTENT_TYPE, "content-type")];

/// Builds the request. It sends nothing, so a failure here proves that nothing was sent.
pub(crate) fn build(request: &http::Request<Body>, signal: &JsValue) -> Result<JsValue, JsValue> {
    let init = Object::new();
    let headers = headers(request.headers())?;
    set(&init, "method", request.method().as_str());
    if !request.body().is_empty() {
        set_body(&init, &headers, &Uint8Array::from(request.body().as_ref()))?;
    }
    set(&init, "headers", headers);
    set(&init, "signal", signal);
    // To follow a redirect would send the credentials to another server.
    set(&init, "redirect", "manual");
    set_where_known(&init)?;
    construct("Request", &Array::of2(&request.uri().to_string().into(), &init))
}

/// Sets the body: bytes, or in Node a stream of these bytes. After a 421, Node's `fetch` sends the request again by
/// itself, unless its body is a stream, which can be read only once (the Fetch standard, "HTTP-network-or-cache fetch";
/// undici 6.24 and 7.29). A stream without an announced length would be sent in chunks, which not every server accepts.
///
/// Chromium also sends a request again after a 421. It accepts streams over HTTP/2 and later only, so this does not
/// help in a page.
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

/// Sets the options for cookies, cache and referrer, in a runtime that has them. A runtime without such an option may
/// refuse it, as Cloudflare's workerd does; its `Request` then lacks the member.
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
    // Browsers silently ignore both headers. In Node, `connection: close` prevents reuse: a reused connection may fail
    // only after the request was written to it.
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
    fn every_header_that_the_core_sets_is_in_the_list_with_its_name() {
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
