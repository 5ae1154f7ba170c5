//! The store: executes the operations of a keeper on PostgreSQL.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use restream_oauth_keeper::store::{ClaimId, Leftovers, Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record};
use tokio::runtime::Handle;
use tokio_postgres::{Client, Row};

use crate::batches::Batches;
use crate::columns::Columns;
use crate::config::Config;
use crate::connection::Failure;
use crate::connections::Connections;
use crate::error::{ConnectError, store_error};
#[cfg(feature = "sealed")]
use crate::form::Form;
use crate::offset::ClockOffset;
use crate::parameter::Parameter;
use crate::schema;
use crate::server::Durability;
use crate::sql;
use crate::statement::{Statement, failed};
use crate::watch::Watch;

/// How often a statement is sent, if the connection broke or another statement was in its way.
const ATTEMPTS: u32 = 3;
/// How often the server is looked at, at most.
const SHORTEST_WATCH: Duration = Duration::from_millis(100);

/// Keeps grants in PostgreSQL, for any number of processes on any number of machines. Its clones are the same store.
///
/// ```no_run
/// # async fn example(client: restream_oauth_core::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use restream_oauth_keeper::Keeper;
/// use restream_oauth_keeper_postgres::{Config, PostgresStore};
///
/// let config = Config::from_url("postgres://keeper@db.example/app")?;
/// PostgresStore::migrate(&config).await?; // or run `migrations(0)` yourself
/// let store = PostgresStore::connect(&config).await?;
/// println!("{}", store.durability()); // what a failure of this server can lose
/// let keeper = Keeper::open(client, store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    connections: Arc<Connections>,
    batches: Arc<Batches>,
    durability: Durability,
    watch: Arc<Watch>,
    /// Claims that may be there, although the database never said so.
    lost_claims: Mutex<BTreeMap<GrantName, u64>>,
    random: (RandomState, AtomicU64),
}

impl PostgresStore {
    /// Connects, and checks schema and server. Needs a tokio runtime, whose threads then drive the connections; the
    /// keeper itself may run anywhere.
    ///
    /// # Errors
    /// [`ConnectError`] if the database cannot be reached or used.
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let watch = Arc::new(Watch::new(config));
        let connections = Arc::new(Connections::new(config, Arc::clone(&watch))?);
        let client = connections.open().await?;
        let durability = Durability::read(&client.query_typed_one(sql::SERVER, &[]).await?)?;
        if durability.read_only {
            return Err(ConnectError::Standby);
        }
        schema::check(&client).await?;
        // So that the first grant does not wait for it.
        connections.look().await?;
        let (lost_claims, random) = (Mutex::default(), (RandomState::new(), AtomicU64::new(0)));
        let batches = Batches::new(Arc::clone(&connections));
        let shared = Arc::new(Shared { connections, batches, durability, watch, lost_claims, random });
        tokio::spawn(keep_watch(Arc::downgrade(&shared), config.quiet.div_f64(4.0)));
        Ok(Self { shared, runtime })
    }

    /// Brings the schema to the version of this release. Returns the version that it had; 0 if it was not there. Any number
    /// of processes may do so at the same time.
    ///
    /// # Errors
    /// [`ConnectError`] if the database cannot be reached, or a newer release has migrated it.
    pub async fn migrate(config: &Config) -> Result<i32, ConnectError> {
        schema::migrate(&mut Self::connection(config).await?).await
    }

    /// Opens a connection for the program itself, apart from those of the store: for migrations of its own tables. Reaches the
    /// database as the store does: with its password, and with TLS where the store uses it.
    ///
    /// # Errors
    /// [`ConnectError`] if the database cannot be reached.
    pub async fn connection(config: &Config) -> Result<Client, ConnectError> {
        Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        Connections::new(config, Arc::new(Watch::new(config)))?.open().await
    }

    /// Executes a statement of the program's own, over the connections of the store: for tables that stand beside those of
    /// the grants. The statement is unnamed and commits by itself, so a pooler in transaction mode is no obstacle.
    ///
    /// It is sent up to three times, if its connection broke or another statement was in its way: it must do no harm when
    /// it is executed twice.
    ///
    /// # Errors
    /// [`StoreError`]. Unless the database refused the statement, nobody knows whether it was executed.
    pub async fn query(&self, sql: &str, parameters: &[Parameter]) -> Result<Vec<Row>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.shared.connections.query(sql, parameters).await {
                Err(Failure::Unknown(_) | Failure::Collision(_)) if attempt < ATTEMPTS => {
                    attempt = attempt.saturating_add(1);
                }
                result => return result.map_err(Failure::into_error),
            }
        }
    }

    /// Like [`query`](Self::query), for a statement that must not be executed twice: it is sent once.
    ///
    /// # Errors
    /// As for `query`.
    pub async fn query_once(&self, sql: &str, parameters: &[Parameter]) -> Result<Vec<Row>, StoreError> {
        self.shared.connections.query(sql, parameters).await.map_err(Failure::into_error)
    }

    /// What a failure of the server can lose, as it was when the store connected.
    pub fn durability(&self) -> &Durability {
        &self.shared.durability
    }

    /// Picks grants that were due `late` milliseconds ago and that nobody keeps, `most` at a time. They are nobody else's
    /// for `keep` milliseconds.
    pub(crate) async fn pick(&self, late: i64, most: i64, keep: i64) -> Result<Vec<GrantName>, StoreError> {
        let parameters = [late, most, keep].map(|number| Parameter::Number(Some(number)));
        let (rows, _) = self.ask(sql::DUE, &parameters).await?;
        // A row whose name no store has written is nobody's grant.
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>("name").ok()?.parse().ok()).collect())
    }
}

