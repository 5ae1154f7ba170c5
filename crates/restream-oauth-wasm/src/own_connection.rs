//! A connection that no other request was on, where the runtime can be asked for one.
//!
//! Deno (2.9) keeps the connections of all that a program fetches, whatever `Connection` says, and when one turns out to
//! be closed it sends the request again by itself, though the server may have read all of it. If the first one had rotated the tokens, the answer to the second is
//! `invalid_grant`, and a login is lost for nothing. A client of the call's own keeps no connection.

use js_sys::{Array, Object};
use wasm_bindgen::JsValue;

use crate::platform::{call, get, global, set};

/// What `fetch` is told beside the request. Dropping it closes the client, if there is one.
pub(crate) struct OwnConnection(Option<JsValue>);

impl OwnConnection {
    /// None where there is no such client.
    pub(crate) fn prepare() -> Self {
        let options = Object::new();
        set(&options, "poolMaxIdlePerHost", 0);
        let client = get(&global(), "Deno").and_then(|deno| call(&deno, "createHttpClient", &options));
        Self(client.ok())
    }

    /// The arguments of `fetch`.
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
