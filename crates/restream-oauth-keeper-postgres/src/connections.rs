//! A handful of connections. Each carries many statements at a time, one behind the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::config::Config;
use crate::connection::{Connection, Failure, took_too_long};
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
    /// Locked while it is opened.
    open: Mutex<Option<Connection>>,
    /// Why it could not be opened, and when.
    failed: std::sync::Mutex<Option<(Instant, StoreError)>>,
}

impl Slot {
    /// The connection, if it is open.
    fn opened(&self) -> Option<Connection> {
        self.open.try_lock().ok()?.clone().filter(|connection| !connection.is_closed())
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Why it is not opened now.
    fn failure(&self) -> Option<StoreError> {
        let failed = self.failed();
        failed.as_ref().filter(|(at, _)| at.elapsed() < PAUSE).map(|(_, error)| error.clone())
    }

    /// No panic leaves what is behind this lock half done.
    fn failed(&self) -> MutexGuard<'_, Option<(Instant, StoreError)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let busy = Busy::on(slot);
        let (_busy, connection) = match self.connection(slot).await {
            Ok(connection) => (busy, connection),
            // The server may allow fewer connections than there are slots.
            Err(error) => self.least_busy_opened().ok_or(Failure::NotSent(error))?,
        };
        connection.query_typed(sql, typed).await
    }

    /// Looks at the server again, through a connection that may lead to another server than when it was opened.
    pub(crate) async fn look(&self) -> Result<(), StoreError> {
        self.watch.look(&self.connection(self.least_busy()?).await?).await
    }

    fn least_busy(&self) -> Result<&Slot, StoreError> {
        let slot = self.slots.iter().min_by_key(|slot| (slot.failure().is_some(), slot.in_flight()));
        slot.ok_or_else(|| StoreError::new(StoreErrorKind::Unavailable, "there are no connections"))
    }

    fn least_busy_opened(&self) -> Option<(Busy<'_>, Connection)> {
        let opened = self.slots.iter().filter_map(|slot| Some((slot, slot.opened()?)));
        let (slot, connection) = opened.min_by_key(|(slot, _)| slot.in_flight())?;
        Some((Busy::on(slot), connection))
    }

    async fn connection(&self, slot: &Slot) -> Result<Connection, StoreError> {
        let mut open = timeout(self.limit, slot.open.lock()).await.map_err(|_| took_too_long())?;
        if let Some(connection) = open.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        if let Some(error) = slot.failure() {
            return Err(error);
        }
        let opened = self.connect().await;
        *slot.failed() = opened.as_ref().err().map(|error| (Instant::now(), error.clone()));
        *open = opened.as_ref().ok().cloned();
        opened
    }

    /// Opens a connection of the set. Takes as long as writing again what the server has lost.
    async fn connect(&self) -> Result<Connection, StoreError> {
        let opened = timeout(self.limit, self.server.connect(self.tls.clone())).await.map_err(|_| took_too_long())?;
        let (client, connection) = opened.map_err(|error| store_error(&error))?;
        let task = tokio::spawn(connection).abort_handle();
        let connection = Connection::new(client, task, self.limit, self.prepares);
        self.watch.look(&connection).await?;
        Ok(connection)
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