impl PostgresStore {
    /// Executes a statement that is no operation of a keeper. Returns the rows, and what is known of the database's clock.
    pub(crate) async fn ask(&self, sql: &str, parameters: &[Parameter]) -> Result<(Vec<Row>, ClockOffset), StoreError> {
        Ok((self.query_once(sql, parameters).await?, self.shared.watch.offset()))
    }

    /// How documents are written.
    #[cfg(feature = "sealed")]
    pub(crate) fn form(&self) -> &Form {
        self.shared.watch.form()
    }
}

impl Store for PostgresStore {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        let (shared, grant) = (Arc::clone(&self.shared), grant.clone());
        // A task of the runtime that drives the connections, so that a keeper may run on another one, and an operation
        // goes on although nobody waits for it any more.
        let task = self.runtime.spawn(async move { shared.execute(&grant, &op).await });
        task.await.unwrap_or_else(|_| failed(StoreErrorKind::Unavailable, "the runtime of the database has ended"))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("durability", &self.shared.durability).finish_non_exhaustive()
    }
}

impl Shared {
    async fn execute(&self, grant: &GrantName, op: &StoreOp) -> StoreOutcome {
        // Times are written by the database's clock, so it must be known.
        if !self.watch.knows_the_clock() {
            if let Err(error) = self.connections.look().await {
                return StoreOutcome::Failed(error);
            }
        }
        // A claim that may be there can be taken again, by its number.
        let lost_claim = (*op == StoreOp::Claim).then(|| lock(&self.lost_claims).get(grant).copied()).flatten();
        let new_claim = lost_claim.unwrap_or_else(|| self.random());
        let (offset, form) = (self.watch.offset(), self.watch.form());
        let statement = match Statement::in_form(grant, op, new_claim, offset, form) {
            Ok(statement) => Arc::new(statement),
            Err(error) => return StoreOutcome::Failed(error),
        };
        let (result, is_in_doubt) = self.send(op, &statement).await;
        let was_claimed = result.as_ref().is_ok_and(|row| row.outcome == "claimed");
        if was_claimed {
            lock(&self.lost_claims).remove(grant);
        } else if *op == StoreOp::Claim && is_in_doubt {
            // While the earlier statement still runs, its row counts as busy.
            lock(&self.lost_claims).insert(grant.clone(), new_claim);
        }
        let row = match result {
            Ok(row) => row,
            Err(failure) => return StoreOutcome::Failed(failure.into_error()),
        };
        if row.outcome == "quiet" {
            // A pooler hides that there is another server.
            if let Err(error) = self.connections.look().await {
                return StoreOutcome::Failed(error);
            }
        }
        let outcome = settled_before(op, is_in_doubt, statement.outcome(&row, self.watch.offset()));
        if was_claimed && matches!(outcome, StoreOutcome::Failed(_)) {
            self.release(grant, ClaimId(new_claim)).await;
        }
        self.watch.note(grant, op, &outcome);
        outcome
    }

