//! The usual way: a transaction locks a row, holds it while the provider is asked, and writes the new pair.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;
use crate::database::{Database, connect};

pub(crate) const CONNECTIONS: usize = 64;

const FILL: &str = "DROP TABLE IF EXISTS locked;
CREATE TABLE locked (name text PRIMARY KEY, record bytea NOT NULL, run_at timestamptz NOT NULL);
CREATE INDEX ON locked (run_at);
INSERT INTO locked SELECT 'user-' || lpad(number::text, 7, '0'), record, now()
FROM pattern, generate_series(0, {last}) AS number";
const LOCK: &str =
    "SELECT name, record FROM locked WHERE run_at <= now() ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED";
const WRITE: &str = "UPDATE locked SET record = $2, run_at = now() + interval '1 hour' WHERE name = $1";

/// Refreshes each grant once. Returns rotations a second.
pub(crate) async fn run(database: &Database, grants: u32, takes: Duration) -> Outcome<f64> {
    database.client.batch_execute(&FILL.replace("{last}", &(grants - 1).to_string())).await?;
    database.settle("locked").await?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(&database.url).await?);
    }

    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(async move { refresh_all(client, takes).await });
    }
    let mut refreshed = 0;
    while let Some(done) = tasks.join_next().await {
        refreshed += done??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    if refreshed != grants {
        return Err("expected one rotation a grant".into());
    }
    Ok(f64::from(grants) / seconds)
}

/// Refreshes what is due, one after the other, until nothing is left.
async fn refresh_all(mut client: tokio_postgres::Client, takes: Duration) -> Result<u32, tokio_postgres::Error> {
    let (lock, write) = (client.prepare(LOCK).await?, client.prepare(WRITE).await?);
    let mut refreshed = 0;
    loop {
        let transaction = client.transaction().await?;
        let Some(row) = transaction.query_opt(&lock, &[]).await? else { return Ok(refreshed) };
        let (name, record): (String, Vec<u8>) = (row.get(0), row.get(1));
        tokio::time::sleep(takes).await;
        transaction.execute(&write, &[&name, &record]).await?;
        transaction.commit().await?;
        refreshed += 1;
    }
}
