//! What a keeper gives out: access tokens, and what it knows about them.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use restream_oauth_core::{AccessToken, Error, SavedError};

use crate::event::Problem;
use crate::operation::StoreError;
use crate::record::DeathCause;
use crate::token_times::TokenTimes;

/// An access token that a keeper gave out.
///
/// Its refresh token is durable: nobody sees a token whose successor could be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a token has an access token")]
pub struct Token {
    pub(crate) access_token: AccessToken,
    pub(crate) generation: u64,
    pub(crate) times: TokenTimes,
}

impl Token {
    /// The access token. Its [`bearer_header`](AccessToken::bearer_header) is what an API call carries.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// The number of the pair in its grant. A later pair has a higher one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Until when the token is promised: no planned refresh replaces it before. A refresh makes the old token invalid
    /// at once, so tell this time, and not the end of the token's life, to programs that cache the token.
    pub fn usable_until(&self) -> SystemTime {
        self.times.usable_until()
    }

    /// When the token expires. A planned refresh comes earlier.
    pub fn expires_at(&self) -> SystemTime {
        self.times.expires_at()
    }
}

/// What is known of a grant's token, without waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Current {
    /// Nothing is known yet: the store is being read.
    Unknown,
    /// The token is promised.
    Fresh(Arc<Token>),
    /// The token has not expired, but a refresh is due, under way or in doubt: it may become invalid at any moment.
    Stale(Arc<Token>),
    /// The token has expired or was refused, and there is no new one yet.
    Expired(Arc<Token>),
    /// There is no token, and waiting does not help.
    Gone(Gone),
}

impl Current {
    /// The token, unless it has expired.
    pub fn token(&self) -> Option<&Arc<Token>> {
        match self {
            Self::Fresh(token) | Self::Stale(token) => Some(token),
            Self::Unknown | Self::Expired(_) | Self::Gone(_) => None,
        }
    }
}

/// Why there is no token: somebody has to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gone {
    /// Nobody has logged in yet.
    NeverLoggedIn,
    /// The user logged out.
    LoggedOut,
    /// The grant is dead.
    Dead(DeathCause),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverLoggedIn => f.write_str("nobody has logged in yet: log in"),
            Self::LoggedOut => f.write_str("the user logged out: log in"),
            Self::Dead(why) => write!(f, "{why}: log in again"),
        }
    }
}

/// Why a keeper gives no token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// There is no grant, or it is dead.
    Gone(Gone),
    /// The server refused the client's configuration. The keeper tries again after an hour.
    Configuration(Arc<Error>),
    /// The stored tokens belong to another client or server. Nothing was sent.
    OtherOwner(SavedError),
    /// The store cannot be used, and no token is in memory.
    Store(StoreError),
    /// The limit passed. The refresh goes on, and serves those who ask later.
    TimedOut {
        /// What held it up, if that is known.
        last: Option<Problem>,
    },
    /// Nothing drives the keeper: spawn [`Keeper::run`](crate::Keeper::run) first.
    NotRunning,
    /// The keeper is shutting down.
    ShuttingDown,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(gone) => gone.fmt(f),
            Self::Configuration(error) => error.fmt(f),
            Self::OtherOwner(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::TimedOut { last: None } => f.write_str("no token within the limit"),
            Self::TimedOut { last: Some(problem) } => write!(f, "no token within the limit: {problem}"),
            Self::NotRunning => f.write_str("nothing drives the keeper: spawn its run() first"),
            Self::ShuttingDown => f.write_str("the keeper is shutting down"),
        }
    }
}

impl std::error::Error for TokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Configuration(error) => Some(&**error),
            Self::OtherOwner(error) => Some(error),
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
