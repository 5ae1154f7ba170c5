//! A keeper for one account and the length of one command.

use std::time::Duration;

use restream_oauth_core::Client;
use restream_oauth_keeper::{Grant, Keeper};
use tokio::time::sleep;

use crate::database::account::Account;
use crate::database::connected::Database;
use crate::failure::Failure;
use crate::signals::{GivenUp, Interruptions};
use crate::tokens::shutting_down::{given_up, rescue, shut_down};
use crate::transport::Transport;

/// How much longer than a request a command waits: another process may have the account.
const PATIENCE: Duration = Duration::from_secs(15);

/// A keeper that refreshes on use. `timeout` is the limit of each request.
pub(crate) fn keeper(database: &Database, client: &Client, timeout: Duration) -> Result<Keeper, Failure> {
    let keeper = Keeper::builder(client.clone(), database.store().clone()).request_limit(timeout).build();
    keeper.map_err(|error| Failure::usage(format!("--timeout: {error}")))
}

/// Gives the grant of an account to `work`, under a keeper that nobody drives yet. Then finishes what is under way, and
/// saves new pairs that the database refuses. The first signal is put off.
pub(crate) async fn with_grant<T>(
    keeper: &Keeper,
    account: &Account<'_>,
    transport: &Transport,
    timeout: Duration,
    work: impl AsyncFnOnce(&Grant) -> T,
) -> Result<T, Failure> {
    let mut interruptions = Interruptions::watch();
    let transport = transport.clone();
    let driver = tokio::spawn(keeper.run(async move |call| transport.receive(call).await, sleep));
    let grant = keeper.grant(account.name.as_str()).map_err(|error| Failure::other(error.to_string()))?;
    let grant = grant.with_limit(timeout.saturating_add(PATIENCE));
    let done = interruptions.put_off(work(&grant)).await.map_err(|GivenUp| given_up(keeper))?;
    let left = shut_down(keeper, &mut interruptions).await?;
    drop(driver);
    rescue(|name| keeper.export(name.as_str()), &left)?;
    Ok(done)
}
