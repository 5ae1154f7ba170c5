//! The file that holds the tokens: locked, proven writable before anything is spent, and never worse than before.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::{Delivery, RefreshToken, Saved, Tokens};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files::{self, Replacement};
use crate::signals::Interruptions;
use crate::terminal::say;
use crate::tokens::source::Owner;

/// Room that is claimed on the disk before a pair is asked for, in bytes.
const ROOM: usize = 64 * 1024;
/// The member of a saved document that names the pair which it replaced.
const REPLACES: &str = "replaces";
/// How long a login waits for the file: a refresh may hold its lock for as long as a request takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(100);
/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// A file of tokens under its lock. The lock is `FILE.lock`: it is never removed, because a lock on a file that is
/// replaced or removed keeps nobody out.
pub(crate) struct TokenFile {
    path: PathBuf,
    _lock: File,
}

impl TokenFile {
    /// Waits for the lock, for `patience` at most: its holder may be waiting for an answer.
    pub(crate) fn lock(path: &Path, patience: Duration) -> Result<Self, Failure> {
        Self::lock_or_wait(path, patience, || {})
    }

    /// As [`lock`](Self::lock), for tokens that are there: where none are, no lock is left behind.
    pub(crate) fn lock_existing(path: &Path, patience: Duration) -> Result<Self, Failure> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !files::replacement_path(path).exists() => {
                Err(no_tokens(path, &error))
            }
            _ => Self::lock(path, patience),
        }
    }

    /// As [`lock`](Self::lock); if the lock is held, `before_waiting` comes first.
    fn lock_or_wait(path: &Path, patience: Duration, before_waiting: impl FnOnce()) -> Result<Self, Failure> {
        files::refuse_what_must_not_be_replaced(path).map_err(|error| cannot("use", path, &error))?;
        let lock_path = files::beside(path, ".lock");
        let lock = files::open_lock(&lock_path, path).map_err(|error| cannot("lock", &lock_path, &error))?;
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
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &lock_path, &error)),
            }
        }
    }

    /// The saved tokens, if they are their owner's.
    pub(crate) fn read(&self, owner: Owner<'_>) -> Result<Tokens, Failure> {
        read(&self.path, owner)
    }

    /// Proves that the file can be replaced, before anything is spent.
    pub(crate) fn prepare(&self) -> Result<Place, Failure> {
        set_aside_what_is_torn(&self.path)?;
        let room = Replacement::prepare(&self.path, ROOM).map_err(|error| cannot("write", &self.path, &error))?;
        let replaces = match Present::of(&self.path) {
            Present::Tokens(tokens) => Some(fingerprint(&tokens)),
            Present::Nothing | Present::Unreadable => None,
        };
        Ok(Place { room, replaces })
    }

    /// Keeps an answer that gave no pair, raw, in the room that was taken for one, and tells where. One that may hold
    /// the only copy of a grant gets a name of its own; a plain refusal replaces the one before it.
    pub(crate) fn keep_answer(&self, place: Place, body: &[u8], delivery: Delivery) -> PathBuf {
        let path = if delivery == Delivery::Refused {
            files::beside(&self.path, ".refused")
        } else {
            unused_path(&self.path, ".answer", unix_milliseconds())
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

    /// Removes the tokens: they are dead.
    pub(crate) fn remove(&self) -> io::Result<()> {
        files::remove(&self.path)
    }
}

/// Where the next pair goes: a replacement of the file, and the fingerprint of the pair in it.
pub(crate) struct Place {
    room: Replacement,
    replaces: Option<String>,
}

/// Proves, before a person or a server is asked for tokens, that there is a place for them. What lies there must be
/// tokens, too: no other file is overwritten by a slip of the keyboard.
pub(crate) fn prove_writable(path: &Path, patience: Duration) -> Result<(), Failure> {
    let file = TokenFile::lock(path, patience)?;
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
        file.read(Owner::Anyone)?;
    }
    // Let go of in this order: what was prepared is removed under the lock.
    drop(file.prepare()?);
    drop(file);
    Ok(())
}

