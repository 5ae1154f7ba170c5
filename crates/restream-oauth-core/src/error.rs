//! What can go wrong in one round trip, and what to do next.
//!
//! [`Error`] answers three questions without string matching:
//!
//! 1. What happened? [`Error::kind`]
//! 2. Did the server act on the request? [`Error::delivery`]
//! 3. What should the program do next? [`Error::advice`]
//!
//! The second question matters because Restream rotates refresh tokens: if the response to a refresh is lost, the old
//! refresh token may already be spent.

mod advice;
mod challenge;
mod code;
mod dead_grant;
mod failure;
mod http_date;
mod kind;
mod report;
mod retry_after;

use std::fmt;
use std::time::Duration;

use http::StatusCode;

pub use advice::{Advice, Delivery};
pub use challenge::Challenge;
pub use code::ErrorCode;
pub(crate) use dead_grant::means_dead_grant;
#[doc(hidden)]
pub use failure::{Failure, FailureKind, Stage};
pub use kind::{ErrorKind, Malformed, Operation, Salvaged};
pub(crate) use report::Report;
pub(crate) use retry_after::RetryAfter;

/// A failed round trip: what happened, and what to do next.
///
/// `Display` and `Debug` print no token, code, secret, query or raw body. Neither does
/// [`server_message`](Self::server_message). The type is one pointer wide, so a `Result` stays small.
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::{Advice, Client, Delivery, RefreshToken};
/// use restream_oauth_core::error::{ErrorCode, ErrorKind};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let (_request, reader) = client.refresh(&RefreshToken::new("9ca0e1e9")).into_parts(SystemTime::UNIX_EPOCH);
/// let response = http::Response::builder().status(400).body(r#"{"error":{"name":"invalid_grant"}}"#)?;
/// let error = reader.read(response).unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
/// assert_eq!(error.delivery(), Delivery::Refused);
/// assert_eq!(error.advice(), Advice::Reauthorize);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Error(Box<Details>);

impl Error {
    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether the server acted on the request.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// What to do next: the [retry rules](Advice).
    pub fn advice(&self) -> Advice {
        self.0.advice
    }

    /// Which step failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The HTTP status of the response; `None` if no response head arrived.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// How long the server asked to wait before the next request (`Retry-After`, RFC 9110 §10.2.3): at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The server's message for people, from `error_description` (RFC 6749 §5.2), `message`, `detail` or
    /// `description`.
    ///
    /// The text is untrusted. It is truncated to 512 characters, and every character outside printable ASCII, every `"`
    /// and every `\` is escaped. Each secret of this call is redacted, whether the server repeated it in plain text,
    /// percent-encoded in any way, or (the Basic credentials) in base64.
    pub fn server_message(&self) -> Option<&str> {
        self.0.server_message.as_deref()
    }

    /// The one usable token that the failed response holds; `None` if it holds no usable token.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Advice, Client, RefreshToken, error::Salvaged};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let (_request, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
    /// let error = reader.read(http::Response::new(r#"{"refresh_token":"r1"}"#)).unwrap_err();
    /// assert_eq!(error.salvaged(), Some(&Salvaged::RefreshToken(RefreshToken::new("r1"))));
    /// assert_eq!(error.advice(), Advice::Refresh); // with r1: the server has spent r0
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn salvaged(&self) -> Option<&Salvaged> {
        self.0.salvaged.as_ref()
    }

    pub(crate) fn new(report: Report) -> Self {
        let delivery = advice::delivery(&report);
        let advice = advice::advice(&report, delivery);
        let Report { operation, kind, status, retry_after, server_message, salvaged, failure, .. } = report;
        Self(Box::new(Details {
            operation,
            kind,
            status,
            retry_after,
            server_message,
            salvaged,
            delivery,
            advice,
            source: failure.and_then(Failure::into_source),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { operation, kind, status, delivery, advice, .. } = &*self.0;
        write!(f, "{operation} failed: {kind}")?;
        if let (Some(status), ErrorKind::Refused(_) | ErrorKind::Malformed(_)) = (status, kind) {
            write!(f, " (HTTP status {})", status.as_u16())?;
        }
        if delivery.is_worth_saying(*operation) {
            write!(f, "; {delivery}")?;
        }
        write!(f, "; {advice}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { operation, kind, status, retry_after, server_message, salvaged, delivery, advice, source } =
            &*self.0;
        f.debug_struct("Error")
            .field("operation", operation)
            .field("kind", kind)
            .field("delivery", delivery)
            .field("advice", advice)
            .field("status", status)
            .field("retry_after", retry_after)
            .field("server_message", server_message)
            .field("salvaged", salvaged)
            .field("source", source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

struct Details {
    operation: Operation,
    kind: ErrorKind,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    server_message: Option<Box<str>>,
    salvaged: Option<Salvaged>,
    delivery: Delivery,
    advice: Advice,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
