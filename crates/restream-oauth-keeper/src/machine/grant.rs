//! One grant of a machine: who waits for it, what is known of it, and when something has to be done.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{AccessToken, Answer, Delivery, Error, Tokens};

use super::context::Context;
use super::interface::WaiterId;
use super::known::{Known, Pair, ShortLoginId};
use super::work::step::Work;
use crate::clock::Now;
use crate::doubt::{gap_after, life, pause_after};
use crate::event::{EventKind, Odd, Problem};
use crate::operation::{StoreError, StoreOutcome};
use crate::pace::Urgency;
use crate::policy::Mode;
use crate::record::{Record, Stored};
use crate::token::{Current, Gone, Token};

/// A dead or absent grant is read again after this long, when somebody asks for a token.
pub(super) const LOOK_AGAIN_WANTED: Duration = Duration::from_secs(1);
/// The longest pause before the store or a connection is tried again.
const LONGEST_LOCAL_PAUSE: Duration = Duration::from_secs(60);
/// The pauses between two attempts to get a claim that another process has.
const FIRST_BUSY_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_BUSY_PAUSE: Duration = Duration::from_millis(500);
/// The first pause before a young token that the API refused is replaced. After several in a row, an older one waits until
/// it has that age, too.
const FIRST_PAUSE_OF_REFUSED: Duration = Duration::from_secs(60);
/// After a refusal that names the configuration, the next attempt comes this much later.
const AFTER_MISCONFIGURATION: Duration = Duration::from_secs(3600);

/// One grant of a machine.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) mode: Mode,
    pub(super) known: Known,
    /// What is under way with the claim.
    pub(super) work: Option<Box<Work>>,
    published: Published,
    /// Rare things, boxed so that an idle grant is small.
    pub(super) more: Option<Box<More>>,
}

/// What was published last. The token is not kept: it is that of the pair, unless it is [`Another`](Self::Another).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Published {
    Unknown,
    Gone(Gone),
    Fresh,
    Stale,
    Expired,
    Another,
}

/// What only a grant has that is read, that somebody waits for, that is in trouble, or that has no pair.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct More {
    /// The ticket of a read that is under way.
    pub(super) look: Option<u64>,
    /// When the store was last read. Not kept while there is a pair.
    pub(super) looked_at: Option<Duration>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) logins: Vec<PendingLogin>,
    pub(super) logouts: Vec<Logout>,
    /// The ticket of the question to the witness, and the token that is the witness.
    pub(super) witness: Option<(u64, Arc<Token>)>,
    /// How many requests in a row failed.
    pub(super) failures: u32,
    /// How many operations on the store in a row failed.
    store_failures: u32,
    /// What failed last.
    pub(super) last: Option<Problem>,
    /// True if the last failure was a refusal that names the configuration.
    pub(super) misconfigured: bool,
    /// How many claims in a row were refused because another process has it.
    pub(super) busy: u32,
    /// The next request, after one that failed.
    pub(super) not_before: Duration,
    /// The next operation on the store, after one that failed or found the claim taken.
    pub(super) claim_not_before: Duration,
    /// The place in the queue of the pace, and for which urgency it was given.
    pub(super) place: Option<(Urgency, Duration)>,
    /// The replay that is due next is sent now.
    pub(super) replay_now: bool,
    /// True if that is so because somebody brought a late replay forward. It is written down with the replay, however
    /// long the claim takes.
    pub(super) forwards: bool,
    /// When somebody last brought a late replay forward.
    pub(super) forwarded_at: Option<Duration>,
    /// The generation that the API refused, and when it is replaced.
    pub(super) rejected: Option<(u64, Duration)>,
    /// The step of the pause that comes next, as in the record; if the API has refused the newest generation, that of its
    /// successor.
    refused: u32,
    /// True if the pair has to be refreshed now, whoever waits.
    pub(super) refresh_now: bool,
    /// True if strays have to be tried.
    pub(super) judge: bool,
    /// True if the store has to be read now.
    pub(super) look_now: bool,
    /// True if a process that died may have left a login or a pair for a grant that is gone.
    pub(super) claim_now: bool,
    /// True if a claim has seen what is left, and could not use it.
    pub(super) left_seen: bool,
    /// True if a server asked to wait until `not_before`.
    pub(super) asked_to_wait: bool,
}

