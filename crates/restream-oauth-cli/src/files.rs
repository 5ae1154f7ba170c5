//! Files with secrets. Only their user can read them, from the moment they exist. They are replaced whole or not at
//! all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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

/// True if the mode lets other users read the file.
#[cfg(unix)]
pub(crate) fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn others_can_read(_: &Path) -> bool {
    false
}

/// Creates a new file with mode 0600. Fails if the name exists, even as a symbolic link.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    private(&mut options).open(path)
}

/// Opens a lock file, or creates it with mode 0600. Fails if `target` belongs to another user. Then no lock file is
/// left behind: that user could not open it, and would be locked out.
pub(crate) fn open_lock(path: &Path, target: &Path) -> io::Result<File> {
    refuse_what_must_not_be_replaced(path)?;
    match create_private(path) {
        Ok(lock) => same_owner(&lock, target).inspect_err(|_| drop(fs::remove_file(path))).map(|()| lock),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let lock = OpenOptions::new().read(true).write(true).open(path)?;
            same_owner(&lock, target)?;
            Ok(lock)
        }
        Err(error) => Err(error),
    }
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

/// Fails if `target` belongs to another user, or if the path to it has another user's symbolic link. Replacing the file
/// would change its owner, and the link may point elsewhere tomorrow.
#[cfg(unix)]
fn same_owner(ours: &File, target: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let denied = |reason| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    let us = ours.metadata()?.uid();
    if fs::metadata(target).is_ok_and(|target| target.uid() != us) {
        return denied("it belongs to another user");
    }
    let foreign_link = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink() && ![0, us].contains(&metadata.uid()))
    };
    if target.ancestors().skip(1).any(foreign_link) {
        return denied("the way to it leads over a symbolic link of another user");
    }
    Ok(())
}

#[cfg(not(unix))]
fn same_owner(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns where the replacement of a file is written. There is one name only, so a crash leaves one place to look at.
pub(crate) fn replacement_path(target: &Path) -> PathBuf {
    beside(target, ".new")
}

/// A prepared replacement of a file, which can hardly fail later: a temporary file in the same folder that already
/// takes its room on the disk, and the folder, open for syncing. The temporary file is removed on drop, unless it was
/// written to.
pub(crate) struct Replacement {
    file: File,
    folder: Folder,
    temporary: PathBuf,
    target: PathBuf,
    written: bool,
}

impl Replacement {
    /// Proves that `target` can be replaced by up to `room` bytes: replaces the target by a copy of itself. Creating a
    /// file in the folder proves too little: the folder may forbid renaming, and the target may be a mount point or
    /// immutable.
    pub(crate) fn prepare(target: &Path, room: usize) -> io::Result<Self> {
        refuse_what_must_not_be_replaced(target)?;
        // A process that died may have left one.
        if let Err(error) = fs::remove_file(replacement_path(target))
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(not_replaceable(&error));
        }
        let replacement = Self::create(target)?;
        replacement.prove_renaming()?;
        let mut replacement = replacement.prove_replacing()?;
        replacement.file.write_all(&vec![b' '; room])?;
        replacement.file.sync_all()?;
        replacement.folder.sync()?;
        Ok(replacement)
    }

    fn create(target: &Path) -> io::Result<Self> {
        let folder = Folder::of(target)?;
        let temporary = replacement_path(target);
        let file = create_private(&temporary)?;
        let replacement = Self { file, folder, temporary, target: target.to_owned(), written: false };
        same_owner(&replacement.file, target)?;
        Ok(replacement)
    }

    /// Renames the temporary file to another name and back, while it is empty: an append-only folder never lets go of a
    /// file that was created in it, so that file must not hold a secret.
    fn prove_renaming(&self) -> io::Result<()> {
        let elsewhere = beside(&self.target, ".probe");
        if fs::symlink_metadata(&elsewhere).is_ok_and(|metadata| !metadata.is_file() || metadata.len() > 0) {
            let reason = format!("{} is in the way: move it elsewhere", elsewhere.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        fs::rename(&self.temporary, &elsewhere)
            .and_then(|()| fs::rename(&elsewhere, &self.temporary))
            .map_err(|error| not_replaceable(&error))
    }

    /// Replaces the target by a copy of itself. Does nothing if there is no target yet.
    fn prove_replacing(mut self) -> io::Result<Self> {
        let target = self.target.clone();
        let original = match File::open(&target) {
            Ok(original) => original,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self),
            Err(error) => return Err(error),
        };
        if io::copy(&mut original.take(LONGEST), &mut self.file)? >= LONGEST {
            return Err(too_long());
        }
        self.file.sync_all()?;
        fs::rename(&self.temporary, &target).map_err(|error| not_replaceable(&error))?;
        // The temporary file has been renamed, so this drop removes nothing. The next one gets the same name.
        drop(self);
        Self::create(&target)
    }

    /// Replaces the target by `bytes`: write, fsync, rename, fsync of the folder. If a later step fails, the temporary
    /// file stays.
    pub(crate) fn commit(mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?;
        fs::rename(&self.temporary, &self.target)?;
        self.folder.sync()
    }

    /// Uses the room for another file, `path` in the same folder. Here too the temporary file stays if a later step
    /// fails.
    pub(crate) fn commit_as(mut self, bytes: &[u8], path: &Path) -> io::Result<()> {
        self.write(bytes)?;
        refuse_what_must_not_be_replaced(path)?;
        fs::rename(&self.temporary, path)?;
        self.folder.sync()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.written = true;
        self.file.write_all(bytes)?;
        self.file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        self.file.sync_all()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.written {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Renames a file so that its name survives a crash.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    Folder::of(to)?.sync()
}

/// Writes a new private file that survives a crash. If the disk takes a part of it only, that part is left. An empty
/// file is removed.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_private(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() && file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        let _ = fs::remove_file(path);
    }
    written?;
    Folder::of(path)?.sync()
}

/// Removes a file so that it stays removed after a crash.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    Folder::of(path)?.sync()
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

/// Returns `path` with a suffix that makes it a name nobody uses. It stays free as long as the caller holds the lock.
pub(crate) fn unused(path: &Path, what: &str) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    unused_at(path, what, now.as_millis())
}

