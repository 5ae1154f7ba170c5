//! A refresh, from the decision to its durable successor.

use restream_oauth_core::{Advice, Delivery, Error, Tokens};

use super::step::{LEFT_TO_PREPARE, LEFT_TO_SEND, LIMIT, Step, Work, leftovers_of, unsent};
use crate::doubt::AFTER_A_LATE_ONE;
use crate::event::{EventKind, Odd};
use crate::machine::context::Context;
use crate::machine::due::may_forward;
use crate::machine::grant::Grant;
use crate::machine::known::Pair;
use crate::operation::{Leftovers, StoreOp};
use crate::pace::{Attempt, Ending};
use crate::record::{Doubt, Parent, Record, Stored, TokenHash};

impl Grant {
    /// Begins a refresh, if one is due for the newest record.
    pub(super) fn rotate(&mut self, mut work: Box<Work>, mut record: Box<Record>, cx: &mut Context<'_>) {
        let now = cx.steady();
        if let Some(doubt) = record.doubt.as_mut().filter(|doubt| doubt.in_flight) {
            // Its process died, and its connection with it: the claim proves that.
            doubt.in_flight = false;
            doubt.ended.get_or_insert(cx.now.wall);
            let earliest = now.saturating_add(AFTER_A_LATE_ONE);
            if let Some(known) = self.pair_mut().and_then(Pair::doubt_mut) {
                known.replay = known.replay.max(earliest);
            }
            cx.tell(EventKind::InDoubt { sends: doubt.sends, error: None });
            work.give_back(cx);
            self.settle(work, Some(record), Leftovers::Leave, cx);
            return;
        }
        if self.more.as_ref().is_some_and(|more| more.judge) && !record.strays.is_empty() {
            work.give_back(cx);
            self.try_stray(work, &record, cx);
            return;
        }
        self.more().judge = false;
        let by_others = self.pair().and_then(|pair| pair.doubt()?.forwarded);
        let more = self.more();
        if more.forwards && !may_forward(by_others, now) {
            // Meanwhile somebody else has brought the replay forward.
            more.replay_now = false;
            more.forwards = false;
        }
        let (replay_now, forwards) = (more.replay_now, more.forwards);
        let allowed = self.pair().is_some_and(|pair| pair.not_before() <= now);
        let due = match self.pair().and_then(Pair::doubt) {
            Some(doubt) => doubt.replay <= now || replay_now,
            None => self.refresh_is_due(now).is_some(),
        };
        let left = work.deadline().saturating_sub(now);
        if !due || !allowed || work.attempt.is_none() || left < LEFT_TO_PREPARE {
            self.release(work, cx);
            return;
        }
        if record.refresh_token().is_none() {
            self.end_without_refresh_token(work, record, cx);
            return;
        }
        if record.doubt.is_some() && work.attempt == Some(Attempt::First) {
            cx.shared.pace.is_a_retry();
            work.attempt = Some(Attempt::Retry);
        }
        record.requests = record.requests.saturating_add(1);
        record.doubt = Some(Doubt {
            since: record.doubt.map_or(cx.now.wall, |doubt| doubt.since),
            sends: record.doubt.map_or(1, |doubt| doubt.sends.saturating_add(1)),
            in_flight: true,
            ended: record.doubt.and_then(|doubt| doubt.ended),
            witnessed: record.doubt.is_some_and(|doubt| doubt.witnessed),
            forwarded: record.doubt.and_then(|doubt| if forwards { Some(cx.now.wall) } else { doubt.forwarded }),
        });
        let claim = work.claim_id();
        let op = StoreOp::Prepare { claim, record: record.clone() };
        work.store(Step::Preparing { marked: record }, op, cx);
        self.work = Some(work);
    }

    /// The place is proven, and the doubt is written down: sends the refresh.
    pub(super) fn prepared(&mut self, mut work: Box<Work>, marked: Box<Record>, cx: &mut Context<'_>) {
        self.store_works();
        work.stored = Stored::Grant(marked.clone());
        let left = work.deadline().saturating_sub(cx.steady());
        let Some(sent) = marked.refresh_token().filter(|_| left >= LEFT_TO_SEND) else {
            // The machine slept, or the disk was slow: an answer might come after somebody else has the claim.
            work.give_back(cx);
            let unmarked = unsent(*marked);
            self.adopt_unstored(&unmarked, cx);
            let leftovers = leftovers_of(&unmarked);
            self.settle(work, Some(Box::new(unmarked)), leftovers, cx);
            return;
        };
        let (call, interpreter) = cx.shared.client.refresh(sent).unread();
        let number = cx.send(call, work.deadline());
        cx.shared.pace.sent(cx.grant.0, cx.now.steady);
        let more = self.more();
        more.replay_now = false;
        more.forwards = false;
        work.ticket = Some(number);
        work.sent = true;
        work.sent_at = Some(cx.steady());
        work.step = Step::Sending { marked, interpreter };
        self.work = Some(work);
    }

