//! What a keeper tells a program about its grants. No event holds a secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::Error;
use restream_oauth_core::token::Oddity;

use crate::name::GrantName;
use crate::operation::{StoreError, Warning};
use crate::record::DeathCause;

/// Something that happened to a grant.
#[derive(Clone, Debug)]
pub struct Event {
    /// The grant.
    pub grant: GrantName,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a grant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// A login was stored.
    LoggedIn {
        /// Its generation.
        generation: u64,
    },
    /// A new pair is stored.
    Rotated {
        /// Its generation.
        generation: u64,
    },
    /// A refresh was sent, and its outcome is unknown. It will be sent again by itself.
    InDoubt {
        /// How many requests of this doubt were sent.
        sends: u32,
        /// Why the last of them has no outcome; `None` if its process died.
        error: Option<Arc<Error>>,
    },
    /// A doubt ended in a new pair, or in the proof that nothing was lost.
    Recovered {
        /// The generation of the newest pair.
        generation: u64,
    },
    /// The grant is dead. The user has to log in again.
    Dead {
        /// Why.
        why: DeathCause,
    },
    /// A new pair arrived, and the store fails. The pair is in memory alone: do not stop the process. The keeper goes on
    /// trying; [`Keeper::export`](crate::Keeper::export) gives the pair.
    Stranded {
        /// How often storing it was tried.
        attempt: u32,
        /// Why the store failed.
        error: StoreError,
    },
    /// The keeper has more grants than its pace allows with a margin of two, the server asked for fewer requests, or so
    /// many requests failed that the next retries wait.
    Throttled,
    /// A refresh failed. While the access token lives, nobody else is told.
    Failed(Problem),
    /// The user logged out, and the pair is revoked.
    LoggedOut,
    /// Something strange was tolerated.
    Odd(Odd),
}

/// Something strange that was tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Odd {
    /// In the answer of the server.
    Answer(Oddity),
    /// In the store.
    Store(Warning),
    /// The API refused a token that was issued less than ten minutes before.
    RefusedWhileYoung,
}

/// Why a refresh or a revocation failed, or waits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The server, or the way to it.
    Request(Arc<Error>),
    /// The store.
    Store(StoreError),
    /// Another process has had the claim for a long time.
    Busy,
    /// The keeper waits before it asks the server again: its pace, its quota of retries or its breaker holds the
    /// request back.
    Paced {
        /// How long.
        wait: Duration,
    },
}

impl Problem {
    /// True if somebody has to mend the store.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind().is_lasting())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Busy => f.write_str("another process is refreshing the grant"),
            Self::Paced { wait } => write!(f, "the next request waits for {} s", wait.as_secs()),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn { generation } => write!(f, "logged in (generation {generation})"),
            Self::Rotated { generation } => write!(f, "refreshed (generation {generation})"),
            Self::InDoubt { sends, .. } => write!(f, "in doubt: {sends} refreshes sent, and no answer known"),
            Self::Recovered { generation } => write!(f, "no longer in doubt (generation {generation})"),
            Self::Dead { why } => write!(f, "dead: {why}; log in again"),
            Self::Stranded { attempt, error } => {
                write!(f, "the new tokens are in memory alone, because the store fails (attempt {attempt}): {error}")
            }
            Self::Throttled => f.write_str("the pace is near its limit"),
            Self::Failed(problem) => problem.fmt(f),
            Self::LoggedOut => f.write_str("logged out"),
            Self::Odd(odd) => match odd {
                Odd::Answer(oddity) => write!(f, "strange answer: {oddity:?}"),
                Odd::Store(warning) => warning.fmt(f),
                Odd::RefusedWhileYoung => f.write_str("the API refused a token that is only minutes old"),
            },
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.grant, self.kind)
    }
}