fn unused_at(path: &Path, what: &str, milliseconds: u128) -> PathBuf {
    let named = |more: &str| beside(path, &format!("{what}-{milliseconds}{more}"));
    let numbered = (2_u32..).map(|number| named(&format!("-{number}")));
    let mut paths = std::iter::once(named("")).chain(numbered);
    // A name that is too long does not exist, so the search ends.
    paths.find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_else(|| named(""))
}

/// Fails if `path` is a symbolic link, a folder, a pipe or a device. Renaming a file over a link would replace the link
/// and leave its target unchanged.
pub(crate) fn refuse_what_must_not_be_replaced(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            Err(io::Error::other("it is a symbolic link: name its target instead"))
        }
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Says why a rename or a removal failed, and what to do about it.
fn not_replaceable(error: &io::Error) -> io::Error {
    let reason = match error.kind() {
        io::ErrorKind::ResourceBusy => {
            "it is a mount point of its own, which cannot be replaced: mount its folder instead"
        }
        io::ErrorKind::PermissionDenied => {
            "it cannot be replaced: it or its folder is perhaps immutable or append-only"
        }
        _ => "it cannot be replaced",
    };
    io::Error::new(error.kind(), format!("{reason} ({error})"))
}

/// An open folder, so that a rename in it can be synced to the disk.
struct Folder(Option<File>);

impl Folder {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).map(|folder| Self(Some(folder)))
    }

    /// Only Unix can open a folder.
    #[cfg(not(unix))]
    fn of(_: &Path) -> io::Result<Self> {
        Ok(Self(None))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), File::sync_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_one_millisecond_are_all_kept() {
        let folder = std::env::temp_dir().join(format!("restream-oauth-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tokens.json");
        let names = ["tokens.json.answer-7", "tokens.json.answer-7-2", "tokens.json.answer-7-3"];
        for name in names {
            let unused = unused_at(&path, ".answer", 7);
            assert_eq!(unused, folder.join(name));
            fs::write(unused, name).unwrap();
        }
        assert!(names.iter().all(|name| fs::read_to_string(folder.join(name)).unwrap() == *name));
        fs::remove_dir_all(folder).unwrap();
    }
}
