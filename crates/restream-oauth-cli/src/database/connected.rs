//! A database that is connected, with the schema that this release needs.

use restream_oauth_keeper_postgres::{Config, PostgresStore, SCHEMA_VERSION};

use crate::database::failure::of_connect;
use crate::failure::Failure;
use crate::terminal::say;

/// A database that is connected.
pub(crate) struct Database {
    store: PostgresStore,
    place: String,
}

impl Database {
    /// Connects. Needs the schema.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let place = config.place();
        let store = PostgresStore::connect(config).await.map_err(|error| of_connect(&error, &place))?;
        Ok(Self { store, place })
    }

    /// The store.
    pub(crate) fn store(&self) -> &PostgresStore {
        &self.store
    }

    /// Names the database, without a secret.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

/// Brings the schema to the version of this release, and says so if it had another one.
pub(crate) async fn migrate(config: &Config) -> Result<(), Failure> {
    let place = config.place();
    let found = PostgresStore::migrate(config).await.map_err(|error| of_connect(&error, &place))?;
    match found {
        0 => say(&format!("made the schema restream_oauth in {place}")),
        found if found < SCHEMA_VERSION => {
            say(&format!("migrated the schema restream_oauth in {place} from version {found} to {SCHEMA_VERSION}"));
        }
        _ => {}
    }
    Ok(())
}
