//! [`Row`]: everything that a store keeps of one grant, and what each operation does to it.

use std::fmt;
use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;

use crate::operation::{ClaimId, Claimed, Leftovers, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use crate::record::{Record, Stored, Stray};
use crate::spooled::Spooled;

/// Everything that a store keeps of one grant, and the rules of the operations. It does no I/O.
///
/// With it, any database that has transactions becomes a store: read the row's saved form, execute the operation, write
/// the saved form back, commit. A database that is shared by several machines gives the operations its own time.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use restream_oauth_keeper::store::{Row, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
///
/// /// Longer than a request (75 seconds) and what is stored after it.
/// const LEASE: Duration = Duration::from_secs(120);
///
/// fn in_a_transaction(text: &mut String, op: StoreOp, now: SystemTime) -> StoreOutcome {
///     let mut row = match Row::from_saved(&*text) {
///         Ok(row) => row,
///         Err(error) => {
///             let kind = StoreErrorKind::Document(error);
///             return StoreOutcome::Failed(StoreError::new(kind, "the row cannot be read"));
///         }
///     };
///     let outcome = row.execute_leased(op, now, LEASE);
///     *text = row.to_saved().to_string();
///     outcome
/// }
///
/// let mut text = Row::default().to_saved().to_string();
/// assert!(matches!(in_a_transaction(&mut text, StoreOp::Claim, SystemTime::now()), StoreOutcome::Claimed(_)));
/// assert!(matches!(in_a_transaction(&mut text, StoreOp::Claim, SystemTime::now()), StoreOutcome::Busy));
/// ```
///
/// Its `Debug` shows no token.
#[derive(PartialEq, Eq)]
pub struct Row {
    pub(super) stored: Stored,
    pub(super) claim: Option<Lease>,
    /// How many claims there have been, so that each has a number of its own.
    pub(super) claims: u64,
    pub(super) spooled: Vec<Spooled>,
    pub(super) logins: Vec<Tokens>,
    /// How many of the logins the present claim returned.
    pub(super) logins_claimed: usize,
    pub(super) set_aside: Vec<Spooled>,
    /// What was parked since the present claim, whose holder does not know of it.
    pub(super) parked: Vec<Stray>,
}

/// A claim, and when it ends if nobody releases it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) id: ClaimId,
    pub(super) until: Option<SystemTime>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            stored: Stored::Nothing,
            claim: None,
            claims: 0,
            spooled: Vec::new(),
            logins: Vec::new(),
            logins_claimed: 0,
            set_aside: Vec::new(),
            parked: Vec::new(),
        }
    }
}

impl Row {
    /// Executes an operation. A claim lasts until it is released.
    pub fn execute(&mut self, op: StoreOp) -> StoreOutcome {
        self.execute_until(op, None)
    }

    /// Executes an operation. A claim that nobody releases lasts for `lease`: its process died, or hangs.
    ///
    /// `now` must come from one clock for all processes, so take the database's. `lease` must be longer than the longest
    /// request and what follows it: 120 seconds, with the default policy.
    pub fn execute_leased(&mut self, op: StoreOp, now: SystemTime, lease: Duration) -> StoreOutcome {
        let is_over = |claim: &mut Lease| claim.until.is_some_and(|until| until <= now);
        if op == StoreOp::Claim {
            self.claim.take_if(is_over);
        }
        self.execute_until(op, now.checked_add(lease))
    }

    /// The record or tombstone.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// What an operation would store, if it is not what is stored already.
    pub(super) fn preview(&self, op: &StoreOp) -> Option<Stored> {
        let mut copy =
            Self { stored: self.stored.clone(), claim: self.claim, parked: self.parked.clone(), ..Self::default() };
        copy.execute(op.clone());
        (copy.stored != self.stored).then_some(copy.stored)
    }

    fn execute_until(&mut self, op: StoreOp, until: Option<SystemTime>) -> StoreOutcome {
        match op {
            StoreOp::Read => StoreOutcome::Read {
                stored: self.stored.clone(),
                left: !self.spooled.is_empty() || !self.logins.is_empty(),
            },
            StoreOp::Claim => self.claim(until),
            StoreOp::Prepare { claim, record } if self.holds(claim) && !self.stored.is_same_pair(&record) => {
                StoreOutcome::Superseded(self.stored.clone())
            }
            StoreOp::Prepare { claim, record } => self.held(claim, |row| row.put(record)),
            StoreOp::Spool { claim, answer } => self.held(claim, |row| row.spooled.push(answer)),
            StoreOp::Commit { claim: _, parent, record } => match &self.stored {
                Stored::Grant(stored) if stored.is_parent(&parent) => {
                    self.put(record);
                    StoreOutcome::Done
                }
                other => StoreOutcome::Superseded(other.clone()),
            },
            StoreOp::Park { parent, tokens } => match &mut self.stored {
                Stored::Grant(record) if record.login == parent.login => {
                    if record.tokens != *tokens && record.strays.iter().all(|stray| stray.tokens != *tokens) {
                        let stray = Stray { generation: parent.generation, tokens: *tokens };
                        record.strays.push(stray.clone());
                        self.parked.push(stray);
                    }
                    StoreOutcome::Done
                }
                other => StoreOutcome::Superseded(other.clone()),
            },
            StoreOp::Stash { tokens } => {
                self.logins.push(*tokens);
                StoreOutcome::Done
            }
            StoreOp::Insert { claim, record } => self.held(claim, |row| row.stored = Stored::Grant(record)),
            StoreOp::Settle { claim, record, leftovers } => self.settle(claim, record, leftovers),
            StoreOp::Forget { claim, tombstone } => self.held(claim, |row| {
                row.stored = Stored::Tombstone(tombstone);
                row.release(claim, Leftovers::Remove);
            }),
        }
    }

