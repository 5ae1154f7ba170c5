//! The file with a saved login, between `authorize-url` and `exchange`.

use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::path::Path;

use restream_oauth_keeper::store::file::private_file;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files;
use crate::terminal::say;

/// A saved login under a lock. The lock is held from reading to removing, so that only one process sends the code. It
/// is on the file itself, because the file is never replaced, only removed.
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
        // The process that held the lock may have used the login.
        if files::is_gone(&file) {
            return Err(cannot(&"another process has just used it"));
        }
        let text = files::read_text(&file).map_err(|error| cannot(&error))?;
        Ok(Self { path, text, _lock: file })
    }

    /// Returns the saved document.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Removes the file, because the code is used up.
    pub(crate) fn remove(self) {
        if let Err(error) = private_file::remove(self.path) {
            say(&format!("warning: {} is used up, but cannot be removed: {error}", self.path.display()));
        }
    }
}
