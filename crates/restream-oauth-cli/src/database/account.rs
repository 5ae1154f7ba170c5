//! One account of a database, without a keeper: what is stored of it, and who has it.

use std::fmt;
use std::time::{Duration, Instant};

use restream_oauth_keeper::store::{Claimed, Leftovers, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, LoginId, Record, Stored, User};
use tokio::time::sleep;

use crate::arguments::TokensOption;
use crate::database::connected::Database;
use crate::database::failure::{no_tokens, of_store};
use crate::failure::{Exit, Failure};
use crate::terminal::say;
use crate::tokens::place::account_name;

/// The pause between two attempts to claim an account that another process has.
const POLL: Duration = Duration::from_millis(250);

/// One account of a database.
pub(crate) struct Account<'a> {
    pub(crate) database: &'a Database,
    pub(crate) name: GrantName,
}

impl<'a> Account<'a> {
    pub(crate) fn of(database: &'a Database, name: GrantName) -> Self {
        Self { database, name }
    }

    /// The account that the options name.
    pub(crate) fn chosen(database: &'a Database, options: &TokensOption) -> Result<Self, Failure> {
        account_name(options).map(|name| Self { database, name })
    }

    /// What is stored; and true if a login or an answer waits to be put in place.
    pub(crate) async fn read(&self) -> Result<(Stored, bool), Failure> {
        match self.execute(StoreOp::Read).await {
            StoreOutcome::Read { stored, left } => Ok((stored, left)),
            outcome => Err(self.unexpected(&outcome)),
        }
    }

    /// What is stored, if the account is logged in.
    pub(crate) async fn record(&self) -> Result<Option<Box<Record>>, Failure> {
        Ok(match self.read().await?.0 {
            Stored::Grant(record) => Some(record),
            _ => None,
        })
    }

    /// Waits until no other process has the account. Makes nothing of an account that is not there, so call it for one
    /// that is.
    pub(crate) async fn wait_for_others(&self, patience: Duration) -> Result<(), Failure> {
        let claimed = self.claim(patience).await?;
        self.settle(&claimed, None).await
    }

    /// Writes into the record whose login it is. Does nothing if another login was stored meanwhile.
    pub(crate) async fn name_user(&self, login: LoginId, user: User, patience: Duration) -> Result<(), Failure> {
        let claimed = self.claim(patience).await?;
        let named = claimed.stored.record().filter(|record| record.login == login);
        let named = named.map(|record| Box::new(Record { user: Some(user), ..record.clone() }));
        self.settle(&claimed, named).await
    }

    /// The failure of an account without tokens.
    pub(crate) fn no_tokens(&self) -> Failure {
        no_tokens(self)
    }

    async fn claim(&self, patience: Duration) -> Result<Claimed, Failure> {
        let begun = Instant::now();
        let mut said = false;
        loop {
            match self.execute(StoreOp::Claim).await {
                StoreOutcome::Claimed(claimed) => return Ok(claimed),
                StoreOutcome::Busy if begun.elapsed() < patience => {
                    if !std::mem::replace(&mut said, true) {
                        say(&format!("waiting for {self}, which is in use by another process"));
                    }
                }
                StoreOutcome::Busy => {
                    let message = "another process still has it: run the command again";
                    return Err(Failure::new(Exit::TryAgain, message).about(self));
                }
                outcome => return Err(self.unexpected(&outcome)),
            }
            sleep(POLL).await;
        }
    }

    async fn settle(&self, claimed: &Claimed, record: Option<Box<Record>>) -> Result<(), Failure> {
        let op = StoreOp::Settle { claim: claimed.claim, record, leftovers: Leftovers::Leave };
        match self.execute(op).await {
            StoreOutcome::Failed(error) => Err(of_store(&error, self)),
            // Another pair was stored in between. Its claim is released all the same.
            _ => Ok(()),
        }
    }

    async fn execute(&self, op: StoreOp) -> StoreOutcome {
        self.database.store().execute(&self.name, op).await
    }

    fn unexpected(&self, outcome: &StoreOutcome) -> Failure {
        match outcome {
            StoreOutcome::Failed(error) => of_store(error, self),
            _ => Failure::new(Exit::TryAgain, "it is in use by another process").about(self),
        }
    }
}

/// Names the account and its database.
impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {} in {}", self.name, self.database.place())
    }
}
