//! The stores of devices: one contract, which files and PostgreSQL keep; and open logins in PostgreSQL.

mod contract;
#[path = "../database/mod.rs"]
mod database;
mod logins;
mod schema;

use std::time::{Duration, SystemTime};

use restream_oauth_broker::devices::{Devices, FileDevices, PostgresDevices};
use restream_oauth_keeper_postgres::PostgresStore;

use crate::database::Database;

/// A time with whole seconds, as documents hold it.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// The devices in a database, as an instance of its own has them.
pub(crate) async fn postgres(database: &Database) -> PostgresDevices {
    let config = database.config();
    PostgresStore::migrate(&config).await.unwrap();
    PostgresDevices::migrate(&config).await.unwrap();
    PostgresDevices::new(PostgresStore::connect(&config).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_keep_the_contract() {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let folder = std::env::temp_dir().join(format!("restream-oauth-broker-{:x}", u64::from_ne_bytes(random)));
    for (name, number) in contract::NAMES.iter().zip(0..) {
        let folder = folder.join(name);
        let one = Devices::File(FileDevices::open(&folder).unwrap());
        let other = Devices::File(FileDevices::beside(&folder).unwrap());
        contract::check(number, one, other).await;
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_keeps_the_contract() {
    for number in 0..contract::NAMES.len() {
        let Some(database) = Database::empty().await else { return };
        let (one, other) = (postgres(&database).await, postgres(&database).await);
        contract::check(number, Devices::Postgres(one), Devices::Postgres(other)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_keeps_the_contract_behind_a_pooler_in_transaction_mode() {
    for number in 0..contract::NAMES.len() {
        let Some(database) = Database::through("RESTREAM_TEST_PGBOUNCER").await else { return };
        let (one, other) = (postgres(&database).await, postgres(&database).await);
        contract::check(number, Devices::Postgres(one), Devices::Postgres(other)).await;
    }
}
