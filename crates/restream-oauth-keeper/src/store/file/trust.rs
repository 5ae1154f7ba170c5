//! Which files this user can trust: their owner, their mode, and the way to them.

use std::fs::{self, File, Metadata};
use std::path::Path;
use std::sync::OnceLock;

use super::disk::{self, cannot};
use crate::operation::{StoreError, StoreErrorKind, Warning};

/// The user whom files belong to that this process creates. The standard library does not name the user of a process,
/// and a network file system may give files to another one.
#[derive(Debug, Default)]
pub(super) struct Us(OnceLock<u32>);

impl Us {
    /// Learns the user from a file that this process has just created.
    pub(super) fn learn(&self, created: &File) {
        if let Ok(metadata) = created.metadata() {
            let _ = self.0.set(owner(&metadata));
        }
    }

    /// Learns the user from an empty file, which is created and removed. Costs nothing from the second time on.
    pub(super) fn ask(&self, probe: &Path) -> Result<(), StoreError> {
        if self.0.get().is_none() && cfg!(unix) {
            let file = create_probe(probe)?;
            self.learn(&file);
            fs::remove_file(probe).map_err(|error| disk::not_replaceable(probe, &error))?;
        }
        Ok(())
    }

    /// Judges a record. Readable by others is a warning. Fails if others can write the file, or own it.
    pub(super) fn judge(&self, path: &Path, metadata: &Metadata) -> Result<Option<Warning>, StoreError> {
        self.judge_owner(path, metadata)?;
        if others_can_write(metadata) {
            return Err(not_ours(path, "other users can write it: chmod 600 it"));
        }
        Ok(others_can_read(metadata).then_some(Warning::ReadableByOthers))
    }

    /// Fails if the file belongs to another user: replacing it would change its owner.
    pub(super) fn judge_owner(&self, path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
        if self.is_foreign(metadata) {
            return Err(not_ours(path, "it belongs to another user"));
        }
        Ok(())
    }

    /// True if only we could have written a leftover.
    pub(super) fn trusts(&self, metadata: &Metadata) -> bool {
        !self.is_foreign(metadata) && !others_can_read(metadata) && !others_can_write(metadata)
    }

    /// Fails if the way to `path` leads over a symbolic link of another user: it may point elsewhere tomorrow.
    pub(super) fn judge_way(&self, path: &Path) -> Result<(), StoreError> {
        let ours = |metadata: &Metadata| owner(metadata) == 0 || !self.is_foreign(metadata);
        let foreign_link =
            |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink() && !ours(&metadata));
        // What has no parent is the root, or the empty end of a relative path: neither is a link.
        if path.ancestors().skip(1).filter(|folder| folder.parent().is_some()).any(foreign_link) {
            return Err(not_ours(path, "the way to it leads over a symbolic link of another user"));
        }
        Ok(())
    }

    fn is_foreign(&self, metadata: &Metadata) -> bool {
        self.0.get().is_some_and(|us| *us != owner(metadata))
    }
}

/// Creates an empty file. Only an empty one that a killed process left is removed for it.
fn create_probe(path: &Path) -> Result<File, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {
            fs::remove_file(path).map_err(|error| disk::not_replaceable(path, &error))?;
        }
        Ok(_) => {
            let message = format!("{} is in the way: move it elsewhere", path.display());
            return Err(StoreError::new(StoreErrorKind::ReadOnly, message));
        }
        Err(_) => {}
    }
    disk::create_private(path).map_err(|error| cannot("create", path, &error))
}

/// Fails if everybody can replace the files of a folder.
pub(super) fn judge_folder(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(|error| cannot("use", path, &error))?;
    if !metadata.is_dir() {
        let message = format!("cannot use {}: it is not a folder", path.display());
        return Err(StoreError::new(StoreErrorKind::Missing, message));
    }
    if everybody_can_replace(&metadata) {
        return Err(not_ours(path, "every user can replace files in it: chmod 700 it"));
    }
    Ok(())
}

fn not_ours(path: &Path, reason: &str) -> StoreError {
    StoreError::new(StoreErrorKind::NotOurs, format!("cannot use {}: {reason}", path.display()))
}

#[cfg(unix)]
fn owner(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid()
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode()
}

/// Only Unix says so.
#[cfg(not(unix))]
fn owner(_: &Metadata) -> u32 {
    0
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0
}

fn others_can_read(metadata: &Metadata) -> bool {
    mode(metadata) & 0o077 != 0
}

fn others_can_write(metadata: &Metadata) -> bool {
    mode(metadata) & 0o022 != 0
}

/// In a sticky folder, such as `/tmp`, only the owner of a file can replace it.
fn everybody_can_replace(metadata: &Metadata) -> bool {
    mode(metadata) & 0o1002 == 0o0002
}
