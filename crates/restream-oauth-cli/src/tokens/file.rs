//! The token file: one grant in the keeper's store of files, and the words of the command for what the store reports.
//! The store locks it, proves it writable before a token is spent, and never leaves it worse than it was.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use restream_oauth_core::RefreshToken;
use restream_oauth_keeper::store::{
    ClaimId, Claimed, FileStore, Leftovers, StoreError, StoreErrorKind, StoreOp, StoreOutcome, Warning,
};
use restream_oauth_keeper::{GrantName, LoginId, Record, Stored, Tombstone, User};

use crate::failure::{Exit, Failure};
use crate::files;
use crate::terminal::say;
use crate::tokens::kept_answer::remove_or_tell;
use crate::tokens::owner::Owner;
use crate::tokens::place::TokensPath;

/// The pause between two attempts to claim a file that another process has.
const POLL: Duration = Duration::from_millis(20);

/// A token file.
pub(crate) struct TokenFile {
    place: TokensPath,
    store: FileStore,
    grant: GrantName,
    patience: Duration,
    /// True once a person knows that another process has the file.
    said_busy: bool,
    /// What a person has been told.
    said: Vec<Warning>,
    /// What lies beside the file for a person to look at, and was there before.
    set_aside: BTreeSet<PathBuf>,
    /// True if nothing can be created in the folder, so that there is no lock.
    is_fixed: bool,
}

impl TokenFile {
    /// The file at `place`. `patience` is how long a claim waits, and blocks, while another process has the file.
    pub(crate) fn at(place: &TokensPath, patience: Duration) -> Result<Self, Failure> {
        // The store of one file does not use the name.
        let grant: GrantName = "tokens".parse().map_err(|_| Failure::other("the name of the grant cannot be used"))?;
        let store = FileStore::of_file(place.path());
        let set_aside = store.set_aside(&grant).into_iter().collect();
        Ok(Self {
            place: place.clone(),
            store,
            grant,
            patience,
            said_busy: false,
            said: Vec::new(),
            set_aside,
            is_fixed: false,
        })
    }

