//! What users ask for: logins and logouts, until the claim is there.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;

use super::context::Context;
use super::grant::{Grant, Logout, PendingLogin};
use super::interface::WaiterId;
use super::known::{Known, Pair};
use crate::operation::{StoreOp, StoreOutcome};
use crate::record::{LoginId, Stored};
use crate::token::{Gone, Token, TokenError};

impl Grant {
    /// Stashes the tokens of a login, so that they survive while it waits for the claim.
    pub(super) fn log_in(&mut self, waiter: WaiterId, limit: Duration, tokens: Box<Tokens>, cx: &mut Context<'_>) {
        if let Err(error) = cx.shared.client.check_owner(&tokens) {
            cx.resolve(waiter, Err(TokenError::OtherOwner(error)));
            return;
        }
        let stashing = cx.store(StoreOp::Stash { tokens: tokens.clone() });
        let is_later = |login: &PendingLogin| login.tokens.sent_at() > tokens.sent_at();
        let logins = &mut self.more().logins;
        // While the store fails, logins are in memory alone. One that nobody waits for is dropped once this one is stored.
        logins.retain(|login| login.waiter.is_some() || login.stashing.is_some() || is_later(login));
        logins.push(PendingLogin {
            waiter: Some((waiter, limit)),
            tokens,
            stashing: Some(stashing),
            stashed: false,
            stashed_before_claim: false,
        });
    }

    /// Ends the login that is stored now, or the one that waits to be stored. A later login is not touched. Another
    /// process may have stored a login since this one looked, so the store is read.
    pub(super) fn log_out(&mut self, waiter: WaiterId, limit: Duration, cx: &mut Context<'_>) {
        let known = self.pair().map(Pair::login);
        let more = self.more();
        let pending = more.logins.iter().max_by_key(|login| login.tokens.sent_at());
        let pending = pending.map(|login| LoginId::of(&login.tokens).into());
        let same = |logout: &&mut Logout| match pending {
            Some(_) => logout.login == pending,
            None => logout.reading.is_some(),
        };
        if let Some(logout) = more.logouts.iter_mut().find(same) {
            logout.waiters.push((waiter, limit));
            return;
        }
        let reading = pending.is_none().then(|| cx.store(StoreOp::Read));
        let waiters = vec![(waiter, limit)];
        more.logouts.push(Logout { waiters, login: pending.or(known), reading, is_read_outdated: false });
    }

    /// The store has said which login a logout means.
    pub(super) fn logout_means(&mut self, number: u64, outcome: StoreOutcome, cx: &mut Context<'_>) {
        let mut logouts = self.more.iter().flat_map(|more| &more.logouts);
        let is_outdated = logouts.any(|logout| logout.reading == Some(number) && logout.is_read_outdated);
        let read = match outcome {
            StoreOutcome::Read { stored, .. } => {
                if !is_outdated {
                    self.adopt_stored(&stored, cx);
                }
                Some(stored.record().map(|record| record.login.into()))
            }
            _ => None,
        };
        let logouts = self.more.iter_mut().flat_map(|more| &mut more.logouts);
        for logout in logouts.filter(|logout| logout.reading == Some(number)) {
            logout.reading = None;
            // If the store cannot be read, the claim will say which one it is.
            logout.login = read.flatten();
        }
        if read == Some(None) {
            self.end_logouts(|logout| logout.login.is_none(), &Ok(None), cx);
        }
    }

    /// A login was stored, or ended. What logouts are reading may be what was stored before.
    pub(super) fn reads_are_outdated(&mut self) {
        for logout in self.more.iter_mut().flat_map(|more| &mut more.logouts) {
            logout.is_read_outdated = true;
        }
    }

    /// A login is about to replace what is stored. Users who asked to log out before anything was known meant what is
    /// stored now, and not that login.
    pub(super) fn logouts_mean(&mut self, stored: &Stored, cx: &mut Context<'_>) {
        let login = stored.record().map(|record| record.login.into());
        let Some(more) = &mut self.more else { return };
        for logout in more.logouts.iter_mut().filter(|logout| logout.login.is_none()) {
            logout.login = login;
        }
        if login.is_none() {
            self.end_logouts(|logout| logout.login.is_none(), &Ok(None), cx);
        }
    }

    /// Logins that began until then are stored, or a later one is: nobody waits any more for them.
    pub(super) fn logins_are_stored(&mut self, until: Option<SystemTime>, cx: &mut Context<'_>) {
        let result = match &self.known {
            Known::Pair(pair) if pair.leaving => Err(TokenError::Gone(Gone::LoggedOut)),
            Known::Pair(pair) => Ok(Some(Arc::clone(&pair.token))),
            Known::Gone(gone) => Err(TokenError::Gone(*gone)),
            Known::OtherOwner(error) => Err(TokenError::OtherOwner(error.clone())),
            Known::Nothing | Known::Unusable(_) => Err(TokenError::TimedOut { last: None }),
        };
        let Some(more) = &mut self.more else { return };
        more.logins.retain(|login| {
            let stored = until.is_none_or(|until| login.tokens.sent_at() <= until);
            if let Some((waiter, _)) = login.waiter.filter(|_| stored) {
                cx.resolve(waiter, result.clone());
            }
            !stored
        });
    }

    /// Ends these logouts, except those that do not know yet which login they mean.
    pub(super) fn end_logouts(
        &mut self,
        which: impl Fn(&Logout) -> bool,
        result: &Result<Option<Arc<Token>>, TokenError>,
        cx: &mut Context<'_>,
    ) {
        let Some(more) = &mut self.more else { return };
        more.logouts.retain(|logout| {
            let ends = logout.reading.is_none() && which(logout);
            for (waiter, _) in logout.waiters.iter().filter(|_| ends) {
                cx.resolve(*waiter, result.clone());
            }
            !ends
        });
    }
}
