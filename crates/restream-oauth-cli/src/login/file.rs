//! The file that keeps a login while the browser is away.

use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files;
use crate::terminal::say;

/// A saved login under a lock, from reading to removing: its code is sent by one process only. The lock is on the file
/// itself, because it is not replaced but removed.
pub(crate) struct LoginFile<'path> {
    path: &'path Path,
    text: Zeroizing<String>,
    _lock: File,
}

impl<'path> LoginFile<'path> {
    pub(crate) fn lock(path: &'path Path) -> Result<Self, Failure> {
        let cannot = |error: &dyn Display| Failure::other(format!("cannot read {}: {error}", path.display()));
        let file = files::open_to_lock(path).map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("{} is in use by another process: try again", path.display());
                return Err(Failure::new(Exit::TryAgain, message));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        // Whoever had the lock until now has perhaps used it up.
        if files::is_gone(&file) {
            return Err(cannot(&"another process has just used it"));
        }
        let text = files::read_text(&file).map_err(|error| cannot(&error))?;
        Ok(Self { path, text, _lock: file })
    }

    /// What was saved.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Removes it: its code is used up.
    pub(crate) fn remove(self) {
        if let Err(error) = files::remove(self.path) {
            say(&format!("warning: {} is used up, but cannot be removed: {error}", self.path.display()));
        }
    }
}
