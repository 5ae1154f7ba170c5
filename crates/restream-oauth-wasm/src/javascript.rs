//! What JavaScript sees: classes over the core, plain objects for results, real `Error`s for failures.
//!
//! Behind the feature `javascript`, and built into the npm package by `build-npm`. Types that `wasm-bindgen` cannot
//! express are written by hand in `types.d.ts`.

#![allow(unreachable_pub, reason = "what is exported to JavaScript must be pub, and is nobody else's")]

mod client;
mod errors;
mod login;
mod objects;
mod options;

use js_sys::Promise;
use js_sys::futures::future_to_promise;
use restream_oauth_core::Call;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::transport::Transport;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("javascript/types.d.ts");

/// Sends a call that could be built, and settles with what `resolve` makes of its outcome.
fn promise<T: 'static>(
    transport: &Transport,
    call: Result<Call<T>, JsValue>,
    resolve: impl FnOnce(&T) -> JsValue + 'static,
) -> Promise {
    let transport = transport.clone();
    future_to_promise(async move {
        let outcome = transport.send(call?).await;
        outcome.map(|value| resolve(&value)).map_err(|error| errors::round_trip(&error))
    })
}
