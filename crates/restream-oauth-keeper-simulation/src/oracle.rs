//! What must hold in every run, whatever happens. The oracle sees what passes between programs and world, and the truth of
//! server and store; it knows nothing of how the machine works.
//!
//! It checks while things happen ([`Oracle::sent`], [`Oracle::stored`], [`Oracle::shown`] …), and once at the end
//! ([`Oracle::end`]), after everything has healed.

mod check;
mod ending;
mod giving;
mod sending;
mod storing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use restream_oauth_core::Tokens;
use restream_oauth_keeper::store::{StoreOp, StoreOutcome};
use restream_oauth_keeper::{LoginId, Record, Tombstone};

pub use check::{Check, Violation};
pub(crate) use ending::Tally;
pub(crate) use sending::Around;

use crate::file_store::Holder;
use crate::reply::Reply;
use crate::server::{FamilyId, PairId, Server, pair_of, shows_a_token};
use crate::storage::{Durable, Storage};
use crate::time::{HOUR, SECOND, Time};

/// After so many requests for one refresh token the next one is eleven minutes away, and then an hour.
const SCHEDULE: usize = 7;
/// How many requests a doubt has had with the last replay of the schedule.
const WHOLE_SCHEDULE: usize = 8;

/// How long the debug text of a machine may be: this much alone, and so much more for each grant and each waiter.
const REMEMBERED: usize = 4_000;
const REMEMBERED_OF_GRANT: usize = 6_000;
const REMEMBERED_OF_WAITER: usize = 400;

/// What the oracle knows.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) violation: Option<Violation>,
    /// The last questions are asked: every answer is judged.
    pub(crate) judging: bool,
    /// A peer runs: its losses are counted, and nothing is judged.
    pub(crate) counts_only: bool,
    /// After the healing nobody asks for a token at first.
    pub(crate) nobody_asks: bool,
    pub(crate) tally: Tally,
    grants: Vec<Grant>,
    logins: BTreeMap<LoginId, FamilyId>,
    login_times: BTreeMap<FamilyId, Time>,
    pairs: BTreeMap<PairId, Pair>,
    /// The sends of each refresh token that put it in doubt or may have.
    sends: BTreeMap<PairId, Vec<Send>>,
    /// The whole refresh tokens in answers, by the saved form of the answer.
    answers: BTreeMap<String, PairId>,
    /// The last record that a process marked before it sent.
    prepared: BTreeMap<(usize, usize), (Holder, Box<Record>)>,
    /// Families that were logged out, and when that was confirmed to the user.
    logged_out: BTreeMap<FamilyId, Time>,
    /// The logouts that each process has ended, by process and grant.
    forgotten: BTreeMap<(usize, usize), (Holder, Tombstone)>,
    /// Families that the server ended because of a late or repeated request.
    ended_by_reuse: BTreeMap<FamilyId, Time>,
    /// Families of which a whole answer lacked the refresh token that the server had rotated.
    misled: BTreeSet<FamilyId>,
    /// The lives that are over.
    dead: BTreeSet<(usize, u32)>,
    /// When a process died, and another one began in its place.
    deaths: Vec<Time>,
    /// Families whose loss was counted.
    lost: BTreeSet<FamilyId>,
    /// Pairs whose access tokens the API refused.
    refused: BTreeSet<PairId>,
    /// Until when the provider is silent, and the grants that were refreshed since it began to be.
    silent_until: Time,
    refreshed_in_silence: BTreeSet<usize>,
    /// The refresh tokens that somebody tried to send, whether or not a connection was made.
    tried: BTreeSet<PairId>,
    /// While the provider cannot be reached: since when, until when, and how many refreshes were tried again.
    cut_off: Option<(Time, Time)>,
    retries_cut_off: usize,
    healed: Option<Time>,
    clocks_jumped: bool,
    processes: usize,
}

