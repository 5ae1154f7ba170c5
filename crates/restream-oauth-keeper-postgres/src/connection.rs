//! One connection, and what a failed statement on it means.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use crate::error::store_error;
use crate::parameter::Parameter;

/// How many statements of a connection are kept prepared: more than a keeper has. A program's own may be any number.
const MOST_PREPARED: usize = 64;

/// One connection.
#[derive(Clone)]
pub(crate) struct Connection {
    client: Arc<Client>,
    task: AbortHandle,
    /// How long a statement may take.
    limit: Duration,
    /// The statements that the server has planned; `None` if each is sent unnamed.
    prepared: Option<Arc<Mutex<HashMap<String, Statement>>>>,
}

/// Why a statement has no result.
#[derive(Clone)]
pub(crate) enum Failure {
    /// It was not sent.
    NotSent(StoreError),
    /// The database did not take it, so it has certainly not happened.
    Refused(StoreError),
    /// It has certainly not happened, and may work now: another statement was in its way.
    Collision(StoreError),
    /// The connection broke. Nobody knows whether it has happened.
    Unknown(StoreError),
    /// It took too long. Nobody knows whether it has happened, or will.
    Slow(StoreError),
}

impl Connection {
    /// A connection, and the task that drives it.
    pub(crate) fn new(client: Client, task: AbortHandle, limit: Duration, prepares: bool) -> Self {
        Self { client: Arc::new(client), task, limit, prepared: prepares.then(Arc::default) }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Executes a statement. It is unnamed, since a pooler may run the next one on another connection, unless the
    /// configuration says that there is none.
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
        let Ok(result) = timeout(self.limit, self.execute(sql, typed)).await else {
            // Whatever hangs behind the statement in the same connection would hang as long.
            self.task.abort();
            return Err(Failure::Slow(took_too_long()));
        };
        result.map_err(|error| {
            let code = error.code().map_or("", |code| code.code());
            let class = code.get(..2).unwrap_or_default();
            let failed = store_error(&error);
            if ends_the_connection(&error) {
                return Failure::Unknown(failed);
            }
            match (code, class) {
                ("", _) | (_, "08" | "XX") => Failure::Unknown(failed),
                ("55P03", _) | (_, "40") => Failure::Collision(failed),
                _ => {
                    // A pooler may have put a standby behind this connection.
                    if code == "25006" {
                        self.task.abort();
                    }
                    Failure::Refused(failed)
                }
            }
        })
    }
}

impl Connection {
    async fn execute(&self, sql: &str, typed: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        match self.prepared(sql, typed).await? {
            Some(statement) => {
                let parameters: Vec<_> = typed.iter().map(|(parameter, _)| *parameter).collect();
                self.client.query(&statement, &parameters).await
            }
            None => self.client.query_typed(sql, typed).await,
        }
    }

    /// The statement, prepared in this connection; `None` if it is to be sent unnamed.
    async fn prepared(&self, sql: &str, typed: &[(&(dyn ToSql + Sync), Type)]) -> Result<Option<Statement>, Error> {
        let Some(prepared) = &self.prepared else { return Ok(None) };
        // No panic leaves the map half done.
        let map = || prepared.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let known = map();
            if known.contains_key(sql) || known.len() >= MOST_PREPARED {
                return Ok(known.get(sql).cloned());
            }
        }
        let parameter_types: Vec<_> = typed.iter().map(|(_, type_)| type_.clone()).collect();
        let statement = self.client.prepare_typed(sql, &parameter_types).await?;
        map().insert(sql.to_owned(), statement.clone());
        Ok(Some(statement))
    }
}

/// True if the server ends the connection, perhaps after the commit.
fn ends_the_connection(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

pub(crate) fn took_too_long() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the database did not answer in time")
}

impl Failure {
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::NotSent(error)
            | Self::Refused(error)
            | Self::Collision(error)
            | Self::Unknown(error)
            | Self::Slow(error) => error,
        }
    }

    /// The statement ended without the row that it always returns.
    pub(crate) fn no_row() -> Self {
        Self::Unknown(StoreError::new(StoreErrorKind::Unavailable, "the database returned no row"))
    }
}
