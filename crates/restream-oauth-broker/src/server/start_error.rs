//! Why a broker did not start.

use std::fmt;

use restream_oauth_keeper::BuildError;
use restream_oauth_keeper::store::StoreError;
use restream_oauth_keeper_postgres::ConnectError;

use crate::devices::DevicesError;

/// Why a broker did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The devices cannot be used.
    Devices(DevicesError),
    /// The grants cannot be used.
    Grants(StoreError),
    /// The keeper cannot be built.
    Keeper(BuildError),
    /// The database cannot be used.
    Database(ConnectError),
}

impl From<DevicesError> for StartError {
    fn from(error: DevicesError) -> Self {
        Self::Devices(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Grants(error)
    }
}

impl From<ConnectError> for StartError {
    fn from(error: ConnectError) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Devices(error) => error.fmt(f),
            Self::Grants(error) => error.fmt(f),
            Self::Keeper(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Devices(error) => Some(error),
            Self::Grants(error) => Some(error),
            Self::Keeper(error) => Some(error),
            Self::Database(error) => Some(error),
        }
    }
}
