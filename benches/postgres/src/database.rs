//! A database of the run's own, with as many grants as a run needs, each of which has to be refreshed.

use std::env;
use std::time::{Duration, SystemTime};

use restream_oauth_core::{Client, RefreshToken};
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record};
use restream_oauth_keeper_postgres::{Config, PostgresStore};
use tokio_postgres::NoTls;

use crate::{Outcome, provider};

/// What fills the table before each run. A plain document belongs to no name, so one can be copied.
const FILL: &str = "TRUNCATE restream_oauth.grants;
INSERT INTO restream_oauth.grants (name, record, login, generation, requests, usable_until, run_at)
SELECT 'user-' || lpad(number::text, 7, '0'), record, login, generation, requests, usable_until, run_at
FROM pattern, generate_series(0, {last}) AS number";

/// A database on the server of `.ci/postgres`.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) client: tokio_postgres::Client,
    /// The document of a record, as the store wrote it, in PostgreSQL's hexadecimal form; and its login.
    pub(crate) record: String,
    pub(crate) login: String,
}

impl Database {
    pub(crate) async fn create(oauth: &Client) -> Outcome<Self> {
        let server = env::var("RESTREAM_TEST_POSTGRES").map_err(|_| "start this with .ci/postgres")?;
        let name = format!("bench_{}", std::process::id());
        connect(&server).await?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        let (host, _) = server.rsplit_once('/').ok_or("expected a URL with a database")?;
        let url = format!("{host}/{name}");

        PostgresStore::migrate(&Config::from_url(&url)?).await?;
        log_in(&PostgresStore::connect(&Config::from_url(&url)?).await?, oauth).await?;
        let client = connect(&url).await?;
        client.batch_execute("CREATE TABLE pattern AS SELECT * FROM restream_oauth.grants").await?;
        let row = client.query_one("SELECT record::text, login::text FROM pattern", &[]).await?;
        Ok(Self { url, client, record: row.get(0), login: row.get(1) })
    }

    pub(crate) async fn store(&self, connections: usize) -> Outcome<PostgresStore> {
        Ok(PostgresStore::connect(&Config::from_url(&self.url)?.connections(connections)).await?)
    }

    /// Makes the table one of this many grants, none of which has been refreshed.
    pub(crate) async fn fill(&self, grants: u32) -> Outcome<()> {
        self.client.batch_execute(&FILL.replace("{last}", &(grants - 1).to_string())).await?;
        self.settle("restream_oauth.grants").await
    }

    /// Cleans up now what the filling left, not while something is measured.
    pub(crate) async fn settle(&self, table: &str) -> Outcome<()> {
        Ok(self.client.batch_execute(&format!("VACUUM ANALYZE {table}")).await?)
    }
}

pub(crate) async fn connect(url: &str) -> Outcome<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The name of a grant, as [`FILL`] writes it.
pub(crate) fn name(grant: u32) -> String {
    format!("user-{grant:07}")
}

/// Stores a login whose access token has expired.
async fn log_in(store: &PostgresStore, oauth: &Client) -> Outcome<()> {
    let grant: GrantName = name(0).parse()?;
    let sent_at = SystemTime::now() - Duration::from_hours(2);
    let tokens = provider::answer(oauth.refresh(&RefreshToken::new("r0")), sent_at).interpret()?;
    let usable_until = sent_at + Duration::from_hours(1);
    let StoreOutcome::Claimed(claimed) = store.execute(&grant, StoreOp::Claim).await else {
        return Err("the grant cannot be claimed".into());
    };
    let claim = claimed.claim;
    let record = Box::new(Record::of_login(tokens, usable_until));
    for op in [StoreOp::Insert { claim, record }, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove }]
    {
        if !matches!(store.execute(&grant, op).await, StoreOutcome::Done) {
            return Err("the grant cannot be stored".into());
        }
    }
    Ok(())
}
