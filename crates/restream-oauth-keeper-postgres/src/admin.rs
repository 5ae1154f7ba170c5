//! What an administrator does with grants: list, end and export them.

use std::fmt;
use std::time::SystemTime;

use restream_oauth_keeper::store::{Leftovers, Store as _, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Stored};
use tokio_postgres::Row;
use zeroize::Zeroizing;

use crate::error::store_error;
use crate::offset::{ClockOffset, time_of};
use crate::parameter::Parameter;
use crate::sql;
use crate::store::PostgresStore;

/// What the columns of the table say of a grant. It holds no token, and no document was opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The name of the grant.
    pub grant: GrantName,
    /// What is stored of it.
    pub state: State,
    /// How many pairs the grant has had before the newest one; `None` if there never was one.
    pub generation: Option<u64>,
    /// Until when the access token is promised.
    pub usable_until: Option<SystemTime>,
    /// When a worker has to look at the grant; `None` if never.
    pub due_at: Option<SystemTime>,
    /// Since when the outcome of a refresh is unknown.
    pub doubt_since: Option<SystemTime>,
    /// When the server said that the grant is dead.
    pub died_at: Option<SystemTime>,
    /// True while a process has the claim.
    pub claimed: bool,
    /// True if answers that could not be read were set aside for a person.
    pub set_aside: bool,
}

/// What is stored of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// A pair.
    LoggedIn,
    /// What is left after a logout.
    LoggedOut,
    /// No pair: a login waits to be stored, or somebody asked for a grant that never was.
    Empty,
}

/// What [`PostgresStore::end`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The grant is marked. Nobody is given its token any more, and the next worker that looks revokes and forgets it.
    Marked,
    /// A process is refreshing the grant, or a login waits to be stored. Try again.
    Busy,
    /// There is no such grant, or it was logged out.
    Nothing,
}

/// What [`PostgresStore::export`] returns. It holds secrets, which `Debug` does not show.
#[non_exhaustive]
pub struct Exported {
    /// The record in its plain saved form: what the file store keeps in the file of a grant.
    pub document: Zeroizing<String>,
    /// True if an answer or a login waits beside the record. It may hold a newer pair, so export again.
    pub left: bool,
}

impl PostgresStore {
    /// Lists grants in the order of their names: no more than `most`, and those after `after`. Opens no document, so it
    /// needs no keys.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be asked.
    pub async fn grants(&self, after: Option<&GrantName>, most: u32) -> Result<Vec<Summary>, StoreError> {
        let after = after.map_or("", GrantName::as_str);
        let parameters = [Parameter::Text(after.into()), Parameter::Number(Some(most.into()))];
        let (rows, offset) = self.ask(sql::LIST, &parameters).await?;
        rows.iter().map(|row| Summary::read(row, offset)).collect()
    }

    /// Ends a grant, as its user does who logs out. Needs no client: it writes down that the grant is to end, and the next
    /// worker that looks revokes the newest pair and forgets it.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be asked, or the record cannot be read.
    pub async fn end(&self, grant: &GrantName) -> Result<Ended, StoreError> {
        // A claim on a grant that is not there would make a row for it.
        match self.execute(grant, StoreOp::Read).await {
            StoreOutcome::Read { stored: Stored::Grant(_), .. } => {}
            StoreOutcome::Read { left, .. } => return Ok(if left { Ended::Busy } else { Ended::Nothing }),
            outcome => return Err(unexpected(outcome)),
        }
        let claimed = match self.execute(grant, StoreOp::Claim).await {
            StoreOutcome::Claimed(claimed) => claimed,
            StoreOutcome::Busy => return Ok(Ended::Busy),
            outcome => return Err(unexpected(outcome)),
        };
        let (record, ended) = match claimed.stored {
            Stored::Grant(mut record) => {
                record.leaving = true;
                (Some(record), Ended::Marked)
            }
            _ => (None, Ended::Nothing),
        };
        let settle = StoreOp::Settle { claim: claimed.claim, record, leftovers: Leftovers::Leave };
        match self.execute(grant, settle).await {
            StoreOutcome::Done => Ok(ended),
            // A late pair was stored in between.
            StoreOutcome::Superseded(_) => Ok(Ended::Busy),
            outcome => Err(unexpected(outcome)),
        }
    }

    /// Reads a grant in plain, for another store. `None` if there is no pair.
    ///
    /// A grant that is used at the place to which it was exported must not be used here any more: the first refresh at
    /// one place kills the pair at the other.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be asked, or the record cannot be read.
    pub async fn export(&self, grant: &GrantName) -> Result<Option<Exported>, StoreError> {
        match self.execute(grant, StoreOp::Read).await {
            StoreOutcome::Read { stored, left } => {
                Ok(stored.record().map(|record| Exported { document: record.to_saved(), left }))
            }
            outcome => Err(unexpected(outcome)),
        }
    }
}

impl Summary {
    fn read(row: &Row, offset: ClockOffset) -> Result<Self, StoreError> {
        let columns = || {
            let time = |name| row.try_get::<_, Option<i64>>(name).map(|at| at.map(|at| offset.to_local(time_of(at))));
            let state = match (row.try_get("logged_in")?, row.try_get("logged_out")?) {
                (true, _) => State::LoggedIn,
                (false, true) => State::LoggedOut,
                (false, false) => State::Empty,
            };
            let generation = row.try_get::<_, Option<i64>>("generation")?;
            let (claimed, set_aside) = (row.try_get("claimed")?, row.try_get("set_aside")?);
            Ok((
                state,
                generation,
                time("usable_until")?,
                time("run_at")?,
                time("doubt_since")?,
                time("died_at")?,
                claimed,
                set_aside,
            ))
        };
        let (state, generation, usable_until, due_at, doubt_since, died_at, claimed, set_aside) =
            columns().map_err(|error: tokio_postgres::Error| store_error(&error))?;
        let name: &str = row.try_get("name").map_err(|error| store_error(&error))?;
        let grant =
            name.parse().map_err(|_| StoreError::new(StoreErrorKind::Unavailable, "a row has no name of a grant"))?;
        let generation = generation.map(|generation| u64::from_ne_bytes(generation.to_ne_bytes()));
        Ok(Self { grant, state, generation, usable_until, due_at, doubt_since, died_at, claimed, set_aside })
    }
}

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { document, left } = self;
        write!(f, "Exported {{ document: {} bytes, left: {left} }}", document.len())
    }
}

fn unexpected(outcome: StoreOutcome) -> StoreError {
    match outcome {
        StoreOutcome::Failed(error) => error,
        _ => StoreError::new(StoreErrorKind::Unavailable, "the grant is in use"),
    }
}
