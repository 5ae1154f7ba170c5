//! Sealing again what an older key has sealed, so that the key can be dropped.

use std::fs;
use std::path::{Path, PathBuf};

use restream_oauth_core::Tokens;

use super::disk::{self, cannot};
use super::files::{FileStore, lock, next_claim};
use super::form::not_sealed;
use super::found::Found;
use super::place::{self, Place, Proof};
use super::shelf::Shelf;
use super::trust::Us;
use crate::name::GrantName;
use crate::operation::{Leftovers, StoreError, StoreErrorKind, StoreOutcome};
use crate::seal::{Kind, Sealer, key_of};

/// What [`FileStore::reseal`] has found and done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many documents were sealed again.
    pub rewritten: usize,
    /// Grants that another process, or a keeper on this store, is about to refresh. Try them again.
    pub busy: Vec<GrantName>,
    /// Grants that could not be dealt with, and why.
    pub failed: Vec<(GrantName, StoreError)>,
    /// Files that were set aside for a person, and that do not open: they are as they were.
    pub unopened: Vec<PathBuf>,
}

impl Resealed {
    /// True if nothing was left to do: every document of these grants is sealed with the newest key.
    pub fn is_complete(&self) -> bool {
        self.rewritten == 0 && self.busy.is_empty() && self.failed.is_empty() && self.unopened.is_empty()
    }
}

impl FileStore {
    /// Seals again everything of these grants that is plain, or that an older key has sealed: records, spooled answers,
    /// logins that wait, and what was set aside. Takes the claim of one grant after the other. Does nothing if the store
    /// has no keys.
    ///
    /// Once this has run with every process's newest key in front and [`is_complete`](Resealed::is_complete), the older
    /// keys can be dropped: `store.reseal(store.grants()?)`.
    pub fn reseal(&self, grants: impl IntoIterator<Item = GrantName>) -> Resealed {
        let mut all = Resealed::default();
        let Some(sealer) = &self.sealer else { return all };
        for grant in grants {
            let kept = self.shelf(&grant);
            let mut files = lock(&kept);
            if let Err(error) = files.reseal(&grant, sealer, &self.us, &mut all) {
                all.failed.push((grant, error));
            }
        }
        all
    }
}

impl Shelf {
    fn reseal(&mut self, grant: &GrantName, sealer: &Sealer, us: &Us, all: &mut Resealed) -> Result<(), StoreError> {
        let claim = next_claim();
        let StoreOutcome::Claimed(claimed) = self.claim(claim, us, std::time::Duration::ZERO)? else {
            all.busy.push(grant.clone());
            return Ok(());
        };
        let done = self.reseal_claimed(grant, sealer, us, all);
        drop(claimed);
        self.settle(claim, None, Leftovers::Leave, us)?;
        done
    }

    fn reseal_claimed(
        &mut self,
        grant: &GrantName,
        sealer: &Sealer,
        us: &Us,
        all: &mut Resealed,
    ) -> Result<(), StoreError> {
        let found = Found::at(&self.place, us)?;
        // A process that died may have left it.
        disk::remove(&self.place.resealed()).map_err(|error| cannot("remove", &self.place.resealed(), &error))?;
        let sealed_with = match disk::read(&self.place.file)? {
            Some(content) => key_of(&content.bytes).ok().flatten(),
            None => None,
        };
        if let Some(record) = found.stored.record().filter(|_| sealed_with.as_ref() != sealer.ring().ids().next()) {
            let claim = self.held.as_ref().map(|held| held.claim);
            self.replace(claim, record, &found, Proof::First)?;
            all.rewritten = all.rewritten.saturating_add(1);
        }
        let (spools, stashes) = match &self.held {
            Some(held) => (held.spools.clone(), held.stashes.clone()),
            None => return Ok(()),
        };
        let documents = spools.into_iter().map(|path| (path, Kind::Answer));
        for (path, kind) in documents.chain(stashes.into_iter().map(|path| (path, Kind::Login))) {
            let rewritten = rewrite(&self.place, &path, kind, grant, sealer)?;
            all.rewritten = all.rewritten.saturating_add(usize::from(rewritten));
        }
        for path in place::set_aside(&self.place) {
            let kind = if holds_tokens(&path) { Kind::Record } else { Kind::Answer };
            match rewrite(&self.place, &path, kind, grant, sealer) {
                Ok(rewritten) => all.rewritten = all.rewritten.saturating_add(usize::from(rewritten)),
                Err(error) if matches!(error.kind(), StoreErrorKind::Sealed(_)) => all.unopened.push(path),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// True if a file holds saved tokens in plain.
fn holds_tokens(path: &Path) -> bool {
    disk::read(path).is_ok_and(|content| content.is_some_and(|content| Tokens::from_saved(&*content.bytes).is_ok()))
}

/// Replaces a file beside the record. Returns false if there was no need.
fn rewrite(place: &Place, path: &Path, kind: Kind, grant: &GrantName, sealer: &Sealer) -> Result<bool, StoreError> {
    let Some(content) = disk::read(path)?.filter(|content| !content.is_blank()) else { return Ok(false) };
    let again = sealer.reseal(kind, grant, &content.bytes).map_err(|error| not_sealed(path, error))?;
    let Some(again) = again else { return Ok(false) };
    let new = place.resealed();
    disk::remove(&new)
        .and_then(|()| disk::create_private(&new))
        .and_then(|file| disk::write_and_sync(&file, again.as_bytes()))
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| disk::sync_folder_of(path))
        .map_err(|error| {
            let _ = disk::remove(&new);
            cannot("seal", path, &error)
        })?;
    Ok(true)
}
