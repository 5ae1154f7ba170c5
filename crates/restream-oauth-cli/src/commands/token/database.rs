//! `token --database`: the living access token of an account in a database. A keeper refreshes it if it has to be.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_core::AccessToken;
use restream_oauth_keeper::{Grant, Record, Stored};

use crate::arguments::Token;
use crate::configuration;
use crate::database::account::Account;
use crate::database::chosen::Chosen;
use crate::database::failure::of_token;
use crate::database::keeping::{keeper, with_grant};
use crate::failure::{Exit, Failure};
use crate::runtime::block_on;
use crate::tokens::access::{check_owner, is_refused, options_of};
use crate::tokens::living::{Living, at_hand, gone};
use crate::tokens::newest::{NoToken, newest};
use crate::tokens::rotation::words;
use crate::tokens::source::refused_token;
use crate::transport::Transport;

/// How much longer than its request another refresh may have the account.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns a living access token. With `--rejected` it is another than the one on standard input.
pub(super) fn living(options: &Token, chosen: Chosen) -> Result<Living, Failure> {
    let refused = if options.rejected { Some(refused_token()?) } else { None };
    block_on(living_of(options, chosen, refused.as_ref()))
}

async fn living_of(options: &Token, chosen: Chosen, refused: Option<&AccessToken>) -> Result<Living, Failure> {
    let database = chosen.connect().await?;
    let account = Account::chosen(&database, &options.tokens)?;
    let (mut stored, left) = account.read().await?;
    if stored.record().and_then(|record| record.doubt).is_some_and(|doubt| doubt.in_flight) {
        // Another process refreshes, or has died. Its claim ends in both cases, and only then the token is known.
        account.wait_for_others(options.client.timeout.saturating_add(PATIENCE)).await?;
        stored = account.read().await?.0;
    }
    if let Some(record) = stored.record() {
        check_owner(record, &options.client).map_err(|failure| failure.about(&account))?;
    }
    let is_over = stored.record().is_none_or(|record| gone(record).is_some());
    // An interrupted login may have left tokens.
    if !(is_over && left) {
        let record = stored.record().ok_or_else(|| account.no_tokens())?;
        if let Some(gone) = gone(record) {
            return Err(words::gone(Path::new(&account.to_string()), gone).unwrap_or_else(|| account.no_tokens()));
        }
        if let Some(living) = at_hand(record, refused, options.valid_for, SystemTime::now())? {
            return Ok(living);
        }
        if record.refresh_token().is_none() {
            return Err(words::no_refresh_token().about(&account));
        }
    }
    renew(options, &account, &stored, refused).await
}

/// Refreshes the tokens, if that is still needed. Needs the client secret.
async fn renew(
    options: &Token,
    account: &Account<'_>,
    stored: &Stored,
    refused: Option<&AccessToken>,
) -> Result<Living, Failure> {
    let client = configuration::client(&options_of(stored.record(), &options.client))?;
    let transport = configuration::transport(&options.client)?;
    let keeper = keeper(account.database, &client, options.client.timeout)?;
    let work = async |grant: &Grant| match refused {
        Some(refused) => newest(grant, Some(stored), Some(refused.expose_secret().as_bytes())).await,
        None => refreshed(grant, options, account, stored, &transport).await,
    };
    let outcome = with_grant(&keeper, account, &transport, options.client.timeout, work).await?;
    let token = outcome.map_err(|none| match none {
        NoToken::StillRefused => {
            Failure::new(Exit::TryAgain, "the refused token could not be replaced yet: run the command again soon")
                .about(account)
        }
        NoToken::Keeper(error) => of_token(&error, account),
    })?;
    // Only the record has the scopes. While the keeper ended, a replay may have brought a newer pair.
    let is_newest = |record: &Record| {
        record.tokens.access_token() == token.access_token() || record.generation > token.generation()
    };
    let record = account.record().await?.filter(|record| is_newest(record));
    Ok(record.map_or_else(|| Living::alone(&token), |record| Living::from(&*record)))
}

/// A token that lives on for long enough. While a refresh is in doubt, the API says whether the old token lives.
async fn refreshed(
    grant: &Grant,
    options: &Token,
    account: &Account<'_>,
    stored: &Stored,
    transport: &Transport,
) -> Result<Arc<restream_oauth_keeper::Token>, NoToken> {
    let margin = stored.record().map_or(options.valid_for, |record| Living::margin(record, options.valid_for));
    let token = grant.token_for(margin).await?;
    let is_in_doubt =
        |record: Box<Record>| record.doubt.is_some() && record.tokens.access_token() == token.access_token();
    let in_doubt = account.record().await.is_ok_and(|record| record.is_some_and(is_in_doubt));
    if in_doubt && is_refused(token.access_token(), &options.client, transport).await.unwrap_or(false) {
        // The server has replaced the token. Its refresh token is sent again.
        grant.rejected(&token);
        return Ok(grant.token_for(margin).await?);
    }
    Ok(token)
}
