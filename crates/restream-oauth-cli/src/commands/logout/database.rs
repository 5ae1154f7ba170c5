//! `logout --database`: a keeper revokes the tokens of an account and forgets them.

use std::time::Duration;

use restream_oauth_core::Client;
use restream_oauth_keeper::{DeathCause, Grant, Record, Stored};

use crate::arguments::{ClientOptions, Logout};
use crate::configuration;
use crate::database::account::Account;
use crate::database::chosen::Chosen;
use crate::database::failure::of_token;
use crate::database::keeping::{keeper, with_grant};
use crate::failure::{Exit, Failure};
use crate::terminal::say;
use crate::tokens::access::options_of;
use crate::tokens::newest::{ANOTHER, known};
use crate::tokens::owner::Owner;
use crate::tokens::revocation::{ELSEWHERE, is_in_doubt};
use crate::transport::Transport;

/// How long the revocation is tried. A request that is under way then has its whole time limit.
const LIMIT: Duration = Duration::from_secs(20);
/// How much longer than its request another refresh may have the account.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(options: &Logout, chosen: Chosen) -> Result<(), Failure> {
    let transport = configuration::transport(&options.client)?;
    let database = chosen.connect().await?;
    let account = Account::chosen(&database, &options.tokens)?;
    let (stored, left) = account.read().await?;
    let mut record = stored.record().cloned();
    // A login that was interrupted ends too.
    if record.is_none() && !left {
        return Err(account.no_tokens());
    }
    if let Some(record) = &record {
        let client = configuration::anonymous_client(&options.client)?;
        Owner::of(&options.client, &client).accept(&record.tokens).map_err(|failure| failure.about(&account))?;
    }
    if record.as_ref().is_some_and(is_in_doubt) {
        resolve(options, &account, record.as_ref(), &transport).await?;
        record = account.record().await?.map(|record| *record);
    }
    let client = client(&options.client, record.as_ref())?;
    let keeper = keeper(&database, &client, options.client.timeout)?;
    let log_out = async |grant: &Grant| grant.clone().with_limit(LIMIT).log_out().await;
    let ended = with_grant(&keeper, &account, &transport, options.client.timeout, log_out).await?;
    if let Err(error) = ended {
        // The answer may have come while the keeper ended.
        if !matches!(account.read().await?, (Stored::Tombstone(_) | Stored::Nothing, false)) {
            return Err(not_confirmed(&account, &of_token(&error, &account)));
        }
    }
    say(&format!("revoked; {account} is removed"));
    if record.and_then(|record| record.death).is_some_and(|death| death.why == DeathCause::LostAnswer) {
        say(&format!("warning: the newest tokens of this login never arrived, and could not be revoked: {ELSEWHERE}"));
    }
    Ok(())
}

/// A revocation does not authenticate, so it needs no client secret. If there is one, a refresh that is found in doubt can
/// be sent again first.
fn client(options: &ClientOptions, record: Option<&Record>) -> Result<Client, Failure> {
    let options = options_of(record, options);
    let has_secret = configuration::secret(options.client_secret_file.as_deref())?.is_some();
    if has_secret { configuration::client(&options) } else { configuration::client_without_secret(&options) }
}

/// Waits for a refresh that is under way, or sends a refresh in doubt again. Fails if it stays in doubt.
async fn resolve(
    options: &Logout,
    account: &Account<'_>,
    record: Option<&Record>,
    transport: &Transport,
) -> Result<(), Failure> {
    say("a refresh is under way or in doubt: its outcome is awaited before the tokens are revoked");
    account.wait_for_others(options.client.timeout.saturating_add(PATIENCE)).await?;
    if !account.record().await?.is_some_and(|record| is_in_doubt(&record)) {
        return Ok(());
    }
    let client = configuration::client(&options_of(record, &options.client))?;
    let replay = async |grant: &Grant| {
        // The keeper reads the account first. Then the next replay comes at once, because somebody waits for it.
        let _ = grant.token().await;
        if let Some(token) = known(grant) {
            grant.rejected(&token);
        }
        grant.token_for(ANOTHER).await
    };
    let keeper = keeper(account.database, &client, options.client.timeout)?;
    let outcome = with_grant(&keeper, account, transport, options.client.timeout, replay).await?;
    if account.record().await?.is_some_and(|record| is_in_doubt(&record)) {
        let why = match &outcome {
            Ok(_) => "the answer to a refresh is still not known".to_owned(),
            Err(error) => of_token(error, account).message().to_owned(),
        };
        let message = format!(
            "{why}\nnot logged out, and {account} stays: the server may have replaced its tokens, and a revocation would \
             be answered with success all the same. Run `logout` again later; {ELSEWHERE}"
        );
        return Err(Failure::new(Exit::TryAgain, message));
    }
    Ok(())
}

fn not_confirmed(account: &Account<'_>, failure: &Failure) -> Failure {
    let why = failure.message();
    let message = format!(
        "{why}\nnot logged out yet: the server has not confirmed the revocation. Nobody is given a token of {account} any \
         more, and the next `logout` or `keep` goes on"
    );
    let exit = if failure.exit() == Exit::Usage { Exit::Usage } else { Exit::TryAgain };
    Failure::new(exit, message)
}
