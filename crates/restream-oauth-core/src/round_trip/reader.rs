//! The bounded, chunk-fed reader of an answer.

use std::fmt;
use std::ops::ControlFlow;

use http::{HeaderMap, Response, StatusCode};

use super::answer::Answer;
use super::collected::{Collected, Restored};
use super::question::Question;
use super::received::Interpret;
use crate::error::{Error, Failure, Stage};

/// Reads the answer to one request: head, chunk, chunk, …, then one of the exits.
///
/// To collect an answer takes no more memory than the limit of the [`Client`](crate::Client) (256 KiB by default) and 64
/// KiB; to interpret one of n bytes, 4 n and 64 KiB.
/// How the body is cut into chunks does not change the outcome.
#[must_use = "an answer that is not read may hold the only copy of a rotated pair"]
pub struct Reader<T> {
    pub(super) collected: Collected,
    pub(super) interpret: Interpret<T>,
}

impl<T> Reader<T> {
    /// Takes the status and headers. Informational answers (1xx) are skipped; the first final one counts.
    /// `Break` means that nothing more is needed: stop reading and call [`finish`](Self::finish).
    pub fn head(&mut self, status: StatusCode, headers: &HeaderMap) -> ControlFlow<()> {
        self.collected.take_head(status, headers)
    }

    /// Takes the next piece of the body, of any size. `Break` means that nothing more is needed or allowed: stop
    /// reading and call [`finish`](Self::finish).
    #[inline]
    pub fn chunk(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.collected.take_chunk(bytes)
    }

    /// Ends the reading: the answer ended, or the reader said stop.
    pub fn finish(mut self) -> Answer<T> {
        self.collected.end();
        Answer::new(self.collected, self.interpret)
    }

    /// Ends the reading: the HTTP stack failed. The answer may hold what was asked for all the same.
    pub fn fail(mut self, stage: Stage, failure: Failure) -> Answer<T> {
        self.collected.break_off(stage, failure);
        Answer::new(self.collected, self.interpret)
    }

    /// The answer to this call as it was when it was saved: the same as if it had been fed now.
    pub(crate) fn restored(mut self, restored: Restored<'_>) -> Answer<T> {
        self.collected.restore(restored);
        Answer::new(self.collected, self.interpret)
    }

    pub(crate) fn question(&self) -> &Question {
        &self.collected.arrival.question
    }

    /// Reads and interprets a whole answer at once, instead of [`head`](Self::head), [`chunk`](Self::chunk),
    /// [`finish`](Self::finish) and [`Answer::interpret`]. Copies nothing.
    ///
    /// # Errors
    /// [`Error`] if the answer is not what was asked for.
    pub fn read(mut self, response: Response<impl AsRef<[u8]>>) -> Result<T, Error> {
        let (head, body) = response.into_parts();
        if self.head(head.status, &head.headers).is_break() {
            return self.finish().interpret();
        }
        if self.collected.has_body() {
            // Chunks were fed before: this is the rest of the body.
            let _ = self.chunk(body.as_ref());
            return self.finish().interpret();
        }
        (self.interpret)(self.collected.with_body(body.as_ref()))
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("collected", &self.collected).finish_non_exhaustive()
    }
}