    /// The answer is on disk, or there is none: says what it means.
    pub(super) fn arrived(
        &mut self,
        mut work: Box<Work>,
        marked: &Record,
        result: Result<Tokens, Error>,
        cx: &mut Context<'_>,
    ) {
        if std::mem::take(&mut work.sent) {
            let ending = match result.as_ref().map_err(|error| (error.delivery(), error.advice())) {
                Ok(_) | Err((Delivery::Refused, Advice::Reauthorize)) => Ending::Good,
                Err((Delivery::Refused, _)) => Ending::Refused,
                Err((Delivery::NotSent, _)) => Ending::NotSent,
                Err(_) => Ending::Doubt,
            };
            cx.shared.breaker_closed |= cx.shared.pace.ended(cx.grant.0, ending, cx.now.steady);
        }
        let status = result.as_ref().err().and_then(Error::status).map(|status| status.as_u16());
        if matches!(status, Some(429 | 503)) {
            cx.shared.pace.slow_down(cx.now.steady);
            cx.tell(EventKind::Throttled);
        }
        match result {
            Ok(tokens) => self.commit_successor(work, marked, &tokens, cx),
            Err(error) => self.refused_or_lost(work, marked, error, cx),
        }
    }

    pub(super) fn commit_successor(&mut self, work: Box<Work>, marked: &Record, tokens: &Tokens, cx: &mut Context<'_>) {
        for oddity in tokens.oddities() {
            cx.odd(Odd::Answer(oddity));
        }
        let generation = marked.generation.saturating_add(1);
        let next = Record {
            login: marked.login,
            logged_in_at: marked.logged_in_at,
            generation,
            sent: marked.refresh_token().map(TokenHash::of),
            leaving: marked.leaving,
            user: marked.user.clone(),
            refused: self.step_after(marked, cx),
            ..Record::of_login(tokens.clone(), self.usable_until(tokens, marked.login, generation, cx))
        };
        // One request makes the mark; more than one, or the end of a connection without an answer, a doubt.
        let was_in_doubt =
            marked.death.is_some() || marked.doubt.is_some_and(|doubt| doubt.sends > 1 || doubt.ended.is_some());
        self.commit(work, Box::new(next), marked.parent(), was_in_doubt, cx);
    }

    pub(super) fn commit(
        &mut self,
        mut work: Box<Work>,
        next: Box<Record>,
        parent: Parent,
        was_in_doubt: bool,
        cx: &mut Context<'_>,
    ) {
        let claim = work.claim_id();
        let op = StoreOp::Commit { claim, parent, record: next.clone() };
        work.attempts = 0;
        work.store(Step::Committing { next, parent, was_in_doubt }, op, cx);
        self.work = Some(work);
    }

    /// Stores a refresh token that came alone without the claim, as a pair is. It counts as a generation, so that nothing which
    /// the holder of the claim writes about the one before replaces it.
    pub(super) fn commit_salvaged(&mut self, work: Box<Work>, mut record: Box<Record>, cx: &mut Context<'_>) {
        let parent = work.record().unwrap_or(&record).parent();
        record.generation = record.generation.saturating_add(1);
        record.sent = Some(parent.sent);
        self.commit(work, record, parent, false, cx);
    }

    /// The successor is durable: everybody may see it.
    pub(super) fn committed(
        &mut self,
        mut work: Box<Work>,
        next: Box<Record>,
        was_in_doubt: bool,
        cx: &mut Context<'_>,
    ) {
        self.adopt(&next, cx);
        if work.refresh_next {
            self.more().refresh_now = true;
        }
        let generation = next.generation;
        // A refresh token that came alone is not yet a new pair.
        if next.salvaged.is_none() {
            cx.tell(if was_in_doubt { EventKind::Recovered { generation } } else { EventKind::Rotated { generation } });
        }
        work.stored = Stored::Grant(next);
        self.settle(work, None, Leftovers::Remove, cx);
    }

    /// The pair came too late: something else is stored in the place of its parent.
    pub(super) fn superseded(
        &mut self,
        mut work: Box<Work>,
        late: Record,
        parent: Parent,
        stored: Stored,
        cx: &mut Context<'_>,
    ) {
        match &stored {
            // A refresh token without an access token is no pair. Its answer is kept.
            _ if late.salvaged.is_some() => {
                self.adopt_stored(&stored, cx);
                self.settle(work, None, Leftovers::SetAside, cx);
            }
            Stored::Grant(record) if record.login == parent.login && record.tokens != late.tokens => {
                self.adopt_stored(&stored, cx);
                let tokens = Box::new(late.tokens);
                work.attempts = 0;
                work.store(Step::Parking { parent, tokens: tokens.clone() }, StoreOp::Park { parent, tokens }, cx);
                work.stored = stored;
                self.work = Some(work);
            }
            _ => self.orphaned(work, &late.tokens, parent, &stored, cx),
        }
    }

    /// The late pair has no place in what is stored.
    pub(super) fn orphaned(
        &mut self,
        mut work: Box<Work>,
        late: &Tokens,
        parent: Parent,
        stored: &Stored,
        cx: &mut Context<'_>,
    ) {
        self.adopt_stored(stored, cx);
        match stored {
            // The user has logged out: the pair must not live on.
            Stored::Tombstone(tombstone) if tombstone.login == parent.login => {
                if let Some(token) = late.refresh_token() {
                    let (call, _) = cx.shared.client.revoke(token).unread();
                    let deadline = cx.steady().saturating_add(LIMIT);
                    work.ticket = Some(cx.send(call, deadline));
                    work.step = Step::RevokingLatePair;
                    self.work = Some(work);
                } else {
                    self.settle(work, None, Leftovers::Remove, cx);
                }
            }
            // The pair itself, or a login of somebody else.
            Stored::Grant(_) => self.settle(work, None, Leftovers::Remove, cx),
            Stored::Nothing | Stored::Tombstone(_) => self.settle(work, None, Leftovers::SetAside, cx),
        }
    }
}
