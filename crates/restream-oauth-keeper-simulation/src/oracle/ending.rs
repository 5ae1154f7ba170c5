//! The judgement at the end of a run, and what is counted of it: I8, I9, I12.

use super::{Check, Oracle};
use crate::file_store::Holder;
use crate::server::{End, FamilyId, PairId, Server};
use crate::storage::Storage;
use crate::time::{SECOND, Time};

/// Five minutes and a lease.
const SOON: Time = 420_000;
/// A run with so many grants is judged by itself.
const MANY: usize = 100;
/// How many requests a process sends in a second, if it is not told otherwise.
const RATE: Time = 20;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) refreshes: u64,
    pub(crate) rotations: u64,
    /// Grants that were lost because the new refresh token reached no surviving process.
    pub(crate) eaten: u64,
    /// Grants that were lost although it had.
    pub(crate) avoidable: u64,
    /// Grants that a family server ended because of a late or suspended request.
    pub(crate) ended_by_server: u64,
    /// Grants that were fresh in time after the healing; those that took longer because a server had asked to wait, or
    /// because the schedule of the replays was over; and the others that took longer.
    pub(crate) fresh: u64,
    pub(crate) held_up: u64,
    pub(crate) late: u64,
}

impl Oracle {
    /// Judges what the run has left.
    pub(crate) fn end(&mut self, server: &Server, storage: &Storage, now: Time) {
        self.is_fresh_soon(now, storage);
        for grant in 0..self.grants.len() {
            let view = &self.grants[grant];
            // Hundreds of grants in one run would outweigh all others. If nobody asks at first, nobody sees what is fresh.
            match view.fresh_after_heal.filter(|_| self.grants.len() < MANY && !self.nobody_asks) {
                Some(after) if after <= SOON => self.tally.fresh += 1,
                Some(_) if view.is_held_up => self.tally.held_up += 1,
                Some(_) => self.tally.late += 1,
                None => {}
            }
            let durable = storage.durable(grant);
            let Some(family) = durable.login.and_then(|login| self.family_of(login)) else { continue };
            if self.is_arriving(server, family) {
                continue;
            }
            let held = durable.pairs_of_record();
            if let Some(pair) = self.dropped(server, family).filter(|_| !durable.has_tombstone) {
                let message = format!("rt-{pair} of grant {grant} lives, came late, and was never in a record");
                self.violate(now, Check::I12, message);
            } else if durable.has_tombstone {
                if let Some(pair) = self.surviving(server, family) {
                    let message = format!("grant {grant} was logged out, and rt-{pair} lives on");
                    self.violate(now, Check::I9, message);
                }
            } else if let Some(pair) = self.surviving(server, family).filter(|pair| !held.contains(pair)) {
                let known = durable.spooled.iter().any(|it| self.answers.get(it.answer.as_str()) == Some(&pair));
                let check = if durable.record.is_some_and(|it| it.death.is_some()) { Check::I8 } else { Check::I12 };
                let message = format!(
                    "rt-{pair} of grant {grant} lives and had reached a process, and the record does not hold it{}",
                    if known { " (an answer that holds it is in the store)" } else { "" }
                );
                self.violate(now, check, message);
            } else if durable
                .record
                .is_some_and(|it| it.death.is_some() && held.iter().any(|it| server.is_unspent(*it)))
            {
                let message = format!("grant {grant} is called dead, and the store holds a refresh token that lives");
                self.violate(now, Check::I8, message);
            }
        }
    }

    /// I7, in a run with many grants: whether 99 % of those that live were fresh in time after the healing. Less than a
    /// hundred grants have no such share, so those of the other runs are judged together.
    fn is_fresh_soon(&mut self, now: Time, storage: &Storage) {
        let all = self.grants.len();
        if all < MANY {
            return;
        }
        let soon = SOON + all as Time * SECOND / RATE;
        let lives = |grant: usize| storage.durable(grant).record.is_some_and(|record| record.death.is_none());
        let living: Vec<_> = (0..all).filter(|grant| lives(*grant)).map(|grant| &self.grants[grant]).collect();
        let is_late = |view: &super::Grant| view.fresh_after_heal.is_none_or(|after| after > soon) && !view.is_held_up;
        let (late, living) = (living.iter().filter(|view| is_late(view)).count(), living.len());
        if late * 100 > living {
            let message = format!("{late} of {living} grants were not fresh {} s after the faults", soon / SECOND);
            self.violate(now, Check::I7, message);
        }
    }

