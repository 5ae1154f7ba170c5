//! Sealing again what an older key has sealed, so that the key can be dropped.

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use tokio::task::JoinSet;
use tokio_postgres::Row;

use crate::error::store_error;
use crate::form::{Column, Document};
use crate::parameter::Parameter;
use crate::sql;
use crate::store::PostgresStore;

/// How many grants are looked at together.
const PAGE: u32 = 200;
/// How many failures are named.
const NAMED: usize = 100;

/// What [`PostgresStore::reseal`] has found and done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many documents were sealed again.
    pub rewritten: u64,
    /// How many documents changed while they were sealed. They are as their writer left them: run it again.
    pub changed: u64,
    /// How many documents do not open, or could not be sealed. They are as they were.
    pub failed: u64,
    /// The first hundred of those, by the name of their grant.
    pub failures: Vec<(GrantName, StoreError)>,
}

impl Resealed {
    /// True if nothing was left to do: every document is sealed with the newest key.
    pub fn is_complete(&self) -> bool {
        self.rewritten == 0 && self.changed == 0 && self.failed == 0
    }

    fn fails(&mut self, grant: &GrantName, error: StoreError) {
        self.failed = self.failed.saturating_add(1);
        if self.failures.len() < NAMED {
            self.failures.push((grant.clone(), error));
        }
    }

    fn add(&mut self, other: Self) {
        self.rewritten = self.rewritten.saturating_add(other.rewritten);
        self.changed = self.changed.saturating_add(other.changed);
        self.failed = self.failed.saturating_add(other.failed);
        let room = NAMED.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }
}

/// A row, as far as it holds documents.
struct Documents {
    grant: GrantName,
    documents: Vec<(Column, Document)>,
}

impl PostgresStore {
    /// Seals again everything in the table that is plain, or that an older key has sealed: records, late pairs, answers,
    /// logins that wait, and what was set aside. Does nothing if the store has no keys.
    ///
    /// Takes no claim and waits for nobody: a document is replaced by itself under another key, and only if it is still the
    /// one that was read. So keepers go on meanwhile, and it can be stopped at any moment and run again. It goes through
    /// the whole table, a page at a time.
    ///
    /// Once it has run with every process's newest key in front and [`is_complete`](Resealed::is_complete), the older keys
    /// can be dropped.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be asked. What a single document has is in [`Resealed::failures`].
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        let mut all = Resealed::default();
        if self.form().newest_key().is_none() {
            return Ok(all);
        }
        let mut after: Box<str> = "".into();
        loop {
            let parameters = [Parameter::Text(after), Parameter::Number(Some(PAGE.into()))];
            let (rows, _) = self.ask(sql::DOCUMENTS, &parameters).await?;
            let mut page = JoinSet::new();
            for row in &rows {
                let (store, documents) = (self.clone(), Documents::read(row)?);
                page.spawn(async move { store.reseal_grant(&documents).await });
            }
            while let Some(done) = page.join_next().await {
                let ended = |_| StoreError::new(StoreErrorKind::Unavailable, "the runtime of the database has ended");
                all.add(done.map_err(ended)??);
            }
            match rows.last().map(|row| row.try_get::<_, &str>("name").map(Into::into)) {
                Some(last) => after = last.map_err(|error| store_error(&error))?,
                None => return Ok(all),
            }
        }
    }

    async fn reseal_grant(&self, Documents { grant, documents }: &Documents) -> Result<Resealed, StoreError> {
        let mut found = Resealed::default();
        for (column, document) in documents {
            let again = match self.form().again(*column, grant, document) {
                Ok(Some(again)) => again,
                Ok(None) => continue,
                Err(error) => {
                    found.fails(grant, error);
                    continue;
                }
            };
            let name = Parameter::Text(grant.as_str().into());
            let parameters = [name, Parameter::Bytes(Some(document.clone())), Parameter::Bytes(Some(again))];
            let (rows, _) = self.ask(sql::RESEAL, &parameters).await?;
            let count = if rows.is_empty() { &mut found.changed } else { &mut found.rewritten };
            *count = count.saturating_add(1);
        }
        Ok(found)
    }
}

impl Documents {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let columns = || {
            let name: &str = row.try_get("name")?;
            let record: Option<Vec<u8>> = row.try_get("record")?;
            let mut documents: Vec<_> =
                record.into_iter().map(|record| (Column::Record, Document::new(record))).collect();
            for (name, column) in [
                ("parked", Column::Parked),
                ("spooled", Column::Answers),
                ("set_aside", Column::Answers),
                ("logins", Column::Logins),
            ] {
                let list: Option<Vec<Vec<u8>>> = row.try_get(name)?;
                documents.extend(list.into_iter().flatten().map(|document| (column, Document::new(document))));
            }
            Ok((name, documents))
        };
        let (name, documents) = columns().map_err(|error: tokio_postgres::Error| store_error(&error))?;
        let grant =
            name.parse().map_err(|_| StoreError::new(StoreErrorKind::Unavailable, "a row has no name of a grant"))?;
        Ok(Self { grant, documents })
    }
}
