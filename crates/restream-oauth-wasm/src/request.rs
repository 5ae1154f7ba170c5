//! From an `http::Request` to the `Request` that `fetch` takes.

use js_sys::{Reflect, Uint8Array};
use restream_oauth_core::Body;
use wasm_bindgen::JsValue;
use web_sys::{
    AbortSignal, Headers, ReferrerPolicy, Request, RequestCache, RequestCredentials, RequestInit, RequestRedirect,
};

use crate::platform::global;

/// Nothing is sent by this: whoever fails here has not handed anything to `fetch`.
pub(crate) fn build(request: &http::Request<Body>, signal: &AbortSignal) -> Result<Request, JsValue> {
    let init = RequestInit::new();
    init.set_method(request.method().as_str());
    init.set_headers(headers(request.headers())?.as_ref());
    if !request.body().is_empty() {
        init.set_body(&Uint8Array::from(request.body().as_ref()));
    }
    init.set_signal(Some(signal));
    // Following one would carry the credentials elsewhere.
    init.set_redirect(RequestRedirect::Manual);
    set_where_known(&init)?;
    Request::new_with_str_and_init(&request.uri().to_string(), &init)
}

/// What only means something where there are cookies, a cache and pages. A runtime without them may refuse a member
/// that it does not know (Cloudflare's workerd does), and says so by not having it.
fn set_where_known(init: &RequestInit) -> Result<(), JsValue> {
    let class = Reflect::get(&global(), &"Request".into())?;
    let prototype = Reflect::get(&class, &"prototype".into())?;
    let is_known = |member: &str| Reflect::has(&prototype, &member.into());
    if is_known("credentials")? {
        init.set_credentials(RequestCredentials::Omit);
    }
    if is_known("cache")? {
        init.set_cache(RequestCache::NoStore);
    }
    if is_known("referrerPolicy")? {
        init.set_referrer_policy(ReferrerPolicy::NoReferrer);
    }
    Ok(())
}

fn headers(from: &http::HeaderMap) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in from {
        let value = value.to_str().map_err(|error| js_sys::Error::new(&error.to_string()))?;
        headers.append(name.as_str(), value)?;
    }
    // Browsers let neither be set, and say nothing. Elsewhere the second keeps the connection from being used again: a
    // kept one may fail only after the request was written to it (Node), or have it sent twice (Deno).
    headers.append("accept-encoding", "identity")?;
    headers.append("connection", "close")?;
    Ok(headers)
}