    /// The name of the grant in the store.
    pub(crate) fn grant(&self) -> &GrantName {
        &self.grant
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// The folder beside the file in which the tokens of a login wait until they can be put in place.
    pub(crate) fn logins(&self) -> PathBuf {
        files::beside(self.path(), ".logins")
    }

    /// Executes an operation of the store, and says what a person must know of it.
    pub(crate) fn execute(&mut self, op: StoreOp) -> StoreOutcome {
        let sets_aside = matches!(op, StoreOp::Settle { leftovers: Leftovers::SetAside, .. });
        let sent = if sets_aside { self.refresh_token() } else { None };
        let outcome = self.store.run(&self.grant, op);
        if let StoreOutcome::Claimed(claimed) = &outcome {
            self.report(&claimed.warnings);
        }
        if sets_aside {
            let new = self.newly_set_aside();
            // Where the other name would be too long, an answer stays where it was spooled.
            let spool = Some(files::beside(self.path(), ".spool")).filter(|spool| spool.exists());
            for path in new.into_iter().chain(spool) {
                if remove_or_tell(&path, sent.as_ref()) {
                    // The next answer may get this name.
                    self.set_aside.remove(&path);
                }
            }
        }
        outcome
    }

    /// The refresh token to which an answer belongs that is set aside now.
    fn refresh_token(&self) -> Option<RefreshToken> {
        self.record().ok()??.refresh_token().cloned()
    }

    /// Proves that tokens can be stored, before a person or a server is asked for them. Fails if the file holds anything
    /// but tokens, so that a typing error overwrites no other file.
    pub(crate) fn prove_writable(&mut self) -> Result<(), Failure> {
        let claimed = self.claim()?;
        self.release(&claimed);
        match self.patiently(|file| file.store.prove(&file.grant)) {
            StoreOutcome::Failed(error) => Err(error.into()),
            StoreOutcome::Busy => Err(self.in_use()),
            _ => Ok(()),
        }
    }

    /// Returns what the file holds, without a claim.
    pub(crate) fn record(&self) -> Result<Option<Box<Record>>, Failure> {
        if self.place.account().is_some() && files::folder_is_missing(self.path()) {
            // `login` creates it.
            return Ok(None);
        }
        match self.store.peek(&self.grant) {
            StoreOutcome::Read { stored: Stored::Grant(record), .. } => Ok(Some(record)),
            StoreOutcome::Failed(error) => Err(error.into()),
            _ => Ok(None),
        }
    }

    /// True if something is left of a process that died, which may be a login that was never put in place.
    pub(crate) fn has_something_left(&self) -> bool {
        self.logins().exists() || files::beside(self.path(), ".new").exists()
    }

    /// Takes the claim on a file that has tokens, or had some. Where there is none, no lock file is left behind.
    pub(crate) fn claim_existing(&mut self) -> Result<Claimed, Failure> {
        self.refuse_nothing()?;
        self.claim()
    }

    /// As [`claim_existing`](Self::claim_existing), to end what the file holds. A file in a folder that cannot be written
    /// is read without a lock: nothing can be refreshed there.
    pub(crate) fn claim_to_end(&mut self) -> Result<Claimed, Failure> {
        self.refuse_nothing()?;
        let error = match self.try_claim() {
            Ok(claimed) => return Ok(claimed),
            Err(Some(error)) if is_about_the_place(&error) && self.can_only_be_emptied() => error,
            Err(error) => return Err(self.words_of(error)),
        };
        let record = self.record()?.ok_or(error)?;
        self.is_fixed = true;
        let stored = Stored::Grant(record);
        Ok(Claimed { claim: ClaimId(0), stored, spooled: Vec::new(), logins: Vec::new(), warnings: Vec::new() })
    }

    /// Fails if there are no tokens, here or in a leftover.
    fn refuse_nothing(&self) -> Result<(), Failure> {
        let missing = fs::symlink_metadata(self.path()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let empty = fs::metadata(self.path()).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0);
        if (missing || empty) && !self.has_something_left() { Err(self.no_tokens()) } else { Ok(()) }
    }

    /// True if the file can be written, and its folder has never had a lock.
    fn can_only_be_emptied(&self) -> bool {
        let is_file = fs::symlink_metadata(self.path()).is_ok_and(|metadata| metadata.is_file());
        is_file && !files::beside(self.path(), ".lock").exists() && files::open_to_lock(self.path()).is_ok()
    }

    fn claim(&mut self) -> Result<Claimed, Failure> {
        self.try_claim().map_err(|error| self.words_of(error))
    }

    /// Takes the claim. The error `None` means that another process has it.
    fn try_claim(&mut self) -> Result<Claimed, Option<StoreError>> {
        match self.patiently(|file| file.execute(StoreOp::Claim)) {
            StoreOutcome::Claimed(claimed) => Ok(claimed),
            StoreOutcome::Failed(error) => Err(Some(error)),
            _ => Err(None),
        }
    }

    /// Repeats what fails because another process has the file, until the patience is over. Blocks meanwhile.
    fn patiently(&mut self, mut attempt: impl FnMut(&mut Self) -> StoreOutcome) -> StoreOutcome {
        let begun = Instant::now();
        loop {
            let outcome = attempt(self);
            if !matches!(outcome, StoreOutcome::Busy) || begun.elapsed() >= self.patience {
                return outcome;
            }
            self.say_busy();
            thread::sleep(POLL);
        }
    }

    /// Says that another process has the file, once.
    pub(crate) fn say_busy(&mut self) {
        if !std::mem::replace(&mut self.said_busy, true) {
            say(&format!("waiting for {}, which is in use by another process", self.path().display()));
        }
    }

    fn words_of(&self, error: Option<StoreError>) -> Failure {
        error.map_or_else(|| self.in_use(), Failure::from)
    }

    /// Releases a claim and changes nothing.
    pub(crate) fn release(&mut self, claimed: &Claimed) {
        let op = StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Leave };
        // A failure leaves the claim to the end of the process, which releases it.
        let _ = self.execute(op);
    }

    /// The failure of a wait for another process.
    pub(crate) fn in_use(&self) -> Failure {
        let message = format!("{} is in use by another process: try again", self.path().display());
        Failure::new(Exit::TryAgain, message)
    }

    /// Says why there are no tokens. If the folder exists and the file does not, nobody has logged in yet.
    pub(crate) fn no_tokens(&self) -> Failure {
        if self.path().exists() {
            return holds_none(&self.place);
        }
        no_tokens(&self.place, &io::Error::from(io::ErrorKind::NotFound))
    }

