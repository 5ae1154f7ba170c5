//! A handful of connections. Each carries many statements at a time, one behind the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::config::Config;
use crate::connection::{Connection, Failure};
use crate::error::{ConfigError, ConnectError, store_error};
use crate::parameter::Parameter;
use crate::tls::Tls;
use crate::watch::Watch;

/// After a connection could not be opened, everyone who wants it is told so for this long.
const PAUSE: Duration = Duration::from_millis(500);

/// The connections to one database.
pub(crate) struct Connections {
    server: tokio_postgres::Config,
    tls: Tls,
    slots: Vec<Slot>,
    limit: Duration,
    prepares: bool,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Slot {
    in_flight: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Connection>,
    failed: Option<(Instant, StoreError)>,
}

impl Connections {
    pub(crate) fn new(config: &Config, watch: Arc<Watch>) -> Result<Self, ConfigError> {
        let (server, tls) = config.resolve()?;
        let slots = (0..config.connections).map(|_| Slot::default()).collect();
        Ok(Self { server, tls, slots, limit: config.statement_limit, prepares: config.prepares, watch })
    }

    /// Opens a connection that is not one of the set.
    pub(crate) async fn open(&self) -> Result<Client, ConnectError> {
        let opened = timeout(self.limit, self.server.connect(self.tls.clone())).await.map_err(|_| took_too_long())?;
        let (client, connection) = opened?;
        // It ends when the client is dropped, or the server hangs up.
        tokio::spawn(connection);
        Ok(client)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.slots.len()
    }

    /// How long a statement may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Executes a statement on the connection with the least to do.
    pub(crate) async fn query(&self, sql: &str, parameters: &[Parameter]) -> Result<Vec<Row>, Failure> {
        let typed: Vec<_> = parameters.iter().map(Parameter::typed).collect();
        self.query_typed(sql, &typed).await
    }

    /// Like [`query`](Self::query), with parameters of other types.
    pub(crate) async fn query_typed(
        &self,
        sql: &str,
        typed: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        let slot = self.least_busy().map_err(Failure::NotSent)?;
        let _busy = Busy::on(slot);
        let connection = self.connection(slot).await.map_err(Failure::NotSent)?;
        let result = timeout(self.limit, connection.query_typed(sql, typed)).await;
        result.unwrap_or_else(|_| {
            // Whatever hangs behind the statement in the same connection would hang as long.
            connection.hang_up();
            Err(Failure::Slow(took_too_long()))
        })
    }

    /// Looks at the server again, through a connection that may lead to another server than when it was opened.
    pub(crate) async fn look(&self) -> Result<(), StoreError> {
        let connection = self.connection(self.least_busy()?).await?;
        timeout(self.limit, self.watch.look(&connection)).await.unwrap_or_else(|_| Err(took_too_long()))
    }

    fn least_busy(&self) -> Result<&Slot, StoreError> {
        let slot = self.slots.iter().min_by_key(|slot| slot.in_flight.load(Ordering::Relaxed));
        slot.ok_or_else(|| StoreError::new(StoreErrorKind::Unavailable, "there are no connections"))
    }

    async fn connection(&self, slot: &Slot) -> Result<Connection, StoreError> {
        let connection = timeout(self.limit, self.connection_of(slot)).await;
        connection.unwrap_or_else(|_| Err(took_too_long()))
    }

    async fn connection_of(&self, slot: &Slot) -> Result<Connection, StoreError> {
        let mut state = slot.state.lock().await;
        if let Some(connection) = state.open.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(error.clone());
        }
        let opened = async {
            let (client, connection) =
                self.server.connect(self.tls.clone()).await.map_err(|error| store_error(&error))?;
            let task = tokio::spawn(connection).abort_handle();
            let connection = Connection::new(client, task, self.prepares);
            self.watch.look(&connection).await?;
            Ok(connection)
        };
        let opened: Result<Connection, StoreError> = opened.await;
        state.failed = opened.as_ref().err().map(|error| (Instant::now(), error.clone()));
        state.open = opened.as_ref().ok().cloned();
        opened
    }
}

/// Counts a statement of a connection, until it is dropped.
struct Busy<'a>(&'a Slot);

impl<'a> Busy<'a> {
    fn on(slot: &'a Slot) -> Self {
        slot.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(slot)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn took_too_long() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the database did not answer in time")
}
