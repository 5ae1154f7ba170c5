//! A store on a pool of `sqlx`.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher as _;
use std::sync::Mutex;
use std::time::SystemTime;

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::{Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper_postgres::{ClockOffset, Columns, Parameter, Statement, sql};
use sqlx::{PgPool, Row as _};

// begin glue
/// A pool, and what is known of the database's clock.
pub struct SqlxStore(pub PgPool, Mutex<ClockOffset>);

impl SqlxStore {
    /// A store on a pool. Its database has the schema already.
    ///
    /// # Errors
    /// The client's, if the database cannot be asked.
    pub async fn new(pool: PgPool) -> Result<Self, sqlx::Error> {
        let (mut offset, sent) = (ClockOffset::default(), SystemTime::now());
        let row = sqlx::query(sql::CLOCK).fetch_one(&pool).await?;
        offset.observe(sent, SystemTime::now(), row.try_get("now")?);
        sqlx::query(sql::NOTE_SERVER).bind(10_000_i64).execute(&pool).await?;
        Ok(Self(pool, Mutex::new(offset)))
    }

    #[rustfmt::skip] // One column a line would be more lines than there is to say.
    async fn try_execute(&self, grant: &GrantName, op: &StoreOp) -> Result<StoreOutcome, Box<dyn Error + Send + Sync>> {
        let (random, mut offset) = (RandomState::new().hash_one("claim"), *self.1.lock().map_err(|_| "poisoned")?);
        let statement = Statement::of(grant, op, random, offset).ok_or("an unknown operation")?;
        let query = statement.parameters().iter().fold(sqlx::query(statement.sql()), |query, it| match it {
            Parameter::Text(text) => query.bind(vec![&**text]),
            Parameter::Bytes(bytes) => query.bind(vec![bytes.as_ref().map(|bytes| bytes.as_slice())]),
            Parameter::Number(number) => query.bind(vec![*number]),
        });
        let sent = SystemTime::now();
        let r = query.persistent(false).fetch_one(&self.0).await?; // unnamed, as PgBouncer wants it
        let row = Columns {
            outcome: r.try_get("outcome")?, record: r.try_get("record")?, tombstone: r.try_get("tombstone")?,
            parked: r.try_get("parked")?, spooled: r.try_get("spooled")?, logins: r.try_get("logins")?,
            left_over: r.try_get("left_over")?, now: r.try_get("now")?, server: r.try_get("server")?,
        };
        offset.observe(sent, SystemTime::now(), row.now);
        *self.1.lock().map_err(|_| "poisoned")? = offset;
        Ok(statement.outcome(&row, offset))
    }
}
impl Store for SqlxStore {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        let failed = |_| StoreOutcome::Failed(StoreError::new(StoreErrorKind::Unavailable, "the database failed"));
        self.try_execute(grant, &op).await.unwrap_or_else(failed)
    }
}
// end glue
