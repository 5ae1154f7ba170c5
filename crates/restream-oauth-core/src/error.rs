//! What can go wrong in one round trip, and what to do then.
//!
//! [`Error`] answers three questions without string matching: what happened ([`Error::kind`]), did the server
//! perhaps act on it ([`Error::delivery`]), and what now ([`Error::advice`]). The middle one matters because
//! Restream rotates: a refresh whose answer was lost may have spent the refresh token.

mod advice;
mod dead_grant;

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::bearer::AccessToken;
use crate::call::{Failure, FailureKind};
use crate::secret::CleanText;
use crate::server_text;
use crate::token::RefreshToken;

pub use advice::{Advice, Delivery};
pub(crate) use dead_grant::means_dead_grant;

/// A round trip that did not give what was asked for. One pointer wide.
///
/// No token, code, secret, query or raw body is ever part of what it prints; neither here nor in
/// [`server_message`](Self::server_message).
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_core::{Advice, Client, Delivery, ErrorCode, ErrorKind, RefreshToken};
///
/// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
/// let (_request, reader) = client.refresh(&RefreshToken::new("9ca0e1e9")).into_parts();
/// let answer = http::Response::builder().status(400).body(r#"{"error":{"name":"invalid_grant"}}"#)?;
/// let error = reader.read(answer, SystemTime::UNIX_EPOCH).unwrap_err();
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

/// A step of the flow that takes a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Step 3: a code for tokens.
    Exchange,
    /// Step 4: a refresh token for a new pair.
    Refresh,
    /// Step 5.
    Revoke,
    /// The profile call.
    Profile,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "code exchange",
            Self::Refresh => "refresh",
            Self::Revoke => "revocation",
            Self::Profile => "profile call",
        })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused, with an error code.
    Refused(ErrorCode),
    /// The server answered with another HTTP status than was asked for, and without an error code: one that is no success,
    /// or to a revocation one that is neither 200 nor 204.
    Status(StatusCode),
    /// The server answered with a redirect. It is never followed: it would carry the credentials elsewhere.
    Redirected(StatusCode),
    /// The answer is a success but does not hold what was asked for.
    Malformed(Malformed),
    /// The answer is longer than the limit in bytes, and what was asked for did not come before it.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The HTTP stack failed, or the answer ended early.
    Transport(FailureKind),
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "the server refused it with {code}"),
            Self::Status(status) => {
                write!(f, "the server answered with HTTP status {} and no error code", status.as_u16())
            }
            Self::Redirected(status) => {
                write!(f, "the server redirected it (HTTP status {}), which is never followed", status.as_u16())
            }
            Self::Malformed(reason) => write!(f, "the answer is not usable: {reason}"),
            Self::TooLarge { limit } => write!(f, "the answer is longer than {limit} bytes"),
            Self::Transport(kind) => write!(f, "{kind}"),
        }
    }
}

/// Why a success answer is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// Expected JSON, got nothing.
    Empty,
    /// Expected JSON, got something else, such as a page of HTML.
    NotJson,
    /// Expected JSON, got a compressed answer (Content-Encoding) that nobody asked for.
    Compressed,
    /// A JSON object without a usable `access_token`.
    NoAccessToken,
    /// A profile without an `id`.
    NoId,
    /// Expected the answer to a revocation, got a page of HTML, or an object that is not whole JSON.
    Page,
    /// The answer to a refresh has a refresh token that is not usable text. The server rotated: the one that was sent is
    /// spent.
    UnusableRefreshToken,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "expected JSON, got an empty body",
            Self::NotJson => "expected JSON, got something else",
            Self::Compressed => "expected JSON, got a compressed body",
            Self::NoAccessToken => "expected an access_token, got JSON without a usable one",
            Self::NoId => "expected an id, got JSON without one",
            Self::Page => "expected the answer to a revocation, got a page",
            Self::UnusableRefreshToken => "expected a refresh_token, got one that is not usable text",
        })
    }
}

/// An error code of RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1 or RFC 6750 §3.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `invalid_request`: a parameter is missing, doubled or malformed.
    InvalidRequest,
    /// `invalid_client`: the client authentication failed.
    InvalidClient,
    /// `invalid_grant`: the code or refresh token is invalid, expired, revoked, used, or another client's.
    InvalidGrant,
    /// `unauthorized_client`: the client may not use this grant type.
    UnauthorizedClient,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// `unsupported_response_type`.
    UnsupportedResponseType,
    /// `invalid_scope`: a scope is unknown, malformed, or more than was granted.
    InvalidScope,
    /// `access_denied`: the user or the server said no.
    AccessDenied,
    /// `server_error`: the server failed, perhaps after it acted.
    ServerError,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// `unsupported_token_type`: the server cannot revoke this kind of token.
    UnsupportedTokenType,
    /// `invalid_token`: the access token is expired, revoked or malformed.
    InvalidToken,
    /// `insufficient_scope`: the call needs scopes that the access token does not have.
    InsufficientScope,
    /// Any other code, escaped and cut to 64 characters.
    Other(Box<str>),
}

impl ErrorCode {
    /// The code as the server writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::Other(text) => text,
        }
    }

    /// True for the codes that RFC 6749, 6750 and 7009 define.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Reads a code. The `match` and [`as_str`](Self::as_str) are held together by a test.
    pub(crate) fn read(text: &str, secrets: &[CleanText<'_>]) -> Self {
        match text {
            "invalid_request" => Self::InvalidRequest,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "invalid_scope" => Self::InvalidScope,
            "access_denied" => Self::AccessDenied,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "unsupported_token_type" => Self::UnsupportedTokenType,
            "invalid_token" => Self::InvalidToken,
            "insufficient_scope" => Self::InsufficientScope,
            other => Self::Other(server_text::code(other, secrets)),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The one token of a pair that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salvaged {
    /// Usable until it expires; the refresh token that belongs to it is lost.
    AccessToken(AccessToken),
    /// Refresh with it at once: it is the newest of its grant.
    RefreshToken(RefreshToken),
}

/// What is known of a failed round trip, before it is judged.
pub(crate) struct Report {
    pub(crate) operation: Operation,
    pub(crate) kind: ErrorKind,
    /// That of the answer.
    pub(crate) status: Option<StatusCode>,
    /// That of the answer, or of the error object in a 200.
    pub(crate) judged_by: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) server_message: Option<Box<str>>,
    pub(crate) salvaged: Option<Salvaged>,
    pub(crate) failure: Option<Failure>,
    /// An error response without a code that decides means in words that the grant is dead.
    pub(crate) dead_grant: bool,
    /// Not all of the response arrived.
    pub(crate) truncated: bool,
    /// The stack proved that it never asked for the request's body, and there was one.
    pub(crate) not_sent: bool,
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
