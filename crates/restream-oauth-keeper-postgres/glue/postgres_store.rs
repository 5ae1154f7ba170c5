//! A store on the blocking client `postgres`.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use postgres::Client;
use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::{Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper_postgres::{Arrays, ClockOffset, Columns, Statement, sql};

// begin glue
/// A connection, and what is known of the database's clock.
pub struct PostgresStore(Mutex<(Client, ClockOffset)>);

impl PostgresStore {
    /// A store on a connection. Its database has the schema already.
    ///
    /// # Errors
    /// The client's, if the database cannot be asked.
    pub fn new(mut client: Client) -> Result<Self, postgres::Error> {
        let (mut offset, sent) = (ClockOffset::default(), SystemTime::now());
        let row = client.query_one(sql::CLOCK, &[])?;
        offset.observe(sent, SystemTime::now(), row.try_get("now")?);
        client.query(sql::NOTE_SERVER, &[&10_000_i64])?;
        Ok(Self(Mutex::new((client, offset))))
    }

    fn try_execute(&self, grant: &GrantName, op: &StoreOp) -> Result<StoreOutcome, Box<dyn Error>> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, offset) = &mut *guard;
        let random = RandomState::new().hash_one("claim");
        let statement = Statement::of(grant, op, random, *offset).ok_or("an unknown operation")?;
        let arrays = Arrays::of([statement.parameters()]);
        let sent = SystemTime::now();
        let rows = client.query_typed(statement.sql(), &arrays.typed())?;
        let row = Columns::try_from(rows.first().ok_or("no row")?)?;
        offset.observe(sent, SystemTime::now(), row.now);
        Ok(statement.outcome(&row, *offset))
    }
}

impl Store for PostgresStore {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        // The words of the client may quote a value.
        let unavailable = || StoreError::new(StoreErrorKind::Unavailable, "the database failed");
        self.try_execute(grant, &op).unwrap_or_else(|_| StoreOutcome::Failed(unavailable()))
    }
}
// end glue
