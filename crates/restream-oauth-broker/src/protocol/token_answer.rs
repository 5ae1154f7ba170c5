//! What a device gets: tokens, or the reason why not, as the door expects it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::respond::{self, to_json};

/// The door through which a device came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// OAuth 2.0 for public clients.
    Plain,
    /// As OBS Studio reads it.
    Obs,
}

/// An access token for a device.
pub struct Granted<'a> {
    /// The access token.
    pub access_token: &'a str,
    /// How long it is promised.
    pub expires_in: Duration,
    /// The handle, which stays the same; through a relay, the refresh token of Restream.
    pub refresh_token: Option<&'a str>,
    /// What Restream granted, if it said so.
    pub scope: Option<&'a str>,
}

/// Hides the tokens.
impl fmt::Debug for Granted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// The successful answer of the token endpoint (RFC 6749 §5.1), built anew: nothing else that Restream sent passes.
pub fn granted(granted: &Granted<'_>) -> Response<Bytes> {
    #[derive(Serialize)]
    struct Body<'a> {
        access_token: &'a str,
        token_type: &'a str,
        /// A number: OBS takes text for 0.
        expires_in: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        refresh_token: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<&'a str>,
    }
    respond::json(
        StatusCode::OK,
        to_json(&Body {
            access_token: granted.access_token,
            token_type: "Bearer",
            expires_in: granted.expires_in.as_secs(),
            refresh_token: granted.refresh_token,
            scope: granted.scope,
        }),
    )
}

/// An answer of [`granted`] once more, by its body.
pub fn granted_again(body: Bytes) -> Response<Bytes> {
    respond::json(StatusCode::OK, body)
}

/// Why a device gets no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The code is unknown, used, expired, or bound to something else.
    Code,
    /// The handle is unknown, has ended, or is bound to another client.
    Handle,
    /// The grant behind the handle is gone: the user or Restream ended it.
    Grant,
    /// There is no token now, and there may be one later. The grant is not known to be dead.
    Later(Duration),
}

/// The error answer of the token endpoint (RFC 6749 §5.2).
///
/// OBS never reads an answer with a status of 400 or more. So at its door an `invalid_grant` has the status 200, which
/// makes it ask the user to log in.
pub fn refused(door: Door, refusal: Refusal) -> Response<Bytes> {
    let reason = match refusal {
        Refusal::Code => "the code is unknown, was used, has expired, or belongs to another request",
        Refusal::Handle => "the refresh token is unknown, has ended, or belongs to another client: log in again",
        Refusal::Grant => "the login has ended at Restream: log in again",
        Refusal::Later(wait) => return respond::unavailable(wait, "Restream gives no token now: wait for Retry-After"),
    };
    let status = match door {
        Door::Plain => StatusCode::BAD_REQUEST,
        Door::Obs => StatusCode::OK,
    };
    respond::error(status, "invalid_grant", reason)
}
