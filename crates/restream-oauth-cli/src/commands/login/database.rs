//! `login --database`: how a login ends whose tokens go into a database.

use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{Grant, GrantName, Keeper, LoginId, Record};

use crate::arguments::TokensOption;
use crate::database::account::Account;
use crate::database::chosen::Chosen;
use crate::database::connected::Database;
use crate::database::failure::of_token;
use crate::database::keeping::{keeper, with_grant};
use crate::failure::Failure;
use crate::signals::Interruptions;
use crate::terminal::{print, print_json, say};
use crate::tokens::document::line;
use crate::tokens::elsewhere::rescue;
use crate::tokens::handover::Means;
use crate::tokens::owner::other_owner;
use crate::tokens::status::{Whereabouts, status};

/// How long the account may be in use by another process when its user is written down.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a login is for, before a person is asked to log in.
pub(super) struct Handover<'a> {
    means: Means<'a>,
    database: Database,
    keeper: Keeper,
    name: GrantName,
}

impl<'a> Handover<'a> {
    /// Brings the schema, reads the account, and says whose living login the next one will replace.
    pub(super) async fn prepare(means: Means<'a>, chosen: Chosen, tokens: &TokensOption) -> Result<Self, Failure> {
        let database = chosen.prepare().await?;
        let account = Account::chosen(&database, tokens)?;
        let record = account.record().await?;
        means.announce(&account, record.as_deref());
        let name = account.name.clone();
        let keeper = keeper(&database, means.client, means.options.timeout)?;
        Ok(Self { means, database, keeper, name })
    }

    /// Stores the tokens that an exchange has brought. If they cannot be stored, they are saved elsewhere.
    pub(super) async fn store(self, tokens: Tokens, interruptions: Interruptions) -> Result<LoggedIn<'a>, Failure> {
        let replaced = self.insert(&tokens).await.map_err(|failure| rescue(failure, &tokens))?;
        let account = Account::of(&self.database, self.name.clone());
        say(&format!("logged in; the tokens are in {account}"));
        let other = replaced.as_ref().and_then(|replaced| other_owner(&replaced.tokens, self.means.client));
        if let Some(other) = other {
            say(&format!("warning: {account} held tokens of {other}: they are replaced, and not revoked"));
        }
        Ok(LoggedIn { handover: self, tokens, replaced, interruptions })
    }

    /// Returns what the tokens have replaced.
    async fn insert(&self, tokens: &Tokens) -> Result<Option<Box<Record>>, Failure> {
        let account = Account::of(&self.database, self.name.clone());
        let replaced = account.record().await?;
        let log_in = async |grant: &Grant| grant.log_in(tokens).await;
        let stored = with_grant(&self.keeper, &account, self.means.transport, self.means.options.timeout, log_in);
        let token = stored.await?.map_err(|error| of_token(&error, &account))?;
        if token.access_token() == tokens.access_token() {
            Ok(replaced)
        } else {
            Err(Failure::other(format!("{account} holds the tokens of a later login")))
        }
    }
}

/// A login whose tokens are in the database.
pub(super) struct LoggedIn<'a> {
    handover: Handover<'a>,
    tokens: Tokens,
    replaced: Option<Box<Record>>,
    interruptions: Interruptions,
}

impl LoggedIn<'_> {
    /// Writes down whose the tokens are, revokes the login that they have replaced if it is another user's, and prints what
    /// the user wants to see.
    pub(super) async fn complete(mut self) -> Result<(), Failure> {
        let Self { handover: Handover { means, database, name, .. }, tokens, replaced, interruptions } = &mut self;
        let account = Account::of(database, name.clone());
        let user = match means.ask_user(tokens, interruptions).await {
            Ok(user) => account.name_user(LoginId::of(tokens), user.clone(), PATIENCE).await.map(|()| user),
            Err(failure) => Err(failure),
        };
        means.end_replaced(replaced.take(), tokens, user, interruptions).await;
        if means.output.print_tokens {
            return print(&line(&tokens.to_saved()));
        }
        let record = account.record().await?;
        let place = Whereabouts::Database { account: name, place: database.place() };
        // The user may have logged out meanwhile.
        record.map_or(Ok(()), |record| print_json(&status(place, &record, SystemTime::now())))
    }
}
