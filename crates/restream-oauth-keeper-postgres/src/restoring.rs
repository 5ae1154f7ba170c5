//! Writes again what a server has lost.

use std::collections::BTreeSet;

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::StoreError;

use crate::connection::{Connection, Failure};
use crate::form::Form;
use crate::offset::ClockOffset;
use crate::parameter::{Arrays, Parameter};
use crate::recent::Write;
use crate::sql;

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
    for batch in in_batches(lost, offset, form)? {
        let arrays = Arrays::of(batch.parameters.iter().map(Vec::as_slice));
        connection.query_typed(batch.sql, &arrays.typed()).await.map_err(Failure::into_error)?;
    }
    Ok(())
}

fn in_batches<'a>(
    lost: &'a [(GrantName, Write)],
    offset: ClockOffset,
    form: &Form,
) -> Result<Vec<Batch<'a>>, StoreError> {
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
    // A late pair is parked beside its record, so that one has to be there.
    batches.sort_by_key(|batch| batch.sql != sql::RESTORE);
    Ok(batches)
}

impl Batch<'_> {
    /// A statement cannot do two things to one grant.
    fn takes(&self, sql: &str, grant: &GrantName) -> bool {
        self.sql == sql && self.grants.len() < AT_ONCE && !self.grants.contains(grant)
    }
}

#[cfg(test)]
mod tests {
    use restream_oauth_core::Tokens;
    use restream_oauth_keeper::Record;

    use super::*;

    #[test]
    fn records_come_first_and_no_grant_is_twice_in_a_statement() {
        let saved = r#"{"version":1,"kind":"tokens","access_token":"a","refresh_token":"r","token_type":"Bearer","sent_at":"0.000000000","expires_in":3600,"refresh_expires_in":9,"oddities":""}"#;
        let tokens = Tokens::from_saved(saved).unwrap();
        let record = Record::of_login(tokens.clone(), tokens.expires_at());
        let stray = || Write::Stray(Box::new((record.parent(), tokens.clone())));
        let record = || Write::of_record(&record);
        let lost: Vec<(GrantName, Write)> =
            [("a", stray()), ("b", record()), ("b", stray()), ("b", stray()), ("c", record())]
                .map(|(name, write)| (name.parse().unwrap(), write))
                .into();
        let batches = in_batches(&lost, ClockOffset::default(), &Form::default()).unwrap();
        let is_record = |batch: &Batch<'_>| batch.sql == sql::RESTORE;
        let found: Vec<_> = batches
            .iter()
            .map(|batch| (is_record(batch), batch.grants.iter().map(|name| name.as_str()).collect::<String>()))
            .collect();
        let expected = [(true, "bc"), (false, "ab"), (false, "b")];
        assert_eq!(found, expected.map(|(is_record, names)| (is_record, names.to_owned())));
        assert!(batches.iter().all(|batch| batch.grants.len() == batch.parameters.len()));
    }
}
