//! What arrived of a response, before it is interpreted.

use std::fmt;
use std::time::SystemTime;

use http::StatusCode;

use super::arrival::Arrival;
use super::collected::Collected;
use super::received::{Interpret, Received};
use crate::error::Error;

/// What arrived of a response, whole or not, before it is interpreted as a `T`.
///
/// After a refresh, these bytes may be the only copy of the new pair. A program that must not lose the grant saves the
/// answer ([`to_saved`](Self::to_saved)) before it calls [`interpret`](Self::interpret). Dropping the answer wipes the
/// bytes.
#[must_use = "an answer that is not read may hold the only copy of a rotated pair"]
pub struct Answer<T> {
    collected: Collected,
    interpret: Interpret<T>,
}

impl<T> Answer<T> {
    pub(crate) fn new(collected: Collected, interpret: Interpret<T>) -> Self {
        Self { collected, interpret }
    }

    /// The HTTP status; `None` if no response head arrived.
    pub fn status(&self) -> Option<StatusCode> {
        self.collected.arrival.status()
    }

    /// The raw bytes of the body that arrived, up to [`body_limit`](crate::ClientBuilder::body_limit).
    ///
    /// The body of a token response is secret: write it only to places where tokens may be stored.
    pub fn expose_body(&self) -> &[u8] {
        self.collected.body.as_slice()
    }

    /// True if the response arrived completely: the HTTP stack reported no failure, no byte that Content-Length
    /// announced is missing, and the body is within [`body_limit`](crate::ClientBuilder::body_limit). Content-Length is
    /// not compared for redirects and compressed bodies.
    pub fn is_whole(&self) -> bool {
        !self.collected.arrival.is_cut()
    }

    /// When the request was sent: the `sent_at` that was passed to [`Call::into_parts`](crate::Call::into_parts).
    pub fn sent_at(&self) -> SystemTime {
        self.collected.arrival.sent_at
    }

    /// Parses the response into the result of the call.
    ///
    /// # Errors
    /// [`Error`] if the server refused the request, if the response does not hold the result, or if too little of the
    /// response arrived.
    pub fn interpret(self) -> Result<T, Error> {
        let interpret = self.interpret;
        self.interpret_as(interpret)
    }

    /// Everything that arrived except the body.
    pub(crate) fn arrival(&self) -> &Arrival {
        &self.collected.arrival
    }

    pub(super) fn interpret_as<U>(self, interpret: Interpret<U>) -> Result<U, Error> {
        let Collected { arrival, body } = self.collected;
        interpret(Received { arrival, body: body.as_slice() })
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.collected).finish()
    }
}
