//! What came of a call, reduced to what a program acts on: kind, delivery and advice.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed, Salvaged};
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Error};

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked for.
    Done,
    /// An [`Error`].
    Failed {
        /// What happened.
        kind: ErrorKind,
        /// Whether the server perhaps acted.
        delivery: Delivery,
        /// What to do now.
        advice: Advice,
        /// Whether the access token, and only it, was salvaged.
        access_token_salvaged: bool,
    },
}

impl Outcome {
    /// Of a call that was made.
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

/// The stack proved that nothing left.
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

/// Of a refresh: the server may have rotated, and nothing of its answer is of use.
pub fn in_doubt(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, Advice::Replay)
}

/// Of a code exchange: the code may have been used.
pub fn code_in_doubt(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, Advice::Reauthorize)
}

/// Of a revocation or a profile call: it may have been done, and may be done again.
pub fn may_be_repeated(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, RETRY)
}

/// Of a refresh: the access token arrived, the refresh token did not.
pub fn half_arrived(kind: impl Into<Kind>) -> Outcome {
    let (kind, delivery, advice) = (kind.into().0, Delivery::Completed, Advice::Replay);
    Outcome::Failed { kind, delivery, advice, access_token_salvaged: true }
}

/// The server did not act.
pub fn refused(kind: impl Into<Kind>, advice: Advice) -> Outcome {
    failed(kind.into().0, Delivery::Refused, advice)
}

/// Try again, without a time.
pub const RETRY: Advice = Advice::Retry { after: None };

/// Of a revocation or a profile call: it may have been done, and the same URL would be redirected again.
pub fn elsewhere_in_doubt(kind: impl Into<Kind>) -> Outcome {
    failed(kind.into().0, Delivery::Unknown, Advice::FixConfiguration)
}

/// Try again after this many seconds.
pub const fn retry_after(seconds: u64) -> Advice {
    Advice::Retry { after: Some(Duration::from_secs(seconds)) }
}

fn failed(kind: ErrorKind, delivery: Delivery, advice: Advice) -> Outcome {
    Outcome::Failed { kind, delivery, advice, access_token_salvaged: false }
}

/// An [`ErrorKind`], from the shortest thing that says which.
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