/// Somebody who waits for a token.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) limit: Duration,
    pub(super) valid_for: Duration,
    pub(super) since: Duration,
    /// The generation that was known when the wait began, or the first one that was known afterwards.
    pub(super) from: Option<u64>,
}

impl Waiter {
    /// True if a refresh is needed for this waiter. One refresh is made, even if the new token, too, has less life than
    /// the waiter asked for.
    pub(super) fn needs_another(&self, pair: &Pair, now: Duration) -> bool {
        let short = pair.expires().saturating_sub(now) < self.valid_for && !self.is_newer(pair);
        (now >= pair.usable() || short) && !self.cannot_get_better(pair)
    }

    /// True if the pair was refreshed while this waiter waited. Even if its token has hardly any life, another one would
    /// have no more.
    pub(super) fn cannot_get_better(&self, pair: &Pair) -> bool {
        self.is_newer(pair) && pair.token.times.is_born_since(self.since) && pair.is_undisputed()
    }

    fn is_newer(&self, pair: &Pair) -> bool {
        self.from.is_some_and(|from| pair.token.generation() > from)
    }
}

/// A login that is not stored yet.
#[derive(Debug)]
pub(super) struct PendingLogin {
    /// Who waits, and how long; `None` once nobody does.
    pub(super) waiter: Option<(WaiterId, Duration)>,
    pub(super) tokens: Box<Tokens>,
    /// The ticket of the operation that stashes it.
    pub(super) stashing: Option<u64>,
    /// True once the store holds it.
    pub(super) stashed: bool,
    /// True if the store held it when the claim was asked for. Then the claim returns it, unless another process has
    /// stored it.
    pub(super) stashed_before_claim: bool,
}

/// A logout that is not finished yet.
#[derive(Debug)]
pub(super) struct Logout {
    pub(super) waiters: Vec<(WaiterId, Duration)>,
    /// The login that is to end; `None` if it was not known when the user asked.
    pub(super) login: Option<ShortLoginId>,
    /// The ticket of the read that says which login is meant.
    pub(super) reading: Option<u64>,
    /// True if this process has stored a login, or ended one, while that read was under way.
    pub(super) is_read_outdated: bool,
}

