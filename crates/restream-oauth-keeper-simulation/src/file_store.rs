//! The file store: each operation is a list of small steps on a disk, so that a crash can come between any two of them.
//!
//! The order of the steps is the promise of the operation. A record is replaced by writing a file of another name,
//! syncing it, renaming it and syncing the folder. Room for an answer is a file that is filled and synced before the
//! request is sent, so that spooling is one write and one sync.

use std::collections::{BTreeMap, VecDeque};

use restream_oauth_keeper::store::{ClaimId, Claimed, Leftovers, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Record, Stored, Stray};

use crate::disk::{Content, Disk, Name, Part, Trouble};
use crate::flaws::Flaw;
use crate::time::Time;

/// A process in one of its lives: the holder of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) process: usize,
    pub(crate) life: u32,
}

#[derive(Debug)]
struct Lock {
    holder: Holder,
    claim: ClaimId,
    /// The leftovers that the claim returned, and the room that was made since.
    leftovers: Vec<Name>,
    room: Option<Name>,
    /// When the lock of a peer expires.
    lease: Option<Time>,
}

/// The store of the processes of one host.
#[derive(Debug, Default)]
pub(crate) struct FileStore {
    pub(crate) disk: Disk,
    locks: BTreeMap<usize, Lock>,
    numbers: u64,
}

/// What is left to do of an operation.
#[derive(Debug)]
pub(crate) struct Plan {
    steps: VecDeque<Step>,
    /// The operation releases the claim, whatever happens.
    releases: Option<ClaimId>,
    grant: usize,
}

#[derive(Debug)]
enum Step {
    Create(Name, Content),
    Overwrite(Name, Content),
    Sync(Name),
    SyncFolder,
    Rename(Name, Name),
    Remove(Name),
    GiveClaim(ClaimId),
    GiveStored,
    Release(ClaimId),
    End(StoreOutcome),
}

