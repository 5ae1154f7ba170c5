//! Checks at the moment at which something becomes durable: I4, I5, I6, I8, I9.

use std::collections::BTreeSet;

use restream_oauth_keeper::store::StoreOp;
use restream_oauth_keeper::{DeathCause, Record};

use super::{Check, Oracle};
use crate::file_store::Holder;
use crate::server::{PairId, Server};
use crate::storage::{Durable, pair_of_tokens};
use crate::time::Time;

impl Oracle {
    /// An operation came to its end.
    pub(crate) fn stored(
        &mut self,
        now: Time,
        by: Holder,
        grant: usize,
        op: &StoreOp,
        durable: &Durable<'_>,
        server: &Server,
    ) {
        if matches!(op, StoreOp::Read) {
            return;
        }
        let who = format!("process {}", by.process);
        self.look(now, grant, durable, server, &who);
    }

    /// Something was written past the rules.
    pub(crate) fn put(&mut self, now: Time, grant: usize, durable: &Durable<'_>, server: &Server) {
        self.look(now, grant, durable, server, "somebody");
    }

    /// The power failed: this is what the disk kept.
    pub(crate) fn power_lost(&mut self, now: Time, grant: usize, durable: &Durable<'_>, server: &Server) {
        self.look(now, grant, durable, server, "a power loss");
    }

    /// A failover took place: what it lost is nobody's fault, unless a worker still holds it.
    pub(crate) fn failed_over(&mut self, now: Time, grant: usize, durable: &Durable<'_>, server: &Server) {
        let held = self.held_now(durable);
        let stashed: BTreeSet<_> = durable.logins.iter().filter_map(|tokens| pair_of_tokens(tokens)).collect();
        let view = &mut self.grants[grant];
        let requests = durable.record.map(|record| record.requests);
        let changed = (view.generation, view.login, view.requests) != (durable.generation, durable.login, requests)
            || view.held != held
            || view.stashed != stashed;
        for lost in view.held.difference(&held) {
            if let Some(pair) = self.pairs.get_mut(lost) {
                pair.lost_by_failover = true;
            }
        }
        if changed {
            view.failover = Some(now);
            view.generation = durable.generation;
            view.requests = durable.record.map(|record| record.requests);
            view.login = durable.login;
            view.held = held;
            view.recorded = durable.pairs_of_record().into_iter().collect();
            view.replaced.clear();
            view.was_dead = durable.record.is_some_and(|record| record.death.is_some());
            view.stashed = stashed;
        }
        let _ = server;
    }

    /// A worker put back what it held.
    pub(crate) fn mended(&mut self, now: Time, by: Holder, grant: usize, durable: &Durable<'_>) {
        self.is_still_logged_out(now, by, grant, durable);
        let held = self.held_now(durable);
        for pair in &held {
            if let Some(pair) = self.pairs.get_mut(pair) {
                pair.lost_by_failover = false;
            }
        }
        let view = &mut self.grants[grant];
        view.generation = durable.generation;
        view.requests = durable.record.map(|record| record.requests);
        view.login = durable.login;
        view.held = held;
        view.recorded = durable.pairs_of_record().into_iter().collect();
        view.was_dead = durable.record.is_some_and(|record| record.death.is_some());
    }

    /// I9: a worker that has ended a logout lets no failover undo it.
    fn is_still_logged_out(&mut self, now: Time, by: Holder, grant: usize, durable: &Durable<'_>) {
        let forgotten = self.forgotten.get(&(by.process, grant)).filter(|(holder, _)| *holder == by);
        let Some((_, tombstone)) = forgotten.copied() else { return };
        let is_back = |record: &Record| record.login == tombstone.login && record.generation <= tombstone.generation;
        if durable.record.is_some_and(is_back) {
            let message = format!("process {} has ended the logout of grant {grant}, and its pair is back", by.process);
            self.violate(now, Check::I9, message);
        } else if let Some(at) = self.family_of(tombstone.login).and_then(|family| self.logged_out.get_mut(&family)) {
            // What the failover lost is written again: from here on nothing may refresh it.
            *at = now;
        }
    }

    /// The pairs whose refresh tokens are durable.
    fn held_now(&self, durable: &Durable<'_>) -> BTreeSet<PairId> {
        let spooled = durable.spooled.iter().filter_map(|answer| self.answers.get(answer.answer.as_str()).copied());
        durable.pairs_of_record().into_iter().chain(spooled).collect()
    }

    fn look(&mut self, now: Time, grant: usize, durable: &Durable<'_>, server: &Server, who: &str) {
        if durable.is_torn {
            self.violate(now, Check::I6, format!("the record of grant {grant} is torn, after {who}"));
            return;
        }
        let held = self.held_now(durable);
        let stashed: BTreeSet<PairId> = durable.logins.iter().filter_map(|tokens| pair_of_tokens(tokens)).collect();
        for pair in held.iter().chain(&stashed) {
            let pair = self.pairs.entry(*pair).or_default();
            pair.was_durable = true;
            pair.lost_by_failover = false;
        }
        let strays = durable.record.into_iter().flat_map(|record| &record.strays);
        for pair in strays.filter_map(|stray| pair_of_tokens(&stray.tokens)) {
            self.pairs.entry(pair).or_default().was_stray = true;
        }
        for pair in durable.pairs_of_record() {
            let pair = self.pairs.entry(pair).or_default();
            pair.was_stored = true;
            pair.was_let_go = false;
        }
        self.generations(now, grant, durable, who);
        self.tokens(now, grant, durable, &held, &stashed, server, who);
        self.death(now, grant, durable, server);
        let view = &mut self.grants[grant];
        let ended = durable.record.and_then(|record| record.doubt).and_then(|doubt| doubt.ended);
        view.doubt_ended = ended.map(|_| view.doubt_ended.unwrap_or(now));
        view.generation = durable.generation;
        view.requests = durable.record.map(|record| record.requests);
        view.login = durable.login;
        view.held = held;
        view.recorded = durable.pairs_of_record().into_iter().collect();
        view.stashed = stashed;
        view.was_dead = durable.record.is_some_and(|record| record.death.is_some());
    }

