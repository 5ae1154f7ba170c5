//! What programs are offered over the socket: the accounts in files that are kept, or those of a database.

use std::sync::Arc;
use std::time::SystemTime;

use restream_oauth_keeper::{Grant, GrantName, Stored};

use crate::commands::keep::kept::Kept;
use crate::commands::keep::not_offered::NotOffered;
use crate::commands::keep::table::Table;

/// Where the accounts are that programs may ask for. It is cheap to clone.
#[derive(Clone)]
pub(crate) enum Offer {
    Files(Arc<Kept>),
    Table(Arc<Table>),
}

impl Offer {
    /// The grant of an account; without a name that of the default one. Also what is stored of it, if that is known.
    pub(crate) async fn find(&self, name: Option<&GrantName>) -> Result<(Grant, Option<Stored>), NotOffered> {
        match self {
            Self::Files(kept) => {
                let grant = kept.grant(name).ok_or(NotOffered::Unknown)?;
                let stored = kept.stored(&grant.name());
                Ok((grant, stored))
            }
            Self::Table(table) => table.find(name).await,
        }
    }

    /// What is stored of an account, if that is known.
    pub(crate) async fn stored(&self, name: &GrantName) -> Option<Stored> {
        match self {
            Self::Files(kept) => kept.stored(name),
            Self::Table(table) => table.stored(name).await,
        }
    }

    /// Until when the token of this generation is promised, if it is the newest.
    pub(crate) fn usable_until(&self, name: &GrantName, generation: u64) -> Option<SystemTime> {
        match self {
            Self::Files(kept) => {
                let stored = kept.stored(name)?;
                stored.record().filter(|record| record.generation == generation).map(|record| record.usable_until)
            }
            Self::Table(table) => table.usable_until(name, generation),
        }
    }
}
