//! The lease store: a database that several hosts share.
//!
//! A claim is a lease by the database's clock. A commit is judged by its parent, never by the lease. A failover loses a
//! tail of what was committed; what each worker then does about that is part of the store (see [`Worker`]).

use std::collections::BTreeMap;

use restream_oauth_core::Tokens;
use restream_oauth_keeper::store::{ClaimId, Claimed, Leftovers, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Parent, Record, Spooled, Stored, Stray, Tombstone};

use crate::file_store::{Holder, add_stray, claim_lost, may_settle, superseded};
use crate::flaws::Flaw;
use crate::time::{SECOND, Time};

/// How long a claim lasts.
pub(crate) const LEASE: Time = 120 * SECOND;
/// How much of the newest changes a failover can lose.
pub(crate) const LONGEST_TAIL: Time = 5 * SECOND;
/// How long nobody claims anything after a failover.
const QUIET: Time = 10 * SECOND;

/// What the database holds of one grant.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) stored: Stored,
    claim: Option<(ClaimId, Holder, Time)>,
    /// Strays that were parked since the present claim: its holder does not know them.
    unseen: Vec<Stray>,
    /// The answers, and the claim under which each was spooled.
    pub(crate) spooled: Vec<(ClaimId, Spooled)>,
    /// How many of them the present claim returned.
    spooled_claimed: usize,
    pub(crate) logins: Vec<Tokens>,
    pub(crate) set_aside: Vec<Spooled>,
    logins_claimed: usize,
}

/// The database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) rows: Vec<Row>,
    /// Older versions of the rows that a failover can bring back, with the time until which they were valid.
    history: Vec<(Time, usize, Row)>,
    claims: u64,
    /// Nothing is executed until then.
    pub(crate) stalled_until: Time,
    quiet_until: Time,
    lease: Time,
}

impl Database {
    pub(crate) fn new(grants: usize, lease: Time) -> Self {
        Self {
            rows: vec![Row::empty(); grants],
            history: Vec::new(),
            claims: 0,
            stalled_until: 0,
            quiet_until: 0,
            lease,
        }
    }

    /// Executes an operation, in one transaction.
    pub(crate) fn execute(&mut self, holder: Holder, grant: usize, op: StoreOp, flaw: Flaw, now: Time) -> StoreOutcome {
        if !matches!(op, StoreOp::Read) {
            self.history.retain(|(until, ..)| until + LONGEST_TAIL >= now);
            self.history.push((now, grant, self.rows[grant].clone()));
        }
        let claimed = self.claims + 1;
        let (quiet, lease) = (now < self.quiet_until, self.lease);
        let row = &mut self.rows[grant];
        match op {
            StoreOp::Read => StoreOutcome::Read {
                stored: row.stored.clone(),
                left: !row.spooled.is_empty() || !row.logins.is_empty(),
            },
            StoreOp::Claim if quiet || row.is_claimed(now) && flaw != Flaw::LockIsIgnored => StoreOutcome::Busy,
            StoreOp::Claim => {
                self.claims = claimed;
                let claim = ClaimId(claimed);
                row.claim = Some((claim, holder, now + lease));
                row.logins_claimed = row.logins.len();
                row.spooled_claimed = row.spooled.len();
                row.unseen.clear();
                StoreOutcome::Claimed(Claimed {
                    claim,
                    stored: row.stored.clone(),
                    spooled: row.spooled.iter().map(|(_, answer)| answer.clone()).collect(),
                    logins: row.logins.clone(),
                    warnings: Vec::new(),
                })
            }
            // A late commit may have come since the claim: then the mark would put the older pair back.
            StoreOp::Prepare { claim, record } => match &row.stored {
                Stored::Grant(stored) if row.holds(claim, now) && !stored.is_parent(&record.parent()) => {
                    superseded(Ok(row.stored.clone()))
                }
                _ => row.held(claim, now, |row| row.replace(record)),
            },
            // The answer may come after the lease has run out; it is kept all the same.
            StoreOp::Spool { claim, answer } => {
                row.spooled.push((claim, answer));
                StoreOutcome::Done
            }
            StoreOp::Commit { claim, .. } if flaw == Flaw::FenceOnCommit && !row.holds(claim, now) => {
                StoreOutcome::Superseded(row.stored.clone())
            }
            StoreOp::Commit { claim: _, parent, record } => match &row.stored {
                Stored::Grant(stored) if stored.is_parent(&parent) => {
                    row.replace(record);
                    StoreOutcome::Done
                }
                other => superseded(Ok(other.clone())),
            },
            StoreOp::Park { parent, tokens } => row.park(&parent, *tokens),
            StoreOp::Stash { tokens } => {
                row.logins.push(*tokens);
                StoreOutcome::Done
            }
            StoreOp::Insert { claim, record } => row.held(claim, now, |row| row.stored = Stored::Grant(record)),
            StoreOp::Settle { claim, record, leftovers } => {
                let mut outcome = StoreOutcome::Done;
                if let Some(mut record) = record {
                    match &row.stored {
                        Stored::Grant(stored) if may_settle(stored, &record, row.holds(claim, now)) => {
                            if !row.holds(claim, now) {
                                // What was parked under later claims is known to their holders alone.
                                for stray in &stored.strays {
                                    add_stray(&mut record, stray.clone());
                                }
                            }
                            row.replace(record);
                        }
                        Stored::Grant(stored) if stored.is_parent(&record.parent()) => outcome = claim_lost(),
                        other => outcome = superseded(Ok(other.clone())),
                    }
                }
                if row.holds(claim, now) || flaw == Flaw::ForeignRelease {
                    row.deal_with_leftovers(claim, leftovers);
                    row.claim = None;
                }
                outcome
            }
            StoreOp::Forget { claim, tombstone } => row.held(claim, now, |row| {
                // A login that was stashed after the claim is the next one, and stays.
                row.deal_with_leftovers(claim, Leftovers::Remove);
                row.stored = Stored::Tombstone(tombstone);
                row.claim = None;
            }),
            _ => StoreOutcome::Failed(StoreError::new(
                StoreErrorKind::Unavailable,
                "the database does not know this operation",
            )),
        }
    }