    /// I5: generations and logins never go back.
    fn generations(&mut self, now: Time, grant: usize, durable: &Durable<'_>, who: &str) {
        let time_of = |login| self.logins.get(&login).and_then(|family| self.login_times.get(family)).copied();
        let earlier = durable.login.and_then(time_of) < self.grants[grant].login.and_then(time_of);
        let view = &mut self.grants[grant];
        let (before, login_before) = (view.generation, view.login);
        if durable.login != login_before {
            if let Some(before) = login_before {
                view.replaced.insert(before);
            }
            if earlier && !self.clocks_jumped && durable.login.is_some_and(|login| view.replaced.contains(&login)) {
                self.violate(now, Check::I5, format!("{who} brings an earlier login of grant {grant} back"));
                return;
            }
        }
        if durable.generation < before {
            let message = format!("{who} takes grant {grant} from generation {before:?} to {:?}", durable.generation);
            self.violate(now, Check::I5, message);
        }
    }

    /// I4: what is dropped has a successor, or its grant is over.
    #[allow(clippy::too_many_arguments, reason = "these are the facts")]
    fn tokens(
        &mut self,
        now: Time,
        grant: usize,
        durable: &Durable<'_>,
        held: &BTreeSet<PairId>,
        stashed: &BTreeSet<PairId>,
        server: &Server,
        who: &str,
    ) {
        let view = &self.grants[grant];
        let family = durable.login.and_then(|login| self.family_of(login));
        let lives = |pair: &&PairId| server.is_unspent(**pair) && Some(server.pairs[**pair].family) == family;
        if let Some(dropped) = view.held.iter().find(lives) {
            if !held.iter().any(|pair| lives(&pair)) {
                let check = if durable.has_tombstone { Check::I9 } else { Check::I4 };
                let message = format!("{who} drops rt-{dropped} of grant {grant}, which lives, and nothing follows it");
                self.violate(now, check, message);
                return;
            }
        }
        // An answer that holds a stray may stay in the store for longer than the stray does; nobody can read it any more.
        let recorded: BTreeSet<PairId> = durable.pairs_of_record().into_iter().collect();
        let let_go = view.held.difference(held).chain(view.recorded.difference(&recorded));
        let let_go: Vec<PairId> = let_go.copied().collect();
        let holds_a_living_one = held.iter().any(|pair| lives(&pair));
        // The answer of a dead process can be read with the refresh token that was sent alone, and that is gone once
        // another successor is in the record: both live if a server forks.
        let parents = recorded.iter().filter(|pair| lives(pair)).map(|pair| server.pairs[*pair].parent);
        let parents: BTreeSet<_> = parents.flatten().collect();
        let overtaken = |pair: &&PairId| {
            let has_died = |known: &super::Pair| known.reached.iter().all(|reach| reach.died.is_some());
            !recorded.contains(pair)
                && server.pairs[**pair].parent.is_some_and(|parent| parents.contains(&parent))
                && self.pairs.get(pair).is_some_and(|known| !known.reached.is_empty() && has_died(known))
        };
        let overtaken: Vec<PairId> = held.iter().filter(overtaken).copied().collect();
        for pair in let_go.iter().filter(|_| holds_a_living_one).chain(&overtaken) {
            self.pairs.entry(*pair).or_default().was_let_go = true;
        }
        let view = &self.grants[grant];
        let time_of = |pair: &PairId| self.login_times.get(&server.pairs[*pair].family).copied();
        let time_of_stored = family.and_then(|family| self.login_times.get(&family).copied());
        let dropped = view.stashed.difference(stashed).find(|pair| {
            server.is_unspent(**pair)
                && !held.contains(pair)
                && !self.clocks_jumped
                && time_of(pair) > time_of_stored
                && family != Some(server.pairs[**pair].family)
        });
        if let Some(dropped) = dropped {
            let message = format!("{who} drops the login rt-{dropped} of grant {grant}, the newest there is");
            self.violate(now, Check::I4, message);
        }
    }

    /// I8, one half: a grant that the store calls dead is dead, and for the reason that it says.
    fn death(&mut self, now: Time, grant: usize, durable: &Durable<'_>, server: &Server) {
        let Some(record) = durable.record else { return };
        let Some(death) = record.death.filter(|_| !self.grants[grant].was_dead) else { return };
        let Some(family) = self.family_of(record.login) else { return };
        let own = record.refresh_token().and_then(|token| crate::server::pair_of(token.expose_secret()));
        if own.is_some_and(|pair| server.is_unspent(pair)) {
            let message = format!("grant {grant} is called dead, and the server would accept its refresh token");
            self.violate(now, Check::I8, message);
            return;
        }
        let ended = server.families[family].ended.is_some() || self.misled.contains(&family);
        if death.why == DeathCause::Revoked && !ended && self.grants[grant].failover.is_none() {
            let message = format!("grant {grant} is called revoked, but an answer was lost");
            self.violate(now, Check::I8, message);
        }
    }
}
