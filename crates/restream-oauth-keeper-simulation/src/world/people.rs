//! The people: users who log in and out, and callers who want tokens, use them and give up.

use restream_oauth_core::{RefreshToken, Tokens};
use restream_oauth_keeper::{Stored, TokenError};

use super::{Event, For, Waiter, World};
use crate::file_store::Holder;
use crate::program::{Report, Shown};
use crate::reply::{Reply, Style};
use crate::server::{End, PairId, pair_of};
use crate::time::{MINUTE, SECOND, Time};

/// How often a user looks at a grant.
const LOOK: Time = 10 * MINUTE;

impl World {
    /// A caller somewhere wants the token of a grant.
    pub(super) fn want(&mut self, grant: usize) {
        let mean = if self.healed.is_some() { 3 * MINUTE } else { self.setting.wanted_every };
        let next = self.random.about(mean);
        self.after(next, Event::Want(grant));
        let process = self.random.index(self.processes.len());
        if !self.is_awake(process) {
            return;
        }
        let limit = self.random.pick(&[SECOND, 10 * SECOND, 30 * SECOND, 100 * SECOND, 10 * MINUTE]);
        // Eight processes that come together may take longer than a second to have the claim one after the other.
        let limit = if self.oracle.judging { limit.max(10 * SECOND) } else { limit };
        let long = self.random.chance(self.setting.rates.wants_long);
        let valid_for = if long { self.random.below(self.setting.life) } else { 0 };
        self.ask_for_token(process, grant, limit, valid_for);
        // Programs of one user are often started together.
        if self.random.chance(self.setting.rates.together) {
            for other in (0..self.processes.len()).filter(|it| *it != process) {
                let wait = self.random.below(3 * SECOND);
                self.after(wait, Event::WantOf(other, grant, limit));
            }
        }
    }

    pub(super) fn ask_for_token(&mut self, process: usize, grant: usize, limit: Time, valid_for: Time) {
        let holder = self.holder(process);
        if !self.is_alive(holder) {
            return;
        }
        let waiter = self.wait(holder, grant, For::Token, limit);
        self.oracle.wanted(grant, valid_for);
        self.say(|| {
            format!("a caller of process {process} wants grant {grant} within {} s (waiter {waiter})", limit / SECOND)
        });
        let limit = self.on_steady_clock(process, limit);
        let valid_for = std::time::Duration::from_millis(valid_for);
        self.deliver(holder, Report::Wanted { grant, waiter, limit, valid_for });
    }

    /// Notes a waiter. It has to be resolved by its limit, unless it gives up before.
    fn wait(&mut self, holder: Holder, grant: usize, for_what: For, limit: Time) -> u64 {
        let waiter = self.next_id();
        self.processes[holder.process].waiters.insert(waiter, Waiter { grant, for_what });
        self.after(limit + 2, Event::Limit(holder, waiter));
        if for_what == For::Token && self.random.chance(self.setting.rates.gives_up) {
            let when = self.random.below(limit.min(20 * SECOND));
            self.after(when, Event::GiveUp(holder, waiter));
        }
        waiter
    }

    fn on_steady_clock(&self, process: usize, wait: Time) -> std::time::Duration {
        self.clocks_of(process).steady + std::time::Duration::from_millis(wait)
    }

    pub(super) fn give_up(&mut self, holder: Holder, waiter: u64) {
        if !self.is_alive(holder) {
            return;
        }
        let Some(known) = self.processes[holder.process].waiters.remove(&waiter) else { return };
        self.say(|| format!("waiter {waiter} gives up"));
        if self.callers_own_requests() {
            let mine = self.connections.iter().filter(|(_, it)| {
                let grant = match it.ask {
                    super::Ask::Refresh(pair) => Some(self.server.grant_of(pair)),
                    _ => None,
                };
                it.is_open && it.holder == holder && grant == Some(known.grant)
            });
            for number in mine.map(|(number, _)| *number).collect::<Vec<_>>() {
                self.hang_up(number);
            }
        }
        self.deliver(holder, Report::GaveUp { waiter });
    }

    /// The limit of a waiter has passed.
    pub(super) fn limit(&mut self, holder: Holder, waiter: u64) {
        if !self.is_alive(holder) || !self.processes[holder.process].waiters.contains_key(&waiter) {
            return;
        }
        // A host that slept, or a clock that a jump made the program look at again, gets time for one look.
        if self.now < self.hosts[self.processes[holder.process].host].woke + 31 * SECOND {
            self.after(31 * SECOND, Event::Limit(holder, waiter));
            return;
        }
        self.oracle.not_resolved(self.now, holder, waiter);
    }

