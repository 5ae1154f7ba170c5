//! The accounts of a database, as programs get them. Any of them can be asked for, whether this process keeps it or not.

use std::time::{Duration, SystemTime};

use restream_oauth_keeper::{Grant, GrantName, Keeper, Stored};
use tokio::time::timeout;

use crate::commands::keep::not_offered::NotOffered;
use crate::database::account::Account;
use crate::database::connected::Database;
use crate::tokens::newest::known;

/// How long a program waits for what the database says. Then it gets what this process knows.
const READ_TIME: Duration = Duration::from_secs(2);

/// The accounts of a database.
pub(crate) struct Table {
    keeper: Keeper,
    database: Database,
    /// The account that is meant where none is named.
    default: GrantName,
}

impl Table {
    pub(crate) fn new(keeper: Keeper, database: Database, default: GrantName) -> Self {
        Self { keeper, database, default }
    }

    /// The grant of an account, and what is stored of it. A name that the database does not have gets no grant, so callers
    /// cannot fill the memory with names.
    pub(crate) async fn find(&self, name: Option<&GrantName>) -> Result<(Grant, Option<Stored>), NotOffered> {
        let name = name.unwrap_or(&self.default);
        let account = Account::of(&self.database, name.clone());
        let failed = match timeout(READ_TIME, account.read()).await {
            Ok(Ok((Stored::Nothing, false))) => return Err(NotOffered::Unknown),
            Ok(Ok((stored, _))) => {
                let grant = self.keeper.grant(name.as_str()).map_err(|_| NotOffered::Unknown)?;
                return Ok((grant, Some(stored)));
            }
            Ok(Err(failure)) => failure.message().to_owned(),
            Err(_elapsed) => format!("{account}: the database does not answer"),
        };
        let kept = self.keeper.kept(name.as_str());
        kept.map(|grant| (grant, None)).ok_or(NotOffered::Unavailable(failed))
    }

    /// What is stored of an account, if the database says so in time.
    pub(crate) async fn stored(&self, name: &GrantName) -> Option<Stored> {
        let account = Account::of(&self.database, name.clone());
        timeout(READ_TIME, account.read()).await.ok()?.ok().map(|(stored, _)| stored)
    }

    /// Until when the token of this generation is promised, as far as this process knows.
    pub(crate) fn usable_until(&self, name: &GrantName, generation: u64) -> Option<SystemTime> {
        let token = known(&self.keeper.kept(name.as_str())?)?;
        (token.generation() == generation).then(|| token.usable_until())
    }
}
