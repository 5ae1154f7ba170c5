//! What happened in a round trip that failed.

use std::fmt;

use http::StatusCode;

use super::code::ErrorCode;
use super::failure::FailureKind;
use crate::token::{AccessToken, RefreshToken};

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

/// The one token of a pair that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salvaged {
    /// Usable until it expires; the refresh token that belongs to it is lost.
    AccessToken(AccessToken),
    /// Refresh with it at once: it is the newest of its grant.
    RefreshToken(RefreshToken),
}