    /// Sends a statement, again if its connection broke. Returns the row, and true if the statement may have been executed
    /// without a row.
    async fn send(&self, op: &StoreOp, statement: &Arc<Statement>) -> (Result<Columns, Failure>, bool) {
        let mut is_in_doubt = false;
        let mut attempt = 1;
        loop {
            let sent = self.watch.now();
            let result = self
                .batches
                .query(statement)
                .await
                .and_then(|row| Columns::try_from(&row).map_err(|error| Failure::Unknown(store_error(&error))));
            is_in_doubt |= matches!(result, Err(Failure::Unknown(_) | Failure::Slow(_)));
            let is_repeated = match &result {
                Ok(row) => {
                    self.watch.observe(sent, row.now);
                    false
                }
                Err(Failure::Collision(_)) => true,
                // The statement says itself whether it was executed before.
                Err(Failure::Unknown(_)) => is_repeatable(op),
                Err(_) => false,
            };
            if !is_repeated || attempt == ATTEMPTS {
                return (result, is_in_doubt);
            }
            attempt = attempt.saturating_add(1);
        }
    }

    /// A claim whose record cannot be read is no claim.
    async fn release(&self, grant: &GrantName, claim: ClaimId) {
        let op = StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave };
        if let Some(statement) = Statement::of(grant, &op, 0, self.watch.offset()) {
            // If it fails, the lease ends it.
            let _ = self.batches.query(&Arc::new(statement)).await;
        }
    }

    /// A number that nobody else has. It need not be secret.
    fn random(&self) -> u64 {
        let (state, count) = &self.random;
        state.hash_one(count.fetch_add(1, Ordering::Relaxed)).max(1)
    }
}

/// Notices another server while the keeper has nothing to do: what it may have lost has to come back before anybody claims
/// anything. Ends with the store.
async fn keep_watch(shared: Weak<Shared>, every: Duration) {
    loop {
        tokio::time::sleep(every.max(SHORTEST_WATCH)).await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.watch.has_something_to_lose() {
            // If it fails, the next one or the next operation finds the server.
            let _ = shared.connections.look().await;
        }
    }
}

/// True for an operation that does no harm if it is executed twice, and whose second outcome says enough.
fn is_repeatable(op: &StoreOp) -> bool {
    !matches!(op, StoreOp::Forget { .. } | StoreOp::Settle { .. })
}

/// A commit that was sent again, because its connection broke, finds what it wrote itself.
fn settled_before(op: &StoreOp, is_in_doubt: bool, outcome: StoreOutcome) -> StoreOutcome {
    let is_written = |stored: &Record, record: &Record| {
        stored.is_parent(&record.parent())
            && stored.tokens.access_token() == record.tokens.access_token()
            && stored.tokens.refresh_token() == record.tokens.refresh_token()
    };
    match (op, &outcome) {
        (StoreOp::Commit { record, .. }, StoreOutcome::Superseded(stored))
            if is_in_doubt && stored.record().is_some_and(|stored| is_written(stored, record)) =>
        {
            StoreOutcome::Done
        }
        _ => outcome,
    }
}

/// No panic leaves what is behind these locks half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
