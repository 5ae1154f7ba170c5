//! What those who wait for a grant get, and when.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::grant::{Grant, LOOK_AGAIN_WANTED, More, Waiter};
use super::known::Known;
use crate::event::Problem;
use crate::token::{Gone, Token, TokenError};

impl Grant {
    pub(super) fn serve(&mut self, cx: &mut Context<'_>) {
        let Some(mut more) = self.more.take() else { return };
        let now = cx.steady();
        let generation = self.pair().map(|pair| pair.token.generation);
        for waiter in more.waiters.iter_mut().filter(|waiter| waiter.from.is_none()) {
            waiter.from = generation;
        }
        for waiter in std::mem::take(&mut more.waiters) {
            match self.answer(&waiter, &more, cx) {
                Some(result) => cx.resolve(waiter.id, result.map(Some)),
                None => more.waiters.push(waiter),
            }
        }
        let late = |limit: Duration| limit <= now;
        // The login goes on without its waiter.
        for login in &mut more.logins {
            if let Some((waiter, _)) = login.waiter.take_if(|(_, limit)| late(*limit)) {
                cx.resolve(waiter, Err(TokenError::TimedOut { last: more.last.clone() }));
            }
        }
        for logout in &mut more.logouts {
            logout.waiters.retain(|(waiter, limit)| {
                if late(*limit) {
                    cx.resolve(*waiter, Err(TokenError::TimedOut { last: more.last.clone() }));
                }
                !late(*limit)
            });
        }
        self.more = Some(more);
    }

    /// What a waiter gets now; `None` if it goes on waiting.
    fn answer(&self, waiter: &Waiter, more: &More, cx: &Context<'_>) -> Option<Result<Arc<Token>, TokenError>> {
        let now = cx.steady();
        let looked = more.looked_at.is_some_and(|at| at >= waiter.since || at.saturating_add(LOOK_AGAIN_WANTED) > now);
        let rotating = self.work.as_ref().is_some_and(|work| work.is_past_sending());
        let timed_out = || (waiter.limit <= now).then(|| Err(TokenError::TimedOut { last: more.last.clone() }));
        match &self.known {
            Known::Gone(gone) if looked && more.logins.is_empty() => Some(Err(TokenError::Gone(*gone))),
            Known::OtherOwner(error) if looked => Some(Err(TokenError::OtherOwner(error.clone()))),
            Known::Unusable(error) if looked || more.claim_not_before > now => {
                Some(Err(TokenError::Store((**error).clone())))
            }
            Known::Pair(pair) if pair.leaving => Some(Err(TokenError::Gone(Gone::LoggedOut))),
            Known::Pair(pair) => {
                let served = || Some(Ok(Arc::clone(&pair.token)));
                // After a refusal, the store is read before the same token is given out again.
                let looking = more.look.is_some() && more.rejected.is_some();
                if rotating || looking {
                    return timed_out();
                }
                if pair.is_promised(now) && !waiter.needs_another(pair, now) || waiter.cannot_get_better(pair) {
                    return served();
                }
                match &more.last {
                    Some(Problem::Request(error)) if more.misconfigured && more.not_before > now => {
                        return Some(Err(TokenError::Configuration(Arc::clone(error))));
                    }
                    Some(last @ Problem::Store(error))
                        if last.is_lasting() && more.claim_not_before > now && !pair.is_alive(now) =>
                    {
                        return Some(Err(TokenError::Store(error.clone())));
                    }
                    _ => {}
                }
                // A refresh is due. While the old token lives, no trouble with it is the caller's.
                let queued = more.place.is_some_and(|(_, at)| at > now);
                let held_up = pair.doubt().is_some()
                    || more.not_before.max(more.claim_not_before).max(pair.not_before()) > now
                    || queued
                    || cx.shared.shutting_down;
                let young = more.rejected.is_some_and(|(_, at)| at > now);
                if pair.is_alive(now) && (held_up && more.busy == 0 || young) {
                    return served();
                }
                if cx.shared.shutting_down && self.work.is_none() {
                    return Some(Err(TokenError::ShuttingDown));
                }
                timed_out()
            }
            _ if cx.shared.shutting_down && self.is_idle() => Some(Err(TokenError::ShuttingDown)),
            _ => timed_out(),
        }
    }
}