    /// A refresh token that lives and was never in a record, although a process that still runs has received it.
    ///
    /// The answer of a dead process whose parent was replaced meanwhile can be read by nobody: that takes the refresh token
    /// that was sent.
    fn dropped(&self, server: &Server, family: FamilyId) -> Option<PairId> {
        let runs = |reach: &super::Reach| !self.dead.contains(&(reach.holder.process, reach.holder.life));
        let mut pairs = server.families[family].pairs.iter().copied().filter(|pair| server.is_unspent(*pair));
        pairs.find(|pair| {
            let known = self.pairs.get(pair).filter(|known| !known.was_stored && !known.lost_by_failover);
            known.is_some_and(|known| known.reached.iter().any(|reach| runs(reach) && !reach.missed))
        })
    }

    /// True if the run ends while an answer is being spooled: the store has not said yet whether it is.
    fn is_arriving(&self, server: &Server, family: FamilyId) -> bool {
        let runs = |reach: &super::Reach| !self.dead.contains(&(reach.holder.process, reach.holder.life));
        let known = server.families[family].pairs.iter().filter_map(|pair| self.pairs.get(pair));
        known.flat_map(|known| &known.reached).any(|reach| runs(reach) && reach.is_cared_for && !reach.spool_ended)
    }

    /// A refresh token that lives, and that had reached a surviving process, if no other one of its family is held.
    fn surviving(&self, server: &Server, family: FamilyId) -> Option<PairId> {
        let pairs = server.families[family].pairs.iter().copied();
        pairs.rev().find(|pair| {
            server.pairs[*pair].refresh == *pair
                && server.is_unspent(*pair)
                && self.pairs.get(pair).is_some_and(super::Pair::survived)
        })
    }

    /// A process says that nothing is under way, and ends.
    pub(crate) fn idle(&mut self, now: Time, holder: Holder, server: &Server) {
        if let Some(pair) = self.held_alone(holder, server).first() {
            let message = format!("process {} says that it is idle, and it alone has rt-{pair}", holder.process);
            self.violate(now, Check::I8, message);
        }
    }

    /// A process is killed although it said that something is under way: it has to offer what it alone has.
    pub(crate) fn busy(&mut self, now: Time, holder: Holder, exports: &[bool], server: &Server) {
        let kept = self.held_alone(holder, server).into_iter().find(|pair| !exports[server.grant_of(*pair)]);
        let failed = |pair: PairId| self.grants[server.grant_of(pair)].store_failed.is_some();
        if let Some(pair) = kept.filter(|pair| failed(*pair) && !self.is_being_stored(*pair)) {
            let message = format!("process {} alone has rt-{pair}, and does not export it", holder.process);
            self.violate(now, Check::I8, message);
        }
    }

    /// The living pairs that came to this process and are nowhere durable.
    fn held_alone(&self, holder: Holder, server: &Server) -> Vec<PairId> {
        let alone = self.pairs.iter().filter(|(pair, known)| {
            let here = known.reached.iter().any(|it| it.holder == holder && !it.missed && it.died.is_none());
            here && !known.was_durable && server.is_unspent(**pair)
        });
        alone.map(|(pair, _)| *pair).collect()
    }

    /// The first attempt to store a pair may still be under way.
    fn is_being_stored(&self, pair: PairId) -> bool {
        self.pairs.get(&pair).is_some_and(|known| known.reached.iter().all(|it| !it.spool_ended))
    }

    /// A user has to log in again: was the loss avoidable? It was not if the process that has the living pair sleeps. Nobody
    /// else can read the answer then: that takes the refresh token that was sent, which is not in the record any more.
    pub(crate) fn lost(&mut self, now: Time, family: FamilyId, server: &Server, awake: &[bool]) {
        if !self.lost.insert(family) {
            return;
        }
        let sleeps = |pair: &super::Pair| {
            let holders = || pair.reached.iter().filter(|it| it.died.is_none());
            !pair.was_stored && holders().count() > 0 && holders().all(|it| !awake[it.holder.process])
        };
        let surviving = self.surviving(server, family);
        let surviving = surviving.filter(|pair| !self.pairs.get(pair).is_some_and(sleeps));
        match (server.families[family].ended, surviving) {
            (Some((_, End::Revoked | End::RevokedByClient)), _) => {}
            (Some((_, End::Reused)), _) => self.tally.ended_by_server += 1,
            (None, Some(pair)) => {
                self.tally.avoidable += 1;
                let grant = server.families[family].grant;
                let message = format!("grant {grant} is lost, though rt-{pair} lives and had reached a process");
                self.violate(now, Check::I8, message);
            }
            (None, None) => self.tally.eaten += 1,
        }
    }
}
