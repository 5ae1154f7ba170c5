//! The operations on the files of one grant.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use restream_oauth_core::Tokens;

use super::disk::{self, Identity, cannot};
use super::found::{Found, Known};
use super::leftover::{self, Beside, Recovered};
use super::lock::Lock;
use super::place::{Place, Proof};
use super::trust::Us;
use crate::operation::{ClaimId, Claimed, Leftovers, StoreError, StoreErrorKind, StoreOutcome, Warning};
use crate::record::{Parent, Record, Stored, Stray, Tombstone};

/// The files of one grant, and what this store object knows of them.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) place: Place,
    /// What is known to be durable: this object has written or synced it.
    pub(super) durable: Option<Identity>,
    /// True after a sync failed. The kernel reports a loss once: syncing again would report success.
    pub(super) suspect: bool,
    pub(super) held: Option<Held>,
}

/// A claim.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) claim: ClaimId,
    pub(super) lock: Lock,
    /// The file as the holder knows it. `None` if there was no file, or an empty one.
    pub(super) known: Option<Known>,
    pub(super) generation: u64,
    /// Spooled answers, and rooms for one.
    pub(super) spools: Vec<PathBuf>,
    /// Logins that the claim returned.
    pub(super) stashes: Vec<PathBuf>,
    /// The synced room into which the next answer goes.
    pub(super) room: Option<File>,
}

pub(super) type Outcome = Result<StoreOutcome, StoreError>;

