//! [`KeyRing`]: the keys that seal and open.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::cipher::KEY;
use super::key_id::KeyId;
use super::ring_error::KeyRingError;
use super::ring_text::{self, Key};

/// Keys of 32 bytes, each with a name. The first is the newest: it seals. Every key opens.
///
/// The keys are wiped from memory when the last copy of the ring is dropped. `Debug` shows their names alone.
#[derive(Clone)]
pub struct KeyRing(Arc<Keys>);

struct Keys {
    newest: Key,
    older: Vec<Key>,
}

/// The longest file of keys, in bytes.
const LONGEST: u64 = 64 * 1024;

impl KeyRing {
    /// Reads keys from text: one `NAME:KEY` a line, newest first. A key is 64 hexadecimal digits, or 32 bytes in base64
    /// of either alphabet. Empty lines and those that begin with `#` are skipped. A comma separates keys too.
    ///
    /// `printf '%s:%s\n' "$(date +%Y-%m)" "$(openssl rand -hex 32)"` makes such a line.
    ///
    /// # Errors
    /// [`KeyRingError`] says which line cannot be used, and never what is in it.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys = ring_text::keys(text)?.into_iter();
        let newest = keys.next().ok_or(KeyRingError::Empty)?;
        let ring = Self(Arc::new(Keys { newest, older: keys.collect() }));
        for (index, id) in ring.ids().enumerate() {
            if ring.ids().take(index).any(|other| other == id) {
                return Err(KeyRingError::Twice(id.clone()));
            }
        }
        Ok(ring)
    }

    /// Reads keys from a file. It must be a regular file that its owner alone can read (mode 0600 or 0400).
    ///
    /// # Errors
    /// [`KeyRingError`] says why the file cannot be used.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let unreadable = |error: std::io::Error| KeyRingError::Unreadable(error.kind());
        // Opening a pipe might never end.
        if !std::fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(KeyRingError::NoFile);
        }
        let file = File::open(&path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if others_can_use(&metadata) {
            return Err(KeyRingError::NotPrivate);
        }
        // Memory that holds a secret never grows, because growing leaves a copy behind.
        let room = usize::try_from(LONGEST).unwrap_or(usize::MAX);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() >= room {
            return Err(KeyRingError::TooLong);
        }
        Self::parse(std::str::from_utf8(&bytes).map_err(|_| KeyRingError::NoText)?)
    }

    /// Reads keys from a variable of the environment. Other processes of the same user can read it too, and child
    /// processes inherit it: prefer a file.
    ///
    /// # Errors
    /// [`KeyRingError`] says why the variable cannot be used.
    pub fn from_environment(variable: &str) -> Result<Self, KeyRingError> {
        let text = std::env::var_os(variable).ok_or(KeyRingError::NoVariable)?;
        let text = Zeroizing::new(text.into_encoded_bytes());
        Self::parse(std::str::from_utf8(&text).map_err(|_| KeyRingError::NoText)?)
    }

    /// The names of the keys, newest first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys().map(|key| &key.id)
    }

    /// The key that seals.
    pub(super) fn newest(&self) -> (&KeyId, &[u8; KEY]) {
        let Key { id, secret } = &self.0.newest;
        (id, secret)
    }

    pub(super) fn get(&self, id: &KeyId) -> Option<&[u8; KEY]> {
        self.keys().find(|key| key.id == *id).map(|key| &**key.secret)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.0.newest).chain(&self.0.older)
    }
}

#[cfg(unix)]
fn others_can_use(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Only Unix says so.
#[cfg(not(unix))]
fn others_can_use(_: &std::fs::Metadata) -> bool {
    false
}

/// Shows the names of the keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")?;
        f.debug_list().entries(self.ids()).finish()
    }
}
