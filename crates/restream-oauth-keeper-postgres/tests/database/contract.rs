//! The store passes the contract of every store, also through a pooler that gives each statement another connection.

use std::sync::Arc;

use restream_oauth_keeper_postgres::{Config, PostgresStore};

use crate::support::{Database, check_contract, check_stores, variable};

#[tokio::test(flavor = "multi_thread")]
async fn the_store_passes_the_contract() {
    let Some(database) = Database::migrated().await else { return };
    check_contract(&database.config(), &database.config()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_passes_the_contract_through_pgbouncer_in_transaction_mode() {
    let Some(url) = variable("RESTREAM_TEST_PGBOUNCER") else { return };
    for other_is_pooled in [true, false] {
        let Some(database) = Database::migrated().await else { return };
        let pooled = Config::from_url(&database.of(&url)).unwrap();
        let other = if other_is_pooled { pooled.clone() } else { database.config() };
        check_contract(&pooled, &other).await;
    }
}

/// The times of a record are not those of the process that wrote it: both processes here believe in another day.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_passes_the_contract_although_both_clocks_are_a_day_behind() {
    let Some(database) = Database::migrated().await else { return };
    let behind = || std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    let config = database.config().clock(behind);
    // One store, because the two offsets differ by less than a second, and the contract wants equal times.
    let store = Arc::new(PostgresStore::connect(&config).await.unwrap());
    check_stores(&store, &store).await;
}