impl FileStore {
    /// Makes the list of steps of an operation.
    pub(crate) fn plan(&mut self, holder: Holder, grant: usize, op: StoreOp, flaw: Flaw) -> Plan {
        let mut plan = Plan { steps: VecDeque::new(), releases: None, grant };
        let steps = &mut plan.steps;
        let record_file = Name { grant, part: Part::Record };
        if let StoreOp::Commit { claim, .. } = &op {
            if !self.holds(grant, *claim)
                && flaw != Flaw::LockIsIgnored
                && !self.lock_for_now(holder, grant, &mut plan.releases)
            {
                steps.push_back(Step::End(held_by_another()));
                return plan;
            }
        }
        if matches!(op, StoreOp::Park { .. })
            && self.holder(grant) != Some(holder)
            && !self.lock_for_now(holder, grant, &mut plan.releases)
        {
            steps.push_back(Step::End(held_by_another()));
            return plan;
        }
        match op {
            StoreOp::Read => {
                if flaw != Flaw::VisibleIsDurable {
                    steps.extend([Step::Sync(record_file), Step::SyncFolder]);
                }
                steps.push_back(Step::GiveStored);
            }
            StoreOp::Claim => match self.locks.get(&grant) {
                Some(_) if flaw != Flaw::LockIsIgnored => steps.push_back(Step::End(StoreOutcome::Busy)),
                _ => {
                    let claim = ClaimId(self.number());
                    self.locks.insert(grant, Lock { holder, claim, leftovers: Vec::new(), room: None, lease: None });
                    if flaw != Flaw::VisibleIsDurable {
                        steps.extend([Step::Sync(record_file), Step::SyncFolder]);
                    }
                    steps.push_back(Step::GiveClaim(claim));
                }
            },
            StoreOp::Prepare { claim, record } => {
                if self.is_lost(grant, claim, flaw, steps) {
                    return plan;
                }
                let room = Name { grant, part: Part::Spool(self.number()) };
                if let Some(lock) = self.locks.get_mut(&grant) {
                    lock.room = Some(room);
                    lock.leftovers.push(room);
                }
                steps.push_back(Step::Create(room, Content::Blank));
                if flaw == Flaw::MarkIsNotSynced {
                    let temporary = Name { grant, part: Part::Temporary(self.number()) };
                    steps.extend([
                        Step::Sync(room),
                        Step::SyncFolder,
                        Step::Create(temporary, Content::Record(record)),
                        Step::Rename(temporary, record_file),
                    ]);
                } else {
                    self.replace(record_file, Content::Record(record), false, steps);
                    steps.extend([Step::Sync(room), Step::SyncFolder]);
                }
                steps.push_back(Step::End(StoreOutcome::Done));
            }
            StoreOp::Spool { claim, answer } => {
                if self.is_lost(grant, claim, flaw, steps) {
                    return plan;
                }
                if let Some(room) = self.locks.get(&grant).and_then(|lock| lock.room) {
                    steps.push_back(Step::Overwrite(room, Content::Spooled(Box::new(answer))));
                    if flaw != Flaw::SpoolIsNotSynced {
                        steps.push_back(Step::Sync(room));
                    }
                }
                steps.push_back(Step::End(StoreOutcome::Done));
            }
            StoreOp::Commit { claim: _, parent, record } => match self.stored(grant) {
                Ok(Stored::Grant(stored)) if stored.is_parent(&parent) => {
                    self.replace(record_file, Content::Record(record), flaw != Flaw::FolderIsNotSynced, steps);
                    steps.push_back(Step::End(StoreOutcome::Done));
                }
                other => steps.push_back(Step::End(superseded(other))),
            },
            StoreOp::Park { parent, tokens } => match self.stored(grant) {
                Ok(Stored::Grant(mut record)) if record.login == parent.login => {
                    if add_stray(&mut record, Stray { generation: parent.generation, tokens: *tokens }) {
                        self.replace(record_file, Content::Record(record), true, steps);
                    }
                    steps.push_back(Step::End(StoreOutcome::Done));
                }
                other => steps.push_back(Step::End(superseded(other))),
            },
            StoreOp::Stash { tokens } => {
                let stash = Name { grant, part: Part::Stash(self.number()) };
                steps.extend([
                    Step::Create(stash, Content::Login(tokens)),
                    Step::Sync(stash),
                    Step::SyncFolder,
                    Step::End(StoreOutcome::Done),
                ]);
            }
            StoreOp::Insert { claim, record } => {
                if self.is_lost(grant, claim, flaw, steps) {
                    return plan;
                }
                self.replace(record_file, Content::Record(record), flaw != Flaw::FolderIsNotSynced, steps);
                steps.push_back(Step::End(StoreOutcome::Done));
            }
            StoreOp::Settle { claim, record, leftovers } => {
                let mut outcome = StoreOutcome::Done;
                if let Some(record) = record {
                    match self.stored(grant) {
                        // Without its lock nobody writes a file.
                        Ok(Stored::Grant(stored)) if self.holds(grant, claim) && may_settle(&stored, &record, true) => {
                            self.replace(record_file, Content::Record(record), true, steps);
                        }
                        Ok(Stored::Grant(stored)) if stored.is_parent(&record.parent()) => outcome = claim_lost(),
                        other => outcome = superseded(other),
                    }
                }
                if self.holds(grant, claim) {
                    self.deal_with_leftovers(grant, leftovers, steps);
                }
                plan.releases = Some(claim);
                steps.extend([Step::Release(claim), Step::End(outcome)]);
            }
            StoreOp::Forget { claim, tombstone } => {
                if self.is_lost(grant, claim, flaw, steps) {
                    return plan;
                }
                let file = Name { grant, part: Part::Tombstone };
                self.replace(file, Content::Tombstone(tombstone), true, steps);
                // A login that was stashed after the claim is the next one, and stays.
                self.deal_with_leftovers(grant, Leftovers::Remove, steps);
                steps.push_back(Step::Remove(record_file));
                plan.releases = Some(claim);
                steps.extend([Step::SyncFolder, Step::Release(claim), Step::End(StoreOutcome::Done)]);
            }
            _ => steps.push_back(Step::End(StoreOutcome::Failed(StoreError::new(
                StoreErrorKind::Unavailable,
                "the file store does not know this operation",
            )))),
        }
        plan
    }

    /// Takes the lock for one operation, if nobody has it.
    fn lock_for_now(&mut self, holder: Holder, grant: usize, releases: &mut Option<ClaimId>) -> bool {
        if self.locks.contains_key(&grant) {
            return false;
        }
        let claim = ClaimId(self.number());
        self.locks.insert(grant, Lock { holder, claim, leftovers: Vec::new(), room: None, lease: None });
        *releases = Some(claim);
        true
    }