    /// Replaces the record. Keeps the strays that its writer does not know of.
    fn put(&mut self, mut record: Box<Record>) {
        for stray in &self.parked {
            if stray.tokens != record.tokens && !record.strays.contains(stray) {
                record.strays.push(stray.clone());
            }
        }
        self.stored = Stored::Grant(record);
    }

    fn claim(&mut self, until: Option<SystemTime>) -> StoreOutcome {
        if self.claim.is_some() {
            return StoreOutcome::Busy;
        }
        self.claims = self.claims.saturating_add(1);
        let claim = ClaimId(self.claims);
        self.claim = Some(Lease { id: claim, until });
        self.logins_claimed = self.logins.len();
        self.parked.clear();
        StoreOutcome::Claimed(Claimed {
            claim,
            stored: self.stored.clone(),
            spooled: self.spooled.clone(),
            logins: self.logins.clone(),
            warnings: Vec::new(),
        })
    }

    fn settle(&mut self, claim: ClaimId, record: Option<Box<Record>>, leftovers: Leftovers) -> StoreOutcome {
        let mut outcome = StoreOutcome::Done;
        if let Some(mut record) = record {
            match &self.stored {
                Stored::Grant(stored)
                    if !self.holds(claim)
                        && stored.is_parent(&record.parent())
                        && (record.doubt.is_none() || record.requests < stored.requests) =>
                {
                    return claim_lost();
                }
                Stored::Grant(stored) if stored.is_parent(&record.parent()) => {
                    if !self.holds(claim) {
                        // What was parked before the present claim is known to its holder alone.
                        record.keep_strays_of(stored);
                    }
                    self.put(record);
                }
                other => outcome = StoreOutcome::Superseded(other.clone()),
            }
        }
        self.release(claim, leftovers);
        outcome
    }

    /// Leaves a claim of somebody else alone.
    fn release(&mut self, claim: ClaimId, leftovers: Leftovers) {
        if self.holds(claim) {
            match leftovers {
                Leftovers::Remove => {
                    self.spooled.clear();
                    self.set_aside.clear();
                }
                Leftovers::SetAside => self.set_aside.append(&mut self.spooled),
                Leftovers::Leave => {}
            }
            if leftovers != Leftovers::Leave {
                self.logins.drain(..self.logins_claimed.min(self.logins.len()));
            }
            self.claim = None;
        }
    }

    fn held(&mut self, claim: ClaimId, work: impl FnOnce(&mut Self)) -> StoreOutcome {
        if !self.holds(claim) {
            return claim_lost();
        }
        work(self);
        StoreOutcome::Done
    }

    fn holds(&self, claim: ClaimId) -> bool {
        self.claim.is_some_and(|lease| lease.id == claim)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("stored", &self.stored).field("claim", &self.claim).finish_non_exhaustive()
    }
}

fn claim_lost() -> StoreOutcome {
    StoreOutcome::Failed(StoreError::new(StoreErrorKind::ClaimLost, "the claim has run out"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Doubt;
    use crate::testing::tokens;

    const LEASE: Duration = Duration::from_secs(120);

    fn claim(row: &mut Row, now: SystemTime) -> ClaimId {
        match row.execute_leased(StoreOp::Claim, now, LEASE) {
            StoreOutcome::Claimed(claimed) => claimed.claim,
            other => panic!("{other:?}"),
        }
    }

    /// A process sleeps through its lease. Meanwhile others park a pair, and claim the grant once more.
    #[test]
    fn a_late_settle_keeps_the_strays_that_were_parked_before_the_present_claim() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut row = Row::default();
        let record = Box::new(Record::of_login(tokens("a0", "r0"), at(3000)));
        let first = claim(&mut row, at(0));
        row.execute_leased(StoreOp::Insert { claim: first, record: record.clone() }, at(0), LEASE);
        let release = |claim| StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave };
        row.execute_leased(release(first), at(0), LEASE);

        let late = claim(&mut row, at(1));
        let second = claim(&mut row, at(200));
        let park = StoreOp::Park { parent: record.parent(), tokens: Box::new(tokens("late", "late")) };
        assert!(matches!(row.execute_leased(park, at(200), LEASE), StoreOutcome::Done));
        row.execute_leased(release(second), at(200), LEASE);
        claim(&mut row, at(201));

        let doubt =
            Doubt { since: at(1), sends: 1, in_flight: false, ended: Some(at(202)), witnessed: false, forwarded: None };
        let marked = Box::new(Record { doubt: Some(doubt), requests: 1, ..*record });
        let settle = StoreOp::Settle { claim: late, record: Some(marked), leftovers: Leftovers::SetAside };
        assert!(matches!(row.execute_leased(settle, at(202), LEASE), StoreOutcome::Done));
        let stored = row.stored.record().unwrap();
        assert!(stored.doubt.is_some());
        assert_eq!(stored.strays.len(), 1, "the late pair is still there");
    }
}
