//! The result of a call, reduced to what a program acts on: kind, delivery and advice.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed, Salvaged};
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Error};

/// The result of a call, reduced to what a program acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call succeeded.
    Done,
    /// The call failed with an [`Error`].
    Failed {
        /// What happened.
        kind: ErrorKind,
        /// Whether the server perhaps acted.
        delivery: Delivery,
        /// What to do now.
        advice: Advice,
        /// Whether the access token was salvaged, without the refresh token.
        access_token_salvaged: bool,
    },
}

impl Outcome {
    /// Reduces a result.
    pub fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => Self::Failed {
                kind: error.kind().clone(),
                delivery: error.delivery(),
                advice: error.advice(),
                access_token_salvaged: matches!(error.salvaged(), Some(Salvaged::AccessToken(_))),
            },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed { kind, delivery, advice, .. } => write!(f, "{kind}; {delivery}; {advice}"),
        }
    }
}

/// Expects that the stack proved that it sent nothing.
///
/// ```
/// use restream_oauth_conformance::outcome::not_sent;
/// use restream_oauth_core::transport::FailureKind;
///
/// let expected = "no connection to the server; nothing was sent; try again";
/// assert_eq!(not_sent(FailureKind::Connect).to_string(), expected);
/// ```
pub fn not_sent(kind: FailureKind) -> Outcome {
    failed(ErrorKind::Transport(kind), Delivery::NotSent, RETRY)
}

/// Expects a refresh in doubt: the server may have rotated, and no token arrived.
pub fn in_doubt(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, Advice::Replay)
}

/// Expects an exchange in doubt: the server may have used the code.
pub fn code_in_doubt(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, Advice::Reauthorize)
}

/// Expects a revocation or profile call in doubt, which is safe to repeat.
pub fn may_be_repeated(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, RETRY)
}

/// Expects a refresh of which the access token arrived, and the refresh token did not.
pub fn half_arrived(kind: impl Into<Kind>) -> Outcome {
    let (kind, delivery, advice) = (kind.into().0, Delivery::Completed, Advice::Replay);
    Outcome::Failed { kind, delivery, advice, access_token_salvaged: true }
}

/// Expects proof that the server did not act.
pub fn refused(kind: impl Into<Kind>, advice: Advice) -> Outcome {
    failed(kind.into().0, Delivery::Refused, advice)
}

/// The advice to try again, without a time to wait.
pub const RETRY: Advice = Advice::Retry { after: None };

/// Expects a revocation or profile call in doubt after a redirect: a retry of the same URL would be redirected again.
pub fn elsewhere_in_doubt(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, Advice::FixConfiguration)
}

/// The advice to try again after this many seconds.
pub const fn retry_after(seconds: u64) -> Advice {
    Advice::Retry { after: Some(Duration::from_secs(seconds)) }
}

fn failed(kind: ErrorKind, delivery: Delivery, advice: Advice) -> Outcome {
    Outcome::Failed { kind, delivery, advice, access_token_salvaged: false }
}

/// An [`ErrorKind`]. Scenarios write only the part that distinguishes it, such as a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind(pub ErrorKind);

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Self {
        Self(kind)
    }
}

impl From<FailureKind> for Kind {
    fn from(kind: FailureKind) -> Self {
        Self(ErrorKind::Transport(kind))
    }
}

impl From<Malformed> for Kind {
    fn from(reason: Malformed) -> Self {
        Self(ErrorKind::Malformed(reason))
    }
}

impl From<ErrorCode> for Kind {
    fn from(code: ErrorCode) -> Self {
        Self(ErrorKind::Refused(code))
    }
}

impl From<StatusCode> for Kind {
    fn from(status: StatusCode) -> Self {
        Self(ErrorKind::Status(status))
    }
}