impl Grant {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, known: Known::Nothing, work: None, published: Published::Unknown, more: None }
    }

    pub(super) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(super) fn pair(&self) -> Option<&Pair> {
        match &self.known {
            Known::Pair(pair) => Some(pair),
            _ => None,
        }
    }

    pub(super) fn pair_mut(&mut self) -> Option<&mut Pair> {
        match &mut self.known {
            Known::Pair(pair) => Some(pair),
            _ => None,
        }
    }

    /// True while the store is being read.
    pub(super) fn is_looking(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.look.is_some())
    }

    /// When the store was last read, if there is no pair.
    pub(super) fn looked_at(&self) -> Option<Duration> {
        self.more.as_ref().and_then(|more| more.looked_at)
    }

    fn has_looked(&mut self, cx: &Context<'_>) {
        self.more().looked_at = Some(cx.steady());
    }

    pub(super) fn is_idle(&self) -> bool {
        // A logout that is written down is finished by the next process, if need be.
        let is_leaving = self.pair().is_some_and(|pair| pair.leaving);
        let waits = |more: &More| !more.logins.is_empty() || !more.logouts.is_empty() && !is_leaving;
        self.work.is_none() && !self.is_looking() && !self.more.as_deref().is_some_and(waits)
    }

    /// True while an operation of its work is under way.
    pub(super) fn waits_for_store(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.waits_for_store())
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.pair().is_some_and(|pair| pair.doubt().is_some())
    }

    // What callers ask for.

    pub(super) fn wanted(&mut self, id: WaiterId, limit: Duration, valid_for: Duration, cx: &Context<'_>) {
        let from = self.pair().map(|pair| pair.token.generation);
        let since = cx.steady();
        self.more().waiters.push(Waiter { id, limit, valid_for, since, from });
    }

    pub(super) fn gave_up(&mut self, waiter: WaiterId) {
        let Some(more) = &mut self.more else { return };
        more.waiters.retain(|it| it.id != waiter);
        for login in &mut more.logins {
            login.waiter.take_if(|(id, _)| *id == waiter);
        }
        for logout in &mut more.logouts {
            logout.waiters.retain(|(id, _)| *id != waiter);
        }
    }

    /// The API refused a token. Only the newest one counts: a late refusal of an older one says nothing.
    pub(super) fn rejected(&mut self, generation: u64, cx: &mut Context<'_>) {
        let now = cx.steady();
        let rotating = self.work.as_ref().is_some_and(|work| work.is_past_sending());
        let working = self.work.is_some();
        let Some(pair) = self.pair_mut() else { return };
        if pair.token.generation != generation || rotating {
            return;
        }
        if pair.doubt().is_some() {
            // The server has rotated the pair, it seems. Replays come by their schedule in any case.
            pair.refused = true;
            return;
        }
        let times = pair.token.times;
        let longest = times.life().max(FIRST_PAUSE_OF_REFUSED);
        let more = self.more();
        if more.rejected.is_some_and(|(known, _)| known == generation) {
            return;
        }
        let (step, is_young) = (more.refused, times.is_young(now));
        let doubled = 1_u32.checked_shl(step.saturating_sub(1).min(16)).unwrap_or(1);
        let pause = FIRST_PAUSE_OF_REFUSED.saturating_mul(doubled).min(longest);
        let at = match step {
            _ if is_young => now.saturating_add(pause),
            0 => now,
            _ => times.has_age_at(pause).max(now),
        };
        // One that is replaced at once has cost no pause: the next one is the first.
        more.refused = if is_young { step.max(1) } else { step }.saturating_add(1);
        more.rejected = Some((generation, at));
        if at > now {
            // Another process may have stored a newer one. A claim that is under way finds it anyway.
            more.look_now = !working;
        } else if let Some(pair) = self.pair_mut() {
            pair.refused = true;
        }
        if is_young {
            cx.odd(Odd::RefusedWhileYoung);
        }
    }

    /// The step of the pause that the successor of this record has. A refresh that comes early for another reason says nothing
    /// about refusals, of which another process may know.
    pub(super) fn step_after(&self, record: &Record, cx: &Context<'_>) -> u32 {
        match self.more.as_ref() {
            Some(more) if more.rejected.is_some_and(|(known, _)| known == record.generation) => more.refused,
            _ if cx.now.wall < record.usable_until => record.refused,
            _ => 0,
        }
    }

    // What the store and the server answer.

    pub(super) fn stored(&mut self, number: u64, outcome: StoreOutcome, cx: &mut Context<'_>) {
        let is_logout = |more: &More| more.logouts.iter().any(|logout| logout.reading == Some(number));
        if self.more.as_deref().is_some_and(is_logout) {
            self.logout_means(number, outcome, cx);
            return;
        }
        if self.more.as_mut().is_some_and(|more| more.look.take_if(|ticket| *ticket == number).is_some()) {
            self.has_looked(cx);
            match outcome {
                StoreOutcome::Read { stored, left } => {
                    self.store_works();
                    self.adopt_stored(&stored, cx);
                    // Where there is a pair, the next rotation finds what is left.
                    let is_gone = matches!(self.known, Known::Gone(_));
                    let more = self.more();
                    more.left_seen &= left;
                    // A login that waits takes the claim in any case, and may be what is left.
                    more.claim_now = is_gone && left && !more.left_seen && more.logins.is_empty();
                }
                StoreOutcome::Failed(error) => self.store_failed(error, cx),
                _ => {}
            }
        } else if let Some(login) = self.stashing(number) {
            // If stashing failed, the login is in memory alone until the claim is there.
            login.stashing = None;
            login.stashed = matches!(outcome, StoreOutcome::Done);
            if let StoreOutcome::Failed(error) = outcome {
                cx.tell(EventKind::Failed(Problem::Store(error)));
            }
        } else if self.work.as_ref().is_some_and(|work| work.ticket == Some(number)) {
            self.work_stored(outcome, cx);
        }
    }

    fn stashing(&mut self, number: u64) -> Option<&mut PendingLogin> {
        self.more.as_mut()?.logins.iter_mut().find(|login| login.stashing == Some(number))
    }

    pub(super) fn answered(&mut self, number: u64, answer: Option<Answer<Unread>>, cx: &mut Context<'_>) {
        let asked = self.more.as_mut().and_then(|more| more.witness.take_if(|(ticket, _)| *ticket == number));
        if let Some((_, witness)) = asked {
            let status = answer.and_then(|answer| answer.status());
            self.witness_said(&witness, status.map(|status| status.as_u16()));
        } else if self.work.as_ref().is_some_and(|work| work.ticket == Some(number)) {
            self.work_answered(answer, cx);
        }
    }

    /// The old access token orders, and never decides. If it lives, nothing was rotated, and the next replay comes at
    /// once. If it is refused, it is served no longer. After the doubt, or about another token than the present one, an
    /// answer says nothing.
    fn witness_said(&mut self, witness: &Arc<Token>, status: Option<u16>) {
        if !self.pair().is_some_and(|pair| pair.doubt().is_some() && Arc::ptr_eq(&pair.token, witness)) {
            return;
        }
        match status {
            Some(200..=299 | 403) => self.more().replay_now = true,
            Some(401) => {
                if let Some(pair) = self.pair_mut() {
                    pair.refused = true;
                }
            }
            _ => {}
        }
    }

    /// Takes over what the store holds.
    pub(super) fn adopt_stored(&mut self, stored: &Stored, cx: &mut Context<'_>) {
        self.has_looked(cx);
        match stored {
            Stored::Nothing => self.known = Known::Gone(Gone::NeverLoggedIn),
            Stored::Tombstone(_) => self.known = Known::Gone(Gone::LoggedOut),
            Stored::Grant(record) => self.adopt(record, cx),
        }
    }

    /// Takes over what the store holds under the claim. That is the newest pair there is, even if this process knows a
    /// newer one: somebody restored a backup.
    pub(super) fn adopt_claimed(&mut self, stored: &Stored, cx: &mut Context<'_>) {
        let generation = stored.record().map(|record| record.generation);
        if self.pair().is_some_and(|known| Some(known.token.generation()) > generation) {
            self.known = Known::Nothing;
        }
        self.adopt_stored(stored, cx);
    }

    /// Takes over a record of this process that is not stored yet. The claim has run out if the store was read since, and
    /// held no grant: that read is newer.
    pub(super) fn adopt_unstored(&mut self, record: &Record, cx: &mut Context<'_>) {
        if !matches!(self.known, Known::Gone(_)) {
            self.adopt(record, cx);
        }
    }

    pub(super) fn adopt(&mut self, record: &Record, cx: &mut Context<'_>) {
        self.has_looked(cx);
        if let Err(error) = cx.shared.client.check_owner(&record.tokens) {
            self.known = Known::OtherOwner(error);
            return;
        }
        if self.pair().is_some_and(|known| known.token.generation > record.generation) {
            // A read that began before a commit ended, or the record of a claim that was lost. Generations go on from one
            // login to the next, so what is known is newer.
            return;
        }
        // A stray that came after the burial has to be tried like those before it.
        let has_strays = !record.strays.is_empty();
        if let Some(death) = record.death.filter(|_| !record.leaving && !has_strays) {
            self.known = Known::Gone(Gone::Dead(death.why));
            return;
        }
        let mut pair = Pair::of(record, &cx.now);
        if let Some(known) = self.pair().filter(|known| known.is_of(record)) {
            let other_sends = known.doubt().map(|doubt| doubt.sends) != record.doubt.map(|doubt| doubt.sends);
            if let (Some(known), Some(doubt)) = (known.doubt(), pair.doubt_mut()) {
                // Another process has sent one since, at a time that only its own clocks know.
                let gap = cx.steady().saturating_add(gap_after(doubt.sends, life(record)));
                doubt.replay = if other_sends { doubt.replay.max(gap) } else { known.replay };
                (doubt.age, doubt.learned) = (known.age, known.learned);
            }
            pair.keep(known);
            if let Some(more) = self.more.as_mut().filter(|_| other_sends) {
                // What brought a replay forward was about an earlier one.
                more.replay_now = false;
                more.forwards = false;
            }
        } else {
            self.forget_troubles(record.refused);
        }
        if self.pair().is_none_or(|known| !Arc::ptr_eq(&known.token, &pair.token)) {
            self.published = Published::Another;
        }
        pair.refused |= record.death.is_some();
        self.known = Known::Pair(pair);
        if record.death.is_some() {
            self.more().refresh_now = true;
        }
    }

    /// Serves an access token that came without its refresh token, until it expires.
    pub(super) fn serve_alone(&mut self, access_token: AccessToken, lifetime: Duration, now: &Now) {
        if let Some(pair) = self.pair_mut() {
            pair.serve_alone(access_token, lifetime, now);
            self.published = Published::Another;
        }
    }

    /// A new pair: what failed before does not matter any more, but for how many before it the API refused.
    fn forget_troubles(&mut self, refused: u32) {
        if refused > 0 {
            self.more();
        }
        if let Some(more) = &mut self.more {
            more.failures = 0;
            more.store_failures = 0;
            more.last = None;
            more.misconfigured = false;
            more.not_before = Duration::ZERO;
            more.claim_not_before = Duration::ZERO;
            more.replay_now = false;
            more.forwards = false;
            more.forwarded_at = None;
            more.rejected = None;
            more.refused = refused;
            more.refresh_now = false;
        }
    }

    /// Nothing was left in doubt, and nothing was gained. Tries again later. A request that was not sent costs the server
    /// nothing, so it is tried again soon, however long the network has been away.
    pub(super) fn failed(&mut self, error: Arc<Error>, wait: Option<Duration>, cx: &mut Context<'_>) {
        let now = cx.steady();
        let unsent = error.delivery() == Delivery::NotSent;
        let problem = Problem::Request(error);
        let more = self.more();
        let longest = if unsent { LONGEST_LOCAL_PAUSE } else { Duration::MAX };
        let pause = wait.unwrap_or(Duration::ZERO).max(pause_after(more.failures).min(longest));
        more.asked_to_wait = wait.is_some();
        more.failures = more.failures.saturating_add(1);
        more.not_before = now.saturating_add(pause);
        more.last = Some(problem.clone());
        cx.tell(EventKind::Failed(problem));
    }

    pub(super) fn misconfigured(&mut self, error: Arc<Error>, cx: &mut Context<'_>) {
        self.failed(error, Some(AFTER_MISCONFIGURATION), cx);
        self.more().misconfigured = true;
    }

    /// The store failed before anything was sent.
    pub(super) fn store_failed(&mut self, error: StoreError, cx: &mut Context<'_>) {
        if error.kind().is_lasting() && self.pair().is_none() {
            self.known = Known::Unusable(Box::new(error.clone()));
        }
        let now = cx.steady();
        let more = self.more();
        more.claim_not_before = now.saturating_add(pause_after(more.store_failures).min(LONGEST_LOCAL_PAUSE));
        more.store_failures = more.store_failures.saturating_add(1);
        more.last = Some(Problem::Store(error.clone()));
        cx.tell(EventKind::Failed(Problem::Store(error)));
    }

    /// The store works again.
    pub(super) fn store_works(&mut self) {
        if let Some(more) = &mut self.more {
            more.store_failures = 0;
            more.claim_not_before = Duration::ZERO;
        }
    }

    /// Another process has the claim.
    pub(super) fn is_busy(&mut self, cx: &Context<'_>) {
        let now = cx.steady();
        let more = self.more();
        let pause = FIRST_BUSY_PAUSE.saturating_mul(1_u32.checked_shl(more.busy.min(16)).unwrap_or(1));
        more.busy = more.busy.saturating_add(1);
        more.claim_not_before = now.saturating_add(pause.min(LONGEST_BUSY_PAUSE));
        more.last = Some(Problem::Busy);
    }

    pub(super) fn is_claimed(&mut self) {
        if let Some(more) = &mut self.more {
            more.busy = 0;
        }
    }

    // What has to be done now.

    /// Does everything that can be done now: ends waits, begins work, publishes what is known. Returns when to look at
    /// the grant again.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        self.retry_work(cx);
        self.serve(cx);
        self.begin(cx);
        if let Some(more) = &mut self.more {
            // Nobody needs the place any more.
            more.place.take_if(|(_, at)| *at <= cx.steady());
        }
        // What could not begin may have been the last thing to wait for.
        self.serve(cx);
        self.publish(cx);
        let has_pair = self.pair().is_some();
        if let Some(more) = &mut self.more {
            // Only those who wait for a pair ask when the store was read last.
            more.looked_at = more.looked_at.filter(|_| !has_pair || !more.waiters.is_empty());
            if more.is_empty() {
                self.more = None;
            }
        }
        self.wake_at(cx.steady())
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !more.waiters.is_empty())
    }

    /// Shows everybody what is known, if that has changed.
    fn publish(&mut self, cx: &mut Context<'_>) {
        let now = cx.steady();
        let rotating = self.work.as_ref().is_some_and(|work| work.is_past_sending());
        let (published, current) = match &self.known {
            Known::Nothing | Known::OtherOwner(_) | Known::Unusable(_) => (Published::Unknown, Current::Unknown),
            Known::Gone(gone) => (Published::Gone(*gone), Current::Gone(*gone)),
            Known::Pair(pair) if pair.leaving => (Published::Gone(Gone::LoggedOut), Current::Gone(Gone::LoggedOut)),
            Known::Pair(pair) => {
                let token = Arc::clone(&pair.token);
                if pair.is_promised(now) && !rotating {
                    (Published::Fresh, Current::Fresh(token))
                } else if pair.is_alive(now) {
                    (Published::Stale, Current::Stale(token))
                } else {
                    (Published::Expired, Current::Expired(token))
                }
            }
        };
        if published != self.published {
            self.published = published;
            cx.publish(current);
        }
    }
}

impl More {
    fn is_empty(&self) -> bool {
        self.look.is_none()
            && self.looked_at.is_none()
            && self.waiters.is_empty()
            && self.logins.is_empty()
            && self.logouts.is_empty()
            && self.witness.is_none()
            && self.failures == 0
            && self.store_failures == 0
            && self.last.is_none()
            && self.busy == 0
            && !self.replay_now
            && !self.forwards
            && self.forwarded_at.is_none()
            && self.rejected.is_none()
            && self.refused == 0
            && !self.refresh_now
            && !self.judge
            && !self.look_now
            && self.place.is_none()
            && self.not_before == Duration::ZERO
            && self.claim_not_before == Duration::ZERO
    }
}
