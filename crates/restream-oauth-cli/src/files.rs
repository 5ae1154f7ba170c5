//! Reading small files and standard input. Files with secrets are written by the keeper's
//! [`private_file`](restream_oauth_keeper::store::file::private_file).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The longest file that is read, in bytes: far more than any of our files holds.
const LONGEST: u64 = 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a small regular file of text. A pipe or a device is an error, because reading it might never end.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    open(path, OpenOptions::new().read(true)).and_then(read_text)
}

/// Opens a regular file for reading and locking. It is opened for writing too, because some network file systems lock
/// only such a file.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true).write(true))
}

fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    options.open(path)
}

/// True if an open file has been removed or replaced since it was opened.
#[cfg(unix)]
pub(crate) fn is_gone(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// Only Unix can say so.
#[cfg(not(unix))]
pub(crate) fn is_gone(_: &File) -> bool {
    false
}

/// Reads a small text from any source, and drops the byte order mark that some editors and shells write.
pub(crate) fn read_text(source: impl io::Read) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::new());
    source.take(LONGEST).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= LONGEST {
        return Err(too_long());
    }
    let unreadable = |reason| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    if matches!(bytes.as_slice(), [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return unreadable("it is UTF-16: convert it to UTF-8");
    }
    match std::str::from_utf8(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes)) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => unreadable("it is not UTF-8"),
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "longer than a megabyte")
}

/// True if the mode of a file or a folder gives other users any right.
#[cfg(unix)]
pub(crate) fn others_have_rights(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn others_have_rights(_: &Path) -> bool {
    false
}

/// Returns `path` with `suffix` added to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// True if the folder of `path` does not exist.
pub(crate) fn folder_is_missing(path: &Path) -> bool {
    path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.exists())
}
