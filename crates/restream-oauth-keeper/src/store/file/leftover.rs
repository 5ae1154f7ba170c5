//! What a process left behind when it died: `FILE.new`, spooled answers, logins that wait.
//!
//! Everything here runs under the lock. Nothing that may hold a token is deleted before a successor is durable: it is
//! put in place, returned, or set aside under a name that says what it is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use restream_oauth_core::{SavedError, Tokens};
use zeroize::Zeroizing;

use super::disk::{self, Content, cannot};
use super::document::{fingerprint, is_same_pair, replaced_by};
use super::form::Unread;
use super::found::Found;
use super::place::Place;
use super::trust::Us;
use crate::operation::{StoreError, Warning};
use crate::record::{Record, Stored, Tombstone};
use crate::seal::{About, Kind};
use crate::spooled::Spooled;

/// What became of `FILE.new`.
#[derive(PartialEq, Eq)]
pub(super) enum Recovered {
    /// There was none, or it held nothing that is not in the file too.
    Nothing,
    /// It followed on the file, and was put in its place.
    Adopted,
    /// It was set aside.
    Aside(Warning),
}

/// Deals with a replacement that was written and not renamed. It is put in place if its pair replaces the one in the
/// file: it may be the only copy of a rotated pair. Any other pair is set aside, because the file may have been replaced
/// since.
pub(super) fn recover(place: &Place, us: &Us, found: &Found) -> Result<Recovered, StoreError> {
    let left = place.successor();
    // A link or a folder was not left by us. Replacing it fails, or removes the link alone.
    if !fs::symlink_metadata(&left).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(Recovered::Nothing);
    }
    let Some(content) = disk::read(&left)? else { return Ok(Recovered::Nothing) };
    if content.is_blank() {
        return remove(&left);
    }
    if !us.trusts(&content.metadata) {
        return set_aside(&left, &place.leftover(), Warning::LeftoverOfOthers);
    }
    let read = place.form.read(Kind::Record, &content.bytes, |text| Ok((Record::from_saved(text)?, replaced_by(text))));
    let (record, replaces) = match read {
        Ok(read) => read,
        // A process died while it forgot the grant, and the file is still there.
        Err(_) if Tombstone::from_saved(&content.bytes).is_ok() => return remove(&left),
        Err(Unread::Saved(SavedError::UnknownVersion)) => {
            return set_aside(&left, &place.leftover(), Warning::LeftoverUnused);
        }
        // It may be the only copy of a pair, and opens with other keys.
        Err(error) if error.is_whole() => return Err(error.at(&left)),
        Err(_) => return set_aside(&left, &place.torn(), Warning::TornLeftover),
    };
    let follows = match &found.stored {
        Stored::Grant(present) if is_same_pair(&present.tokens, &record.tokens) => {
            // A process died in Prepare, and had sent nothing. Or it died while it stored a further token.
            if !holds_more(&record, present) {
                return remove(&left);
            }
            true
        }
        Stored::Grant(present) => replaces.is_some_and(|replaces| replaces == fingerprint(&present.tokens)),
        // Only a login writes a pair where there is none.
        Stored::Nothing => replaces.is_none() && record.sent.is_none(),
        Stored::Tombstone(gone) => replaces.is_none() && record.sent.is_none() && record.login != gone.login,
    };
    if !follows {
        return set_aside(&left, &place.leftover(), Warning::LeftoverUnused);
    }
    disk::refuse_what_must_not_be_replaced(&place.file)?;
    // The caller makes the name durable, like that of every record that it did not write.
    disk::sync_file(&left)
        .and_then(|()| fs::rename(&left, &place.file))
        .map_err(|error| cannot("put in place", &left, &error))?;
    Ok(Recovered::Adopted)
}

/// True if a record has a token that the other one lacks.
fn holds_more(record: &Record, present: &Record) -> bool {
    let salvaged = record.salvaged.is_some() && record.salvaged != present.salvaged;
    let stray = record.strays.iter().any(|stray| !present.strays.contains(stray));
    record.login == present.login && record.generation >= present.generation && (salvaged || stray)
}

fn remove(path: &Path) -> Result<Recovered, StoreError> {
    disk::remove(path).map_err(|error| disk::not_replaceable(path, &error))?;
    Ok(Recovered::Nothing)
}

fn set_aside(path: &Path, aside: &Path, why: Warning) -> Result<Recovered, StoreError> {
    move_aside(path, aside)?;
    Ok(Recovered::Aside(why))
}

/// Renames a file to the first free one of the numbered names.
pub(super) fn move_aside(path: &Path, aside: &Path) -> Result<(), StoreError> {
    fs::rename(path, disk::unused(aside))
        .and_then(|()| disk::sync_folder_of(path))
        .map_err(|error| cannot("set aside", path, &error))
}

/// What lies beside a record.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) spooled: Vec<Spooled>,
    pub(super) spools: Vec<PathBuf>,
    pub(super) logins: Vec<Tokens>,
    pub(super) stashes: Vec<PathBuf>,
    pub(super) warnings: Vec<Warning>,
}

impl Beside {
    /// Reads the spooled answers and the logins, and makes them durable. Sets aside what is torn.
    pub(super) fn at(place: &Place, us: &Us, generation: u64) -> Result<Self, StoreError> {
        let mut beside = Self::default();
        for path in place.spools() {
            beside.take_spool(place, us, generation, path)?;
        }
        beside.take_logins(place, us)?;
        Ok(beside)
    }

