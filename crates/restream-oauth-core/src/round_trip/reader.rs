//! The bounded, chunk-fed reader of an answer.

use std::fmt;
use std::ops::ControlFlow;
use std::time::SystemTime;

use http::{HeaderMap, Response, StatusCode};

use super::answer::Answer;
use super::collected::Collected;
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

    /// The answer ended, or the reader said stop. `sent_at` is the time at which the request was sent, from which
    /// the lifetimes of tokens count.
    ///
    /// # Errors
    /// [`Error`] if the answer is not what was asked for.
    pub fn finish(self, sent_at: SystemTime) -> Result<T, Error> {
        self.end().read(sent_at)
    }

    /// The HTTP stack failed. Still a success if the answer holds what was asked for.
    ///
    /// # Errors
    /// [`Error`] if it does not.
    pub fn failed(self, stage: Stage, failure: Failure, sent_at: SystemTime) -> Result<T, Error> {
        self.broke(stage, failure).read(sent_at)
    }

    /// As [`finish`](Self::finish), but leaves the bytes uninterpreted: for who must save them first.
    pub fn end(mut self) -> Answer<T> {
        self.collected.end();
        Answer::new(self.collected, self.interpret)
    }

    /// As [`failed`](Self::failed), but leaves the bytes uninterpreted: for who must save them first.
    pub fn broke(mut self, stage: Stage, failure: Failure) -> Answer<T> {
        self.collected.break_off(stage, failure);
        Answer::new(self.collected, self.interpret)
    }

    /// Reads a whole answer at once, in the place of [`head`](Self::head), [`chunk`](Self::chunk) and an exit. Nothing is
    /// copied.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn read(mut self, response: Response<impl AsRef<[u8]>>, sent_at: SystemTime) -> Result<T, Error> {
        let (head, body) = response.into_parts();
        if self.head(head.status, &head.headers).is_break() {
            return self.finish(sent_at);
        }
        if self.collected.has_body() {
            // Fed before by hand: this is the rest of it.
            let _ = self.chunk(body.as_ref());
            return self.finish(sent_at);
        }
        (self.interpret)(self.collected.with_body(body.as_ref()), sent_at)
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("collected", &self.collected).finish_non_exhaustive()
    }
}
