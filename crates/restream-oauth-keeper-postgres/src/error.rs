//! Why a database cannot be used, and what to do about it. No message holds a password or a token.

use std::fmt;

use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no URL of a PostgreSQL database.
    Url,
    /// The URL holds a password. Other users of the machine see the arguments of a process, and logs keep them.
    PasswordInUrl,
    /// TLS was switched off for a server that is not this machine.
    PlaintextOffLoopback,
    /// The file of passwords cannot be read.
    PasswordFile,
    /// Other users can read the file of passwords.
    PasswordFileReadable,
    /// The root certificates cannot be used.
    Certificates,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "expected a URL such as postgres://keeper@db.example/app, got something else",
            Self::PasswordInUrl => {
                "expected a URL without a password, got one with a password: put it into the file that PGPASSFILE names, \
                 or into PGPASSWORD"
            }
            Self::PlaintextOffLoopback => {
                "expected TLS, got sslmode=disable for a server that is not this machine: leave it out, or allow plain \
                 text explicitly"
            }
            Self::PasswordFile => "the file of passwords (PGPASSFILE or ~/.pgpass) cannot be read",
            Self::PasswordFileReadable => "other users can read the file of passwords (PGPASSFILE or ~/.pgpass): chmod 600",
            Self::Certificates => "expected root certificates in PEM, got something else",
        })
    }
}

impl std::error::Error for ConfigError {}

/// Why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The configuration cannot be used.
    Config(ConfigError),
    /// The database has no schema, or an older one: run the migrations.
    SchemaMissing {
        /// The version that is there; 0 for none.
        found: i32,
        /// The version that this release needs.
        needed: i32,
    },
    /// A newer release has migrated the schema: update this program.
    SchemaNewer {
        /// The version that is there.
        found: i32,
        /// The newest version that this release knows.
        known: i32,
    },
    /// The server is a standby, or allows no writes.
    Standby,
    /// There is no tokio runtime around the call.
    NoRuntime,
    /// The database cannot be reached, or refused.
    Database(StoreErrorKind, Box<str>),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::SchemaMissing { found, needed } => write!(
                f,
                "expected version {needed} of the schema restream_oauth, got version {found}: run the migrations"
            ),
            Self::SchemaNewer { found, known } => write!(
                f,
                "expected version {known} of the schema restream_oauth, got version {found}: a newer release has migrated \
                 it, so update this program"
            ),
            Self::Standby => f.write_str("the server is a standby or read-only: name the primary"),
            Self::NoRuntime => f.write_str("expected a tokio runtime, got none"),
            Self::Database(_, words) => f.write_str(words),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Config(error) = self { Some(error) } else { None }
    }
}

impl From<ConfigError> for ConnectError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        if is_standby(&error) { Self::Standby } else { store_error(&error).into() }
    }
}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        Self::Database(error.kind().clone(), error.to_string().into())
    }
}

/// The client refuses a server that allows no writes with an error of its own, which no operating system gave.
fn is_standby(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|it| it.kind() == std::io::ErrorKind::PermissionDenied && it.raw_os_error().is_none())
}

/// The client's error of this kind has no code, and its own text is about any configuration.
fn wants_a_password(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string() == "password missing")
}

/// What a failed statement means. The server's own words stay away: they can quote a parameter.
pub(crate) fn store_error(error: &tokio_postgres::Error) -> StoreError {
    let Some(code) = error.code() else {
        let (kind, words) = match error.to_string() {
            // The client's own words. They name no value.
            text if text.starts_with("error connecting") => {
                (StoreErrorKind::Unavailable, "the database cannot be reached")
            }
            text if text.starts_with("error performing TLS") => {
                (StoreErrorKind::Unavailable, "the TLS handshake with the database failed")
            }
            _ if wants_a_password(error) => {
                (StoreErrorKind::Denied, "the database wants a password, and there is none")
            }
            _ => (StoreErrorKind::Unavailable, "the connection to the database broke"),
        };
        return StoreError::new(kind, words);
    };
    let (kind, words) = kind_of(code);
    StoreError::new(kind, format!("{words} (SQLSTATE {})", code.code()))
}

/// The kind of an error that the server returned.
pub(crate) fn kind_of(code: &SqlState) -> (StoreErrorKind, &'static str) {
    match code.code() {
        "53100" | "53400" => (StoreErrorKind::NoRoom, "the database has no room"),
        "25006" => (StoreErrorKind::Unavailable, "the database is a standby or read-only"),
        "42501" => (StoreErrorKind::Denied, "the role has no right to the tables of restream_oauth"),
        "3D000" => (StoreErrorKind::Missing, "the database does not exist"),
        "3F000" | "42P01" | "42703" => (StoreErrorKind::Missing, "the schema restream_oauth is missing or too old"),
        code if code.starts_with("28") => (StoreErrorKind::Denied, "the database refused the role or its password"),
        _ => (StoreErrorKind::Unavailable, "the database did not execute a statement"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_a_missing_right_and_a_missing_schema_are_told_apart_from_an_outage() {
        for (code, kind) in [
            ("53100", StoreErrorKind::NoRoom),
            ("42501", StoreErrorKind::Denied),
            ("28P01", StoreErrorKind::Denied),
            ("42P01", StoreErrorKind::Missing),
            ("25006", StoreErrorKind::Unavailable),
            ("57P01", StoreErrorKind::Unavailable),
            ("08006", StoreErrorKind::Unavailable),
        ] {
            assert_eq!(kind_of(&SqlState::from_code(code)).0, kind, "{code}");
        }
    }
}
