//! Checks at the moment at which a request is sent, and at which the server acts on it: I1, I2, I9, I10, I15.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Check, Oracle, Send};
use crate::file_store::Holder;
use crate::server::{End, FamilyId, PairId, Server, Verdict};
use crate::time::{HOUR, MINUTE, SECOND, Time};
use crate::world::{Ask, Connection};

/// How many grants of [`Setting::with_many`](crate::setting::Setting) may be put in doubt while the provider is silent.
/// Measured: 3 to 14 in 300 seeds with the right protocol; more than 20 in 399 of 400 if only requests that have ended
/// count.
const IN_SILENCE: usize = 20;

/// How many requests a process may repeat while all of them fail: so many at once, and so many in each second. The quota
/// gives one more for each request that succeeded, of which there is none.
const RETRIES: usize = 100;
const RETRIES_A_SECOND: usize = 2;

/// A doubt is as old as its mark. The first request leaves so much later, at the most.
const LONGEST_PREPARE: Time = 75 * SECOND;

/// What surrounds a request.
pub(crate) struct Around<'a> {
    pub(crate) server: &'a Server,
    pub(crate) connections: &'a BTreeMap<u64, Connection>,
    /// Whether each process is awake.
    pub(crate) awake: &'a [bool],
    /// When the host of each process last woke.
    pub(crate) woke: &'a [Time],
    /// The wall clock of the sender, and how often it has jumped.
    pub(crate) wall: SystemTime,
    pub(crate) jumps: u32,
}

impl Oracle {
    /// A program sends a request. `on_wire`: bytes of it may reach the server.
    pub(crate) fn sent(&mut self, now: Time, by: Holder, number: u64, ask: Ask, on_wire: bool, around: &Around<'_>) {
        let Ask::Refresh(pair) = ask else { return };
        let server = around.server;
        let family = server.pairs[pair].family;
        let grant = server.families[family].grant;
        let token = server.pairs[pair].refresh;
        if on_wire {
            self.tally.refreshes += 1;
        }
        if self.counts_only {
            return;
        }
        self.is_alone(now, by, family, around);
        self.count_retries(now, token);
        let record = self.prepared.get(&(by.process, grant)).filter(|(holder, _)| *holder == by);
        let Some((_, record)) = record else {
            self.violate(now, Check::I2, format!("rt-{token} is sent without a mark"));
            return;
        };
        let (record_login, record_generation) = (record.login, record.generation);
        let marked = record.doubt.map_or(0, |doubt| doubt.sends) as usize;
        let (is_dead, usable_until) = (record.death.is_some(), record.usable_until);
        let _ = usable_until;

        let before = self.sends.get(&token).map_or(0, |all| all.iter().filter(|send| !send.is_undone).count());
        let first = self.sends.get(&token).and_then(|all| all.first()).map(|send| send.at);
        let since = first.unwrap_or(now);
        let lost_memory = self.grants[grant].failover.is_some_and(|at| at >= since)
            || self.pairs.get(&token).is_some_and(|pair| pair.was_stray);
        if marked <= before && !lost_memory {
            let message = format!(
                "rt-{token} was sent {before} times with an unknown outcome, and the mark of this send says {marked}"
            );
            self.violate(now, Check::I2, message);
        }
        if let Some(at) = self.has_successor(token, server, around.awake).filter(|_| !lost_memory && before > 0) {
            let message = format!("rt-{token} is sent again, though process {at} has its successor in hand");
            self.violate(now, Check::I2, message);
        }
        if self.family_of(record_login) != Some(family) {
            self.violate(now, Check::I5, format!("rt-{token} of another login is sent"));
        }
        // A failover can lose the end of a logout, until the worker that ended it writes it again.
        if self.logged_out.get(&family).is_some_and(|at| self.grants[grant].failover.is_none_or(|lost| lost < *at)) {
            self.violate(now, Check::I9, format!("rt-{token} is sent after the logout"));
        }
        if is_dead {
            self.violate(now, Check::I10, format!("rt-{token} is sent after its grant was proven dead"));
        }
        let view = &self.grants[grant];
        if let Some((generation, until, jumps)) = view.promise {
            let planned = before == 0 && !view.may_be_early && jumps == around.jumps && !self.clocks_jumped;
            if planned && generation == record_generation && around.wall < until && view.failover.is_none() {
                let early = until.duration_since(around.wall).unwrap_or_default().as_secs();
                let message = format!("at-{token} was promised for {early} s more, and a refresh ends it");
                self.violate(now, Check::I15, message);
            }
        }
        if on_wire {
            self.sends.entry(token).or_default().push(Send { number, process: by.process, at: now, is_undone: false });
            self.count(now, token, server.life);
            if before == 0 {
                self.count_refusals(now, grant, token, server);
            }
            self.count_in_silence(now, grant);
        }
    }

    /// I1: no other connection of a running process carries a refresh of this family.
    fn is_alone(&mut self, now: Time, by: Holder, family: FamilyId, around: &Around<'_>) {
        let other = around.connections.values().find(|it| {
            let same = matches!(it.ask, Ask::Refresh(pair) if around.server.pairs[pair].family == family);
            // A request that was written before its host slept outlives the lease of its process.
            same && it.is_open && around.awake[it.holder.process] && around.woke[it.holder.process] < it.sent
        });
        if let Some(other) = other {
            let message = format!(
                "process {} sends a refresh while one of process {} is in flight",
                by.process, other.holder.process
            );
            self.violate(now, Check::I1, message);
        }
    }

