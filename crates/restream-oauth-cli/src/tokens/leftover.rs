//! `FILE.new`, which a process leaves behind if it dies between writing and renaming.

use std::fs;
use std::io;
use std::path::Path;

use restream_oauth_core::Tokens;

use crate::failure::Failure;
use crate::files;
use crate::terminal::say;
use crate::tokens::document::{fingerprint, replaced_by};

/// The content of the token file.
pub(crate) enum Present {
    /// There is no file, or an empty one.
    Nothing,
    Tokens(Tokens),
    /// The file is damaged, or cannot be read.
    Unreadable,
}

impl Present {
    pub(crate) fn of(path: &Path) -> Self {
        match files::read(path) {
            Ok(text) if text.is_empty() => Self::Nothing,
            Ok(text) => Tokens::from_saved(&*text).map_or(Self::Unreadable, Self::Tokens),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Nothing,
            Err(_) => Self::Unreadable,
        }
    }
}

/// The content of `FILE.new`.
enum Leftover {
    /// There is no file, or a file that is not worth keeping. `prepare` removes a link, and fails if it cannot remove
    /// the name.
    Nothing,
    /// Other users can read the file, and perhaps wrote it.
    Untrusted,
    /// A whole pair, and the fingerprint of the pair that it replaces.
    Tokens(Box<Tokens>, Option<String>),
    /// A part of a pair or of a response. It may hold whole tokens.
    Torn,
}

impl Leftover {
    fn of(left: &Path) -> Result<Self, Failure> {
        match fs::symlink_metadata(left) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(Failure::cannot("read", left, &error)),
            Ok(metadata) if !metadata.is_file() || metadata.len() == 0 => return Ok(Self::Nothing),
            Ok(_) if files::others_can_read(left) => return Ok(Self::Untrusted),
            Ok(_) => {}
        }
        match files::read(left) {
            Ok(text) if text.trim().is_empty() => Ok(Self::Nothing),
            Ok(text) => {
                let tokens = Tokens::from_saved(&*text);
                Ok(tokens.map_or(Self::Torn, |tokens| Self::Tokens(Box::new(tokens), replaced_by(&text))))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge) => {
                Ok(Self::Torn)
            }
            Err(error) => Err(Failure::cannot("read", left, &error)),
        }
    }
}

/// Renames `FILE.new` to the token file, if its pair replaces the pair in that file: it may be the only copy of a
/// rotated pair. Sets any other pair aside, because the file may have been replaced since.
pub(crate) fn recover(path: &Path) -> Result<(), Failure> {
    let left = files::replacement_path(path);
    let (tokens, replaces) = match Leftover::of(&left)? {
        Leftover::Nothing | Leftover::Torn => return Ok(()),
        Leftover::Untrusted => return set_aside(path, "others could have written it"),
        Leftover::Tokens(tokens, replaces) => (tokens, replaces),
    };
    let follows = match Present::of(path) {
        Present::Tokens(present) if is_same_pair(&present, &tokens) => {
            return files::remove(&left).map_err(|error| Failure::cannot("remove", &left, &error));
        }
        Present::Tokens(present) => replaces.is_some_and(|replaces| replaces == fingerprint(&present)),
        // Only a login writes a pair where there was none.
        Present::Nothing => replaces.is_none(),
        Present::Unreadable => false,
    };
    if !follows {
        return set_aside(path, &format!("its tokens do not follow on those in {}", path.display()));
    }
    files::rename(&left, path).map_err(|error| Failure::cannot("put in place", &left, &error))?;
    let left = left.display();
    say(&format!("found newer tokens in {left}, which an interrupted run had left, and put them in place"));
    Ok(())
}

/// Keeps `FILE.new` under another name, and says why it is not used.
fn set_aside(path: &Path, why: &str) -> Result<(), Failure> {
    let left = files::replacement_path(path);
    let aside = files::unused(path, ".leftover");
    files::rename(&left, &aside).map_err(|error| Failure::cannot("set aside", &left, &error))?;
    say(&format!("{} is not used, and set aside as {}: {why}", left.display(), aside.display()));
    Ok(())
}

/// Keeps a torn `FILE.new` under another name, before that name is needed again.
pub(crate) fn set_aside_what_is_torn(path: &Path) -> Result<(), Failure> {
    let left = files::replacement_path(path);
    if let Leftover::Torn = Leftover::of(&left)? {
        let aside = files::unused(path, ".answer");
        files::rename(&left, &aside).map_err(|error| Failure::cannot("set aside", &left, &error))?;
        say(&format!("an interrupted run had left something torn, perhaps with tokens in it: see {}", aside.display()));
    }
    Ok(())
}

fn is_same_pair(one: &Tokens, other: &Tokens) -> bool {
    one.refresh_token() == other.refresh_token() && one.access_token() == other.access_token()
}
