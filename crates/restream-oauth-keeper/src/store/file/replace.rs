//! How the file of a grant is replaced, and how it is proven that it can be.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::disk::{self, Identity, cannot};
use super::document;
use super::found::{Found, Known};
use super::lock::Lock;
use super::place::{Place, Proof};
use super::room::ROOM;
use super::shelf::{Outcome, Shelf};
use super::trust::Us;
use crate::operation::{ClaimId, StoreError, StoreOutcome};
use crate::record::Record;
use crate::seal::{About, Kind};

impl Shelf {
    /// Replaces the file by a record: write, sync, rename, sync of the folder.
    pub(super) fn replace(
        &mut self,
        claim: Option<ClaimId>,
        record: &Record,
        before: &Found,
        proof: Proof,
    ) -> Result<(), StoreError> {
        let identity = self.put_in_place(claim, record, before, proof)?;
        self.sync_names(identity)
    }

    /// Writes a record and renames it to the file, which is not durable before [`sync_names`](Self::sync_names). If this
    /// claim is held, its holder knows the new content from then on.
    pub(super) fn put_in_place(
        &mut self,
        claim: Option<ClaimId>,
        record: &Record,
        before: &Found,
        proof: Proof,
    ) -> Result<Identity, StoreError> {
        let present = before.stored.record().map(|record| &record.tokens);
        let line = document::line(record, present);
        let line = self.place.form.close(Kind::Record, &self.place.file, line, || About::record(record))?;
        let new = self.place.successor();
        let metadata = write_successor(&self.place, line.as_bytes(), proof)?;
        if let Err(error) = rename_successor(&self.place) {
            // A new pair stays there, as durable as it can be: the next claim puts it in place.
            let _ = if present.is_some_and(|present| document::is_same_pair(present, &record.tokens)) {
                disk::remove(&new)
            } else {
                disk::sync_folder_of(&new)
            };
            return Err(error);
        }
        let identity = Identity::of(line.as_bytes(), &metadata);
        if let Some(held) = self.held.as_mut().filter(|held| Some(held.claim) == claim) {
            held.known = Some(Known { content: identity, record: Box::new(record.clone()) });
        }
        self.durable = None;
        Ok(identity)
    }

    /// Makes the names in the folder durable, and with them the content that was put in place.
    pub(super) fn sync_names(&mut self, put: Identity) -> Result<(), StoreError> {
        let target = &self.place.file;
        let synced = disk::sync_folder_of(target);
        self.suspect = synced.is_err();
        synced.map_err(|error| cannot("sync the folder of", target, &error))?;
        self.durable = Some(put);
        Ok(())
    }

    /// Writes the file once more after a failed sync. Runs under the lock.
    pub(super) fn write_again_if_suspect(&mut self) -> Result<(), StoreError> {
        if !self.suspect {
            return Ok(());
        }
        let (new, file) = (self.place.successor(), &self.place.file);
        for path in [file.clone(), self.place.gone()] {
            let Some(content) = disk::read(&path)? else { continue };
            disk::remove(&new)
                .and_then(|()| disk::create_private(&new))
                .and_then(|copy| disk::write_and_sync(&copy, &content.bytes))
                .and_then(|()| fs::rename(&new, &path))
                .and_then(|()| disk::sync_folder_of(&path))
                .map_err(|error| cannot("write", &path, &error))?;
        }
        self.durable = None;
        self.suspect = false;
        Ok(())
    }

    /// Proves that a record can be stored, before a person or a server is asked for one. A file that is there is
    /// replaced by a copy of itself; where there is none, none appears.
    pub(super) fn prove(&mut self, us: &Us, patience: Duration) -> Outcome {
        let mut lock = None;
        if self.held.is_none() {
            lock = Lock::take(&self.place.lock(), us, patience)?;
            if lock.is_none() {
                return Ok(StoreOutcome::Busy);
            }
            us.ask(&self.place.probe())?;
            self.look(us)?;
        }
        self.durable = None;
        prove_place(&self.place)?;
        drop(lock);
        Ok(StoreOutcome::Done)
    }
}

/// Writes `FILE.new`. Nothing is left of it after a failure.
pub(super) fn write_successor(place: &Place, bytes: &[u8], proof: Proof) -> Result<Metadata, StoreError> {
    let new = place.successor();
    if let Proof::First = proof {
        create_successor(&new)?;
        fs::remove_file(&new).map_err(|error| disk::not_replaceable(&place.file, &error))?;
    }
    let file = create_successor(&new)?;
    disk::write_and_sync(&file, bytes).and_then(|()| file.metadata()).map_err(|error| {
        let _ = disk::remove(&new);
        cannot("write", &new, &error)
    })
}

/// Puts `FILE.new` in place. The caller syncs the folder.
pub(super) fn rename_successor(place: &Place) -> Result<(), StoreError> {
    disk::refuse_what_must_not_be_replaced(&place.file)?;
    fs::rename(place.successor(), &place.file).map_err(|error| disk::not_replaceable(&place.file, &error))
}

/// Proves that a file can be replaced: replaces it by a copy of itself. Where there is none, none appears.
pub(super) fn prove_place(place: &Place) -> Result<(), StoreError> {
    let (new, file) = (place.successor(), &place.file);
    let content = disk::read(file)?;
    let bytes = content.as_ref().map_or(&ROOM[..], |content| content.bytes.as_slice());
    write_successor(place, bytes, Proof::First)?;
    let proven = if content.is_some() {
        rename_successor(place)
    } else {
        fs::remove_file(&new).map_err(|error| disk::not_replaceable(file, &error))
    };
    proven
        .and_then(|()| disk::sync_folder_of(file).map_err(|error| cannot("sync the folder of", file, &error)))
        .inspect_err(|_| drop(disk::remove(&new)))
}

/// Creates `FILE.new`. One that a process has left is removed first.
fn create_successor(new: &Path) -> Result<File, StoreError> {
    match disk::create_private(new) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(new).map_err(|error| disk::not_replaceable(new, &error))?;
            disk::create_private(new)
        }
        created => created,
    }
    .map_err(|error| cannot("create", new, &error))
}
