//! The reader of a response: takes it chunk by chunk, up to a limit.

use std::fmt;
use std::ops::ControlFlow;

use http::{HeaderMap, Response, StatusCode};

use super::answer::Answer;
use super::collected::{Collected, Restored};
use super::question::Question;
use super::received::Interpret;
use crate::error::{Error, Failure, Stage};

/// Reads the response to one request: [`head`](Self::head), then any number of [`chunk`](Self::chunk)s, then
/// [`finish`](Self::finish) or [`fail`](Self::fail). [`read`](Self::read) does all of it at once.
///
/// Collecting a response takes at most [`body_limit`](crate::ClientBuilder::body_limit) (256 KiB by default) plus
/// 64 KiB of memory. Interpreting a body of n bytes takes at most 4 n bytes plus 64 KiB. The result does not depend on
/// how the body is split into chunks.
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::transport::{Failure, FailureKind, Stage};
/// use restream_oauth_core::{Client, RefreshToken, http};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let (_request, mut reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
/// let _ = reader.head(http::StatusCode::OK, &http::HeaderMap::new());
/// let _ = reader.chunk(br#"{"access_token":"a1","refr"#);
/// let _ = reader.chunk(br#"esh_token":"r1","expi"#);
/// // The connection failed, but both tokens had arrived.
/// let answer = reader.fail(Stage::ReadingBody, Failure::new(FailureKind::Interrupted));
/// assert!(!answer.is_whole());
/// assert_eq!(answer.interpret()?.access_token().expose_secret(), "a1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a response that is not read may hold the only copy of a rotated pair"]
pub struct Reader<T> {
    pub(super) collected: Collected,
    pub(super) interpret: Interpret<T>,
}

impl<T> Reader<T> {
    /// Takes the status and the headers. Skips informational responses (1xx, except 101); the first final response
    /// counts, and later heads are ignored.
    ///
    /// Returns `Break` if no body is needed: stop reading and call [`finish`](Self::finish).
    pub fn head(&mut self, status: StatusCode, headers: &HeaderMap) -> ControlFlow<()> {
        self.collected.take_head(status, headers)
    }

    /// Takes the next chunk of the body, of any size.
    ///
    /// Returns `Break` if the body is longer than [`body_limit`](crate::ClientBuilder::body_limit): stop reading and
    /// call [`finish`](Self::finish).
    #[inline]
    pub fn chunk(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.collected.take_chunk(bytes)
    }

    /// Ends the reading after the response ended, or after the reader returned `Break`.
    pub fn finish(mut self) -> Answer<T> {
        self.collected.end();
        Answer::new(self.collected, self.interpret)
    }

    /// Ends the reading after the HTTP stack failed. The answer may still hold the result, if it arrived before the
    /// failure.
    pub fn fail(mut self, stage: Stage, failure: Failure) -> Answer<T> {
        self.collected.break_off(stage, failure);
        Answer::new(self.collected, self.interpret)
    }

    /// The saved answer of this call: the same as if its response had been fed to this reader.
    pub(crate) fn restored(mut self, restored: Restored<'_>) -> Answer<T> {
        self.collected.restore(restored);
        Answer::new(self.collected, self.interpret)
    }

    pub(crate) fn question(&self) -> &Question {
        &self.collected.arrival.question
    }

    /// Reads and interprets a whole response at once, instead of [`head`](Self::head), [`chunk`](Self::chunk),
    /// [`finish`](Self::finish) and [`Answer::interpret`]. Does not copy the body.
    ///
    /// # Errors
    /// Like [`Answer::interpret`].
    pub fn read(mut self, response: Response<impl AsRef<[u8]>>) -> Result<T, Error> {
        let (head, body) = response.into_parts();
        if self.head(head.status, &head.headers).is_break() {
            return self.finish().interpret();
        }
        if self.collected.has_body() {
            // The caller has fed chunks before: `response` is the rest of the body.
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
