//! The databases of the tests. `.ci/postgres` starts a server for them; elsewhere the tests say that they did not run.

#![allow(dead_code)] // Each test binary uses some of it.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use restream_oauth_broker::settings::Store;
use restream_oauth_keeper_postgres::{Client, Config, PostgresStore};

/// A variable that `.ci/postgres` sets. Says that the test did not run where it is missing.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        // To standard error directly, because the test runner captures `eprintln!`.
        let message = format!("SKIPPED: no {name}; `.ci/postgres` starts what this test needs\n");
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none(), "{message}");
    }
    value
}

/// A database of the test's own, without tables.
pub(crate) struct Database {
    url: String,
}

impl Database {
    pub(crate) async fn empty() -> Option<Self> {
        Self::through("RESTREAM_TEST_POSTGRES").await
    }

    /// A database that is reached through the server that this variable names: PostgreSQL itself, or a pooler in front.
    pub(crate) async fn through(name: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (server, through) = (variable("RESTREAM_TEST_POSTGRES")?, variable(name)?);
        let database = format!("broker_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = PostgresStore::connection(&Config::from_url(&server).unwrap()).await.unwrap();
        server.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE template0")).await.unwrap();
        Some(Self { url: format!("{}/{database}", through.rsplit_once('/').unwrap().0) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn config(&self) -> Config {
        Config::from_url(&self.url).unwrap()
    }

    /// The setting for a broker.
    pub(crate) fn store(&self) -> Store {
        Store::Postgres(Box::new(self.config()))
    }

    /// A connection that looks at the tables.
    pub(crate) async fn client(&self) -> Client {
        PostgresStore::connection(&self.config()).await.unwrap()
    }
}
