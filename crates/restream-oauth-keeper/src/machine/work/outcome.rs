//! A refresh that gave no pair: what that means, and what is written down of it.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::error::Salvaged;
use restream_oauth_core::{Advice, Delivery, Error, RefreshToken};

use super::step::{WITNESS_LIMIT, Work, leftovers_of, unsent};
use crate::doubt::{AFTER_A_LATE_ONE, LONGEST_WAIT, gap_after, life, without_last_request};
use crate::event::{EventKind, Problem};
use crate::machine::context::Context;
use crate::machine::grant::Grant;
use crate::machine::known::{Known, Pair};
use crate::operation::Leftovers;
use crate::record::{Death, DeathCause, Record};
use crate::token::Gone;

impl Grant {
    /// No pair came. Says whether that leaves a doubt, and when to try again.
    pub(super) fn refused_or_lost(&mut self, work: Box<Work>, marked: &Record, error: Error, cx: &mut Context<'_>) {
        match (error.delivery(), error.salvaged()) {
            (_, Some(Salvaged::RefreshToken(newest))) => {
                let newest = newest.clone();
                self.salvaged(work, marked, newest, error, cx);
            }
            (Delivery::NotSent, _) => {
                let wait = error.retry_after();
                self.nothing_happened(work, marked, error, wait, cx);
            }
            (Delivery::Refused, _) => self.refused(work, marked, error, cx),
            (_, salvaged) => {
                let alone = match salvaged {
                    Some(Salvaged::AccessToken(token)) => Some(token.clone()),
                    _ => None,
                };
                let now = cx.now;
                self.in_doubt(work, marked, error, alone.is_none(), cx);
                if let Some(token) = alone.filter(|_| self.pair().is_some_and(|pair| pair.is_of(marked))) {
                    self.serve_alone(token, marked.tokens.lifetime(), &now);
                }
            }
        }
    }

    /// The outcome is unknown. The record says so already; what is added is that the connection is dead. The old access
    /// token is asked once in a doubt, if that can still say anything.
    fn in_doubt(&mut self, work: Box<Work>, marked: &Record, error: Error, may_ask: bool, cx: &mut Context<'_>) {
        let mut record = marked.clone();
        let Some(doubt) = &mut record.doubt else {
            self.settle(work, None, Leftovers::SetAside, cx);
            return;
        };
        doubt.in_flight = false;
        doubt.ended.get_or_insert(cx.now.wall);
        let lives = self.pair().is_some_and(|pair| pair.is_of(marked) && pair.is_alive(cx.steady()));
        let ask = may_ask && !doubt.witnessed && lives;
        doubt.witnessed |= ask;
        let sends = doubt.sends;
        let wait = error.retry_after().map(|wait| wait.saturating_sub(work.answer_age));
        record.not_before = wait.map(|wait| cx.now.wall_after(wait));
        self.adopt_unstored(&record, cx);
        // A replay whose time passed while this request hung does not follow on its heels.
        let earliest = cx.steady().saturating_add(AFTER_A_LATE_ONE);
        let gap = work.sent_at.map(|at| at.saturating_add(gap_after(sends, life(&record))));
        if let Some(doubt) = self.pair_mut().filter(|pair| pair.is_of(&record)).and_then(Pair::doubt_mut) {
            doubt.sends = sends;
            doubt.replay = gap.unwrap_or(doubt.replay).max(earliest);
        }
        let more = self.more();
        more.failures = more.failures.saturating_add(1);
        more.not_before = more.not_before.max(earliest);
        let error = Arc::new(error);
        more.last = Some(Problem::Request(Arc::clone(&error)));
        cx.tell(EventKind::InDoubt { sends, error: Some(error) });
        if ask {
            self.ask_witness(cx);
        }
        self.settle(work, Some(Box::new(record)), Leftovers::SetAside, cx);
    }

    /// Asks the API whether the old access token lives.
    fn ask_witness(&mut self, cx: &mut Context<'_>) {
        let Some(witness) = self.pair().map(|pair| Arc::clone(&pair.token)) else { return };
        if let Ok(call) = cx.shared.client.profile(witness.access_token()) {
            let deadline = cx.steady().saturating_add(WITNESS_LIMIT);
            let number = cx.send(call.unread().0, deadline);
            self.more().witness = Some((number, witness));
        }
    }

