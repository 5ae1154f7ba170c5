//! Both stores pass the contract of every store, and are as short as they claim.

use std::sync::Arc;

use restream_oauth_keeper::contract;
use restream_oauth_keeper_postgres::migrations;
use restream_oauth_keeper_postgres_glue::postgres_store::PostgresStore;
use restream_oauth_keeper_postgres_glue::sqlx_store::SqlxStore;

/// The URL of a database of the test's own, with the schema. `.ci/postgres` starts the server.
fn database(name: &str) -> Option<String> {
    use std::io::Write as _;
    let Ok(url) = std::env::var("RESTREAM_TEST_POSTGRES") else {
        let message = "SKIPPED: no RESTREAM_TEST_POSTGRES; `.ci/postgres` starts what this test needs\n";
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none(), "{message}");
        return None;
    };
    let connect = |url: &str| postgres::Client::connect(url, postgres::NoTls).unwrap();
    let name = format!("glue_{name}_{}", std::process::id());
    connect(&url).batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let url = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    connect(&url).batch_execute(&migrations(0)).unwrap();
    Some(url)
}

#[test]
fn the_store_on_the_blocking_client_passes() {
    let Some(url) = database("postgres") else { return };
    let connect = || postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let stores = [connect(), connect()].map(|client| Arc::new(PostgresStore::new(client).unwrap()));
    contract::check(|| (Arc::clone(&stores[0]), Arc::clone(&stores[1]))).unwrap();
}

#[test]
fn the_store_on_sqlx_passes() {
    let Some(url) = database("sqlx") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let store = || async {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        Arc::new(SqlxStore::new(pool).await.unwrap())
    };
    let (one, other) = (runtime.block_on(store()), runtime.block_on(store()));
    contract::check(|| (Arc::clone(&one), Arc::clone(&other))).unwrap();
}

#[test]
fn each_has_40_lines_or_fewer() {
    for text in [include_str!("../postgres_store.rs"), include_str!("../sqlx_store.rs")] {
        let glue = text.split("// begin glue\n").nth(1).unwrap().split("// end glue").next().unwrap();
        let lines = glue.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//")).count();
        assert!(lines <= 40, "{lines}");
    }
}
