//! Which server answers, and what its clock says. Looked at whenever a connection is opened, and when a statement says that
//! nobody knows the server yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::{StoreError, StoreOp, StoreOutcome};

use crate::config::Config;
use crate::connection::{Connection, Failure};
use crate::error::store_error;
use crate::form::Form;
use crate::known_clock::KnownClock;
use crate::offset::ClockOffset;
use crate::parameter::Parameter;
use crate::recent::Recent;
use crate::restoring::restore;
use crate::sql;

/// What a process knows of the server.
pub(crate) struct Watch {
    read_clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    clock: Mutex<KnownClock>,
    /// What this process wrote a short while ago, in case the server loses it.
    recent: Mutex<Recent>,
    /// Locked while it is written again.
    restoring: tokio::sync::Mutex<()>,
    quiet: Parameter,
    form: Form,
}

impl Watch {
    pub(crate) fn new(config: &Config) -> Self {
        let quiet = i64::try_from(config.quiet.as_millis()).unwrap_or(i64::MAX);
        Self {
            read_clock: Arc::clone(&config.clock),
            clock: Mutex::default(),
            recent: Mutex::default(),
            restoring: tokio::sync::Mutex::default(),
            quiet: Parameter::Number(Some(quiet)),
            form: config.form.clone(),
        }
    }

    /// This process's wall clock.
    pub(crate) fn now(&self) -> SystemTime {
        (self.read_clock)()
    }

    /// How documents are written.
    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    pub(crate) fn offset(&self) -> ClockOffset {
        lock(&self.clock).offset()
    }

    /// False if the database's clock has to be asked before a time is written.
    pub(crate) fn knows_the_clock(&self) -> bool {
        lock(&self.clock).is_known(Instant::now(), self.now())
    }

    /// Takes in when a statement ran.
    pub(crate) fn observe(&self, sent: SystemTime, database: i64) {
        lock(&self.clock).observe(sent, self.now(), database);
    }

    /// Notes an operation that was executed.
    pub(crate) fn note(&self, grant: &GrantName, op: &StoreOp, outcome: &StoreOutcome) {
        lock(&self.recent).note(grant, op, outcome, Instant::now());
    }

    /// True if this process wrote something a short while ago.
    pub(crate) fn has_something_to_lose(&self) -> bool {
        lock(&self.recent).has_writes(Instant::now())
    }

    /// Asks the server who it is and what its clock says. If it is another one than before, writes again what this process
    /// wrote a short while ago: the server may have lost it.
    pub(crate) async fn look(&self, connection: &Connection) -> Result<(), StoreError> {
        let sent = self.now();
        let rows = connection.query(sql::CLOCK, &[]).await.map_err(Failure::into_error)?;
        let (now, server) = match rows.first() {
            Some(row) => (row.try_get("now"), row.try_get("server")),
            None => return Ok(()),
        };
        let (now, server) = now.and_then(|now| Ok((now, server?))).map_err(|error| store_error(&error))?;
        lock(&self.clock).look(sent, self.now(), now, Instant::now());
        let noted = connection.query(sql::NOTE_SERVER, std::slice::from_ref(&self.quiet)).await;
        noted.map_err(Failure::into_error)?;
        // Who finds the new server meanwhile waits, or the older writes would replace what it writes there.
        let _restoring = self.restoring.lock().await;
        let lost = lock(&self.recent).lost_by(server, Instant::now());
        restore(connection, &lost, self.offset(), &self.form).await?;
        lock(&self.recent).server_is(server);
        Ok(())
    }
}

/// No panic leaves what is behind these locks half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
