//! What can go wrong in one round trip, and what to do then.
//!
//! [`Error`] answers three questions without string matching: what happened ([`Error::kind`]), did the server
//! perhaps act on it ([`Error::delivery`]), and what now ([`Error::advice`]). The middle one matters because
//! Restream rotates: a refresh whose answer was lost may have spent the refresh token.

mod advice;
mod challenge;
mod code;
mod dead_grant;
mod failure;
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

/// A round trip that did not give what was asked for. One pointer wide.
///
/// No token, code, secret, query or raw body is ever part of what it prints; neither here nor in
/// [`server_message`](Self::server_message).
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::{Advice, Client, Delivery, RefreshToken};
/// use restream_oauth_core::error::{ErrorCode, ErrorKind};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let (_request, reader) = client.refresh(&RefreshToken::new("9ca0e1e9")).into_parts(SystemTime::UNIX_EPOCH);
/// let answer = http::Response::builder().status(400).body(r#"{"error":{"name":"invalid_grant"}}"#)?;
/// let error = reader.read(answer).unwrap_err();
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

    /// Whether the server perhaps acted on the request.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// What to do now.
    pub fn advice(&self) -> Advice {
        self.0.advice
    }

    /// Which step failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The status of the answer, if its head arrived.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// How long the server asked to wait before the next try: an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What the server wrote for people (`error_description` or `message`): untrusted, cut to 512 characters, all
    /// but plain ASCII escaped, the secrets of this very call cut out: as they are, percent-encoded in any way, and the
    /// Basic credentials as they were sent.
    pub fn server_message(&self) -> Option<&str> {
        self.0.server_message.as_deref()
    }

    /// The one token that arrived when the other did not.
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
        write!(f, "; {delivery}; {advice}")
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