impl Shelf {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { place: Place::plain(file), durable: None, suspect: false, held: None }
    }

    /// Reads the record without a claim.
    pub(super) fn read(&mut self, us: &Us) -> Outcome {
        if self.suspect {
            // It has to be written again, which needs the lock.
            return self.locked(us, |shelf, found| {
                Ok(StoreOutcome::Read { stored: found.stored, left: shelf.place.has_something_left() })
            });
        }
        let found = Found::at(&self.place, us)?;
        match self.make_durable(&found) {
            // A user who can read the file but not its folder cannot sync it, and could not have written it.
            Err(error) if *error.kind() == StoreErrorKind::Denied => {}
            result => result?,
        }
        Ok(StoreOutcome::Read { stored: found.stored, left: self.place.has_something_left() })
    }

    /// Reads the record without a claim, and syncs nothing.
    pub(super) fn peek(&self, us: &Us) -> Outcome {
        let stored = Found::at(&self.place, us)?.stored;
        Ok(StoreOutcome::Read { stored, left: self.place.has_something_left() })
    }

    /// Takes the claim.
    pub(super) fn claim(&mut self, claim: ClaimId, us: &Us, patience: Duration) -> Outcome {
        if self.held.is_some() {
            return Ok(StoreOutcome::Busy);
        }
        let Some((held, claimed)) = self.open(claim, us, patience)? else { return Ok(StoreOutcome::Busy) };
        self.held = Some(held);
        Ok(StoreOutcome::Claimed(claimed))
    }

    /// Takes the lock, deals with what a process that died has left, and reads everything.
    fn open(&mut self, claim: ClaimId, us: &Us, patience: Duration) -> Result<Option<(Held, Claimed)>, StoreError> {
        disk::refuse_what_must_not_be_replaced(&self.place.file)?;
        let lock_path = self.place.lock();
        let Some(lock) = Lock::take(&lock_path, us, patience)? else { return Ok(None) };
        let opened = us.ask(&self.place.probe()).and_then(|()| self.look(us));
        let (found, beside, adopted) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if lock.is_new && *error.kind() == StoreErrorKind::NotOurs {
                    // The owner of the file could not open our lock, and would be locked out.
                    let _ = disk::remove(&lock_path);
                }
                return Err(error);
            }
        };
        let Beside { spooled, spools, logins, stashes, warnings } = beside;
        let held = Held {
            claim,
            lock,
            known: found.known(),
            generation: generation_of(&found.stored),
            spools,
            stashes,
            room: None,
        };
        let warnings = found.warnings.iter().copied().chain(adopted).chain(warnings).collect();
        Ok(Some((held, Claimed { claim, stored: found.stored, spooled, logins, warnings })))
    }

    pub(super) fn look(&mut self, us: &Us) -> Result<(Found, Beside, Option<Warning>), StoreError> {
        us.judge_way(&self.place.file)?;
        let mut found = Found::at(&self.place, us)?;
        // Before anything else is touched: a file that cannot be used leaves everything as it is.
        let warning = match leftover::recover(&self.place, us, &found)? {
            Recovered::Nothing => None,
            Recovered::Aside(warning) => Some(warning),
            Recovered::Adopted => {
                found = Found::at(&self.place, us)?;
                Some(Warning::LeftoverAdopted)
            }
        };
        if self.suspect {
            self.write_again_if_suspect()?;
            found = Found::at(&self.place, us)?;
        }
        self.make_durable(&found)?;
        self.finish(&mut found)?;
        let beside = Beside::at(&self.place, us, generation_of(&found.stored))?;
        Ok((found, beside, warning))
    }

    /// Finishes what a process began that died: forgetting a grant, or storing a login after a logout.
    fn finish(&self, found: &mut Found) -> Result<(), StoreError> {
        let done = match &found.stored {
            Stored::Tombstone(_) if found.file.take().is_some() => disk::remove(&self.place.file),
            Stored::Grant(_) if found.gone.take().is_some() => disk::remove(&self.place.gone()),
            _ => Ok(()),
        };
        done.map_err(|error| cannot("clear up", &self.place.file, &error))
    }

    /// Syncs what another process wrote: that it is visible does not mean that it survives a crash.
    fn make_durable(&mut self, found: &Found) -> Result<(), StoreError> {
        let (path, identity) = match &found.stored {
            Stored::Grant(_) => (self.place.file.clone(), found.file),
            Stored::Tombstone(_) => (self.place.gone(), found.gone),
            Stored::Nothing => return Ok(()),
        };
        if self.durable.is_none() || self.durable != identity {
            let unsynced = |error: io::Error| cannot("sync", &path, &error);
            // What cannot be opened was not synced, so no loss was reported either.
            let file = disk::open_to_sync(&path).map_err(unsynced)?;
            let synced = file.sync_all().and_then(|()| disk::sync_folder_of(&path));
            self.suspect |= synced.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::PermissionDenied);
            synced.map_err(unsynced)?;
            self.durable = identity;
        }
        Ok(())
    }

    /// Makes room for an answer, and replaces the record.
    pub(super) fn prepare(&mut self, claim: ClaimId, record: &Record, us: &Us) -> Outcome {
        let found = self.held_and_unchanged(claim, us)?;
        if !found.stored.is_same_pair(record) {
            return Ok(StoreOutcome::Superseded(found.stored));
        }
        self.make_room()?;
        let prepared = self.put_in_place(Some(claim), record, &found, Proof::First).and_then(|put| {
            // After the rename: the journal that takes the room takes the names too, and the next sync finds no work.
            self.sync_room()?;
            self.sync_names(put)
        });
        prepared.inspect_err(|_| self.drop_room())?;
        Ok(StoreOutcome::Done)
    }

    /// Replaces the record, if the stored one is the parent.
    pub(super) fn commit(&mut self, claim: ClaimId, parent: &Parent, record: &Record, us: &Us) -> Outcome {
        self.locked(us, |shelf, found| match &found.stored {
            Stored::Grant(stored) if stored.is_parent(parent) => {
                shelf.replace(Some(claim), record, &found, Proof::Given)?;
                Ok(StoreOutcome::Done)
            }
            _ => Ok(StoreOutcome::Superseded(found.stored)),
        })
    }

    /// Adds a late pair to the strays of the record.
    pub(super) fn park(&mut self, parent: &Parent, tokens: Tokens, us: &Us) -> Outcome {
        self.locked(us, |shelf, found| match &found.stored {
            Stored::Grant(stored) if stored.login == parent.login => {
                if stored.tokens == tokens || stored.strays.iter().any(|stray| stray.tokens == tokens) {
                    return Ok(StoreOutcome::Done);
                }
                let mut record = stored.clone();
                record.strays.push(Stray { generation: parent.generation, tokens });
                // A late pair does not end the claim that this process has: it was added to the same record.
                let claim = shelf.held.as_ref().map(|held| held.claim);
                shelf.replace(claim, &record, &found, Proof::Given)?;
                Ok(StoreOutcome::Done)
            }
            _ => Ok(StoreOutcome::Superseded(found.stored)),
        })
    }

    /// Stores a login.
    pub(super) fn insert(&mut self, claim: ClaimId, record: &Record, us: &Us) -> Outcome {
        let found = self.held_and_unchanged(claim, us)?;
        self.replace(Some(claim), record, &found, Proof::First)?;
        // If this fails, the next claim does it.
        let _ = disk::remove(&self.place.gone());
        Ok(StoreOutcome::Done)
    }

    /// Replaces the record, if one is given, deals with the leftovers, and releases the claim. A failure leaves the claim.
    pub(super) fn settle(&mut self, claim: ClaimId, record: Option<&Record>, leftovers: Leftovers, us: &Us) -> Outcome {
        let lock_path = self.place.lock();
        if self.held.as_ref().is_some_and(|held| held.claim == claim && !held.lock.excludes(&lock_path)) {
            // These files, and the doubt in the record, may be another process's by now.
            self.held = None;
        }
        let is_held = self.held.as_ref().is_some_and(|held| held.claim == claim);
        let mut outcome = StoreOutcome::Done;
        if let Some(record) = record {
            outcome = self.locked(us, |shelf, found| match &found.stored {
                Stored::Grant(stored) if stored.is_parent(&record.parent()) => {
                    if !is_held && (record.doubt.is_none() || record.requests < stored.requests) {
                        return Err(claim_lost());
                    }
                    let mut record = record.clone();
                    if !is_held {
                        record.keep_strays_of(stored);
                    }
                    shelf.replace(Some(claim), &record, &found, Proof::Given)?;
                    Ok(StoreOutcome::Done)
                }
                _ => Ok(StoreOutcome::Superseded(found.stored)),
            })?;
        }
        if let Some(held) = self.held.take_if(|held| held.claim == claim) {
            self.clear(&held, leftovers);
        }
        Ok(outcome)
    }

    /// Replaces the record by a tombstone, and removes what belongs to the grant. A failure leaves the claim.
    pub(super) fn forget(&mut self, claim: ClaimId, tombstone: &Tombstone, us: &Us) -> Outcome {
        self.held_and_unchanged(claim, us)?;
        let (new, gone) = (self.place.successor(), self.place.gone());
        self.durable = None;
        let write = || {
            disk::remove(&new)?;
            let file = disk::create_private(&new)?;
            let line = tombstone.to_saved();
            disk::write_and_sync(&file, line.as_bytes())?;
            fs::rename(&new, &gone)?;
            disk::sync_folder_of(&gone)?;
            // From here on the grant is forgotten, also after a crash.
            disk::remove(&self.place.file)?;
            Ok(Identity::of(line.as_bytes(), &file.metadata()?))
        };
        let identity = write().map_err(|error: io::Error| cannot("forget", &self.place.file, &error))?;
        self.durable = Some(identity);
        if let Some(held) = self.held.take() {
            self.clear(&held, Leftovers::Remove);
            let _ = disk::sync_folder_of(&gone);
        }
        Ok(StoreOutcome::Done)
    }

    /// Deals with what lies beside the record. What cannot be removed or renamed is returned by the next claim, which
    /// does no harm: it names its parent.
    fn clear(&self, held: &Held, leftovers: Leftovers) {
        for path in &held.spools {
            let blank = || disk::read(path).is_ok_and(|content| content.is_none_or(|content| content.is_blank()));
            if leftovers == Leftovers::Remove || blank() {
                let _ = disk::remove(path);
            } else if leftovers == Leftovers::SetAside {
                let _ = leftover::move_aside(path, &self.place.answer(held.generation));
            }
        }
        if leftovers == Leftovers::Remove {
            let before = held.generation.checked_sub(1);
            for path in before.into_iter().chain([held.generation]).flat_map(|it| self.place.answers(it)) {
                let _ = disk::remove(&path);
            }
        }
        if leftovers != Leftovers::Leave && !held.stashes.is_empty() {
            for path in &held.stashes {
                let _ = disk::remove(path);
            }
            // It stays while another login waits in it.
            let _ = fs::remove_dir(self.place.logins());
        }
    }

    /// Runs an operation that the record judges, and not the claim: under the lock, whoever of this process holds it.
    fn locked(&mut self, us: &Us, work: impl FnOnce(&mut Self, Found) -> Outcome) -> Outcome {
        if self.held.as_ref().is_some_and(|held| !held.lock.excludes(&self.place.lock())) {
            self.held = None;
        }
        if self.held.is_some() {
            self.write_again_if_suspect()?;
            let known = self.held.as_ref().and_then(|held| held.known.as_ref());
            let found = Found::again(&self.place, us, known)?;
            self.make_durable(&found)?;
            return work(self, found);
        }
        let lock_path = self.place.lock();
        let Some(_lock) = Lock::take(&lock_path, us, Duration::ZERO)? else {
            let message = format!("{} is in use by another process", self.place.file.display());
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        };
        us.ask(&self.place.probe())?;
        let (found, ..) = self.look(us)?;
        work(self, found)
    }

    /// Fails if the claim has run out, or if somebody who does not know the lock has replaced the file since.
    fn held_and_unchanged(&mut self, claim: ClaimId, us: &Us) -> Result<Found, StoreError> {
        let Some(held) = self.held.as_ref().filter(|held| held.claim == claim) else { return Err(claim_lost()) };
        if !held.lock.excludes(&self.place.lock()) {
            self.held = None;
            return Err(claim_lost());
        }
        let found = Found::again(&self.place, us, held.known.as_ref())?;
        if !is_same_content(found.file, held.known.as_ref().map(|known| known.content)) {
            self.held = None;
            let message = format!("{} was replaced by another program", self.place.file.display());
            return Err(StoreError::new(StoreErrorKind::ClaimLost, message));
        }
        Ok(found)
    }
}

fn is_same_content(one: Option<Identity>, other: Option<Identity>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.has_content_of(&other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn generation_of(stored: &Stored) -> u64 {
    match stored {
        Stored::Nothing => 0,
        Stored::Grant(record) => record.generation,
        Stored::Tombstone(tombstone) => tombstone.generation,
    }
}

pub(super) fn claim_lost() -> StoreError {
    StoreError::new(StoreErrorKind::ClaimLost, "the claim has run out")
}
