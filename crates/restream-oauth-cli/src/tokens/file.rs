//! The token file. It is locked, proven writable before a token is spent, and never left worse than it was.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use restream_oauth_core::{Client, Delivery, Tokens};

use crate::failure::{Exit, Failure};
use crate::files::{self, Replacement};
use crate::signals::Interruptions;
use crate::terminal::say;
use crate::tokens::document::{fingerprint, successor_line};
use crate::tokens::elsewhere::{keep_answer_elsewhere, rescue, save_elsewhere, words_of};
use crate::tokens::leftover::{Present, recover, set_aside_what_is_torn};
use crate::tokens::owner::{Owner, other_owner};

/// How many bytes are claimed on the disk before a request for a pair is sent.
const ROOM: usize = 64 * 1024;
/// How long a login waits for the lock: a refresh holds it for as long as its request takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(100);
/// The pause between two attempts to take the lock.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// A token file under its lock. The lock is on `FILE.lock`, which is never replaced or removed: a process that opens
/// the new file would not see a lock on the old one.
pub(crate) struct TokenFile {
    path: PathBuf,
    _lock: File,
}

impl TokenFile {
    /// Takes the lock. Waits for it up to `patience`, because its holder may be waiting for a response.
    pub(crate) fn lock(path: &Path, patience: Duration) -> Result<Self, Failure> {
        Self::lock_or_wait(path, patience, || {})
    }

    /// Like [`lock`](Self::lock), but fails if there are no tokens. Then no lock file is left behind.
    pub(crate) fn lock_existing(path: &Path, patience: Duration) -> Result<Self, Failure> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !files::replacement_path(path).exists() => {
                Err(no_tokens(path, &error))
            }
            _ => Self::lock(path, patience),
        }
    }

    /// Like [`lock`](Self::lock), but calls `before_waiting` first if another process holds the lock.
    fn lock_or_wait(path: &Path, patience: Duration, before_waiting: impl FnOnce()) -> Result<Self, Failure> {
        files::refuse_what_must_not_be_replaced(path).map_err(|error| Failure::cannot("use", path, &error))?;
        let lock_path = files::beside(path, ".lock");
        let lock = files::open_lock(&lock_path, path).map_err(|error| Failure::cannot("lock", &lock_path, &error))?;
        let begun = Instant::now();
        let mut before_waiting = Some(before_waiting);
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    recover(path)?;
                    return Ok(Self { path: path.to_owned(), _lock: lock });
                }
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                    if let Some(before_waiting) = before_waiting.take() {
                        before_waiting();
                    }
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!("{} is in use by another process: try again", path.display());
                    return Err(Failure::new(Exit::TryAgain, message));
                }
                Err(TryLockError::Error(error)) => return Err(Failure::cannot("lock", &lock_path, &error)),
            }
        }
    }

    /// Reads the saved tokens, if they belong to `owner`.
    pub(crate) fn read(&self, owner: Owner<'_>) -> Result<Tokens, Failure> {
        read(&self.path, owner)
    }

    /// Proves that the file can be replaced, before a token is spent.
    pub(crate) fn prepare(&self) -> Result<Place, Failure> {
        set_aside_what_is_torn(&self.path)?;
        let room =
            Replacement::prepare(&self.path, ROOM).map_err(|error| Failure::cannot("write", &self.path, &error))?;
        let present = match Present::of(&self.path) {
            Present::Tokens(tokens) => Some(tokens),
            Present::Nothing | Present::Unreadable => None,
        };
        Ok(Place { room, present })
    }

    /// Keeps the raw body of a response that gave no pair, in the room that was claimed for a pair, and says where. A
    /// body that may hold the only copy of a grant gets a new name. A plain error response replaces the previous one.
    pub(crate) fn keep_answer(&self, place: Place, body: &[u8], delivery: Delivery) -> PathBuf {
        let path = if delivery == Delivery::Refused {
            files::beside(&self.path, ".refused")
        } else {
            files::unused(&self.path, ".answer")
        };
        match place.room.commit_as(body, &path) {
            Ok(()) => {
                say(&format!("the answer is kept in {}", path.display()));
                path
            }
            Err(error) => {
                say(&format!("the answer could not be kept in {}: {error}", path.display()));
                let left = files::replacement_path(&self.path);
                let Some(elsewhere) = keep_answer_elsewhere(body) else {
                    say(&format!("what was written of it is in {}", left.display()));
                    return left;
                };
                let _ = fs::remove_file(left);
                elsewhere
            }
        }
    }

    /// Removes the file, because its tokens are dead.
    pub(crate) fn remove(&self) -> io::Result<()> {
        files::remove(&self.path)
    }
}

/// Where the next pair goes: a prepared replacement of the file, and the pair that the file holds now.
pub(crate) struct Place {
    room: Replacement,
    present: Option<Tokens>,
}