    /// Executes the next step. Returns the outcome after the last one.
    pub(crate) fn step(&mut self, plan: &mut Plan, now: Time) -> Option<StoreOutcome> {
        let grant = plan.grant;
        let result = match plan.steps.pop_front()? {
            Step::Create(name, content) => self.disk.create(name, content, now),
            Step::Overwrite(name, content) => self.disk.overwrite(name, content, now),
            Step::Sync(name) => self.disk.sync_file(name, now),
            Step::SyncFolder => self.disk.sync_folder(now),
            Step::Rename(from, to) => self.disk.rename(from, to, now),
            Step::Remove(name) => self.disk.remove(name, now),
            Step::GiveClaim(claim) => return Some(self.give_claim(grant, claim)),
            Step::GiveStored => return Some(self.read(grant)),
            Step::Release(claim) => {
                self.release(grant, claim);
                Ok(())
            }
            Step::End(outcome) => {
                if let Some(claim) = plan.releases {
                    self.release(grant, claim);
                }
                return Some(outcome);
            }
        };
        result.err().map(|trouble| {
            let claim = plan.steps.iter().find_map(|step| match step {
                Step::GiveClaim(claim) => Some(*claim),
                _ => None,
            });
            if let Some(claim) = plan.releases.or(claim) {
                self.release(grant, claim);
            }
            StoreOutcome::Failed(match trouble {
                Trouble::Full => StoreError::new(StoreErrorKind::NoRoom, "no space left on device"),
                Trouble::ReadOnly => StoreError::new(StoreErrorKind::ReadOnly, "read-only file system"),
                Trouble::Broken => StoreError::new(StoreErrorKind::Unavailable, "input/output error"),
            })
        })
    }

    /// A process is dead: the kernel closes its files, and with them its locks.
    pub(crate) fn release_all_of(&mut self, holder: Holder) {
        self.locks.retain(|_, lock| lock.holder != holder);
    }

    /// The power failed.
    pub(crate) fn lose_power(&mut self, random: &mut crate::random::Random) {
        self.locks.clear();
        self.disk.lose_power(random);
    }

    /// What programs see of a grant.
    pub(crate) fn stored(&self, grant: usize) -> Result<Stored, StoreError> {
        let read = |part| self.disk.read(Name { grant, part });
        stored(read(Part::Record), read(Part::Tombstone))
    }

    fn read(&self, grant: usize) -> StoreOutcome {
        let is_left = |part| matches!(part, Part::Spool(_) | Part::Stash(_) | Part::Temporary(_));
        let left = self.disk.files_of(grant).any(|(part, _)| is_left(part));
        self.stored(grant).map_or_else(StoreOutcome::Failed, |stored| StoreOutcome::Read { stored, left })
    }

    /// Who has the claim.
    pub(crate) fn holder(&self, grant: usize) -> Option<Holder> {
        self.locks.get(&grant).map(|lock| lock.holder)
    }

    /// Replaces the record, or removes everything, in one blow and without a claim. Only for faulty protocols.
    pub(crate) fn put(&mut self, grant: usize, record: Option<Box<Record>>) {
        let name = Name { grant, part: Part::Record };
        if let Some(record) = record {
            let _ = self.disk.create(name, Content::Record(record), Time::MAX);
            let _ = self.disk.sync_file(name, Time::MAX);
        } else {
            let names: Vec<_> = self.disk.files_of(grant).map(|(part, _)| Name { grant, part }).collect();
            for name in names {
                let _ = self.disk.remove(name, Time::MAX);
            }
        }
        let _ = self.disk.sync_folder(Time::MAX);
    }

    /// Takes the lock of a plain file, if it is free or its lease has run out. For peers.
    pub(crate) fn lock_plainly(&mut self, grant: usize, holder: Holder, lease: Option<Time>, now: Time) -> bool {
        let free = self.locks.get(&grant).is_none_or(|lock| lock.lease.is_some_and(|until| until <= now));
        if free {
            let claim = ClaimId(self.number());
            self.locks.insert(grant, Lock { holder, claim, leftovers: Vec::new(), room: None, lease });
        }
        free
    }

    /// Releases the lock of a plain file. Releases a lease even if another holder has it: nobody checks.
    pub(crate) fn unlock_plainly(&mut self, grant: usize, holder: Holder) {
        if self.locks.get(&grant).is_some_and(|lock| lock.holder == holder || lock.lease.is_some()) {
            self.locks.remove(&grant);
        }
    }

    fn give_claim(&mut self, grant: usize, claim: ClaimId) -> StoreOutcome {
        let stored = match self.stored(grant) {
            Ok(stored) => stored,
            Err(error) => {
                self.release(grant, claim);
                return StoreOutcome::Failed(error);
            }
        };
        let (mut spooled, mut logins, mut leftovers) = (Vec::new(), Vec::new(), Vec::new());
        for (part, content) in self.disk.files_of(grant) {
            match (part, content) {
                (Part::Spool(_), Content::Spooled(answer)) => spooled.push((**answer).clone()),
                (Part::Stash(_), Content::Login(tokens)) => logins.push((**tokens).clone()),
                (Part::Spool(_) | Part::Stash(_) | Part::Temporary(_), _) => {}
                (Part::Record | Part::Tombstone | Part::SetAside(_), _) => continue,
            }
            leftovers.push(Name { grant, part });
        }
        if let Some(lock) = self.locks.get_mut(&grant).filter(|lock| lock.claim == claim) {
            lock.leftovers = leftovers;
        }
        StoreOutcome::Claimed(Claimed { claim, stored, spooled, logins, warnings: Vec::new() })
    }

