//! The broker's tables in the schema `restream_oauth`, and how they come into a database. They have a version of their own,
//! beside that of the keeper's tables.

use std::fmt::Write as _;

use restream_oauth_keeper_postgres::{Config, ConnectError, PostgresStore};

/// Each step, from the first version on. A step that was released never changes.
const STEPS: [&str; 1] = [include_str!("migrations/1.sql")];

/// The version of the broker's tables that this release writes and reads.
pub const SCHEMA_VERSION: i32 = 1;

/// Only one process migrates at a time. The number is not that of the keeper's migrations.
const LOCK: i64 = 0x7265_7374_6272_6f6b;

const BEGIN: &str = "CREATE TABLE IF NOT EXISTS restream_oauth.broker_migrations (
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
);
";

/// The statements that bring the broker's tables from a version to the newest one, for people who run their migrations
/// themselves: after those of the keeper ([`restream_oauth_keeper_postgres::migrations`]), in one transaction, by the role
/// that is to own the tables. Version 0 is a database without them. [`GRANTS`] says what another role needs.
///
/// ```
/// let all = restream_oauth_broker::devices::migrations(0);
/// assert!(all.contains("CREATE TABLE restream_oauth.broker_devices"));
/// ```
pub fn migrations(from: i32) -> String {
    let mut all = if from <= 0 { BEGIN.to_owned() } else { String::new() };
    for (version, step) in (1..).zip(STEPS).filter(|(version, _)| *version > from) {
        // Writing into a text never fails.
        let _ = write!(all, "{step}\nINSERT INTO restream_oauth.broker_migrations (version) VALUES ({version});\n");
    }
    all
}

/// What a role needs that runs the broker and does not own the tables, besides
/// [that of the keeper](restream_oauth_keeper_postgres::GRANTS). Put its name in the place of `keeper`.
pub const GRANTS: &str = "GRANT SELECT ON restream_oauth.broker_migrations TO keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON restream_oauth.broker_devices, restream_oauth.broker_logins TO keeper;
";

/// Brings the tables to the newest version. Returns the version that they had. Any number of processes may do so at the
/// same time, and a role that may create nothing may do so where there is nothing to do.
pub(super) async fn migrate(config: &Config) -> Result<i32, ConnectError> {
    let mut client = PostgresStore::connection(config).await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    let there = "SELECT to_regclass('restream_oauth.broker_migrations') IS NOT NULL AS there";
    let there: bool = transaction.query_typed_one(there, &[]).await?.try_get("there")?;
    let version = "SELECT coalesce(max(version), 0) AS version FROM restream_oauth.broker_migrations";
    let found: i32 = if there { transaction.query_typed_one(version, &[]).await?.try_get("version")? } else { 0 };
    if found > SCHEMA_VERSION {
        return Err(ConnectError::SchemaNewer { found, known: SCHEMA_VERSION });
    }
    if found < SCHEMA_VERSION {
        transaction.batch_execute(&migrations(if there { found } else { 0 })).await?;
    }
    transaction.commit().await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_a_step() {
        assert_eq!(STEPS.len(), usize::try_from(SCHEMA_VERSION).unwrap());
        assert!(migrations(SCHEMA_VERSION).is_empty());
        assert!(migrations(0).starts_with("CREATE TABLE"));
    }
}