    fn take_spool(&mut self, place: &Place, us: &Us, generation: u64, path: PathBuf) -> Result<(), StoreError> {
        disk::refuse_what_must_not_be_replaced(&path)?;
        let Some(content) = disk::read(&path)? else { return Ok(()) };
        if !content.is_blank() {
            if !us.trusts(&content.metadata) {
                self.warnings.push(Warning::LeftoverOfOthers);
                return move_aside(&path, &place.leftover());
            }
            match place.form.read(Kind::Answer, &content.bytes, |text| Spooled::from_saved(text)) {
                Ok(spooled) => {
                    disk::sync_file(&path)
                        .and_then(|()| disk::sync_folder_of(&path))
                        .map_err(|error| cannot("sync", &path, &error))?;
                    self.spooled.push(spooled);
                }
                Err(error) if error.is_whole() => return Err(error.at(&path)),
                Err(_) => {
                    self.warnings.push(Warning::TornLeftover);
                    return move_aside(&path, &place.answer(generation));
                }
            }
        }
        self.spools.push(path);
        Ok(())
    }

    fn take_logins(&mut self, place: &Place, us: &Us) -> Result<(), StoreError> {
        let folder = place.logins();
        let names = match fs::read_dir(&folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("read", &folder, &error)),
        };
        let names: Result<Vec<_>, _> = names.map(|name| name.map(|name| name.path())).collect();
        let mut paths = names.map_err(|error| cannot("read", &folder, &error))?;
        // Their names begin with the time.
        paths.sort();
        for path in paths {
            let Some(content) = disk::read(&path)? else { continue };
            if !us.trusts(&content.metadata) {
                self.warnings.push(Warning::LeftoverOfOthers);
                move_aside(&path, &place.leftover())?;
                continue;
            }
            match tokens_of(place, &content) {
                Ok(tokens) => {
                    disk::sync_file(&path)
                        .and_then(|()| disk::sync_folder_of(&path))
                        .map_err(|error| cannot("sync", &path, &error))?;
                    self.logins.push(tokens);
                    self.stashes.push(path);
                }
                // Of a newer program. Its own next claim finds it.
                Err(Unread::Saved(SavedError::UnknownVersion)) => {}
                Err(error) if error.is_whole() => return Err(error.at(&path)),
                Err(_) => self.take_torn_login(place, path)?,
            }
        }
        if !self.stashes.is_empty() {
            disk::sync_folder_of(&folder).map_err(|error| cannot("sync", &folder, &error))?;
        }
        Ok(())
    }

    /// A login that is not whole: its process is writing it, or has died.
    fn take_torn_login(&mut self, place: &Place, path: PathBuf) -> Result<(), StoreError> {
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let Ok(file) = file else { return Ok(()) };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(());
        }
        // Nobody writes it any more. It may have become whole in between.
        let Some(content) = disk::read(&path)? else { return Ok(()) };
        if let Ok(tokens) = tokens_of(place, &content) {
            self.logins.push(tokens);
            self.stashes.push(path);
        } else if content.is_blank() {
            disk::remove(&path).map_err(|error| cannot("remove", &path, &error))?;
        } else {
            self.warnings.push(Warning::TornLeftover);
            move_aside(&path, &place.torn())?;
        }
        Ok(())
    }
}

fn tokens_of(place: &Place, content: &Content) -> Result<Tokens, Unread> {
    place.form.read(Kind::Login, &content.bytes, |text| Tokens::from_saved(text))
}

/// Writes a login under a name of its own. Needs no claim: it locks the new file while it writes, so that a claim of
/// another process does not take it for a torn one.
pub(super) fn stash(place: &Place, tokens: &Tokens) -> Result<(), StoreError> {
    let folder = place.logins();
    let text = Zeroizing::new(tokens.to_saved().expose_secret().to_owned());
    let text = place.form.close(Kind::Login, &folder, text, || About::login(tokens))?;
    loop {
        let (path, file) = create_stash(&folder)?;
        // Where there are no locks there is no claim either.
        let _ = file.lock();
        let written = disk::write_and_sync(&file, text.as_bytes())
            .and_then(|()| disk::sync_folder_of(&path))
            .and_then(|()| disk::sync_folder_of(&folder));
        if let Err(error) = written {
            let _ = disk::remove(&path);
            return Err(cannot("write", &path, &error));
        }
        // A claim may have removed the empty file before it was locked.
        let there = disk::is_at(&file, &path);
        let _ = file.unlock();
        if there {
            return Ok(());
        }
    }
}

fn create_stash(folder: &Path) -> Result<(PathBuf, File), StoreError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        if !disk::folder_of(folder).is_dir() {
            return Err(cannot("create", folder, &io::Error::from(io::ErrorKind::NotFound)));
        }
        disk::create_folder(folder).map_err(|error| cannot("create", folder, &error))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{now:015}-{number:06}-{}", std::process::id()));
        match disk::create_private(&path) {
            Ok(file) => return Ok((path, file)),
            // Another process has removed the empty folder, or has this name.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {}
            Err(error) => return Err(cannot("create", &path, &error)),
        }
    }
}