/// What the oracle knows of one grant.
#[derive(Debug, Default)]
struct Grant {
    generation: Option<u64>,
    requests: Option<u32>,
    login: Option<LoginId>,
    /// Pairs whose refresh tokens are durable, and belong to the present login.
    held: BTreeSet<PairId>,
    /// Those of them that are in the record.
    recorded: BTreeSet<PairId>,
    stashed: BTreeSet<PairId>,
    replaced: BTreeSet<LoginId>,
    was_dead: bool,
    /// When the store first said that the first connection of the present doubt is dead.
    doubt_ended: Option<Time>,
    /// When the last failover lost something of it.
    failover: Option<Time>,
    /// When the store last failed for it.
    store_failed: Option<Time>,
    /// The newest generation that each life of a process has shown.
    readers: BTreeMap<(usize, u32), u64>,
    /// The newest promise: generation, until when, and how often the clock of that host had jumped.
    promise: Option<(u64, SystemTime, u32)>,
    /// Something other than a plan may make the next refresh come early.
    may_be_early: bool,
    fresh_after_heal: Option<Time>,
    /// The server asked to wait until then. A wait that is read again from a spooled answer begins anew, once.
    waits_until: Time,
    /// When the server last refused the client, and not the token.
    misconfigured: Option<Time>,
    /// When refreshes were sent because the API refused the token, since it began to.
    replaced_at: Vec<Time>,
    /// The login that they belong to.
    replaced_of: Option<FamilyId>,
    /// When everything healed, the next request was far away: so many had failed, or a server had asked to wait.
    is_held_up: bool,
    /// When everything healed, its doubt had had its last replay by the schedule, at a quarter of an hour.
    had_last_replay: bool,
}

/// What the oracle knows of one pair.
#[derive(Debug, Default)]
struct Pair {
    reached: Vec<Reach>,
    was_durable: bool,
    /// It was in a record: as the newest pair or as a stray.
    was_stored: bool,
    /// A claim returned the answer that holds it.
    was_returned: bool,
    /// It came late and was parked. What was sent of it before is forgotten then: strays are tried before a burial.
    was_stray: bool,
    /// It left the store while another living pair of its login was in the record: it has a successor, or lost to one.
    was_let_go: bool,
    lost_by_failover: bool,
    was_shown: bool,
}

/// A whole refresh token came to a process.
#[derive(Debug)]
struct Reach {
    holder: Holder,
    /// The process began to spool it at once.
    is_cared_for: bool,
    /// The store said that it is spooled.
    is_spooled: bool,
    /// The store said anything about the spool.
    spool_ended: bool,
    /// The process died.
    died: Option<Time>,
    /// It came after the host had slept, when the claim may have run out.
    late: bool,
    /// The answer came in time, but the driver had hung up.
    missed: bool,
}

/// A request with a refresh token.
#[derive(Debug)]
struct Send {
    number: u64,
    process: usize,
    at: Time,
    /// The answer proved that the server did nothing.
    is_undone: bool,
}

impl Oracle {
    pub(crate) fn new(grants: usize, processes: usize) -> Self {
        Self {
            violation: None,
            judging: false,
            counts_only: false,
            nobody_asks: false,
            tally: Tally::default(),
            grants: (0..grants).map(|_| Grant::default()).collect(),
            logins: BTreeMap::new(),
            login_times: BTreeMap::new(),
            pairs: BTreeMap::new(),
            sends: BTreeMap::new(),
            answers: BTreeMap::new(),
            prepared: BTreeMap::new(),
            logged_out: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            ended_by_reuse: BTreeMap::new(),
            misled: BTreeSet::new(),
            dead: BTreeSet::new(),
            deaths: Vec::new(),
            lost: BTreeSet::new(),
            refused: BTreeSet::new(),
            silent_until: 0,
            refreshed_in_silence: BTreeSet::new(),
            tried: BTreeSet::new(),
            cut_off: None,
            retries_cut_off: 0,
            healed: None,
            clocks_jumped: false,
            processes,
        }
    }

    pub(crate) fn violate(&mut self, time: Time, check: Check, message: String) {
        if self.violation.is_none() && !self.counts_only {
            self.violation = Some(Violation { check, time, message });
        }
    }

    pub(crate) fn family_of(&self, login: LoginId) -> Option<FamilyId> {
        self.logins.get(&login).copied()
    }

    /// All faults have ended.
    pub(crate) fn healed(&mut self, now: Time, storage: &Storage) {
        self.healed = Some(now);
        for (grant, view) in self.grants.iter_mut().enumerate() {
            let record = storage.durable(grant).record;
            let pair = record.and_then(Record::refresh_token).and_then(|token| pair_of(token.expose_secret()));
            let sends = pair.and_then(|pair| self.sends.get(&pair)).map_or(0, Vec::len);
            let doubts = record.and_then(|record| record.doubt).map_or(0, |doubt| doubt.sends as usize);
            let misconfigured = view.misconfigured.is_some_and(|at| now < at + HOUR);
            view.had_last_replay = doubts >= WHOLE_SCHEDULE;
            view.is_held_up = sends.max(doubts) >= SCHEDULE || now < view.waits_until || misconfigured;
        }
    }