/// Proves that tokens can be stored, before a person or a server is asked for them. Fails if the file holds anything
/// but tokens, so that a typing error overwrites no other file.
pub(crate) fn prove_writable(path: &Path, patience: Duration) -> Result<(), Failure> {
    let file = TokenFile::lock(path, patience)?;
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
        file.read(Owner::Anyone)?;
    }
    // The order matters: the prepared replacement is removed while the lock is held.
    drop(file.prepare()?);
    drop(file);
    Ok(())
}

/// Replaces the file by the tokens of a login, and says so if it held tokens of another owner. If the file cannot be
/// replaced, the tokens are saved elsewhere. Before it waits for a lock it saves a copy elsewhere and sets `safe`, so
/// that a user who stops waiting loses nothing.
fn store(path: &Path, tokens: &Tokens, client: &Client, safe: &AtomicBool) -> Result<(), Failure> {
    let mut copy = None;
    let wait = || {
        let saved = save_elsewhere(tokens);
        let words = match &saved {
            Ok(copy) => format!("meanwhile the new tokens are in {}", copy.display()),
            Err(_) => words_of(&saved),
        };
        say(&format!("waiting for {}, which is in use by another process; {words}", path.display()));
        copy = saved.ok();
        safe.store(copy.is_some(), Ordering::SeqCst);
    };
    let stored = TokenFile::lock_or_wait(path, LOCK_PATIENCE, wait).and_then(|file| {
        let place = file.prepare()?;
        let other = place.present.as_ref().and_then(|present| other_owner(present, client));
        replace(&file, place, tokens)?;
        if let Some(other) = other {
            say(&format!("warning: {} held tokens of {other}: they are replaced, and not revoked", path.display()));
        }
        Ok(())
    });
    match (stored, copy) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(copy)) => {
            if let Err(error) = files::remove(&copy) {
                say(&format!("warning: a copy of the tokens in {} cannot be removed: {error}", copy.display()));
            }
            Ok(())
        }
        (Err(failure), None) => Err(rescue(failure, tokens)),
        (Err(failure), Some(copy)) => Err(failure.and(&words_of(&Ok(copy)))),
    }
}

/// Stores the tokens of a login. Puts off the first signal until the tokens are safe.
pub(crate) async fn store_through(
    path: &Path,
    tokens: Tokens,
    client: &Client,
    interruptions: &mut Interruptions,
) -> Result<(), Failure> {
    let safe = Arc::new(AtomicBool::new(false));
    let (path, client, safe_already) = (path.to_owned(), client.clone(), Arc::clone(&safe));
    // On a thread of its own: it may wait for a lock, and meanwhile the browser needs its page.
    let mut storing = tokio::task::spawn_blocking(move || store(&path, &tokens, &client, &safe_already));
    loop {
        let again = tokio::select! {
            stored = &mut storing => {
                return stored.unwrap_or_else(|_| Err(Failure::other("the tokens may not have been stored")));
            }
            again = interruptions.next() => again,
        };
        if again || safe.load(Ordering::SeqCst) {
            return Err(Failure::new(Exit::Interrupted, "given up before the tokens were in place"));
        }
        say("waiting until the tokens are stored: interrupt again to give up all the same");
    }
}

/// Replaces the file by the tokens of a refresh. If that fails, the tokens are saved elsewhere.
pub(crate) fn put_in_place(file: &TokenFile, place: Place, tokens: &Tokens) -> Result<(), Failure> {
    replace(file, place, tokens).map_err(|failure| rescue(failure, tokens))
}

fn replace(file: &TokenFile, place: Place, tokens: &Tokens) -> Result<(), Failure> {
    let line = successor_line(&tokens.to_saved(), place.present.as_ref().map(fingerprint).as_deref());
    place.room.commit(line.as_bytes()).map_err(|error| Failure::cannot("write", &file.path, &error))
}

/// Reads saved tokens without a lock, which is safe because the file is only ever replaced whole.
pub(crate) fn read(path: &Path, owner: Owner<'_>) -> Result<Tokens, Failure> {
    let text = files::read(path).map_err(|error| no_tokens(path, &error))?;
    if files::others_can_read(path) {
        say(&format!("warning: others can read {}: chmod 600 it", path.display()));
    }
    owner.restore(&text).map_err(|failure| failure.about(&path.display()))
}

/// Says why tokens cannot be read. If the folder exists and the file does not, nobody has logged in yet.
fn no_tokens(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::cannot("read", path, error);
    if error.kind() != io::ErrorKind::NotFound || files::folder_is_missing(path) {
        return failure;
    }
    failure.and("there are no tokens yet: log in").ending_with(Exit::Reauthorize)
}
