//! A new connection for each call, in a runtime that offers it.
//!
//! Deno (2.9) keeps connections whatever the header `Connection` says. If a kept connection turns out to be closed,
//! Deno sends the request again by itself, although the server may have read all of it. If the first request rotated
//! the tokens, the second is answered with `invalid_grant`, and the user must log in again for nothing. An HTTP client
//! for one call keeps no connection.

use js_sys::{Array, Object};
use wasm_bindgen::JsValue;

use crate::platform::{call, get, global, set};

/// Deno's HTTP client for one call, if there is one. Dropping this closes the client.
pub(crate) struct OwnConnection(Option<JsValue>);

impl OwnConnection {
    /// Creates the client, in a runtime that has such clients.
    pub(crate) fn prepare() -> Self {
        let options = Object::new();
        set(&options, "poolMaxIdlePerHost", 0);
        let client = get(&global(), "Deno").and_then(|deno| call(&deno, "createHttpClient", &options));
        Self(client.ok())
    }

    /// Returns the arguments of `fetch`.
    pub(crate) fn arguments(&self, request: &JsValue) -> Array {
        match &self.0 {
            None => Array::of1(request),
            Some(client) => {
                let init = Object::new();
                set(&init, "client", client);
                Array::of2(request, &init)
            }
        }
    }
}

impl Drop for OwnConnection {
    fn drop(&mut self) {
        if let Some(client) = &self.0 {
            let _ = call(client, "close", &JsValue::UNDEFINED);
        }
    }
}