    /// I7: a doubt that began less than a quarter of an hour before the faults ended is over a quarter of an hour after it,
    /// though nobody asks for a token, unless its last replay came just before.
    pub(crate) fn nobody_asked(&mut self, now: Time, storage: &Storage, server: &Server) {
        for grant in 0..self.grants.len() {
            let Some(record) = storage.durable(grant).record.filter(|_| !self.grants[grant].had_last_replay) else {
                continue;
            };
            let pair = record.refresh_token().and_then(|token| pair_of(token.expose_secret()));
            if record.death.is_none() && record.doubt.is_some() && pair.is_some_and(|pair| server.is_unspent(pair)) {
                let message =
                    format!("a quarter of an hour after all faults have ended, grant {grant} is still in doubt");
                self.violate(now, Check::I7, message);
            }
        }
    }

    pub(crate) fn falls_silent(&mut self, until: Time) {
        self.silent_until = until;
        self.refreshed_in_silence.clear();
    }

    pub(crate) fn is_cut_off(&mut self, now: Time, until: Time) {
        self.cut_off = Some((now, until));
        self.retries_cut_off = 0;
    }

    pub(crate) fn clock_jumped(&mut self) {
        self.clocks_jumped = true;
    }

    /// I14: how large the memory of a process is, as the length of its debug text.
    pub(crate) fn remembers(&mut self, now: Time, by: Holder, size: usize, grants: usize, waiters: usize) {
        let bound = REMEMBERED + REMEMBERED_OF_GRANT * grants + REMEMBERED_OF_WAITER * waiters;
        if size > bound {
            let message =
                format!("process {} remembers {size} bytes for {grants} grants and {waiters} waiters", by.process);
            self.violate(now, Check::I14, message);
        }
    }

    /// I13: what a program tells or answers, as it would be logged.
    pub(crate) fn text(&mut self, now: Time, texts: &[String]) {
        for text in texts {
            if shows_a_token(text) || text.contains("s3cret") {
                self.violate(now, Check::I13, format!("a secret is shown: {text}"));
            }
        }
    }

    /// A user logs in: the server gave this pair.
    pub(crate) fn logs_in(&mut self, now: Time, _grant: usize, tokens: &Tokens, pair: PairId, server: &Server) {
        let family = server.pairs[pair].family;
        self.logins.insert(LoginId::of(tokens), family);
        self.login_times.insert(family, now);
    }

    /// A user logs out. Returns the login that is meant: the stored one.
    pub(crate) fn logs_out(&mut self, grant: usize, durable: &Durable<'_>) -> Option<LoginId> {
        self.grants[grant].may_be_early = true;
        durable.login.filter(|_| durable.record.is_some())
    }

    pub(crate) fn wanted(&mut self, grant: usize, valid_for: Time) {
        if valid_for > 0 {
            self.grants[grant].may_be_early = true;
        }
    }

    /// The API refuses the access token of a pair.
    pub(crate) fn rejected(&mut self, grant: usize, pair: PairId) {
        self.grants[grant].may_be_early = true;
        self.refused.insert(pair);
    }

    /// A program orders an operation.
    pub(crate) fn ordered(&mut self, _now: Time, holder: Holder, grant: usize, op: &StoreOp) {
        let cared_for = match op {
            StoreOp::Prepare { record, .. } => {
                self.prepared.insert((holder.process, grant), (holder, record.clone()));
                None
            }
            StoreOp::Spool { answer, .. } => self.answers.get(answer.answer.as_str()).copied(),
            _ => None,
        };
        for reach in cared_for.and_then(|pair| self.pairs.get_mut(&pair)).into_iter().flat_map(|pair| &mut pair.reached)
        {
            reach.is_cared_for |= reach.holder == holder;
        }
    }

