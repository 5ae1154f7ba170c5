//! One connection, and what a failed statement on it means.

use std::sync::Arc;

use restream_oauth_keeper::store::StoreError;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Row};

use crate::error::store_error;
use crate::parameter::Parameter;

/// One connection.
#[derive(Clone)]
pub(crate) struct Connection {
    client: Arc<Client>,
    task: AbortHandle,
}

/// Why a statement has no result.
pub(crate) enum Failure {
    /// It has certainly not happened.
    Nothing(StoreError),
    /// It has certainly not happened, and may work now: another statement was in its way.
    Collision(StoreError),
    /// The connection broke. Nobody knows whether it has happened.
    Unknown(StoreError),
    /// It took too long. Nobody knows whether it has happened, or will.
    Slow(StoreError),
}

impl Connection {
    /// A connection, and the task that drives it.
    pub(crate) fn new(client: Client, task: AbortHandle) -> Self {
        Self { client: Arc::new(client), task }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) fn hang_up(&self) {
        self.task.abort();
    }

    /// Executes a statement, unnamed: a pooler may run the next one on another connection.
    pub(crate) async fn query(&self, sql: &str, parameters: &[Parameter]) -> Result<Vec<Row>, Failure> {
        let typed: Vec<_> = parameters.iter().map(Parameter::typed).collect();
        self.client.query_typed(sql, &typed).await.map_err(|error| {
            let code = error.code().map_or("", |code| code.code());
            let class = code.get(..2).unwrap_or_default();
            let failed = store_error(&error);
            match (code, class) {
                // The server ends the connection, perhaps after the commit.
                ("" | "57P01" | "57P02" | "57P03", _) | (_, "08" | "XX") => Failure::Unknown(failed),
                ("55P03", _) | (_, "40") => Failure::Collision(failed),
                _ => {
                    // A pooler may have put a standby behind this connection.
                    if code == "25006" {
                        self.task.abort();
                    }
                    Failure::Nothing(failed)
                }
            }
        })
    }
}

impl Failure {
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Nothing(error) | Self::Collision(error) | Self::Unknown(error) | Self::Slow(error) => error,
        }
    }
}
