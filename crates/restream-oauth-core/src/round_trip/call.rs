//! One request and the reader of its answer.

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

/// One request, and how its answer is read. `T` is what the answer becomes.
///
/// A call cannot be cloned and is sent once: it may carry a credential that the server accepts a single time. Build
/// it again from the code or refresh token when [`Error::advice`](crate::Error::advice) is `Retry` or `Replay`, and only
/// then.
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::{Client, RefreshToken, http};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let now = SystemTime::UNIX_EPOCH; // a program asks its clock
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

    /// What will be sent.
    pub fn request(&self) -> &Request<Body> {
        &self.request
    }

    /// Splits the call into what is sent and what reads the answer. `sent_at` is the time now: the lifetimes of tokens
    /// count from it.
    ///
    /// From here on one of the reader's exits must be reached, whatever happens: do not use `?` in between.
    pub fn into_parts(self, sent_at: SystemTime) -> (Request<Body>, Reader<T>) {
        let reader = Reader { collected: Collected::new(self.question, sent_at), interpret: self.interpret };
        (self.request, reader)
    }

    /// Takes the call apart into one that says nothing of `T`, and what makes a `T` of its answer. So one function or
    /// closure can send the calls of every step.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use restream_oauth_core::transport::Unread;
    /// use restream_oauth_core::{AccessToken, Answer, Call, Client, RefreshToken};
    ///
    /// fn receive(call: Call<Unread>) -> Answer<Unread> {
    ///     let (_request, reader) = call.into_parts(SystemTime::UNIX_EPOCH);
    ///     // … sends the request, feeds the reader …
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

/// In the place of what an answer becomes: it is left to an [`Interpreter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread;

/// Only the status is looked at.
fn leave_unread(received: Received<'_>) -> Result<Unread, Error> {
    match received.status() {
        Some(status) if status.is_success() => Ok(Unread),
        _ => Err(received.into_refusal()),
    }
}

/// Makes a `T` of the answer to the call that [`Call::unread`] took it from.
pub struct Interpreter<T>(Interpret<T>);

impl<T> Interpreter<T> {
    /// Interprets the answer to this very call. The answer to another one is most likely an error.
    ///
    /// # Errors
    /// As [`Answer::interpret`].
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

/// The body of a request: the bytes of a form, wiped when the last handle is dropped. `Debug` shows its length only.
pub struct Body(Bytes);

impl Body {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The length in bytes, for a Content-Length header.
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

/// Free: no byte is copied.
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