    fn deal_with_leftovers(&self, grant: usize, leftovers: Leftovers, steps: &mut VecDeque<Step>) {
        let names = self.locks.get(&grant).map_or(&[][..], |lock| &lock.leftovers);
        for &name in names {
            let blank = !matches!(self.disk.read(name), Some(Content::Spooled(_) | Content::Login(_)));
            match (leftovers, name.part) {
                (Leftovers::Remove, _) => steps.push_back(Step::Remove(name)),
                (Leftovers::SetAside, Part::Spool(number)) if !blank => {
                    steps.push_back(Step::Rename(name, Name { grant, part: Part::SetAside(number) }));
                }
                (Leftovers::SetAside, Part::Stash(_)) => steps.push_back(Step::Remove(name)),
                _ if blank => steps.push_back(Step::Remove(name)),
                _ => {}
            }
        }
        if leftovers == Leftovers::Remove {
            let old = self.disk.files_of(grant).filter(|(part, _)| matches!(part, Part::SetAside(_)));
            steps.extend(old.map(|(part, _)| Step::Remove(Name { grant, part })));
        }
    }

    fn replace(&mut self, name: Name, content: Content, sync_folder: bool, steps: &mut VecDeque<Step>) {
        let temporary = Name { grant: name.grant, part: Part::Temporary(self.number()) };
        steps.extend([Step::Create(temporary, content), Step::Sync(temporary), Step::Rename(temporary, name)]);
        if sync_folder {
            steps.push_back(Step::SyncFolder);
        }
    }

    fn holds(&self, grant: usize, claim: ClaimId) -> bool {
        self.locks.get(&grant).is_some_and(|lock| lock.claim == claim)
    }

    fn is_lost(&self, grant: usize, claim: ClaimId, flaw: Flaw, steps: &mut VecDeque<Step>) -> bool {
        let lost = !self.holds(grant, claim) && flaw != Flaw::LockIsIgnored;
        if lost {
            steps.push_back(Step::End(claim_lost()));
        }
        lost
    }

    fn release(&mut self, grant: usize, claim: ClaimId) {
        if self.holds(grant, claim) {
            self.locks.remove(&grant);
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

/// Whether a record may be settled: it is judged by its parent, and not by the claim. But a claim that is not held any
/// more may have been followed by one that has sent more, or has buried the grant. So it may only add to a doubt.
pub(crate) fn may_settle(stored: &Record, record: &Record, is_held: bool) -> bool {
    let adds = record.doubt.is_some() && record.requests >= stored.requests;
    stored.is_parent(&record.parent()) && (is_held || adds)
}

/// What is stored, by the files of the record and of the tombstone.
pub(crate) fn stored(record: Option<&Content>, tombstone: Option<&Content>) -> Result<Stored, StoreError> {
    let tombstone = match tombstone {
        Some(Content::Tombstone(tombstone)) => Some(*tombstone),
        _ => None,
    };
    match (record, tombstone) {
        (Some(Content::Record(record)), Some(tombstone)) if record.login == tombstone.login => {
            Ok(Stored::Tombstone(tombstone))
        }
        (Some(Content::Record(record)), _) => Ok(Stored::Grant(record.clone())),
        (None, Some(tombstone)) => Ok(Stored::Tombstone(tombstone)),
        (None, None) => Ok(Stored::Nothing),
        (Some(_), _) => Err(StoreError::new(
            StoreErrorKind::Document(restream_oauth_core::SavedError::NotJson),
            "the record is torn",
        )),
    }
}

pub(crate) fn claim_lost() -> StoreOutcome {
    StoreOutcome::Failed(StoreError::new(StoreErrorKind::ClaimLost, "the claim is not held any more"))
}

fn held_by_another() -> StoreOutcome {
    StoreOutcome::Failed(StoreError::new(StoreErrorKind::Unavailable, "another process has the lock"))
}

/// Adds a stray, unless the pair is there already.
pub(crate) fn add_stray(record: &mut Record, stray: Stray) -> bool {
    let known = record.tokens == stray.tokens || record.strays.iter().any(|it| it.tokens == stray.tokens);
    if !known {
        record.strays.push(stray);
    }
    !known
}

pub(crate) fn superseded(stored: Result<Stored, StoreError>) -> StoreOutcome {
    stored.map_or_else(StoreOutcome::Failed, StoreOutcome::Superseded)
}