/// Puts tokens of a login in place, whoever was there before. If that cannot be, they are saved elsewhere; and before
/// the file is waited for, because whoever gets tired of waiting must not lose them: `safe` becomes true then.
fn store(path: &Path, tokens: &Tokens, safe: &AtomicBool) -> Result<(), Failure> {
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
        replace(&file, place, tokens)
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

/// Stores the tokens of a login, and puts signals to end off until nothing can be lost any more.
pub(crate) async fn store_through(
    path: &Path,
    tokens: Tokens,
    interruptions: &mut Interruptions,
) -> Result<(), Failure> {
    let safe = Arc::new(AtomicBool::new(false));
    let (path, told) = (path.to_owned(), Arc::clone(&safe));
    // On a thread of its own, because it may wait for a lock while the browser waits for its page.
    let mut storing = tokio::task::spawn_blocking(move || store(&path, &tokens, &told));
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

/// Puts the tokens of a refresh in place. If that cannot be, they are saved elsewhere.
pub(crate) fn put_in_place(file: &TokenFile, place: Place, tokens: &Tokens) -> Result<(), Failure> {
    replace(file, place, tokens).map_err(|failure| rescue(failure, tokens))
}

fn replace(file: &TokenFile, place: Place, tokens: &Tokens) -> Result<(), Failure> {
    let line = successor_line(&tokens.to_saved(), place.replaces.as_deref());
    place.room.commit(line.as_bytes()).map_err(|error| cannot("write", &file.path, &error))
}

/// Saves tokens that have no place, so that the grant is not lost, and says where.
pub(crate) fn rescue(failure: Failure, tokens: &Tokens) -> Failure {
    failure.and(&words_of(&save_elsewhere(tokens)))
}

fn save_elsewhere(tokens: &Tokens) -> Result<PathBuf, (PathBuf, io::Error)> {
    let path = elsewhere("tokens");
    match files::write_private(&path, line(&tokens.to_saved()).as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) => Err((path, error)),
    }
}

fn words_of(saved: &Result<PathBuf, (PathBuf, io::Error)>) -> String {
    match saved {
        Ok(path) => format!("the new tokens are in {}: move them to a safe place", path.display()),
        Err((path, error)) => format!("the new tokens could not be saved in {}: {error}", path.display()),
    }
}

/// Keeps an answer that has no place beside a file of tokens, and tells where.
pub(crate) fn keep_answer_elsewhere(body: &[u8]) -> Option<PathBuf> {
    let path = elsewhere("answer");
    match files::write_private(&path, body) {
        Ok(()) => {
            say(&format!("the answer is kept in {}", path.display()));
            Some(path)
        }
        Err(error) => {
            say(&format!("the answer could not be kept in {}: {error}", path.display()));
            None
        }
    }
}

/// A name in the folder for temporary files.
fn elsewhere(what: &str) -> PathBuf {
    let mut random = [0; 8];
    // Without randomness the name is less of a surprise; it is never followed or overwritten either way.
    let _ = getrandom::fill(&mut random);
    std::env::temp_dir().join(format!("restream-oauth-{what}-{:016x}.json", u64::from_le_bytes(random)))
}

/// A name beside the file that is not taken. It stays free, because the lock is held.
fn unused_path(path: &Path, what: &str, milliseconds: u128) -> PathBuf {
    let named = |more: &str| files::beside(path, &format!("{what}-{milliseconds}{more}"));
    let numbered = (2_u32..).map(|number| named(&format!("-{number}")));
    let mut paths = std::iter::once(named("")).chain(numbered);
    // A name that is too long is nobody's, so this ends.
    paths.find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_else(|| named(""))
}

/// Reads saved tokens without a lock: the file is only ever replaced whole.
pub(crate) fn read(path: &Path, owner: Owner<'_>) -> Result<Tokens, Failure> {
    let text = files::read(path).map_err(|error| no_tokens(path, &error))?;
    if files::others_can_read(path) {
        say(&format!("warning: others can read {}: chmod 600 it", path.display()));
    }
    owner.restore(&text).map_err(|failure| failure.about(&path.display()))
}

/// What stands in the file.
enum Present {
    /// There is no file, or an empty one.
    Nothing,
    Tokens(Tokens),
    /// A file that is damaged or cannot be read.
    Unreadable,
}

impl Present {
    fn of(path: &Path) -> Self {
        match files::read(path) {
            Ok(text) if text.is_empty() => Self::Nothing,
            Ok(text) => Tokens::from_saved(&*text).map_or(Self::Unreadable, Self::Tokens),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Nothing,
            Err(_) => Self::Unreadable,
        }
    }
}

/// What a process that died may have left in the place of the replacement.
enum Leftover {
    /// Nothing, or nothing that is worth keeping. `prepare` removes a link, and refuses what it cannot remove.
    Nothing,
    /// Others could have written it.
    Untrusted,
    /// A whole pair that was not renamed, and the fingerprint of the pair that it replaces.
    Tokens(Box<Tokens>, Option<String>),
    /// Something torn: a pair or an answer, perhaps with whole tokens inside.
    Torn,
}

impl Leftover {
    fn of(left: &Path) -> Result<Self, Failure> {
        match fs::symlink_metadata(left) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(cannot("read", left, &error)),
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
            Err(error) => Err(cannot("read", left, &error)),
        }
    }
}

