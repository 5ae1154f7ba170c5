//! The names of the files of one grant.

use std::path::{Path, PathBuf};

use super::disk::{beside, folder_of, is_free, numbered};
use super::form::Form;

/// How many free names in a row end the search for spooled answers. A name between two others is free after what it
/// named was set aside.
const GAP: usize = 4;

/// The file of one grant. Everything else lies beside it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// How its documents are written.
    pub(super) form: Form,
}

impl Place {
    /// A file whose documents are plain.
    pub(super) fn plain(file: PathBuf) -> Self {
        Self { file, form: Form::default() }
    }

    /// Held by the process that has the claim. Never replaced or removed: a process that opens a new lock file does not
    /// see a lock on the old one.
    pub(super) fn lock(&self) -> PathBuf {
        beside(&self.file, ".lock")
    }

    /// The next content of the file, until it is renamed. There is one name only, so a crash leaves one place to look at.
    pub(super) fn successor(&self) -> PathBuf {
        beside(&self.file, ".new")
    }

    /// A document beside the record, while it is sealed again.
    #[cfg(feature = "sealed")]
    pub(super) fn resealed(&self) -> PathBuf {
        beside(&self.file, ".resealed")
    }

    /// An empty file that shows whose files this process creates.
    pub(super) fn probe(&self) -> PathBuf {
        beside(&self.file, ".probe")
    }

    /// The tombstone.
    pub(super) fn gone(&self) -> PathBuf {
        beside(&self.file, ".gone")
    }

    /// The room for an answer, and the answer.
    pub(super) fn spool(&self) -> PathBuf {
        beside(&self.file, ".spool")
    }

    /// The folder of logins that wait for the claim.
    pub(super) fn logins(&self) -> PathBuf {
        beside(&self.file, ".logins")
    }

    /// An answer that could not be read whole, and the generation that was refreshed.
    pub(super) fn answer(&self, generation: u64) -> PathBuf {
        beside(&self.file, &format!(".answer-g{generation}"))
    }

    /// Something torn, which may hold part of a pair.
    pub(super) fn torn(&self) -> PathBuf {
        beside(&self.file, ".answer-torn")
    }

    /// A whole pair that does not follow on the stored one.
    pub(super) fn leftover(&self) -> PathBuf {
        beside(&self.file, ".leftover")
    }

    /// The spooled answers and rooms that are there.
    pub(super) fn spools(&self) -> Vec<PathBuf> {
        existing(&self.spool(), GAP)
    }

    /// True if a process that works or died has left something that a claim looks at.
    pub(super) fn has_something_left(&self) -> bool {
        self.logins().exists() || self.successor().exists() || !self.spools().is_empty()
    }

    /// The answers of a generation that were set aside.
    pub(super) fn answers(&self, generation: u64) -> Vec<PathBuf> {
        existing(&self.answer(generation), 1)
    }
}

/// Everything that was set aside for a person, by name.
pub(super) fn set_aside(place: &Place) -> Vec<PathBuf> {
    let (Some(name), Ok(entries)) = (place.file.file_name(), std::fs::read_dir(folder_of(&place.file))) else {
        return Vec::new();
    };
    let is_aside = |entry: &std::ffi::OsStr| {
        let more = entry.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        more.is_some_and(|more| more.starts_with(b".answer-") || more.starts_with(b".leftover"))
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let mut paths: Vec<_> = names.filter(|name| is_aside(name)).map(|name| place.file.with_file_name(name)).collect();
    paths.sort();
    paths
}

/// The numbered names that are in use, up to a gap of so many free ones.
fn existing(path: &Path, gap: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut free = 0_usize;
    for path in numbered(path) {
        if is_free(&path) {
            free = free.saturating_add(1);
            if free == gap {
                break;
            }
        } else if std::fs::symlink_metadata(&path).is_ok() {
            free = 0;
            found.push(path);
        } else {
            break;
        }
    }
    found
}

/// Whether it is proven that the file can be replaced.
#[derive(Clone, Copy)]
pub(super) enum Proof {
    /// An empty file is created and removed first. An append-only folder never lets go of a file that was created in it, so
    /// that file must not hold a secret.
    First,
    /// `Prepare` has proven it.
    Given,
}
