//! What the files of a grant say, and what the holder of a claim knows of them.

use super::disk::{self, Content, Identity};
use super::form::unusable;
use super::place::Place;
use super::trust::Us;
use crate::operation::{StoreError, StoreErrorKind, Warning};
use crate::record::{Record, Stored, Tombstone};
use crate::seal::Kind;

/// The stored record, and which files say so.
pub(super) struct Found {
    pub(super) stored: Stored,
    /// The content of the file of the grant. `None` if there is no file, or an empty one.
    pub(super) file: Option<Identity>,
    /// The content of the tombstone.
    pub(super) gone: Option<Identity>,
    pub(super) warnings: Vec<Warning>,
}

/// A content of the file of a grant, and the record in it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) content: Identity,
    /// As it was read, or as it was written: then its times are finer than those in the file.
    pub(super) record: Box<Record>,
}

impl Found {
    /// Reads the file and the tombstone. Both are there if a process died while it forgot a grant, or just after a login
    /// that followed a logout.
    pub(super) fn at(place: &Place, us: &Us) -> Result<Self, StoreError> {
        Self::again(place, us, None)
    }

    /// Reads the file and the tombstone, and does not parse a content that is known.
    pub(super) fn again(place: &Place, us: &Us, known: Option<&Known>) -> Result<Self, StoreError> {
        let gone_path = place.gone();
        let mut file = read_record(place, us, known)?;
        let gone = disk::read(&gone_path)?;
        if file.is_none() && gone.is_none() {
            // A login removes the tombstone after it has written the file, perhaps between our two looks.
            file = read_record(place, us, known)?;
            if file.is_none() && !disk::folder_of(&place.file).is_dir() {
                let message = format!("cannot use {}: its folder is not there", place.file.display());
                return Err(StoreError::new(StoreErrorKind::Missing, message));
            }
        }
        let mut found = Self {
            stored: Stored::Nothing,
            file: file.as_ref().map(|(content, ..)| *content),
            gone: gone.as_ref().map(Content::identity),
            warnings: Vec::new(),
        };
        let tombstone = match &gone {
            Some(content) => Some(Tombstone::from_saved(&content.bytes).map_err(|error| unusable(&gone_path, error))?),
            None => None,
        };
        found.stored = match (file, tombstone) {
            (Some((_, record, warning)), tombstone) if !tombstone.is_some_and(|it| ends(&it, &record)) => {
                found.warnings.extend(warning);
                if record.tokens.binding().is_none() {
                    found.warnings.push(Warning::Unbound);
                }
                Stored::Grant(record)
            }
            (_, Some(tombstone)) => Stored::Tombstone(tombstone),
            (_, None) => Stored::Nothing,
        };
        Ok(found)
    }

    /// What a holder of the claim knows who found this, and removed the file of a grant that has ended.
    pub(super) fn known(&self) -> Option<Known> {
        Some(Known { content: self.file?, record: Box::new(self.stored.record()?.clone()) })
    }
}

/// True if the record is of the login that ended. Such a record is there if a process died while it forgot the grant.
fn ends(tombstone: &Tombstone, record: &Record) -> bool {
    tombstone.login == record.login && tombstone.generation >= record.generation
}

type Read = (Identity, Box<Record>, Option<Warning>);

/// Reads the file of a grant; an empty file counts as none.
fn read_record(place: &Place, us: &Us, known: Option<&Known>) -> Result<Option<Read>, StoreError> {
    let path = &place.file;
    let Some(content) = disk::read(path)? else { return Ok(None) };
    if content.bytes.is_empty() {
        us.judge_owner(path, &content.metadata)?;
        return Ok(None);
    }
    let warning = us.judge(path, &content.metadata)?;
    let identity = content.identity();
    if let Some(known) = known.filter(|known| known.content.has_content_of(&identity)) {
        return Ok(Some((identity, known.record.clone(), warning)));
    }
    let record = place.form.read(Kind::Record, &content.bytes, |text| Record::from_saved(text));
    let record = record.map_err(|error| error.at(path))?;
    Ok(Some((identity, Box::new(record), warning)))
}
