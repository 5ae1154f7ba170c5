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

use std::ops::ControlFlow;

use js_sys::Promise;
use js_sys::futures::future_to_promise;
use restream_oauth_core::transport::{Failure, Stage};
use restream_oauth_core::{Body, Call, Reader};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::platform::now;
use crate::transport::{Piece, Transport};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("javascript/types.d.ts");

/// Sends a call that could be built, and settles with what `resolve` makes of its outcome.
fn promise<T: 'static>(transport: &Transport, call: Result<Call<T>, JsValue>, resolve: fn(&T) -> JsValue) -> Promise {
    let parts = call.map(|call| {
        let (request, reader) = call.into_parts(now());
        (request, Box::new(Asked { reader, resolve }) as Box<dyn Ask + Send>)
    });
    drive(transport.clone(), parts)
}

/// Not generic: a page would load it once for each kind of call.
fn drive(transport: Transport, parts: Result<(http::Request<Body>, Box<dyn Ask + Send>), JsValue>) -> Promise {
    future_to_promise(async move {
        let (request, mut asked) = parts?;
        let end = transport.drive(&request, &mut |piece| asked.feed(piece)).await;
        asked.settle(end)
    })
}

/// The reader of an answer, whatever the answer becomes.
trait Ask {
    fn feed(&mut self, piece: Piece<'_>) -> ControlFlow<()>;
    fn settle(self: Box<Self>, end: Result<(), (Stage, Failure)>) -> Result<JsValue, JsValue>;
}

struct Asked<T> {
    reader: Reader<T>,
    resolve: fn(&T) -> JsValue,
}

impl<T> Ask for Asked<T> {
    fn feed(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        piece.feed(&mut self.reader)
    }

    fn settle(self: Box<Self>, end: Result<(), (Stage, Failure)>) -> Result<JsValue, JsValue> {
        let answer = match end {
            Ok(()) => self.reader.finish(),
            Err((stage, failure)) => self.reader.fail(stage, failure),
        };
        answer.interpret().map(|value| (self.resolve)(&value)).map_err(|error| errors::round_trip(&error))
    }
}
