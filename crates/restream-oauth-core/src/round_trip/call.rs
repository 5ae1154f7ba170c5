//! One request and the reader of its answer.

use std::fmt;

use bytes::Bytes;
use http::Request;

use super::collected::Collected;
use super::question::Question;
use super::reader::Reader;
use super::received::Interpret;

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