    /// A program hears the outcome of an operation.
    pub(crate) fn heard(&mut self, now: Time, holder: Holder, grant: usize, op: &StoreOp, outcome: &StoreOutcome) {
        if matches!(outcome, StoreOutcome::Failed(_)) {
            self.grants[grant].store_failed = Some(now);
        }
        if let StoreOutcome::Claimed(claimed) = outcome {
            for answer in &claimed.spooled {
                if let Some(pair) = self.answers.get(answer.answer.as_str()).and_then(|pair| self.pairs.get_mut(pair)) {
                    pair.was_returned = true;
                }
            }
        }
        if let (StoreOp::Forget { tombstone, .. }, StoreOutcome::Done) = (op, outcome) {
            self.forgotten.insert((holder.process, grant), (holder, *tombstone));
        }
        if let StoreOp::Spool { answer, .. } = op {
            let pair = self.answers.get(answer.answer.as_str()).copied();
            for reach in pair.and_then(|pair| self.pairs.get_mut(&pair)).into_iter().flat_map(|pair| &mut pair.reached)
            {
                reach.spool_ended |= reach.holder == holder;
                reach.is_spooled |= reach.holder == holder && matches!(outcome, StoreOutcome::Done);
            }
        }
    }

    /// A process died.
    pub(crate) fn died(&mut self, holder: Holder, now: Time) {
        self.dead.insert((holder.process, holder.life));
        self.deaths.push(now);
        let reached = self.pairs.values_mut().flat_map(|pair| &mut pair.reached);
        for reach in reached.filter(|reach| reach.holder == holder) {
            reach.died.get_or_insert(now);
        }
    }

    /// The client got an answer.
    #[allow(clippy::too_many_arguments, reason = "these are the facts")]
    pub(crate) fn answered(
        &mut self,
        now: Time,
        holder: Holder,
        number: u64,
        reply: &Reply,
        saved: String,
        whole: bool,
        cut: bool,
        late: bool,
        sent: PairId,
        server: &Server,
    ) {
        let token = server.pairs[sent].refresh;
        let asked = reply.headers.iter().find(|(name, _)| *name == "retry-after");
        if let Some(wait) = asked.and_then(|(_, seconds)| seconds.parse::<Time>().ok()) {
            let grant = &mut self.grants[server.grant_of(sent)];
            grant.waits_until = grant.waits_until.max(now + 2 * HOUR.min(wait * SECOND));
        }
        if matches!(reply.status, 401 | 403) {
            self.grants[server.grant_of(sent)].misconfigured = Some(now);
        }
        if reply.proves_nothing_happened() {
            self.undo(token, number);
        }
        let Some(pair) = reply.pair else { return };
        let lacks = reply.lacks_refresh_token && !cut;
        if lacks && server.pairs[pair].refresh != token {
            self.misled.insert(server.pairs[sent].family);
        }
        if lacks || server.pairs[pair].refresh == token {
            // The server kept the refresh token: sending it again is no reuse.
            self.sends.remove(&token);
            self.tried.remove(&token);
        }
        if whole {
            let pair = server.pairs[pair].refresh;
            self.answers.insert(saved, pair);
            self.reach(holder, pair, late, false);
        }
    }

    /// An answer with a whole pair came in time, and the driver had hung up.
    pub(crate) fn missed(&mut self, holder: Holder, pair: Option<PairId>, server: &Server) {
        if let Some(pair) = pair {
            self.reach(holder, server.pairs[pair].refresh, false, true);
        }
    }

    fn reach(&mut self, holder: Holder, pair: PairId, late: bool, missed: bool) {
        let reach =
            Reach { holder, late, is_cared_for: false, is_spooled: false, spool_ended: false, died: None, missed };
        self.pairs.entry(pair).or_default().reached.push(reach);
    }

    /// A request proved not to have done anything.
    pub(crate) fn undo(&mut self, token: PairId, number: u64) {
        if let Some(send) = self.sends.get_mut(&token).and_then(|all| all.iter_mut().find(|it| it.number == number)) {
            send.is_undone = true;
        }
    }
}

impl Pair {
    /// Whether the refresh token came to a process that survived, so that losing it was avoidable.
    fn survived(&self) -> bool {
        if self.lost_by_failover || self.was_let_go {
            return false;
        }
        let kept = |it: &Reach| it.missed || it.died.is_none() || it.is_spooled || !it.is_cared_for;
        // A statement that the database executed after its process had died, and that nobody has seen, saved nothing.
        let seen = self.was_stored || self.was_returned || self.reached.is_empty();
        self.was_durable && seen || self.reached.iter().any(kept)
    }
}
