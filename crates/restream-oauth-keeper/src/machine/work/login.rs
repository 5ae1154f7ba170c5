//! Logins and logouts: they take the claim like every other writer.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::{Error, Tokens};

use super::step::{LIMIT, Step, Work};
use crate::event::Problem;
use crate::machine::context::Context;
use crate::machine::grant::Grant;
use crate::machine::known::ShortLoginId;
use crate::operation::{Leftovers, StoreOp};
use crate::record::{LoginId, Record, Stored};
use crate::token::TokenError;

impl Grant {
    /// Stores a login. `ended` is the login in whose place it is put, if its pair was revoked for a logout.
    pub(super) fn insert(
        &mut self,
        mut work: Box<Work>,
        tokens: Tokens,
        ended: Option<ShortLoginId>,
        cx: &mut Context<'_>,
    ) {
        work.give_back(cx);
        let generation = work.stored.next_generation();
        let usable_until = self.usable_until(&tokens, LoginId::of(&tokens), generation, cx);
        let record = Box::new(Record { generation, ..Record::of_login(tokens, usable_until) });
        let claim = work.claim_id();
        let op = StoreOp::Insert { claim, record: record.clone() };
        work.attempts = 0;
        work.store(Step::Inserting { record, ended }, op, cx);
        self.work = Some(work);
    }

    /// True if the record has to end: its user is leaving.
    pub(super) fn is_asked_to_leave(&mut self, record: &Record, cx: &mut Context<'_>) -> bool {
        // A login that came after the wish to log out stays.
        self.end_logouts(|logout| logout.login.is_some_and(|login| login != record.login.into()), &Ok(None), cx);
        self.ends(record)
    }

    /// True if this record has to end.
    pub(super) fn ends(&self, record: &Record) -> bool {
        let means = |login: Option<ShortLoginId>| login.is_none_or(|login| login == record.login.into());
        let logouts = self.more.iter().flat_map(|more| &more.logouts);
        record.leaving || logouts.filter(|logout| logout.reading.is_none()).any(|logout| means(logout.login))
    }

    pub(super) fn leave(&mut self, mut work: Box<Work>, record: &Record, cx: &mut Context<'_>) {
        work.give_back(cx);
        if record.leaving {
            self.revoke(work, cx);
            return;
        }
        // What failed before was about refreshes.
        if let Some(more) = &mut self.more {
            more.failures = 0;
            more.not_before = Duration::ZERO;
        }
        let leaving = Box::new(Record { leaving: true, ..record.clone() });
        self.adopt(&leaving, cx);
        work.stored = Stored::Grant(leaving.clone());
        let claim = work.claim_id();
        work.store(Step::Leaving, StoreOp::Prepare { claim, record: leaving }, cx);
        self.work = Some(work);
    }

    pub(super) fn revoke(&mut self, mut work: Box<Work>, cx: &mut Context<'_>) {
        let call = work.record().map(|record| match work.newest.as_ref().or(record.refresh_token()) {
            Some(token) => cx.shared.client.revoke(token),
            None => cx.shared.client.revoke(record.tokens.access_token()),
        });
        let Some(call) = call else {
            self.settle(work, None, Leftovers::Leave, cx);
            return;
        };
        let (call, interpreter) = call.unread();
        let deadline = cx.steady().saturating_add(LIMIT);
        work.ticket = Some(cx.send(call, deadline));
        work.step = Step::Revoking { interpreter };
        self.work = Some(work);
    }

    /// The pair is revoked, or could not be. Then it is revoked later, unless a new login is waiting for its place.
    pub(super) fn revoked(&mut self, mut work: Box<Work>, error: Option<Error>, cx: &mut Context<'_>) {
        let ended = work.record().map(|record| record.login.into());
        match (error, work.login.take()) {
            (None, None) => self.forget(work, cx),
            (None, Some(tokens)) => self.insert(work, *tokens, ended, cx),
            (Some(error), login) => {
                let wait = error.retry_after();
                let error = Arc::new(error);
                self.failed(Arc::clone(&error), wait, cx);
                match login {
                    None => self.settle(work, None, Leftovers::Leave, cx),
                    Some(tokens) => {
                        let result = Err(TokenError::TimedOut { last: Some(Problem::Request(error)) });
                        self.end_logouts(|logout| logout.login == ended, &result, cx);
                        self.insert(work, *tokens, None, cx);
                    }
                }
            }
        }
    }

    pub(super) fn forget(&mut self, mut work: Box<Work>, cx: &mut Context<'_>) {
        let Some(tombstone) = work.record().map(Record::tombstone) else { return };
        let claim = work.claim_id();
        work.attempts = 0;
        work.store(Step::Forgetting { tombstone }, StoreOp::Forget { claim, tombstone }, cx);
        self.work = Some(work);
    }
}