    /// The primary dies, and a standby takes over that lacks the changes of the last `tail`.
    pub(crate) fn fail_over(&mut self, tail: Time, now: Time) {
        for (until, grant, row) in std::mem::take(&mut self.history).into_iter().rev() {
            if until + tail >= now {
                self.rows[grant] = row;
            }
        }
        self.quiet_until = now + QUIET;
    }
}

impl Row {
    fn empty() -> Self {
        Self {
            stored: Stored::Nothing,
            claim: None,
            unseen: Vec::new(),
            spooled: Vec::new(),
            spooled_claimed: 0,
            logins: Vec::new(),
            set_aside: Vec::new(),
            logins_claimed: 0,
        }
    }

    fn is_claimed(&self, now: Time) -> bool {
        self.claim.is_some_and(|(.., until)| now < until)
    }

    fn holds(&self, claim: ClaimId, now: Time) -> bool {
        self.claim.is_some_and(|(id, _, until)| id == claim && now < until)
    }

    /// Replaces the record, and keeps the strays that were parked since the claim: the writer does not know them.
    fn replace(&mut self, mut record: Box<Record>) {
        for stray in &self.unseen {
            add_stray(&mut record, stray.clone());
        }
        self.stored = Stored::Grant(record);
    }

    fn held(&mut self, claim: ClaimId, now: Time, work: impl FnOnce(&mut Self)) -> StoreOutcome {
        if !self.holds(claim, now) {
            return claim_lost();
        }
        work(self);
        StoreOutcome::Done
    }

    fn park(&mut self, parent: &Parent, tokens: Tokens) -> StoreOutcome {
        match &mut self.stored {
            Stored::Grant(record) if record.login == parent.login => {
                let stray = Stray { generation: parent.generation, tokens };
                if add_stray(record, stray.clone()) {
                    self.unseen.push(stray);
                }
                StoreOutcome::Done
            }
            other => superseded(Ok(other.clone())),
        }
    }

    /// Deals with what the claim returned, and with what its holder spooled since. What others spooled stays.
    fn deal_with_leftovers(&mut self, claim: ClaimId, leftovers: Leftovers) {
        if leftovers == Leftovers::Leave {
            return;
        }
        let returned = self.spooled_claimed.min(self.spooled.len());
        let since = self.spooled.split_off(returned);
        let (own, others) = since.into_iter().partition::<Vec<_>, _>(|(spooled_under, _)| *spooled_under == claim);
        let mine = std::mem::replace(&mut self.spooled, others).into_iter().chain(own).map(|(_, answer)| answer);
        if leftovers == Leftovers::SetAside {
            self.set_aside.extend(mine);
        } else {
            self.set_aside.clear();
        }
        self.spooled_claimed = 0;
        self.logins.drain(..self.logins_claimed.min(self.logins.len()));
        self.logins_claimed = 0;
    }
}

/// What the store's part in one process remembers, so that it can mend the database after a failover: it commits again
/// what it holds, and puts claim and doubt back on the rows for which its requests still fly.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// The newest record of each grant that this process committed, marked or inserted, or the tombstone that it left.
    held: BTreeMap<usize, Stored>,
    /// The claims of this process.
    claims: BTreeMap<usize, ClaimId>,
    parked: Vec<(usize, Parent, Tokens)>,
    /// The logins of the last seconds.
    stashed: Vec<(Time, usize, Tokens)>,
}

