//! What a failure of the database means for a command: words for people, and the exit code.

use std::fmt::Display;
use std::path::Path;

use restream_oauth_keeper::seal::SealError;
use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use restream_oauth_keeper::{Problem, TokenError};
use restream_oauth_keeper_postgres::{ConfigError, ConnectError};

use crate::failure::{Exit, Failure};
use crate::tokens::rotation::words;

/// The failure of a configuration. The library's words are for programs where they name what only a program can do.
pub(crate) fn of_config(error: &ConfigError) -> Failure {
    Failure::usage(match error {
        ConfigError::PlaintextOffLoopback => {
            "expected TLS, got sslmode=disable for a server that is not this machine: leave it out".to_owned()
        }
        ConfigError::Certificates => {
            "--database-ca-file: expected root certificates in PEM form, got something else".to_owned()
        }
        error => error.to_string(),
    })
}

/// The failure of a connection that is opened.
pub(crate) fn of_connect(error: &ConnectError, place: &str) -> Failure {
    let exit = match error {
        ConnectError::Config(error) => return of_config(error),
        ConnectError::SchemaMissing { found: 0, .. } => {
            let message =
                "the schema restream_oauth is not there, so nobody has logged in: `login --database` makes it";
            return Failure::new(Exit::Reauthorize, message).about(&place);
        }
        ConnectError::SchemaMissing { .. } | ConnectError::SchemaNewer { .. } => Exit::Usage,
        // After a failover, another server is the primary before long.
        ConnectError::Standby => Exit::TryAgain,
        ConnectError::Database(kind, _) => exit_of(kind),
        _ => Exit::Other,
    };
    let hint = if matches!(error, ConnectError::SchemaMissing { .. }) { " (`keep` and `login` do)" } else { "" };
    Failure::new(exit, format!("{error}{hint}")).about(&place)
}

/// The failure of an operation on an account.
pub(crate) fn of_store(error: &StoreError, account: &dyn Display) -> Failure {
    let failure = Failure::new(exit_of(error.kind()), error.to_string()).about(account);
    match error.kind() {
        StoreErrorKind::Sealed(SealError::NoRing { .. } | SealError::KeyMissing { .. }) => {
            failure.and("give the keys by --keys FILE, or in RESTREAM_DATABASE_KEYS")
        }
        _ => failure,
    }
}

/// Why a keeper gives no token.
pub(crate) fn of_token(error: &TokenError, account: &dyn Display) -> Failure {
    match error {
        TokenError::Gone(gone) => {
            words::gone(Path::new(&account.to_string()), *gone).unwrap_or_else(|| no_tokens(account))
        }
        TokenError::OtherOwner(error) => Failure::from(error.clone()).about(account),
        TokenError::Configuration(error) => Failure::from(&**error).about(account),
        TokenError::Store(error) | TokenError::TimedOut { last: Some(Problem::Store(error)) } => {
            of_store(error, account)
        }
        TokenError::TimedOut { last: Some(Problem::Request(error)) } => Failure::from(&**error).about(account),
        error => Failure::new(Exit::TryAgain, error.to_string()).about(account),
    }
}

/// The failure of an account without tokens.
pub(crate) fn no_tokens(account: &dyn Display) -> Failure {
    Failure::new(Exit::Reauthorize, "there are no tokens: log in").about(account)
}

fn exit_of(kind: &StoreErrorKind) -> Exit {
    match kind {
        StoreErrorKind::Unavailable | StoreErrorKind::ClaimLost | StoreErrorKind::Sealed(SealError::NoRandomness) => {
            Exit::TryAgain
        }
        // Another role, another database or other keys.
        StoreErrorKind::Denied
        | StoreErrorKind::Missing
        | StoreErrorKind::Sealed(
            SealError::NoRing { .. } | SealError::KeyMissing { .. } | SealError::CannotBeOpened { .. },
        ) => Exit::Usage,
        _ => Exit::Other,
    }
}
