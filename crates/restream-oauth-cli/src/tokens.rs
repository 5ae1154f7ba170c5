//! Where tokens come from and where they go.

pub(crate) mod document;
pub(crate) mod elsewhere;
pub(crate) mod file;
pub(crate) mod leftover;
pub(crate) mod owner;
pub(crate) mod source;

use std::io;
use std::path::Path;

use crate::failure::Failure;

/// A failure that names what could not be done with which file.
fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let missing = error.kind() == io::ErrorKind::NotFound && folder_is_missing(path);
    let hint = if missing { " (its folder does not exist)" } else { "" };
    Failure::other(format!("cannot {what} {}: {error}{hint}", path.display()))
}

/// True if nothing can be made at this path.
fn folder_is_missing(path: &Path) -> bool {
    path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.exists())
}
