//! One request and the reader of its response.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::Request;

use super::answer::Answer;
use super::collected::Collected;
use super::question::Question;
use super::reader::Reader;
use super::received::{Interpret, Received};
use crate::error::Error;

/// One request, and how to parse its response. `T` is the result, such as [`Tokens`](crate::Tokens).
///
/// A call cannot be cloned, and is sent once: it may carry a credential that the server accepts only once. Build the
/// call again from the code or refresh token only if [`Error::advice`](crate::Error::advice) is `Retry` or `Replay`.
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::{Client, RefreshToken, http};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let now = SystemTime::UNIX_EPOCH; // in a program: SystemTime::now()
/// let (request, reader) = client.refresh(&RefreshToken::new("9ca0e1e9")).into_parts(now);
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.body().as_ref(), b"grant_type=refresh_token&refresh_token=9ca0e1e9");
///
/// let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
/// let tokens = reader.read(response)?;
/// assert_eq!(tokens.access_token().expose_secret(), "a1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a call does nothing until its request is sent"]
pub struct Call<T> {
    request: Request<Body>,
    question: Question,
    interpret: Interpret<T>,
}

impl<T> Call<T> {
    #[inline]
    pub(crate) fn new(request: Request<Body>, question: Question, interpret: Interpret<T>) -> Self {
        Self { request, question, interpret }
    }

    /// The request, before it is sent.
    pub fn request(&self) -> &Request<Body> {
        &self.request
    }

    /// Splits the call into the request to send and the reader of its response. `sent_at` is the current time; the
    /// lifetimes of tokens count from it.
    ///
    /// From here on, every path must end in [`Reader::finish`], [`Reader::fail`] or [`Reader::read`]. Do not use `?`
    /// before that: an early return drops the reader, and with it a new pair that may already have arrived.
    pub fn into_parts(self, sent_at: SystemTime) -> (Request<Body>, Reader<T>) {
        let reader = Reader { collected: Collected::new(self.question, sent_at), interpret: self.interpret };
        (self.request, reader)
    }

    /// Splits the call into a call without a result type, and the [`Interpreter`] that parses its response into a `T`.
    /// So one function or closure that is not generic can send the calls of every step.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use restream_oauth_core::transport::Unread;
    /// use restream_oauth_core::{AccessToken, Answer, Call, Client, RefreshToken};
    ///
    /// fn receive(call: Call<Unread>) -> Answer<Unread> {
    ///     let (_request, reader) = call.into_parts(SystemTime::UNIX_EPOCH);
    ///     // … send the request, feed the reader …
    /// #   let mut reader = reader;
    /// #   let _ = reader.head(http::StatusCode::OK, &http::HeaderMap::new());
    /// #   let _ = reader.chunk(br#"{"access_token":"a1","refresh_token":"r1","id":7}"#);
    ///     reader.finish()
    /// }
    ///
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let (call, interpreter) = client.refresh(&RefreshToken::new("r0")).unread();
    /// assert_eq!(interpreter.interpret(receive(call))?.access_token().expose_secret(), "a1");
    /// let (call, interpreter) = client.profile(&AccessToken::new("a1"))?.unread();
    /// assert_eq!(interpreter.interpret(receive(call))?.id(), "7");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unread(self) -> (Call<Unread>, Interpreter<T>) {
        let Self { request, question, interpret } = self;
        (Call { request, question, interpret: leave_unread }, Interpreter(interpret))
    }
}

/// The result type of a call that [`Call::unread`] returned: an [`Interpreter`] parses the response later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread;

/// Checks only the status.
fn leave_unread(received: Received<'_>) -> Result<Unread, Error> {
    match received.status() {
        Some(status) if status.is_success() => Ok(Unread),
        _ => Err(received.into_refusal()),
    }
}

/// Parses the response of one call into a `T`. [`Call::unread`] returns it, beside the call.
pub struct Interpreter<T>(Interpret<T>);

impl<T> Interpreter<T> {
    /// Parses the response of the call that [`Call::unread`] returned with this interpreter. The response of another
    /// call most likely gives an error.
    ///
    /// # Errors
    /// Like [`Answer::interpret`].
    pub fn interpret(self, answer: Answer<Unread>) -> Result<T, Error> {
        answer.interpret_as(self.0)
    }
}

impl<T> fmt::Debug for Interpreter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interpreter")
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("request", &self.request).finish_non_exhaustive()
    }
}

/// The body of a request: an encoded form, or nothing. The bytes are wiped when the last handle to them is dropped.
/// `Debug` shows only the length.
pub struct Body(Bytes);

impl Body {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The length in bytes, as for a Content-Length header.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for a request without a body, such as the profile call.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Copies no byte.
impl From<Body> for Bytes {
    fn from(body: Body) -> Self {
        body.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes, redacted)", self.len())
    }
}
