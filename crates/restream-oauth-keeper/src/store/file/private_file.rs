//! Files with secrets that are no grants, such as a saved login: private, and replaced whole or not at all, as records
//! are.

use std::fs;
use std::io;
use std::path::Path;

use super::disk::{self, cannot};
use super::place::{Place, Proof};
use super::replace::{prove_place, rename_successor, write_successor};
use super::trust::Us;
use crate::operation::StoreError;

/// Proves that a file can be replaced: replaces it by a copy of itself. Where there is none, none appears.
///
/// # Errors
/// [`StoreError`] says why the file cannot be replaced.
pub fn prove(path: &Path) -> Result<(), StoreError> {
    let place = Place::plain(path.to_owned());
    disk::refuse_what_must_not_be_replaced(path)?;
    judge_owner(&place)?;
    prove_place(&place)
}

/// Replaces a file by these bytes, or creates it with mode 0600. It takes no lock: of two processes that replace a file
/// at the same time, one may fail.
///
/// # Errors
/// [`StoreError`] says why the file cannot be replaced. Then it is what it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let place = Place::plain(path.to_owned());
    disk::refuse_what_must_not_be_replaced(path)?;
    judge_owner(&place)?;
    write_successor(&place, bytes, Proof::First)?;
    rename_successor(&place).inspect_err(|_| drop(disk::remove(&place.successor())))?;
    disk::sync_folder_of(path).map_err(|error| cannot("sync the folder of", path, &error))
}

/// Writes a new file with mode 0600, which survives a crash. If the disk takes a part of the bytes, that part is left.
///
/// # Errors
/// The error of the operating system. The name may be in use.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk::create_private(path)?;
    let written = disk::write_and_sync(&file, bytes);
    if written.is_err() && file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        let _ = disk::remove(path);
    }
    written?;
    disk::sync_folder_of(path)
}

/// Removes a file, if it is there, so that it stays removed after a crash.
///
/// # Errors
/// The error of the operating system.
pub fn remove(path: &Path) -> io::Result<()> {
    disk::remove(path)?;
    disk::sync_folder_of(path)
}

/// Judges the owner of the file, and the way to it.
fn judge_owner(place: &Place) -> Result<(), StoreError> {
    let us = Us::default();
    us.ask(&place.probe())?;
    us.judge_way(&place.file)?;
    if let Ok(metadata) = fs::metadata(&place.file) {
        us.judge_owner(&place.file, &metadata)?;
    }
    Ok(())
}