/// Puts in place what a process that died had written and not renamed, if it follows on what stands in the file: it may
/// be the only copy of a rotated pair. The file may have been replaced since, so any other pair is set aside.
fn recover(path: &Path) -> Result<(), Failure> {
    let left = files::replacement_path(path);
    let (tokens, replaces) = match Leftover::of(&left)? {
        Leftover::Nothing | Leftover::Torn => return Ok(()),
        Leftover::Untrusted => return set_aside(path, "others could have written it"),
        Leftover::Tokens(tokens, replaces) => (tokens, replaces),
    };
    let follows = match Present::of(path) {
        Present::Tokens(present) if is_same_pair(&present, &tokens) => {
            return files::remove(&left).map_err(|error| cannot("remove", &left, &error));
        }
        Present::Tokens(present) => replaces.is_some_and(|replaces| replaces == fingerprint(&present)),
        // A login is the only one that writes where there is nothing.
        Present::Nothing => replaces.is_none(),
        Present::Unreadable => false,
    };
    if !follows {
        return set_aside(path, &format!("its tokens do not follow on those in {}", path.display()));
    }
    files::rename(&left, path).map_err(|error| cannot("put in place", &left, &error))?;
    let left = left.display();
    say(&format!("found newer tokens in {left}, which an interrupted run had left, and put them in place"));
    Ok(())
}

/// Keeps a leftover of an interrupted run under another name, and says why it is not used.
fn set_aside(path: &Path, why: &str) -> Result<(), Failure> {
    let left = files::replacement_path(path);
    let aside = unused_path(path, ".leftover", unix_milliseconds());
    files::rename(&left, &aside).map_err(|error| cannot("set aside", &left, &error))?;
    say(&format!("{} is not used, and set aside as {}: {why}", left.display(), aside.display()));
    Ok(())
}

/// Keeps what is torn under another name, before its place is needed.
fn set_aside_what_is_torn(path: &Path) -> Result<(), Failure> {
    let left = files::replacement_path(path);
    if let Leftover::Torn = Leftover::of(&left)? {
        let aside = unused_path(path, ".answer", unix_milliseconds());
        files::rename(&left, &aside).map_err(|error| cannot("set aside", &left, &error))?;
        say(&format!("an interrupted run had left something torn, perhaps with tokens in it: see {}", aside.display()));
    }
    Ok(())
}

fn is_same_pair(one: &Tokens, other: &Tokens) -> bool {
    one.refresh_token() == other.refresh_token() && one.access_token() == other.access_token()
}

/// Names a pair without telling it: SHA-256 of its refresh token, in hexadecimal. A pair without one is named by its
/// access token.
fn fingerprint(tokens: &Tokens) -> String {
    let token = tokens.refresh_token().map_or(tokens.access_token().expose_secret(), RefreshToken::expose_secret);
    Sha256::digest(token).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The fingerprint of the pair that a document replaces.
fn replaced_by(document: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    document.get(REPLACES)?.as_str().map(str::to_owned)
}

/// A saved document that names the pair which it replaces, as a line of its own.
fn successor_line(saved: &Saved, replaces: Option<&str>) -> Zeroizing<String> {
    let text = saved.expose_secret();
    let (Some(replaces), Some(members)) = (replaces, text.strip_suffix('}')) else { return line(saved) };
    let more = format!(",\"{REPLACES}\":\"{replaces}\"}}\n");
    let mut line = Zeroizing::new(String::with_capacity(members.len().saturating_add(more.len())));
    line.push_str(members);
    line.push_str(&more);
    line
}

/// A saved document as a line of its own.
pub(crate) fn line(saved: &Saved) -> Zeroizing<String> {
    let text = saved.expose_secret();
    let mut line = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    line.push_str(text);
    line.push('\n');
    line
}

/// Why tokens cannot be read. Where there is no file in a folder that exists, nobody has logged in yet.
fn no_tokens(path: &Path, error: &io::Error) -> Failure {
    let failure = cannot("read", path, error);
    if error.kind() != io::ErrorKind::NotFound || folder_is_missing(path) {
        return failure;
    }
    failure.and("there are no tokens yet: log in").ending_with(Exit::Reauthorize)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let missing = error.kind() == io::ErrorKind::NotFound && folder_is_missing(path);
    let hint = if missing { " (its folder does not exist)" } else { "" };
    Failure::other(format!("cannot {what} {}: {error}{hint}", path.display()))
}

fn folder_is_missing(path: &Path) -> bool {
    path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.exists())
}

fn unix_milliseconds() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_one_millisecond_are_all_kept() {
        let folder = std::env::temp_dir().join(format!("restream-oauth-token-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tokens.json");
        let names = ["tokens.json.answer-7", "tokens.json.answer-7-2", "tokens.json.answer-7-3"];
        for name in names {
            let unused = unused_path(&path, ".answer", 7);
            assert_eq!(unused, folder.join(name));
            fs::write(unused, name).unwrap();
        }
        assert!(names.iter().all(|name| fs::read_to_string(folder.join(name)).unwrap() == *name));
        fs::remove_dir_all(folder).unwrap();
    }
}
