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

#[tokio::test(flavor = "multi_thread")]
async fn the_store_passes_the_contract_with_prepared_statements() {
    let Some(database) = Database::migrated().await else { return };
    let prepared = database.config().prepare_statements();
    check_contract(&prepared, &prepared).await;

    let store = PostgresStore::connect(&prepared.connections(1)).await.unwrap();
    let names = "SELECT name FROM pg_prepared_statements";
    for _ in 0..2 {
        let rows = store.query(names, &[]).await.unwrap();
        assert!(!rows.is_empty(), "this statement is one of them");
    }
    // A program's own statements may be any number, and the server keeps no more than some of them.
    for number in 0..100 {
        store.query(&format!("SELECT {number}"), &[]).await.unwrap();
    }
    assert_eq!(store.query(names, &[]).await.unwrap().len(), 64);
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
