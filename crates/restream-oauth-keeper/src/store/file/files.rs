//! [`FileStore`]: a folder of records, or one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::form::Form;
use super::place::{self, Place};
use super::shelf::Shelf;
use super::trust::{self, Us};
use super::{disk, leftover};
use crate::name::GrantName;
use crate::operation::{ClaimId, Store, StoreError, StoreOp, StoreOutcome};
#[cfg(feature = "sealed")]
use crate::seal::Sealer;

/// Keeps each grant in a file of its own. The [module](crate::store::file) says what lies where, and what is promised.
pub struct FileStore {
    pub(super) root: Root,
    patience: Duration,
    pub(super) us: Us,
    shelves: Mutex<BTreeMap<PathBuf, Arc<Mutex<Shelf>>>>,
    #[cfg(feature = "sealed")]
    pub(super) sealer: Option<Sealer>,
}

#[derive(Debug)]
pub(super) enum Root {
    Folder(PathBuf),
    File(PathBuf),
}

impl FileStore {
    /// A store of many grants in a folder, which is created with mode 0700 if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be created, or if every user can replace files in it.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        disk::create_folder(&folder).map_err(|error| disk::cannot("create", &folder, &error))?;
        trust::judge_folder(&folder)?;
        Ok(Self::of(Root::Folder(folder)))
    }

    /// A store of one grant in this file. The name of the grant plays no part.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self::of(Root::File(file.into()))
    }

    fn of(root: Root) -> Self {
        Self {
            root,
            patience: Duration::ZERO,
            us: Us::default(),
            shelves: Mutex::default(),
            #[cfg(feature = "sealed")]
            sealer: None,
        }
    }

    /// Seals what is written from now on: takes a [`KeyRing`](crate::seal::KeyRing), or a [`Sealer`] that refuses plain
    /// documents. A plain document is read otherwise, and the next write seals it. The page of [`seal`](crate::seal) says
    /// what sealing protects, and how to change the key.
    ///
    /// A document is sealed for the name of its grant, so a store of one file must always be asked for the same grant.
    #[cfg(feature = "sealed")]
    #[must_use]
    pub fn sealed(mut self, sealer: impl Into<Sealer>) -> Self {
        self.sealer = Some(sealer.into());
        self
    }

    /// Lets `Claim` wait this long for another process, and block its thread meanwhile. For programs with one grant; a
    /// keeper waits by itself.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The file of a grant.
    pub fn path(&self, grant: &GrantName) -> PathBuf {
        match &self.root {
            Root::Folder(folder) => folder.join(format!("{grant}.json")),
            Root::File(file) => file.clone(),
        }
    }

    /// Executes one operation, and blocks until it is done.
    pub fn run(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        if let StoreOp::Stash { tokens } = op {
            // A login is stashed while others wait for the claim.
            return leftover::stash(&Place { file: self.path(grant), form: self.form(grant) }, &tokens)
                .map_or_else(StoreOutcome::Failed, |()| StoreOutcome::Done);
        }
        let kept = self.shelf(grant);
        let mut files = lock(&kept);
        let us = &self.us;
        let outcome = match op {
            StoreOp::Read => files.read(us),
            StoreOp::Claim => files.claim(next_claim(), us, self.patience),
            StoreOp::Prepare { claim, record } => files.prepare(claim, &record, us),
            StoreOp::Spool { claim, answer } => files.spool(claim, &answer),
            StoreOp::Commit { claim, parent, record } => files.commit(claim, &parent, &record, us),
            StoreOp::Park { parent, tokens } => files.park(&parent, *tokens, us),
            StoreOp::Stash { .. } => Ok(StoreOutcome::Done),
            StoreOp::Insert { claim, record } => files.insert(claim, &record, us),
            StoreOp::Settle { claim, record, leftovers } => files.settle(claim, record.as_deref(), leftovers, us),
            StoreOp::Forget { claim, tombstone } => files.forget(claim, &tombstone, us),
        };
        outcome.unwrap_or_else(StoreOutcome::Failed)
    }

    /// Proves that a login can be stored, before a person is asked to log in. Returns `Done`, `Busy` or `Failed`.
    ///
    /// A record that is there is replaced by a copy of itself. Where there is none, a file of another name is made,
    /// synced, renamed and removed.
    pub fn prove(&self, grant: &GrantName) -> StoreOutcome {
        let kept = self.shelf(grant);
        let mut files = lock(&kept);
        files.prove(&self.us, self.patience).unwrap_or_else(StoreOutcome::Failed)
    }

    /// Reads as [`Read`](StoreOp::Read) does, and syncs nothing: a sync asks the disk to empty its cache, also if nothing
    /// was written, and takes milliseconds. For a process that looks once and ends.
    ///
    /// If another keeper has just stored what is read, a crash of the machine may bring the older record back. The pair is
    /// not lost then: it is in the spool, or with the logins that wait, until the newer record is on the disk.
    pub fn peek(&self, grant: &GrantName) -> StoreOutcome {
        let kept = self.shelf(grant);
        lock(&kept).peek(&self.us).unwrap_or_else(StoreOutcome::Failed)
    }

    /// What was set aside beside the file of a grant, for a person to look at: answers that could not be read whole, and
    /// leftovers that were not used.
    pub fn set_aside(&self, grant: &GrantName) -> Vec<PathBuf> {
        place::set_aside(&Place::plain(self.path(grant)))
    }

    /// How the documents of a grant are written.
    #[cfg_attr(not(feature = "sealed"), allow(clippy::unused_self, reason = "every document is plain"))]
    pub(super) fn form(&self, grant: &GrantName) -> Form {
        #[cfg(feature = "sealed")]
        if let Some(sealer) = &self.sealer {
            return Form::sealed(sealer.clone(), grant.clone());
        }
        let _ = grant;
        Form::default()
    }

    /// The files of a grant, in the form in which its documents are written.
    pub(super) fn shelf(&self, grant: &GrantName) -> Arc<Mutex<Shelf>> {
        let path = self.path(grant);
        let mut known = lock(&self.shelves);
        let new = || Arc::new(Mutex::new(Shelf::new(path.clone())));
        let kept = Arc::clone(known.entry(path.clone()).or_insert_with(new));
        drop(known);
        lock(&kept).place.form = self.form(grant);
        kept
    }
}

impl Store for FileStore {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        self.run(grant, op)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("root", &self.root).finish_non_exhaustive()
    }
}

/// No two claims of a process have the same number, whichever store object they were taken through.
pub(super) fn next_claim() -> ClaimId {
    static CLAIMS: AtomicU64 = AtomicU64::new(1);
    ClaimId(CLAIMS.fetch_add(1, Ordering::Relaxed))
}

/// A panic while a shelf was locked leaves nothing half done that the next operation would trust: the files decide.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