    /// A program ends somebody's wait.
    pub(super) fn resolve(&mut self, holder: Holder, waiter: u64, result: Result<Option<Shown>, TokenError>) {
        self.say(|| match &result {
            Ok(Some(token)) => {
                format!("waiter {waiter} gets {} of generation {}", token.access_token, token.generation)
            }
            Ok(None) => format!("waiter {waiter} gets nothing, and is content"),
            Err(error) => format!("waiter {waiter} gets an error: {error}"),
        });
        if let Err(error) = &result {
            let texts = [format!("{error:?}"), error.to_string()];
            self.oracle.text(self.now, &texts);
        }
        let Some(known) = self.processes[holder.process].waiters.remove(&waiter) else { return };
        let grant = known.grant;
        match (known.for_what, &result) {
            (For::Token, Ok(Some(token))) => {
                self.shown(holder, grant, token, true);
                self.oracle.given(self.now, grant, token, &self.server);
                self.use_token(holder, grant, token);
            }
            (For::Token, Ok(None)) => {}
            (For::Token, Err(error)) => {
                let durable = self.storage.durable(grant);
                self.oracle.refused(self.now, holder, grant, error, &durable, &self.server);
            }
            (For::LogIn(pair), Ok(_)) => {
                self.oracle.logged_in(self.now, grant, pair, &self.server);
            }
            (For::LogOut(Some(login)), Ok(_)) => {
                let durable = self.storage.durable(grant);
                self.oracle.logged_out(self.now, grant, login, &durable, &self.server);
            }
            (For::LogOut(None), Ok(_)) | (For::LogIn(_) | For::LogOut(_), Err(_)) => {}
        }
    }

    /// The caller calls the API with the token: now, and perhaps later.
    fn use_token(&mut self, holder: Holder, grant: usize, token: &Shown) {
        let Some(pair) = pair_of(&token.access_token) else { return };
        let call = Event::Call { holder, grant, pair, generation: token.generation };
        let soon = self.random.below(2 * SECOND);
        self.after(soon, call.clone());
        if self.random.chance(self.setting.rates.calls_late) {
            let later = self.random.below(self.setting.life);
            self.after(later, call);
        }
    }

    /// A caller calls the API.
    pub(super) fn call(&mut self, holder: Holder, grant: usize, pair: PairId, generation: u64) {
        if self.now >= self.refuse_all_until && self.server.is_access_live(pair, self.now) {
            return;
        }
        self.say(|| format!("the API refuses at-{pair} (generation {generation}, grant {grant})"));
        self.oracle.rejected(grant, pair);
        self.deliver(holder, Report::Rejected { grant, generation });
    }

    /// A user looks at a grant: logs in if somebody has to, or changes something.
    pub(super) fn user(&mut self, grant: usize) {
        if self.healed.is_some() {
            return;
        }
        let rates = self.rates();
        let process = self.random.index(self.processes.len());
        // A peer syncs nothing: what it wrote is looked at, durable or not.
        let seen = self.oracle.counts_only.then(|| self.storage.seen(grant)).flatten();
        let durable = self.storage.durable(grant);
        let record = seen.as_ref().map_or(durable.record, Stored::record);
        let login = record.map_or(durable.login, |record| Some(record.login));
        let lives = record.is_some_and(|record| record.death.is_none() && !record.leaving);
        let family = login.and_then(|login| self.oracle.family_of(login));
        let wait = self.random.about(if lives { LOOK } else { LOOK / 5 });
        if !lives {
            if let Some(family) = family.filter(|_| self.now > MINUTE && record.is_some_and(|it| it.death.is_some())) {
                let awake = self.awake();
                self.oracle.lost(self.now, family, &self.server, &awake);
            }
            if self.now < MINUTE || self.random.chance(6000) {
                self.log_in(process, grant);
            }
        } else if self.random.chance(rates.log_in) {
            self.log_in(process, grant);
        } else if self.random.chance(rates.log_out) {
            self.log_out(process, grant);
        } else if self.random.chance(rates.revoked) {
            if let Some(family) = family {
                self.say(|| format!("the user revokes grant {grant} at the provider"));
                self.server.end(family, self.now, End::Revoked);
            }
        }
        self.after(wait, Event::User(grant));
    }

    fn log_in(&mut self, process: usize, grant: usize) {
        let holder = self.holder(process);
        if !self.is_alive(holder) || !self.is_awake(process) {
            return;
        }
        let pair = self.server.log_in(grant, self.now);
        let tokens = self.exchanged(process, pair);
        self.oracle.logs_in(self.now, grant, &tokens, pair, &self.server);
        let limit = self.random.pick(&[2 * MINUTE, 10 * MINUTE]);
        let waiter = self.wait(holder, grant, For::LogIn(pair), limit);
        self.say(|| format!("a user of process {process} logs in to grant {grant}: pair {pair} (waiter {waiter})"));
        let limit = self.on_steady_clock(process, limit);
        self.deliver(holder, Report::LogIn { grant, waiter, limit, tokens: Box::new(tokens) });
    }

    fn exchanged(&self, process: usize, pair: PairId) -> Tokens {
        let reply = Reply::issued(pair, Some(pair), self.server.life / SECOND, Style::Plain);
        // Any call that gives tokens serves as the exchange.
        let (_, reader) = self.client.refresh(&RefreshToken::new("code")).into_parts(self.clocks_of(process).wall);
        reader.read(http::Response::new(reply.body)).expect("an exchange succeeds")
    }

    fn log_out(&mut self, process: usize, grant: usize) {
        let holder = self.holder(process);
        if !self.is_alive(holder) || !self.is_awake(process) {
            return;
        }
        let limit = self.random.pick(&[2 * MINUTE, 10 * MINUTE]);
        let login = self.oracle.logs_out(grant, &self.storage.durable(grant));
        let waiter = self.wait(holder, grant, For::LogOut(login), limit);
        self.say(|| format!("a user of process {process} logs out of grant {grant} (waiter {waiter})"));
        let limit = self.on_steady_clock(process, limit);
        self.deliver(holder, Report::LogOut { grant, waiter, limit });
    }
}
