//! A sealed store passes the contract of every store.

use restream_oauth_keeper::seal::Sealer;
use restream_oauth_keeper_postgres::Config;

use super::{K1, K2, config, ring};
use crate::support::{Database, check_contract};

async fn check(configs: impl Fn(&Database) -> [Config; 2]) {
    let Some(database) = Database::migrated().await else { return };
    let [first, second] = configs(&database);
    check_contract(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_store_passes_the_contract() {
    check(|database| [config(database, &[K1]), config(database, &[K1])]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_store_that_refuses_plain_documents_passes_the_contract() {
    let strict = |database: &Database| database.config().sealed(Sealer::new(ring(&[K1])).refuse_plain());
    check(|database| [strict(database), strict(database)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_whose_newest_keys_differ_pass_the_contract_together() {
    check(|database| [config(database, &[K1, K2]), config(database, &[K2, K1])]).await;
}
