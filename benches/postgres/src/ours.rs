//! A keeper on the PostgreSQL store: many grants at once over a few connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::Client;
use restream_oauth_keeper::{Keeper, Policy};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::database::{Database, name};
use crate::{Outcome, provider};

pub(crate) const CONNECTIONS: usize = 8;
pub(crate) const IN_FLIGHT: usize = 512;

/// Refreshes each grant once. Returns rotations a second.
pub(crate) async fn run(database: &Database, oauth: &Client, grants: u32, takes: Duration) -> Outcome<f64> {
    database.fill(grants).await?;
    let store = database.store(CONNECTIONS).await?;
    // The bench is about the store, so the pace must not limit it.
    let policy = Policy { requests_per_second: 1e6, ..Policy::default() };
    let keeper = Keeper::builder(oauth.clone(), store).policy(policy).build()?;
    let requests = Arc::new(AtomicU32::new(0));
    let sent = Arc::clone(&requests);
    let driver = tokio::spawn(keeper.run(
        async move |call| {
            sent.fetch_add(1, Ordering::Relaxed);
            let sent_at = SystemTime::now();
            tokio::time::sleep(takes).await;
            provider::answer(call, sent_at)
        },
        tokio::time::sleep,
    ));

    let begun = Instant::now();
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    for number in 0..grants {
        let (grant, place) = (keeper.grant(&name(number))?, Arc::clone(&room).acquire_owned().await?);
        tasks.spawn(async move {
            let token = grant.token().await;
            drop(place);
            token.map(drop)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    keeper.shut_down().await;
    driver.await??;
    if requests.load(Ordering::Relaxed) != grants {
        return Err("expected one request a grant".into());
    }
    Ok(f64::from(grants) / seconds)
}
