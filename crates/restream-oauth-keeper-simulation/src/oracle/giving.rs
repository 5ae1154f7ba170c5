//! Checks at the moment at which a program shows a token or ends somebody's wait: I3, I5, I7, I9, I11.

use restream_oauth_keeper::{Gone, LoginId, TokenError};

use super::{Check, Oracle};
use crate::file_store::Holder;
use crate::program::Shown;
use crate::server::{PairId, Server, pair_of};
use crate::storage::Durable;
use crate::time::Time;

impl Oracle {
    /// Somebody sees a token.
    #[allow(clippy::too_many_arguments, reason = "these are the facts")]
    pub(crate) fn shown(
        &mut self,
        now: Time,
        by: Holder,
        grant: usize,
        token: &Shown,
        fresh: bool,
        durable: &Durable<'_>,
        server: &Server,
        jumps: u32,
    ) {
        let Some(pair) = pair_of(&token.access_token) else { return };
        let refresh = server.pairs[pair].refresh;
        let is_new = {
            let known = self.pairs.entry(pair).or_default();
            !std::mem::replace(&mut known.was_shown, true)
        };
        let known = self.pairs.entry(refresh).or_default();
        let arrived = known.reached.iter().any(|reach| reach.holder == by && reach.died.is_none());
        let was_durable = known.was_durable;
        let view = &mut self.grants[grant];
        let store_fails = view.store_failed.is_some();
        if is_new && arrived && !was_durable && !store_fails {
            let held = durable.pairs_of_record();
            if !held.contains(&refresh) {
                let message = format!("process {} shows at-{pair}, and rt-{refresh} is not durable", by.process);
                self.violate(now, Check::I3, message);
                return;
            }
        }
        let newest = view.readers.entry((by.process, by.life)).or_insert(token.generation);
        if token.generation < *newest && view.failover.is_none() {
            let message =
                format!("process {} shows generation {} after generation {newest}", by.process, token.generation);
            self.violate(now, Check::I5, message);
            return;
        }
        *newest = token.generation;
        if fresh && view.promise.is_none_or(|(generation, ..)| generation <= token.generation) {
            if view.promise.is_none_or(|(generation, ..)| generation < token.generation) {
                view.may_be_early = false;
            }
            view.promise = Some((token.generation, token.usable_until, jumps));
        }
    }

    /// A caller got a token.
    pub(crate) fn given(&mut self, now: Time, grant: usize, token: &Shown, server: &Server) {
        let Some(pair) = pair_of(&token.access_token) else { return };
        let lives = server.is_access_live(pair, now);
        if let Some(healed) = self.healed.filter(|_| lives) {
            self.grants[grant].fresh_after_heal.get_or_insert(now - healed);
        }
        if self.judging && !lives {
            let message =
                format!("long after all faults have ended, a caller of grant {grant} gets at-{pair}, which is dead");
            self.violate(now, Check::I7, message);
        }
    }

    /// A caller got an error.
    pub(crate) fn refused(
        &mut self,
        now: Time,
        by: Holder,
        grant: usize,
        error: &TokenError,
        durable: &Durable<'_>,
        server: &Server,
    ) {
        if !self.judging || now < self.grants[grant].waits_until {
            return;
        }
        let justified = match error {
            TokenError::Gone(Gone::Dead(_)) => durable.record.is_some_and(|record| record.death.is_some()),
            TokenError::Gone(Gone::NeverLoggedIn | Gone::LoggedOut) => durable.record.is_none_or(|it| it.leaving),
            _ => false,
        };
        if !justified {
            let message =
                format!("long after all faults have ended, process {} answers for grant {grant}: {error}", by.process);
            self.violate(now, Check::I7, message);
        }
        let _ = server;
    }

    /// A login was confirmed.
    pub(crate) fn logged_in(&mut self, now: Time, grant: usize, pair: PairId, server: &Server) {
        let time_of = |family| self.login_times.get(&family).copied();
        let stored = self.grants[grant].login.and_then(|login| self.family_of(login));
        if stored.and_then(time_of) > time_of(server.pairs[pair].family) {
            return; // A later login is stored.
        }
        let durable = self.pairs.get(&pair).is_some_and(|pair| pair.was_durable);
        if !durable && self.grants[grant].store_failed.is_none() {
            self.violate(now, Check::I3, format!("the login rt-{pair} of grant {grant} is confirmed, and not durable"));
        }
    }

    /// A logout was confirmed.
    pub(crate) fn logged_out(
        &mut self,
        now: Time,
        grant: usize,
        login: LoginId,
        durable: &Durable<'_>,
        server: &Server,
    ) {
        let lost_memory = self.grants[grant].failover.is_some();
        let Some(family) = self.family_of(login).filter(|_| !lost_memory) else { return };
        if durable.record.is_some_and(|record| record.login == login) {
            self.violate(now, Check::I9, format!("grant {grant} is logged out, and the store holds its pair"));
        }
        // A pair that never came back from the server cannot be revoked.
        let known_alive = server.families[family]
            .pairs
            .iter()
            .any(|pair| server.is_unspent(*pair) && self.pairs.get(pair).is_some_and(super::Pair::survived));
        // A login that came in between has replaced the pair.
        if known_alive && durable.login == Some(login) {
            self.violate(now, Check::I9, format!("grant {grant} is logged out, and its pair lives on"));
        }
        self.logged_out.insert(family, now);
    }

    /// The limit of a waiter has passed.
    pub(crate) fn not_resolved(&mut self, now: Time, by: Holder, waiter: u64) {
        self.violate(now, Check::I11, format!("waiter {waiter} of process {} still waits after its limit", by.process));
    }
}