    /// A process that runs and has the successor of a refresh token in hand, or in its store.
    fn has_successor(&self, token: PairId, server: &Server, awake: &[bool]) -> Option<usize> {
        let next = server.families[server.pairs[token].family].pairs.iter();
        next.filter(|pair| server.pairs[**pair].parent == Some(token) && server.pairs[**pair].refresh == **pair)
            .filter_map(|pair| self.pairs.get(pair))
            .flat_map(|pair| &pair.reached)
            .find(|reach| !reach.missed && !reach.late && reach.died.is_none() && awake[reach.holder.process])
            .map(|reach| reach.holder.process)
    }

    /// I10: how often a refresh token was sent. A doubt has eight sends in a quarter of an hour. Callers who find the access
    /// token expired bring some forward: nine sends in the first token life, two in each life after.
    fn count(&mut self, now: Time, token: PairId, life: Time) {
        let life = life.min(HOUR);
        let Some(sends) = self.sends.get(&token) else { return };
        let first = sends.first().map_or(now, |send| send.at);
        // One success closes a breaker, which only three grants can open. It may bring one more forward.
        let breaker = usize::from(self.grants.len() >= 3);
        // Where a wall clock was set, each process trusts its own when it learns of the doubt after its start: to say that the
        // next send is due, and that the doubt is old enough for one that a caller brings forward.
        let starts = self.deaths.iter().filter(|at| **at >= first).count();
        let trust = if self.clocks_jumped { 2 * (self.processes - 1 + starts) } else { 0 };
        let most = 9 + 2 * ((now - first + LONGEST_PREPARE) / life) as usize + breaker + trust;
        let minutes = (now - first) / MINUTE;
        let in_doubt = sends.iter().filter(|send| !send.is_undone).count();
        // A request that the server refused leaves the record as it was: it is counted apart, in each process.
        let own = |process: usize| sends.iter().filter(|send| send.is_undone && send.process == process).count();
        let refused = (0..self.processes).map(own).max().unwrap_or(0);
        if in_doubt > most {
            let message = format!("rt-{token} was sent {in_doubt} times in {minutes} minutes of doubt");
            self.violate(now, Check::I10, message);
        } else if refused > most {
            let message = format!("one process had rt-{token} refused {refused} times in {minutes} minutes");
            self.violate(now, Check::I10, message);
        }
    }

    /// I10: how often a refresh was sent because the API refused the token: two more than a doubt may have, by all processes
    /// together.
    fn count_refusals(&mut self, now: Time, grant: usize, token: PairId, server: &Server) {
        if !self.refused.contains(&token) {
            return;
        }
        let life = server.life.min(HOUR);
        let family = server.pairs[token].family;
        let view = &mut self.grants[grant];
        // A new login begins anew, as does a token that lived.
        let is_another = view.replaced_of.replace(family).is_some_and(|before| before != family);
        let replaced = &mut view.replaced_at;
        if is_another || replaced.last().is_some_and(|last| last + 2 * life < now) {
            replaced.clear();
        }
        replaced.push(now);
        let (count, first) = (replaced.len(), replaced[0]);
        // A wrong clock makes pairs that seem to be due at once, which ends the row of refused ones.
        let each = if self.clocks_jumped { self.processes } else { 1 };
        if count > (11 + 4 * ((now - first) / life) as usize) * each {
            let minutes = (now - first) / MINUTE;
            let message =
                format!("the API refused the tokens of grant {grant}, and {count} were replaced in {minutes} minutes");
            self.violate(now, Check::I10, message);
        }
    }

    /// I10: how many grants were put in doubt while the provider was silent.
    fn count_in_silence(&mut self, now: Time, grant: usize) {
        if now >= self.silent_until {
            return;
        }
        self.refreshed_in_silence.insert(grant);
        let grants = self.refreshed_in_silence.len();
        if grants > IN_SILENCE {
            self.violate(now, Check::I10, format!("{grants} grants were put in doubt while the provider was silent"));
        }
    }

    /// I10: how many refreshes the processes tried again while the provider could not be reached.
    fn count_retries(&mut self, now: Time, token: PairId) {
        let is_first = self.tried.insert(token);
        let Some((since, _)) = self.cut_off.filter(|(_, until)| !is_first && now < *until) else { return };
        self.retries_cut_off += 1;
        let seconds = (now - since).div_ceil(SECOND) as usize;
        if self.retries_cut_off > (RETRIES + RETRIES_A_SECOND * seconds) * self.processes {
            let retries = self.retries_cut_off;
            let message =
                format!("{retries} refreshes were tried again in {seconds} s in which no connection was made");
            self.violate(now, Check::I10, message);
        }
    }

    /// The server acted on a request.
    pub(crate) fn acted(&mut self, now: Time, sent: PairId, verdict: Verdict, just_ended: bool, server: &Server) {
        let family = server.pairs[sent].family;
        if just_ended && matches!(server.families[family].ended, Some((_, End::Reused))) {
            self.ended_by_reuse.insert(family, now);
        }
        if matches!(verdict, Verdict::Issued { kept: false, .. }) {
            self.tally.rotations += 1;
        }
    }

    /// The server revoked what a client asked it to revoke.
    pub(crate) fn revoked(&mut self, pair: PairId) {
        let _ = self.pairs.entry(pair).or_default();
    }
}
