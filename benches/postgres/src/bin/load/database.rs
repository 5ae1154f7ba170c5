//! A database of the run's own, on the server of `.ci/postgres`.

use std::env;

use restream_oauth_keeper_postgres::{Config, PostgresStore};
use tokio_postgres::NoTls;

use crate::Outcome;
use crate::server::server;

/// The grants that should have been refreshed half a minute ago.
const LATE: &str = "SELECT count(*) FROM restream_oauth.grants WHERE run_at < now() - interval '30 seconds'";
/// The grants that have been in doubt since a time, in milliseconds since 1970. Each rotation is in doubt for as long as its
/// request takes.
const IN_DOUBT: &str = "SELECT name FROM restream_oauth.grants
WHERE run_at <= now() AND doubt_since <= timestamptz 'epoch' + $1::bigint * interval '1 millisecond'";
const DEAD: &str = "SELECT name FROM restream_oauth.grants WHERE died_at IS NOT NULL";

/// What the page about sizing says: the table in the server's own memory, and room for the log of a quarter of an hour. With
/// PostgreSQL's defaults each page goes into the log as a whole once a minute.
const SIZED: [&str; 3] = [
    "ALTER SYSTEM SET shared_buffers = '1GB'",
    "ALTER SYSTEM SET max_wal_size = '16GB'",
    "ALTER SYSTEM SET checkpoint_timeout = '15min'",
];

/// A database and a connection to it.
pub(crate) struct Database {
    pub(crate) url: String,
    /// `None` after a failure.
    client: Option<tokio_postgres::Client>,
}

impl Database {
    pub(crate) async fn create() -> Outcome<Self> {
        let url = env::var("RESTREAM_TEST_POSTGRES").map_err(|_| "start this with .ci/postgres")?;
        // Nobody runs a standby on the machine of its primary.
        server("standby", "stop")?;
        let administrator = connect(&url.replace("//keeper@", "//postgres@")).await?;
        for setting in SIZED {
            administrator.batch_execute(setting).await?;
        }
        server("primary", "stop")?;
        server("primary", "start")?;
        let name = format!("load_{}", std::process::id());
        connect(&url).await?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        let (host, _) = url.rsplit_once('/').ok_or("expected a URL with a database")?;
        let url = format!("{host}/{name}");
        PostgresStore::migrate(&Config::from_url(&url)?).await?;
        let client = Some(connect(&url).await?);
        Ok(Self { url, client })
    }

    pub(crate) fn client(&self) -> Outcome<&tokio_postgres::Client> {
        self.client.as_ref().ok_or_else(|| "the database does not answer".into())
    }

    /// Connects again, if the connection is lost.
    pub(crate) async fn connect_again(&mut self) {
        if self.client.as_ref().is_none_or(tokio_postgres::Client::is_closed) {
            self.client = connect(&self.url).await.ok();
        }
    }

    /// What table and indexes take on the disk.
    pub(crate) async fn bytes(&self) -> Outcome<i64> {
        self.number("SELECT pg_total_relation_size('restream_oauth.grants')").await
    }

    pub(crate) async fn late(&self) -> Outcome<i64> {
        self.number(LATE).await
    }

    pub(crate) async fn grants(&self) -> Outcome<i64> {
        self.number("SELECT count(*) FROM restream_oauth.grants WHERE record IS NOT NULL").await
    }

    pub(crate) async fn in_doubt_since(&self, milliseconds: u64) -> Outcome<Vec<String>> {
        let rows = self.client()?.query(IN_DOUBT, &[&i64::try_from(milliseconds)?]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    pub(crate) async fn dead(&self) -> Outcome<Vec<String>> {
        let rows = self.client()?.query(DEAD, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    pub(crate) async fn vacuum(&self) -> Outcome<()> {
        Ok(self.client()?.batch_execute("VACUUM restream_oauth.grants").await?)
    }

    async fn number(&self, sql: &str) -> Outcome<i64> {
        Ok(self.client()?.query_one(sql, &[]).await?.try_get(0)?)
    }
}

async fn connect(url: &str) -> Outcome<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
