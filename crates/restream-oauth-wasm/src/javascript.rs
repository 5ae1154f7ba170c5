//! The interface for JavaScript: classes over the core, plain objects for results, and `Error`s for failures.
//!
//! The feature `javascript` turns the interface on, and `build-npm` builds the npm package with it. `types.d.ts` has
//! the types that `wasm-bindgen` cannot express.

#![allow(unreachable_pub, reason = "items for JavaScript must be pub, although no Rust code can reach them")]

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

/// Sends a call, if it could be built. The promise resolves with the value that `resolve` returns for the result.
fn promise<T: 'static>(transport: &Transport, call: Result<Call<T>, JsValue>, resolve: fn(&T) -> JsValue) -> Promise {
    let parts = call.map(|call| {
        let (request, reader) = call.into_parts(now());
        (request, Box::new(Asked { reader, resolve }) as Box<dyn Ask + Send>)
    });
    drive(transport.clone(), parts)
}

/// Not generic, because a page would download one copy for each kind of call.
fn drive(transport: Transport, parts: Result<(http::Request<Body>, Box<dyn Ask + Send>), JsValue>) -> Promise {
    future_to_promise(async move {
        let (request, mut asked) = parts?;
        let end = transport.drive(&request, &mut |piece| asked.feed(piece)).await;
        asked.settle(end)
    })
}

/// The reader of an answer, without the type of the result.
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
