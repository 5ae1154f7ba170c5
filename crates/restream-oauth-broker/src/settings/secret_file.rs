//! Reads the small files that the configuration names: the client secret, the certificate and the private key.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::fault::FileProblem;

/// The longest file, in bytes.
const LONGEST: u64 = 64 * 1024;

/// What such a file holds.
pub struct SecretFile {
    pub(super) secret: Zeroizing<String>,
    pub(super) others_have_rights: bool,
}

impl SecretFile {
    /// The content of a file. `others_have_rights` is true if more users can read it than its owner and its group, or more
    /// than its owner can change it. Line breaks at the end do not count.
    pub fn new(text: &str, others_have_rights: bool) -> Self {
        Self { secret: Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()), others_have_rights }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.secret
    }

    /// Reads a file, or a pipe.
    ///
    /// # Errors
    /// [`FileProblem`] says why it cannot be read.
    pub fn read(path: &Path) -> Result<Self, FileProblem> {
        let file = File::open(path)?;
        let others_have_rights = others_have_rights(&file);
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LONGEST).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= LONGEST {
            return Err(FileProblem::TooLong);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| FileProblem::NotUtf8)?;
        Ok(Self::new(text, others_have_rights))
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("others_have_rights", &self.others_have_rights).finish_non_exhaustive()
    }
}

/// A service may read its secret as a member of the group of the file, and credentials of systemd show the right of one
/// user as a right of the group. So the group may read.
#[cfg(unix)]
fn others_have_rights(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o027 != 0)
}

#[cfg(not(unix))]
fn others_have_rights(_: &File) -> bool {
    false
}