impl Worker {
    /// Notes an operation that was executed.
    pub(crate) fn note(&mut self, grant: usize, op: &StoreOp, outcome: &StoreOutcome, flaw: Flaw, now: Time) {
        self.stashed.retain(|(at, ..)| at + LONGEST_TAIL + SECOND >= now);
        if let StoreOutcome::Claimed(claimed) = outcome {
            self.claims.insert(grant, claimed.claim);
        }
        let seen = match outcome {
            StoreOutcome::Read { stored, .. } | StoreOutcome::Superseded(stored) => Some(stored),
            StoreOutcome::Claimed(claimed) => Some(&claimed.stored),
            _ => None,
        };
        // A pair is kept until a successor was seen.
        match seen {
            Some(Stored::Grant(record))
                if self.held.get(&grant).and_then(generation).is_some_and(|it| it < record.generation) =>
            {
                self.held.remove(&grant);
            }
            Some(Stored::Tombstone(_)) => {
                self.held.retain(|of, held| *of != grant || held.record().is_none());
                self.parked.retain(|(of, ..)| *of != grant);
            }
            _ => {}
        }
        match (op, outcome) {
            (
                StoreOp::Prepare { record, .. }
                | StoreOp::Commit { record, .. }
                | StoreOp::Insert { record, .. }
                | StoreOp::Settle { record: Some(record), .. },
                StoreOutcome::Done,
            ) => {
                self.held.insert(grant, Stored::Grant(record.clone()));
            }
            (StoreOp::Park { parent, tokens }, StoreOutcome::Done) => {
                self.parked.push((grant, *parent, (**tokens).clone()));
            }
            (StoreOp::Stash { tokens }, StoreOutcome::Done) => self.stashed.push((now, grant, (**tokens).clone())),
            (StoreOp::Forget { tombstone, .. }, StoreOutcome::Done) => {
                self.held.remove(&grant);
                if flaw != Flaw::LogoutIsNotHeld {
                    self.held.insert(grant, Stored::Tombstone(*tombstone));
                }
                self.parked.retain(|(of, ..)| *of != grant);
            }
            _ => {}
        }
        if matches!(op, StoreOp::Settle { .. } | StoreOp::Forget { .. })
            && matches!(outcome, StoreOutcome::Done | StoreOutcome::Superseded(_))
        {
            self.claims.remove(&grant);
        }
        if matches!(op, StoreOp::Insert { .. }) && matches!(outcome, StoreOutcome::Done) {
            self.stashed.retain(|(_, of, _)| *of != grant);
        }
    }

    /// Mends the database after a failover.
    pub(crate) fn mend(&self, database: &mut Database, holder: Holder, now: Time) {
        for (&grant, held) in &self.held {
            let row = &mut database.rows[grant];
            match held {
                Stored::Grant(record) if is_older(&row.stored, record) => row.stored = held.clone(),
                // A later pair stays, and so does another login: it may be a later one.
                Stored::Tombstone(tombstone) if is_ended_by(&row.stored, tombstone) => {
                    *row = Row { stored: held.clone(), logins: std::mem::take(&mut row.logins), ..Row::empty() };
                }
                _ => {}
            }
        }
        for (&grant, &claim) in &self.claims {
            let lease = database.lease;
            let row = &mut database.rows[grant];
            // Only if nobody has sent since: a worker may have slept through the failover, and through what came after.
            let held = self.held.get(&grant).and_then(Stored::record);
            let (Some(stored), Some(held)) = (row.stored.record(), held) else { continue };
            let mine = stored.is_parent(&held.parent()) && stored.requests == held.requests;
            // A claim that came back with an older row was released since.
            if mine && row.claim.is_none_or(|(id, _, until)| until <= now || id.0 < claim.0) {
                row.claim = Some((claim, holder, now + lease));
            }
        }
        for (grant, parent, tokens) in &self.parked {
            database.rows[*grant].park(parent, tokens.clone());
        }
        let recent = self.stashed.iter().filter(|(at, ..)| at + QUIET + LONGEST_TAIL >= now);
        for (_, grant, tokens) in recent {
            let row = &mut database.rows[*grant];
            let known = row.logins.contains(tokens) || row.stored.record().is_some_and(|it| it.tokens == *tokens);
            if !known {
                row.logins.push(tokens.clone());
            }
        }
    }
}

fn generation(stored: &Stored) -> Option<u64> {
    match stored {
        Stored::Nothing => None,
        Stored::Grant(record) => Some(record.generation),
        Stored::Tombstone(tombstone) => Some(tombstone.generation),
    }
}

/// True if the database lacks this record.
fn is_older(stored: &Stored, held: &Record) -> bool {
    match stored {
        Stored::Grant(stored) if stored.is_parent(&held.parent()) => stored.requests < held.requests,
        other => generation(other).is_none_or(|generation| generation < held.generation),
    }
}

/// True if the database lacks this tombstone.
fn is_ended_by(stored: &Stored, held: &Tombstone) -> bool {
    match stored {
        Stored::Nothing => true,
        Stored::Grant(stored) => stored.login == held.login && stored.generation <= held.generation,
        Stored::Tombstone(stored) => stored.generation < held.generation,
    }
}
