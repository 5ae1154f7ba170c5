//! The lock that makes a claim exclusive among the processes of one machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk::{self, cannot};
use super::trust::Us;
use crate::operation::{StoreError, StoreErrorKind};

/// The pause between two attempts to take the lock.
const POLL: Duration = Duration::from_millis(20);
/// `ENOLCK`, which the standard library gives no kind.
const NO_LOCKS: i32 = if cfg!(target_os = "linux") { 37 } else { 77 };

/// A lock that is held. It is released on drop, also if a child process has inherited the file.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    number: (u64, u64),
    /// True if this lock has created its file.
    pub(super) is_new: bool,
}

impl Lock {
    /// Takes the lock. Returns `None` if another process still has it after `patience`.
    pub(super) fn take(path: &Path, us: &Us, patience: Duration) -> Result<Option<Self>, StoreError> {
        let begun = Instant::now();
        loop {
            let is_new = !disk::refuse_what_must_not_be_replaced(path)?;
            let Some(file) = open(path, is_new, us)? else { continue };
            match file.try_lock() {
                Ok(()) => {
                    let metadata = file.metadata().map_err(|error| cannot("lock", path, &error))?;
                    let lock = Self { number: disk::number_of(&metadata), file, is_new };
                    // If somebody removed the file since it was opened, a lock on it excludes nobody.
                    if lock.excludes(path) {
                        return Ok(Some(lock));
                    }
                }
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(not_locked(path, &error)),
            }
        }
    }

    /// True if the lock still excludes others: its file was not removed or replaced.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        disk::is_number_at(self.number, path)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Opens the lock file, or creates it with mode 0600 if it is new. Returns `None` if another process removed or created
/// it meanwhile. It is opened for writing too, because some network file systems lock only such a file.
fn open(path: &Path, is_new: bool, us: &Us) -> Result<Option<File>, StoreError> {
    let (opened, meanwhile) = if is_new {
        (disk::create_private(path).inspect(|file| us.learn(file)), io::ErrorKind::AlreadyExists)
    } else {
        (OpenOptions::new().read(true).write(true).open(path), io::ErrorKind::NotFound)
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == meanwhile => Ok(None),
        Err(error) => Err(cannot("lock", path, &error)),
    }
}

fn not_locked(path: &Path, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(NO_LOCKS) {
        let message = format!("cannot lock {}: its file system has no locks ({error})", path.display());
        return StoreError::new(StoreErrorKind::NoLocks, message);
    }
    cannot("lock", path, error)
}
