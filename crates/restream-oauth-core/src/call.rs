//! One round trip: a request to send and the bounded, chunk-fed reader of its answer.
//!
//! Feeding a reader cannot fail. Its only exits are [`Reader::finish`] and [`Reader::failed`] (or [`Reader::end`]
//! and [`Reader::broke`], which keep the raw bytes), because an answer that broke off may hold a whole pair.

use std::fmt;
use std::ops::ControlFlow;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

use crate::answer::{Answer, Collected, Interpret, Question};
use crate::error::Error;

/// One request and the reader of its answer. `T` is what the answer becomes.
///
/// A call cannot be cloned and is sent once: it may carry a credential that the server accepts a single time. Build
/// it again from the code or refresh token when [`Error::advice`] is `Retry` or `Replay`, and only then.
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::{Client, RefreshToken};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let (request, reader) = client.refresh(&RefreshToken::new("9ca0e1e9")).into_parts();
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.body().as_ref(), b"grant_type=refresh_token&refresh_token=9ca0e1e9");
///
/// let sent_at = SystemTime::UNIX_EPOCH; // the time at which a program sends it
/// let answer = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
/// let tokens = reader.read(answer, sent_at)?;
/// assert_eq!(tokens.access_token().expose_secret(), "a1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a call does nothing until its request is sent"]
pub struct Call<T> {
    request: Request<Body>,
    reader: Reader<T>,
}

impl<T> Call<T> {
    #[inline]
    pub(crate) fn new(request: Request<Body>, question: Question, interpret: Interpret<T>) -> Self {
        Self { request, reader: Reader { collected: Collected::new(question), interpret } }
    }

    /// What will be sent.
    pub fn request(&self) -> &Request<Body> {
        &self.request
    }

    /// Splits the call into what is sent and what reads the answer. From here on one of the reader's exits must be
    /// reached, whatever happens: do not use `?` in between.
    pub fn into_parts(self) -> (Request<Body>, Reader<T>) {
        (self.request, self.reader)
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

/// Reads the answer to one request: head, chunk, chunk, …, then one of the exits.
///
/// To collect an answer takes no more memory than the limit of the [`Client`](crate::Client) (256 KiB by default) and 64
/// KiB; to interpret one of n bytes, 4 n and 64 KiB.
/// How the body is cut into chunks does not change the outcome.
#[must_use = "an answer that is not read may hold the only copy of a rotated pair"]
pub struct Reader<T> {
    collected: Collected,
    interpret: Interpret<T>,
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

/// How far an HTTP stack came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The stack had not yet asked for the request's body: not one byte of it left. Claim this only with proof, such
    /// as a flag set when the body is first read; the name of an error is none.
    BeforeBody,
    /// The body, or a part of it, may have left; no head of an answer came.
    AwaitingHead,
    /// The head came; the body broke off.
    ReadingBody,
}

/// What failed in an HTTP stack, in words that do not depend on the stack.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure without the error that caused it.
    pub fn new(kind: FailureKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the error that caused it; it becomes [`Error`]'s source. It must not print secrets or queries.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What failed.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    pub(crate) fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.source
    }
}

/// From any error: the first [`std::io::Error`] among its causes that has a telling kind gives it, otherwise it is
/// [`FailureKind::Other`].
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        let mut kind = FailureKind::Other;
        while let Some(one) = cause.filter(|_| kind == FailureKind::Other) {
            let io = one.downcast_ref::<std::io::Error>();
            kind = io.map_or(kind, |io| io.kind().into());
            cause = match io.and_then(std::io::Error::get_ref) {
                // The source of an `io::Error` is that of the error inside, which would be passed over.
                Some(inside) => Some(inside),
                None => one.source(),
            };
        }
        Self::new(kind).with_source(error)
    }
}

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: name resolution, or refused.
    Connect,
    /// The TLS handshake failed, such as by a certificate that is not trusted.
    Tls,
    /// A time limit passed.
    Timeout,
    /// The connection, or the answer, ended early.
    Interrupted,
    /// The answer breaks the rules of HTTP.
    Protocol,
    /// Anything else.
    Other,
}

/// `Connect` only for what can happen to nothing but a connection in the making.
impl From<std::io::ErrorKind> for FailureKind {
    fn from(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind;
        match kind {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable => Self::Connect,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection to the server",
            Self::Tls => "no trusted TLS connection to the server",
            Self::Timeout => "the time limit passed",
            Self::Interrupted => "the answer ended early",
            Self::Protocol => "the answer is not HTTP as it should be",
            Self::Other => "the HTTP stack failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_kind_of_a_failure_is_found_however_deep_it_is() {
        let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
        for error in [timed_out(), io::Error::other(timed_out()), io::Error::other(io::Error::other(timed_out()))] {
            assert_eq!(Failure::from(error).kind(), FailureKind::Timeout);
        }
        assert_eq!(Failure::from(io::Error::other("no name")).kind(), FailureKind::Other);
        assert_eq!(Failure::from(fmt::Error).kind(), FailureKind::Other);
    }
}
