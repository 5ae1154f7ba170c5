//! The time limit of a call: a timer that races with every promise, and an abort signal.
//!
//! The signal alone is not enough. Node (20.20) no longer passes an abort on once it has garbage-collected the request,
//! which may happen while the call waits for the body.

use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{Array, Object, Promise};
use restream_oauth_core::transport::{Failure, FailureKind};
use wasm_bindgen::JsValue;

use crate::failure;
use crate::platform::{call, construct, get, global, global_function};

/// A running time limit. Dropping it clears the timer and aborts the call if it is still running.
pub(crate) struct TimeLimit {
    /// An `AbortController`.
    controller: JsValue,
    timer: JsValue,
    /// Resolves when the time has passed. The value is the controller, which no other promise resolves to.
    passed: Promise,
}

impl TimeLimit {
    pub(crate) fn start(limit: Duration) -> Result<Self, JsValue> {
        // `setTimeout` takes a longer time for 0.
        let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        let controller = construct("AbortController", &Array::new())?;
        let set_timeout = global_function("setTimeout")?;
        let mut timer = Ok(JsValue::UNDEFINED);
        let passed = Promise::new(&mut |resolve, _| {
            timer = set_timeout.call3(&global(), &resolve, &milliseconds.into(), &controller);
        });
        Ok(Self { controller, timer: timer?, passed })
    }

    pub(crate) fn signal(&self) -> Result<JsValue, JsValue> {
        get(&self.controller, "signal")
    }

    /// Waits for a promise until the time has passed. Pass a thrown value to one of the two methods below.
    pub(crate) async fn wait_for(&self, promise: &JsValue) -> Result<JsValue, JsValue> {
        // The timer comes first, because an endless answer always has another piece ready.
        let value = JsFuture::from(Promise::race(&Array::of2(&self.passed, promise))).await?;
        if self.has_passed(&value) { Err(value) } else { Ok(value) }
    }

    /// Maps a value that was thrown before the head of the answer.
    pub(crate) fn failure_before_head(&self, thrown: &JsValue) -> Failure {
        if self.has_passed(thrown) { Failure::new(FailureKind::Timeout) } else { failure::of(thrown) }
    }

    /// Maps a value that was thrown within the body of the answer.
    pub(crate) fn failure_in_body(&self, thrown: &JsValue) -> Failure {
        if self.has_passed(thrown) { Failure::new(FailureKind::Timeout) } else { failure::of_body(thrown) }
    }

    fn has_passed(&self, value: &JsValue) -> bool {
        Object::is(value, &self.controller)
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        if let Ok(clear) = global_function("clearTimeout") {
            // This cannot fail in a runtime that has `setTimeout`.
            let _ = clear.call1(&global(), &self.timer);
        }
        let _ = call(&self.controller, "abort", &JsValue::UNDEFINED);
    }
}
