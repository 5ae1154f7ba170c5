//! Writes again what a server has lost.

use std::collections::BTreeSet;

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::StoreError;

use crate::connection::{Connection, Failure};
use crate::form::Form;
use crate::offset::ClockOffset;
use crate::parameter::{Arrays, Parameter};
use crate::recent::Write;

/// How many grants go into one statement: a few hundred kilobytes.
const AT_ONCE: usize = 500;

/// What goes into one statement.
struct Batch<'a> {
    sql: &'static str,
    grants: BTreeSet<&'a GrantName>,
    parameters: Vec<Vec<Parameter>>,
}

/// Writes all of it again. Nothing that is newer on the server changes.
pub(crate) async fn restore(
    connection: &Connection,
    lost: &[(GrantName, Write)],
    offset: ClockOffset,
    form: &Form,
) -> Result<(), StoreError> {
    let mut batches: Vec<Batch<'_>> = Vec::new();
    for (grant, write) in lost {
        let (sql, parameters) = write.statement(grant, offset, form)?;
        if let Some(batch) = batches.iter_mut().find(|batch| batch.takes(sql, grant)) {
            batch.grants.insert(grant);
            batch.parameters.push(parameters);
        } else {
            batches.push(Batch { sql, grants: BTreeSet::from([grant]), parameters: vec![parameters] });
        }
    }
    for batch in &batches {
        let arrays = Arrays::of(batch.parameters.iter().map(Vec::as_slice));
        connection.query_typed(batch.sql, &arrays.typed()).await.map_err(Failure::into_error)?;
    }
    Ok(())
}

impl Batch<'_> {
    /// A statement cannot do two things to one grant.
    fn takes(&self, sql: &str, grant: &GrantName) -> bool {
        self.sql == sql && self.grants.len() < AT_ONCE && !self.grants.contains(grant)
    }
}
