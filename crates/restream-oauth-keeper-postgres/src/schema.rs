//! The schema `restream_oauth`, and how it comes into a database.

use std::fmt::Write as _;

use tokio_postgres::Client;

use crate::error::ConnectError;

/// Each step, from the first version on. A step that was released never changes.
const STEPS: [&str; 3] =
    [include_str!("migrations/1.sql"), include_str!("migrations/2.sql"), include_str!("migrations/3.sql")];

/// The version that this release writes and reads.
pub const SCHEMA_VERSION: i32 = 3;

/// Only one process migrates at a time. The number is `restream` in ASCII.
const LOCK: i64 = 0x7265_7374_7265_616d;

const BEGIN: &str = "CREATE SCHEMA IF NOT EXISTS restream_oauth;
CREATE TABLE IF NOT EXISTS restream_oauth.migrations (
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
);
";

/// The version of the schema in a database: zero if no step was run. Fails if the schema is not there.
const VERSION: &str = "SELECT coalesce(max(version), 0) AS version FROM restream_oauth.migrations";

/// The statements that bring a database from a version to the newest one, for people who run their migrations
/// themselves. Version 0 is a database without the schema. Run them in one transaction, by the role that is to own the
/// tables; [`GRANTS`] says what another role needs.
///
/// ```
/// let all = restream_oauth_keeper_postgres::migrations(0);
/// assert!(all.contains("CREATE TABLE restream_oauth.grants"));
/// ```
pub fn migrations(from: i32) -> String {
    let mut all = if from <= 0 { BEGIN.to_owned() } else { String::new() };
    for (version, step) in (1..).zip(STEPS).filter(|(version, _)| *version > from) {
        // Writing into a text never fails.
        let _ = write!(all, "{step}\nINSERT INTO restream_oauth.migrations (version) VALUES ({version});\n");
    }
    all
}

/// What a role needs that runs the keeper and does not own the tables. Put its name in the place of `keeper`.
pub const GRANTS: &str = "GRANT USAGE ON SCHEMA restream_oauth TO keeper;
GRANT SELECT ON restream_oauth.migrations TO keeper;
GRANT SELECT, INSERT, UPDATE ON restream_oauth.grants TO keeper;
GRANT SELECT, UPDATE ON restream_oauth.server TO keeper;
";

/// Brings the schema to the newest version. Returns the version that it had.
pub(crate) async fn migrate(client: &mut Client) -> Result<i32, ConnectError> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    // Not by "IF NOT EXISTS" alone: it wants the right to create schemas even where the schema is there.
    let there = "SELECT to_regclass('restream_oauth.migrations') IS NOT NULL AS there";
    let there: bool = transaction.query_typed_one(there, &[]).await?.try_get("there")?;
    let found = if there { transaction.query_typed_one(VERSION, &[]).await?.try_get("version")? } else { 0 };
    refuse_newer(found)?;
    if found < SCHEMA_VERSION {
        transaction.batch_execute(&migrations(if there { found } else { 0 })).await?;
    }
    transaction.commit().await?;
    Ok(found)
}

/// Fails if the schema has another version than this release needs.
pub(crate) async fn check(client: &Client) -> Result<(), ConnectError> {
    let found: i32 = match client.query_typed_one(VERSION, &[]).await {
        Ok(row) => row.try_get("version")?,
        Err(error) if is_missing(&error) => 0,
        Err(error) => return Err(error.into()),
    };
    refuse_newer(found)?;
    if found < SCHEMA_VERSION { Err(ConnectError::SchemaMissing { found, needed: SCHEMA_VERSION }) } else { Ok(()) }
}

fn refuse_newer(found: i32) -> Result<(), ConnectError> {
    if found > SCHEMA_VERSION { Err(ConnectError::SchemaNewer { found, known: SCHEMA_VERSION }) } else { Ok(()) }
}

fn is_missing(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    error.code().is_some_and(|code| {
        [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_OBJECT].contains(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_a_step() {
        assert_eq!(STEPS.len(), usize::try_from(SCHEMA_VERSION).unwrap());
        assert!(migrations(SCHEMA_VERSION).is_empty());
        assert!(migrations(0).contains("CREATE SCHEMA"));
    }
}
