//! The end of a call's time: a timer against which all waiting is a race, and an abort signal.
//!
//! The signal alone would not do: Node (20.20) forgets to pass an abort on once its garbage collector was at the request,
//! which may be while the body of the answer is awaited.

use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{Array, Object, Promise};
use restream_oauth_core::transport::{Failure, FailureKind};
use wasm_bindgen::JsValue;

use crate::failure;
use crate::platform::{call, construct, get, global, global_function};

/// A running limit. Dropping it takes the timer back and aborts what is still under way.
pub(crate) struct TimeLimit {
    /// An `AbortController`.
    controller: JsValue,
    timer: JsValue,
    /// Resolves when the time has passed, to the controller: nothing else has that to say.
    passed: Promise,
}

impl TimeLimit {
    pub(crate) fn start(limit: Duration) -> Result<Self, JsValue> {
        // A longer time would count as none at all.
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

    /// Waits for a promise as long as there is time. What it throws is for one of the two below.
    pub(crate) async fn wait_for(&self, promise: &JsValue) -> Result<JsValue, JsValue> {
        // The time comes first: an answer without end always has another piece ready.
        let value = JsFuture::from(Promise::race(&Array::of2(&self.passed, promise))).await?;
        if self.has_passed(&value) { Err(value) } else { Ok(value) }
    }

    /// What it means that `fetch` gave no answer.
    pub(crate) fn failure_before_head(&self, thrown: &JsValue) -> Failure {
        if self.has_passed(thrown) { Failure::new(FailureKind::Timeout) } else { failure::of(thrown) }
    }

    /// What it means that the body of an answer cannot be read on.
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
            // Where there is `setTimeout`, this does not fail.
            let _ = clear.call1(&global(), &self.timer);
        }
        let _ = call(&self.controller, "abort", &JsValue::UNDEFINED);
    }
}
