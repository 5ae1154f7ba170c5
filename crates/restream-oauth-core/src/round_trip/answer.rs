//! An answer that arrived and is not yet interpreted.

use std::fmt;
use std::time::SystemTime;

use http::StatusCode;

use super::collected::Collected;
use super::received::{Interpret, Received};
use crate::error::Error;

/// An answer that arrived, whole or not, and is not yet interpreted.
///
/// It exists for who must have the bytes on disk before anyone reads them: after a refresh they may be the only
/// copy of a grant. The bytes are wiped when it is dropped.
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

    /// Interprets it. `sent_at` is the time at which the request was sent.
    ///
    /// # Errors
    /// [`Error`] if the answer is not what was asked for.
    pub fn read(self, sent_at: SystemTime) -> Result<T, Error> {
        let Collected { arrival, body, .. } = self.collected;
        (self.interpret)(Received { arrival, body: body.as_slice() }, sent_at)
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.collected).finish()
    }
}
