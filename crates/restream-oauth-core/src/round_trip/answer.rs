//! An answer that arrived and is not yet interpreted.

use std::fmt;
use std::time::SystemTime;

use http::StatusCode;

use super::arrival::Arrival;
use super::collected::Collected;
use super::received::{Interpret, Received};
use crate::error::Error;

/// An answer that arrived, whole or not, and is not yet interpreted.
///
/// A program that must not lose a grant saves the answer ([`to_saved`](Self::to_saved)) before it interprets it: after a
/// refresh its bytes may be the only copy of the new pair. The bytes are wiped when the answer is dropped.
#[must_use = "an answer that is not read may hold the only copy of a rotated pair"]
pub struct Answer<T> {
    collected: Collected,
    interpret: Interpret<T>,
}

impl<T> Answer<T> {
    pub(crate) fn new(collected: Collected, interpret: Interpret<T>) -> Self {
        Self { collected, interpret }
    }

    /// The status, if a head arrived.
    pub fn status(&self) -> Option<StatusCode> {
        self.collected.arrival.status()
    }

    /// The raw bytes that arrived of the body, up to the limit. Those of a token answer are secret: write them
    /// nowhere but where tokens may stand.
    pub fn expose_body(&self) -> &[u8] {
        self.collected.body.as_slice()
    }

    /// True if the answer ended as HTTP says it must, within the limit.
    pub fn is_whole(&self) -> bool {
        !self.collected.arrival.is_cut()
    }

    /// When the request was sent, as [`Call::into_parts`](crate::Call::into_parts) was told.
    pub fn sent_at(&self) -> SystemTime {
        self.collected.arrival.sent_at
    }

    /// Makes of the answer what was asked for.
    ///
    /// # Errors
    /// [`Error`] if the answer is something else, or too little of it arrived.
    pub fn interpret(self) -> Result<T, Error> {
        let interpret = self.interpret;
        self.interpret_as(interpret)
    }

    /// All that arrived besides the body.
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