    /// Writes into the record whose login it is. Does nothing if another login was stored meanwhile.
    pub(crate) fn name_user(&mut self, login: LoginId, user: User) -> Result<(), Failure> {
        let claimed = self.claim()?;
        let named = claimed.stored.record().filter(|record| record.login == login).map(|record| {
            let user = Some(user);
            Box::new(Record { user, ..record.clone() })
        });
        let op = StoreOp::Settle { claim: claimed.claim, record: named, leftovers: Leftovers::Leave };
        match self.execute(op) {
            StoreOutcome::Failed(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes the file and everything beside it that belongs to the grant, and releases the claim. A file that cannot be
    /// removed is emptied: a mount point of its own, or a file in a folder that cannot be written. Returns true if it was
    /// removed.
    pub(crate) fn forget(&mut self, claimed: &Claimed, tombstone: Tombstone) -> Result<bool, Failure> {
        if self.is_fixed {
            let path = self.path();
            return self.empty().map(|()| false).map_err(|error| Failure::cannot("empty", path, &error));
        }
        let StoreOutcome::Failed(error) = self.execute(StoreOp::Forget { claim: claimed.claim, tombstone }) else {
            return Ok(true);
        };
        if !is_about_the_place(&error) || self.empty().is_err() {
            return Err(error.into());
        }
        // The leftovers belong to a grant that is over.
        let op = StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Remove };
        let _ = self.execute(op);
        Ok(false)
    }

    /// Empties the file in place. An empty file counts as no tokens.
    fn empty(&self) -> io::Result<()> {
        let file = files::open_to_lock(self.path())?;
        file.set_len(0)?;
        file.sync_all()
    }

    /// Says what the store noticed and tolerates.
    fn report(&mut self, warnings: &[Warning]) {
        let new = self.newly_set_aside();
        let file = self.path().display().to_string();
        for warning in warnings.iter().filter(|warning| !self.said.contains(warning)) {
            // A leftover has one of two names.
            let torn = *warning == Warning::TornLeftover;
            let is_it = |path: &&PathBuf| path.to_string_lossy().contains(if torn { ".answer-" } else { ".leftover" });
            let aside: Vec<_> = new.iter().filter(is_it).map(|path| path.display().to_string()).collect();
            let aside = aside.join(", ");
            say(&match warning {
                Warning::ReadableByOthers => format!("warning: others can read {file}: chmod 600 it"),
                Warning::LeftoverAdopted => {
                    format!(
                        "found newer tokens in {file}.new, which an interrupted run had left, and put them in place"
                    )
                }
                Warning::LeftoverOfOthers => {
                    format!(
                        "warning: a leftover is not used, and set aside as {aside}: others could have written it; \
                         remove it"
                    )
                }
                Warning::LeftoverUnused => format!(
                    "warning: {file}.new is not used, and set aside as {aside}: its tokens do not follow on those in \
                     {file}; remove it if those work"
                ),
                Warning::TornLeftover => format!(
                    "warning: an interrupted run had left something torn, perhaps with tokens in it: see {aside}, and \
                     remove it if the tokens in {file} work"
                ),
                Warning::Unbound => {
                    "warning: the saved tokens do not say which client and server they belong to; a new pair will"
                        .to_owned()
                }
                other => format!("warning: {file}: {other}"),
            });
        }
        self.said.extend(warnings);
    }

    /// Returns what was set aside since the last call.
    fn newly_set_aside(&mut self) -> Vec<PathBuf> {
        let now = self.store.set_aside(&self.grant);
        now.into_iter().filter(|path| self.set_aside.insert(path.clone())).collect()
    }
}

/// True if the place cannot be written, and not only now.
fn is_about_the_place(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::ReadOnly | StoreErrorKind::Denied)
}

/// Reads saved tokens without a lock, which is safe because the file is only ever replaced whole.
pub(crate) fn read(place: &TokensPath, owner: Owner<'_>) -> Result<Box<Record>, Failure> {
    let path = place.path();
    let text = files::read(path).map_err(|error| no_tokens(place, &error))?;
    if text.is_empty() {
        return Err(holds_none(place));
    }
    if files::others_have_rights(path) {
        say(&format!("warning: others can read {}: chmod 600 it", path.display()));
    }
    record(&text, owner).map_err(|failure| failure.about(&path.display()))
}

/// Reads saved tokens, and fails if they belong to another owner.
pub(crate) fn record(document: &str, owner: Owner<'_>) -> Result<Box<Record>, Failure> {
    owner.restore(document)?;
    Ok(Box::new(Record::from_saved(document)?))
}

/// The failure of a file that is empty, or whose login has ended.
fn holds_none(place: &TokensPath) -> Failure {
    Failure::new(Exit::Reauthorize, format!("{place}: there are no tokens: log in"))
}

fn no_tokens(place: &TokensPath, error: &io::Error) -> Failure {
    if let (io::ErrorKind::NotFound, Some(account)) = (error.kind(), place.account()) {
        // `login` creates the folder.
        return Failure::new(Exit::Reauthorize, format!("account {account}: there are no tokens yet: log in"));
    }
    if error.kind() != io::ErrorKind::NotFound || files::folder_is_missing(place.path()) {
        return Failure::cannot("read", place.path(), error);
    }
    let message = format!("{place} does not exist: there are no tokens yet: log in");
    Failure::new(Exit::Reauthorize, message)
}