    /// The server did not act on the request.
    fn refused(&mut self, work: Box<Work>, marked: &Record, error: Error, cx: &mut Context<'_>) {
        match error.advice() {
            Advice::Reauthorize => self.refused_for_good(work, marked, cx),
            Advice::Retry { after } => self.nothing_happened(work, marked, error, after, cx),
            Advice::FixConfiguration => {
                let unmarked = unsent(marked.clone());
                self.adopt_unstored(&unmarked, cx);
                self.misconfigured(Arc::new(error), cx);
                let leftovers = leftovers_of(&unmarked);
                self.settle(work, Some(Box::new(unmarked)), leftovers, cx);
            }
            _ => {
                let wait = Some(LONGEST_WAIT);
                self.nothing_happened(work, marked, error, wait, cx);
            }
        }
    }

    /// Nothing was sent, or the server did nothing: the doubt is what it was before this request.
    fn nothing_happened(
        &mut self,
        work: Box<Work>,
        marked: &Record,
        error: Error,
        wait: Option<Duration>,
        cx: &mut Context<'_>,
    ) {
        let mut unmarked = unsent(marked.clone());
        let wait = wait.map(|wait| wait.saturating_sub(work.answer_age));
        self.failed(Arc::new(error), wait, cx);
        let pause = self.more().not_before.saturating_sub(cx.steady());
        unmarked.not_before = wait.map(|_| cx.now.wall_after(pause));
        self.adopt_unstored(&unmarked, cx);
        let leftovers = leftovers_of(&unmarked);
        self.settle(work, Some(Box::new(unmarked)), leftovers, cx);
    }

    /// The server no longer knows the refresh token. If the store holds a stray, that may be the living pair.
    pub(super) fn refused_for_good(&mut self, mut work: Box<Work>, marked: &Record, cx: &mut Context<'_>) {
        let mut record = marked.clone();
        let before = record.doubt.and_then(without_last_request);
        let lost_answer = record.lost_answer || record.death.is_some_and(|death| death.why == DeathCause::LostAnswer);
        if let Some(stray) = record.strays.pop() {
            let next = Record {
                generation: record.generation.saturating_add(1),
                lost_answer: lost_answer || before.is_some(),
                death: None,
                doubt: None,
                not_before: None,
                salvaged: None,
                usable_until: stray.tokens.sent_at(),
                tokens: stray.tokens,
                sent: None,
                ..record
            };
            work.refresh_next = true;
            self.commit(work, Box::new(next), marked.parent(), true, cx);
            return;
        }
        let why = if before.is_some() || record.lost_answer { DeathCause::LostAnswer } else { DeathCause::Revoked };
        record.doubt = before;
        self.bury(work, record, why, cx);
    }

    pub(super) fn bury(&mut self, work: Box<Work>, mut record: Record, why: DeathCause, cx: &mut Context<'_>) {
        record.death = Some(Death { why, at: cx.now.wall });
        // Without a doubt before it, the refusal is the only answer that there is, and holds nothing.
        let leftovers = if why == DeathCause::Revoked { Leftovers::Remove } else { Leftovers::SetAside };
        self.settle(work, Some(Box::new(record)), leftovers, cx);
    }

    /// The death of the grant is written down, or cannot be: everybody may know of it, unless the record holds a stray that
    /// has to be tried.
    pub(super) fn died(&mut self, record: &Record, cx: &mut Context<'_>) {
        self.adopt(record, cx);
        if let Known::Gone(Gone::Dead(why)) = self.known {
            cx.tell(EventKind::Dead { why });
        }
    }

    pub(super) fn end_without_refresh_token(&mut self, work: Box<Work>, record: Box<Record>, cx: &mut Context<'_>) {
        work.give_back(cx);
        if self.pair().is_some_and(|pair| pair.is_alive(cx.steady())) {
            // Nothing can be done before the access token expires.
            if let Some(pair) = self.pair_mut() {
                pair.set_not_before(pair.expires());
            }
            self.settle(work, None, Leftovers::Leave, cx);
        } else {
            self.bury(work, *record, DeathCause::NoRefreshToken, cx);
        }
    }

    /// A refresh token came without its access token. It is kept, and used next.
    fn salvaged(&mut self, work: Box<Work>, marked: &Record, newest: RefreshToken, error: Error, cx: &mut Context<'_>) {
        let record =
            Record { doubt: None, not_before: None, lost_answer: true, salvaged: Some(newest), ..marked.clone() };
        self.adopt_unstored(&record, cx);
        let more = self.more();
        more.failures = 0;
        more.not_before = Duration::ZERO;
        more.last = Some(Problem::Request(Arc::new(error)));
        self.settle(work, Some(Box::new(record)), Leftovers::Remove, cx);
    }
}
