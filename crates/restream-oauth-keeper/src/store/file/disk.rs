//! Private files, and the syncs that make them durable. Nothing here knows what a record is.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::operation::{StoreError, StoreErrorKind};

/// The longest file that is read, in bytes: far more than any of our files holds.
pub(super) const LONGEST: u64 = 8 * 1024 * 1024;

/// A file as it was read.
pub(super) struct Content {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) metadata: Metadata,
}

impl Content {
    /// True if the file holds white space only.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.bytes, &self.metadata)
    }
}

/// Tells one content of one file from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    digest: [u8; 32],
    file: (u64, u64),
}

impl Identity {
    pub(super) fn of(bytes: &[u8], metadata: &Metadata) -> Self {
        Self { digest: Sha256::digest(bytes).into(), file: number_of(metadata) }
    }

    /// True if both have the same content, if perhaps in two files.
    pub(super) fn has_content_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The device and the number of a file. No other file has them while this one is open.
#[cfg(unix)]
pub(super) fn number_of(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Only Unix numbers its files.
#[cfg(not(unix))]
pub(super) fn number_of(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// True if `path` still names this open file.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| is_number_at(number_of(&metadata), path))
}

/// True if `path` names the file of this number.
pub(super) fn is_number_at(number: (u64, u64), path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| number_of(&metadata) == number)
}

/// Reads a small regular file; `None` if there is none. A pipe or a device is an error, because reading it might never
/// end.
pub(super) fn read(path: &Path) -> Result<Option<Content>, StoreError> {
    let read = || {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room_for(metadata.len())));
        file.take(LONGEST).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= LONGEST {
            return Err(too_long());
        }
        Ok(Content { bytes, metadata })
    };
    match read() {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot("read", path, &error)),
    }
}

/// How many bytes to set aside for a file, so that memory with a secret does not grow while it is filled.
fn room_for(length: u64) -> usize {
    usize::try_from(length.min(LONGEST)).unwrap_or(0).saturating_add(64)
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "longer than 8 MiB")
}

/// Creates a new file with mode 0600. Fails if the name exists, even as a symbolic link.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    private(&mut options).open(path)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Creates a folder with mode 0700, and those above it. Syncs the folder that holds the first of them.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    let mut builder = DirBuilder::new();
    private_folder(builder.recursive(true)).create(path)?;
    for folder in missing {
        sync_folder_of(&folder)?;
    }
    Ok(())
}

#[cfg(unix)]
fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    builder.mode(0o700)
}

#[cfg(not(unix))]
fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

/// Writes all bytes and syncs them. After a failure the file is of no use any more: the kernel reports a lost write
/// once, so a second sync of the same file would report success.
pub(super) fn write_and_sync(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= LONGEST {
        return Err(too_long());
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Syncs a file that another process may have written.
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    open_to_sync(path)?.sync_all()
}

pub(super) fn open_to_sync(path: &Path) -> io::Result<File> {
    // Windows syncs only what is open for writing.
    OpenOptions::new().read(true).write(cfg!(not(unix))).open(path)
}

/// Returns the folder of a path.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the folder of `path` durable.
#[cfg(unix)]
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match File::open(folder_of(path))?.sync_all() {
        // Some file systems cannot sync a folder, and say so. Their renames are as durable as they get.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Only Unix can open a folder.
#[cfg(not(unix))]
pub(super) fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// True if nothing has this name.
pub(super) fn is_free(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns `path` with `suffix` added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the names `path`, `path-2`, `path-3`, …
pub(super) fn numbered(path: &Path) -> impl Iterator<Item = PathBuf> {
    let more = (2_u32..).map(move |number| beside(path, &format!("-{number}")));
    std::iter::once(path.to_owned()).chain(more)
}

/// Returns the first of the numbered names that nobody uses. It stays free as long as the caller holds the lock.
pub(super) fn unused(path: &Path) -> PathBuf {
    // A name that cannot be looked at ends the search too: using it fails, with the reason.
    numbered(path).find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_else(|| path.to_owned())
}

/// Fails if `path` is a symbolic link, a folder, a pipe or a device. Renaming a file over a link would replace the link
/// and leave its target unchanged. Returns true if there is a file.
pub(super) fn refuse_what_must_not_be_replaced(path: &Path) -> Result<bool, StoreError> {
    let refused = |reason: &str| {
        let message = format!("cannot replace {}: {reason}", path.display());
        Err(StoreError::new(StoreErrorKind::ReadOnly, message))
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => refused("it is a symbolic link: name its target instead"),
        Ok(metadata) if !metadata.is_file() => refused("it is not a regular file"),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot("replace", path, &error)),
    }
}

/// The error of an operation on a path.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    let missing = error.kind() == io::ErrorKind::NotFound && !folder_of(path).is_dir();
    let hint = if missing { " (its folder does not exist)" } else { "" };
    StoreError::new(kind_of(error), format!("cannot {what} {}: {error}{hint}", path.display()))
}

/// The error of a rename or a removal, which says what to do about it.
pub(super) fn not_replaceable(path: &Path, error: &io::Error) -> StoreError {
    let reason = match error.kind() {
        io::ErrorKind::ResourceBusy => {
            "it is a mount point of its own, which cannot be replaced: mount its folder instead"
        }
        io::ErrorKind::PermissionDenied => "it or its folder is perhaps immutable or append-only",
        _ => return cannot("replace", path, error),
    };
    let message = format!("cannot replace {}: {reason} ({error})", path.display());
    StoreError::new(StoreErrorKind::ReadOnly, message)
}

fn kind_of(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreErrorKind::NoRoom
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::ResourceBusy => StoreErrorKind::ReadOnly,
        io::ErrorKind::PermissionDenied => StoreErrorKind::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StoreErrorKind::Missing,
        _ => StoreErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_own_name() {
        for (code, kind) in [
            (28, StoreErrorKind::NoRoom),
            (122, StoreErrorKind::NoRoom),
            (27, StoreErrorKind::NoRoom),
            (30, StoreErrorKind::ReadOnly),
            (16, StoreErrorKind::ReadOnly),
            (13, StoreErrorKind::Denied),
            (2, StoreErrorKind::Missing),
            (5, StoreErrorKind::Unavailable),
        ] {
            if cfg!(target_os = "linux") {
                let error = cannot("write", Path::new("x"), &io::Error::from_raw_os_error(code));
                assert_eq!(*error.kind(), kind, "{error}");
            }
        }
    }

    #[test]
    fn numbered_names_begin_without_a_number() {
        let names: Vec<_> = numbered(Path::new("f.spool")).take(3).collect();
        assert_eq!(names, [Path::new("f.spool"), Path::new("f.spool-2"), Path::new("f.spool-3")]);
    }
}
