//! Writes again what a server has lost.

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::StoreError;
use tokio_postgres::types::{ToSql, Type};

use crate::connection::{Connection, Failure};
use crate::form::Form;
use crate::offset::ClockOffset;
use crate::parameter::Parameter;
use crate::recent::Write;
use crate::sql;
use crate::statement::lease;

/// How many records go into one statement: a few hundred kilobytes.
const AT_ONCE: usize = 500;

/// Writes all of it again. Nothing that is newer on the server changes.
pub(crate) async fn restore(
    connection: &Connection,
    lost: &[(GrantName, Write)],
    offset: ClockOffset,
    form: &Form,
) -> Result<(), StoreError> {
    let (mut records, mut others) = (Vec::new(), Vec::new());
    for (grant, write) in lost {
        match write.statement(grant, offset, form)? {
            (sql::RESTORE, record) => records.push(record),
            other => others.push(other),
        }
    }
    // A refresh writes a record. All else is rare.
    for records in records.chunks(AT_ONCE) {
        let columns = columns(records);
        let lease = lease();
        let lists = columns.iter().map(|(values, type_)| (values as &(dyn ToSql + Sync), type_.clone()));
        let typed: Vec<_> = lists.chain([lease.typed()]).collect();
        connection.query_typed(sql::RESTORE, &typed).await.map_err(Failure::into_error)?;
    }
    for (sql, parameters) in &others {
        connection.query(sql, parameters).await.map_err(Failure::into_error)?;
    }
    Ok(())
}

/// What is the same parameter of each record, as an array, and its type.
fn columns(records: &[Vec<Parameter>]) -> Vec<(Vec<&Parameter>, Type)> {
    let Some(first) = records.first() else { return Vec::new() };
    let mut columns: Vec<_> = first.iter().map(|value| (Vec::with_capacity(records.len()), array_of(value))).collect();
    for record in records {
        for ((values, _), value) in columns.iter_mut().zip(record) {
            values.push(value);
        }
    }
    columns
}

fn array_of(value: &Parameter) -> Type {
    match value {
        Parameter::Text(_) => Type::TEXT_ARRAY,
        Parameter::Bytes(_) => Type::BYTEA_ARRAY,
        Parameter::Number(_) => Type::INT8_ARRAY,
    }
}
