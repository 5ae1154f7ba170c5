//! Sends each call with one `fetch`.

use std::ops::ControlFlow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use js_sys::Function;
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Answer, Body, Call, Error, Reader};
use wasm_bindgen::JsValue;

use crate::failure;
use crate::own_connection::OwnConnection;
use crate::platform::{get, global, global_function, now};
use crate::request;
use crate::response::{self, Chunks};
use crate::time_limit::TimeLimit;

/// The limit is long: to give up after a refresh was sent may cost the user a login.
const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(90);

/// Sends calls.
#[derive(Clone, Debug)]
pub struct Transport {
    time_limit: Duration,
}

impl Transport {
    /// Builds a transport with a time limit of 90 seconds for each call.
    pub fn new() -> Self {
        Self { time_limit: DEFAULT_TIME_LIMIT }
    }

    /// Sets the time limit for a whole call, from connecting to the last byte. More than 24 days count as 24 days.
    #[must_use]
    pub fn time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Sends a call and interprets its answer.
    ///
    /// # Errors
    /// [`Error`] says what happened, whether the server may have acted, and what to do now.
    pub async fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.receive(call).await.interpret()
    }

    /// Sends a call and returns its answer, not yet interpreted. Use it to save the raw answer
    /// ([`Answer::to_saved`]) before anything interprets it.
    pub async fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        let (request, mut reader) = call.into_parts(now());
        match self.drive(&request, &mut |piece| piece.feed(&mut reader)).await {
            Ok(()) => reader.finish(),
            Err((stage, failure)) => reader.fail(stage, failure),
        }
    }

    /// Feeds the answer piece by piece until it ends or `feed` needs no more. Not generic, because a page would
    /// download one copy for each kind of call. `feed` is `Send`, so that only JavaScript's values keep this future on
    /// its thread.
    pub(crate) async fn drive(
        &self,
        request: &http::Request<Body>,
        feed: &mut (dyn FnMut(Piece<'_>) -> ControlFlow<()> + Send),
    ) -> Result<(), (Stage, Failure)> {
        let unsent = |thrown: JsValue| (Stage::BeforeBody, failure::of(&thrown));
        // Lives to the end of the call. Dropping the limit aborts the call if it is still running.
        let limit = TimeLimit::start(self.time_limit).map_err(unsent)?;
        let fetch = Fetch::prepare(request, &limit).map_err(unsent)?;
        let before_head = |thrown: JsValue| (Stage::AwaitingHead, limit.failure_before_head(&thrown));
        let response = limit.wait_for(&fetch.begin().map_err(before_head)?).await.map_err(before_head)?;

        if get(&response, "type").map_err(before_head)?.as_string().as_deref() == Some("opaqueredirect") {
            // The browser hides the status and the target. It may have been 303, which leaves the most in doubt.
            let _ = feed(Piece::Head(StatusCode::SEE_OTHER, &HeaderMap::new()));
            return Ok(());
        }
        let status = status_of(&response).ok_or((Stage::AwaitingHead, Failure::new(FailureKind::Protocol)))?;
        let headers = response::headers(&response).map_err(before_head)?;
        if feed(Piece::Head(status, &headers)).is_break() {
            return Ok(());
        }
        let in_body = |thrown: JsValue| (Stage::ReadingBody, limit.failure_in_body(&thrown));
        let mut chunks = Chunks::of(&response).map_err(in_body)?;
        while let Some(bytes) = chunks.next(&limit).await.map_err(in_body)? {
            if feed(Piece::Chunk(&bytes)).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A piece of an answer.
pub(crate) enum Piece<'a> {
    Head(StatusCode, &'a HeaderMap),
    Chunk(&'a [u8]),
}

impl Piece<'_> {
    pub(crate) fn feed<T>(self, reader: &mut Reader<T>) -> ControlFlow<()> {
        match self {
            Self::Head(status, headers) => reader.head(status, headers),
            Self::Chunk(bytes) => reader.chunk(bytes),
        }
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self::new()
    }
}

/// The platform's `fetch` and its arguments. Before [`begin`](Self::begin), nothing is sent.
struct Fetch {
    function: Function,
    /// A `Request`.
    request: JsValue,
    connection: OwnConnection,
}

impl Fetch {
    fn prepare(request: &http::Request<Body>, limit: &TimeLimit) -> Result<Self, JsValue> {
        let request = request::build(request, &limit.signal()?)?;
        Ok(Self { function: global_function("fetch")?, request, connection: OwnConnection::prepare() })
    }

    /// Calls `fetch`, which promises the head of the answer. The connection stays open as long as `self` lives.
    fn begin(&self) -> Result<JsValue, JsValue> {
        self.function.apply(&global(), &self.connection.arguments(&self.request))
    }
}

fn status_of(response: &JsValue) -> Option<StatusCode> {
    let status = get(response, "status").ok()?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast changes no status")]
    StatusCode::from_u16(status as u16).ok()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// This test compiles, or it does not. A call also holds a `JsFuture`, which is not `Send`.
    #[test]
    fn all_that_a_call_holds_except_promises_is_send() {
        fn is_send<T: Send>() {}
        is_send::<(TimeLimit, Fetch, Chunks, JsValue)>();
        is_send::<Reader<Rc<()>>>();
    }
}
