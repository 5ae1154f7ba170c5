//! The store of a run, whichever kind it is, and what of it a crash of everything would leave.

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{LoginId, Record, Spooled, Stored};

use crate::database::Database;
use crate::disk::{Content, Part};
use crate::file_store::{FileStore, stored};
use crate::server::{PairId, pair_of};

/// The store of a run.
#[derive(Debug)]
pub(crate) enum Storage {
    Files(FileStore),
    Database(Database),
}

/// What is durable of one grant.
#[derive(Debug, Default)]
pub(crate) struct Durable<'a> {
    pub(crate) record: Option<&'a Record>,
    pub(crate) login: Option<LoginId>,
    /// Of the record, or of the tombstone.
    pub(crate) generation: Option<u64>,
    pub(crate) has_tombstone: bool,
    pub(crate) is_torn: bool,
    pub(crate) spooled: Vec<&'a Spooled>,
    pub(crate) logins: Vec<&'a Tokens>,
}

impl Storage {
    /// What is durable of a grant.
    pub(crate) fn durable(&self, grant: usize) -> Durable<'_> {
        let mut durable = Durable::default();
        match self {
            Self::Files(files) => {
                let (mut record, mut tombstone) = (None, None);
                for (part, content) in files.disk.durable_files_of(grant) {
                    match (part, content) {
                        (Part::Record, content) => record = Some(content),
                        (Part::Tombstone, content) => tombstone = Some(content),
                        (Part::Spool(_) | Part::SetAside(_), Content::Spooled(answer)) => durable.spooled.push(answer),
                        (Part::Stash(_), Content::Login(tokens)) => durable.logins.push(tokens),
                        _ => {}
                    }
                }
                match stored(record, tombstone) {
                    Ok(Stored::Grant(_)) => {
                        if let Some(Content::Record(record)) = record {
                            durable.of_record(record);
                        }
                    }
                    Ok(Stored::Tombstone(tombstone)) => {
                        durable.login = Some(tombstone.login);
                        durable.generation = Some(tombstone.generation);
                        durable.has_tombstone = true;
                    }
                    Ok(Stored::Nothing) => {}
                    Err(_) => durable.is_torn = true,
                }
            }
            Self::Database(database) => {
                let row = &database.rows[grant];
                durable.spooled.extend(row.spooled.iter().map(|(_, answer)| answer).chain(&row.set_aside));
                durable.logins.extend(&row.logins);
                match &row.stored {
                    Stored::Grant(record) => durable.of_record(record),
                    Stored::Tombstone(tombstone) => {
                        durable.login = Some(tombstone.login);
                        durable.generation = Some(tombstone.generation);
                        durable.has_tombstone = true;
                    }
                    Stored::Nothing => {}
                }
            }
        }
        durable
    }

    /// What programs see of a grant.
    pub(crate) fn seen(&self, grant: usize) -> Option<Stored> {
        match self {
            Self::Files(files) => files.stored(grant).ok(),
            Self::Database(database) => Some(database.rows[grant].stored.clone()),
        }
    }
}

impl<'a> Durable<'a> {
    fn of_record(&mut self, record: &'a Record) {
        self.record = Some(record);
        self.login = Some(record.login);
        self.generation = Some(record.generation);
    }

    /// The pairs whose refresh tokens the record holds: its own, the salvaged one, and those of its strays.
    pub(crate) fn pairs_of_record(&self) -> Vec<PairId> {
        self.record.map(pairs_of).unwrap_or_default()
    }
}

/// The pairs whose refresh tokens a record holds.
pub(crate) fn pairs_of(record: &Record) -> Vec<PairId> {
    let own = record.tokens.refresh_token();
    let strays = record.strays.iter().filter_map(|stray| stray.tokens.refresh_token());
    own.into_iter().chain(&record.salvaged).chain(strays).filter_map(|token| pair_of(token.expose_secret())).collect()
}

/// The pair whose refresh token these tokens hold.
pub(crate) fn pair_of_tokens(tokens: &Tokens) -> Option<PairId> {
    pair_of(tokens.refresh_token()?.expose_secret())
}
