//! What happened in a failed round trip.

use std::fmt;

use http::StatusCode;

use super::code::ErrorCode;
use super::failure::FailureKind;
use crate::token::{AccessToken, RefreshToken};

/// A step of the flow that sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Step 3: exchange a code for tokens (RFC 6749 §4.1.3).
    Exchange,
    /// Step 4: exchange a refresh token for a new pair (RFC 6749 §6).
    Refresh,
    /// Step 5: revoke a token (RFC 7009).
    Revoke,
    /// The profile call: `GET /v2/user/profile`.
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

/// What happened in a failed round trip.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused the request with this error code.
    Refused(ErrorCode),
    /// The server sent an unexpected HTTP status, and no error code. A revocation expects 200 or 204, every other
    /// request any success status (2xx). If a success response carries an error object with a status of its own, this
    /// is that status.
    Status(StatusCode),
    /// The server sent a redirect (3xx). No redirect is followed, because following it would send the credentials to
    /// another URL.
    Redirected(StatusCode),
    /// The response is a success but does not hold the result.
    Malformed(Malformed),
    /// The response body is longer than the limit, and the result did not arrive within the limit.
    TooLarge {
        /// The limit in bytes: [`ClientBuilder::body_limit`](crate::ClientBuilder::body_limit).
        limit: usize,
    },
    /// The HTTP stack failed, or the response was truncated.
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

/// Why a success response is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// Expected JSON, got an empty body.
    Empty,
    /// Expected JSON, got something else, such as an HTML page.
    NotJson,
    /// Expected JSON, got a compressed body (Content-Encoding), although the request did not ask for compression.
    Compressed,
    /// Expected an `access_token`, got a JSON object without a usable one.
    NoAccessToken,
    /// Expected a profile, got a JSON object without an `id`.
    NoId,
    /// Expected the response to a revocation, got an HTML page or an incomplete JSON object.
    Page,
    /// The response to a refresh has a `refresh_token` that is not usable text. The server has rotated: the refresh
    /// token that was sent is spent.
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

/// The one token of a pair that arrived and is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salvaged {
    /// The access token: usable until it expires. The refresh token of the pair is lost.
    AccessToken(AccessToken),
    /// The refresh token: refresh with it at once, because it is the newest of its grant.
    RefreshToken(RefreshToken),
}
