//! Which grants a folder holds.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;

use super::disk::cannot;
use super::files::{FileStore, Root};
use crate::name::GrantName;
use crate::operation::StoreError;

/// The endings of the files that make a grant: its record, a record that a process left unfinished, logins that wait.
const ENDINGS: [&str; 3] = [".json", ".json.new", ".json.logins"];

impl FileStore {
    /// The names of the grants in the folder, in order: those with a record, and those of which a process that died left a
    /// login or a record that the next claim takes up. A grant that was logged out is none. Empty for a store of one file,
    /// which knows no names.
    ///
    /// To export grants, read each of them: [`run`](Self::run) with [`StoreOp::Read`](crate::store::StoreOp::Read) opens
    /// what is sealed, and [`Record::to_saved`](crate::Record::to_saved) writes it in plain. A grant that is used at the
    /// place to which it was exported must not be used here any more: the first refresh kills the other's pair.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be read.
    pub fn grants(&self) -> Result<Vec<GrantName>, StoreError> {
        let Root::Folder(folder) = &self.root else { return Ok(Vec::new()) };
        let entries = std::fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
        let names: Result<Vec<_>, io::Error> = entries.map(|entry| Ok(entry?.file_name())).collect();
        let names = names.map_err(|error| cannot("read", folder, &error))?;
        let grants: BTreeSet<_> = names.iter().filter_map(|name| grant_of(name)).collect();
        Ok(grants.into_iter().collect())
    }
}

/// The grant that a file makes. Others lie beside it, such as its lock.
fn grant_of(file: &OsStr) -> Option<GrantName> {
    let file = file.to_str()?;
    ENDINGS.iter().find_map(|ending| file.strip_suffix(ending)?.parse().ok())
}
