//! The ways into the work on one grant: an operation is done, a request is over, the claim is there.

use std::time::{Duration, SystemTime};

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Error, Tokens};
use zeroize::Zeroizing;

use super::step::{Step, Work, leftovers_of};
use crate::event::{EventKind, Odd};
use crate::machine::context::Context;
use crate::machine::grant::Grant;
use crate::machine::known::Known;
use crate::operation::{Claimed, Leftovers, StoreOp, StoreOutcome};
use crate::policy::mix;
use crate::record::{LoginId, Record, Stored};
use crate::spooled::Spooled;
use crate::token::{Gone, TokenError};

impl Grant {
    // The two ways in: an operation is done, or a request is over.

    pub(in crate::machine) fn work_stored(&mut self, outcome: StoreOutcome, cx: &mut Context<'_>) {
        let Some(mut work) = self.work.take() else { return };
        work.ticket = None;
        if let StoreOutcome::Failed(error) = outcome {
            self.operation_failed(work, error, cx);
            return;
        }
        match work.take_step() {
            Step::Claiming => {
                if let StoreOutcome::Claimed(claimed) = outcome {
                    self.claimed(work, claimed, cx);
                } else {
                    // Without a claim there is nothing to release.
                    work.give_back(cx);
                    self.is_busy(cx);
                }
            }
            Step::Preparing { marked } => match outcome {
                StoreOutcome::Superseded(stored) => {
                    work.give_back(cx);
                    self.adopt_stored(&stored, cx);
                    self.settle(work, None, Leftovers::Leave, cx);
                }
                _ => self.prepared(work, marked, cx),
            },
            Step::Spooling { marked, interpreter, answer } => {
                self.arrived(work, &marked, interpreter.interpret(answer), cx);
            }
            Step::Committing { next, parent, was_in_doubt } => match outcome {
                StoreOutcome::Superseded(stored) => self.superseded(work, *next, parent, stored, cx),
                _ => self.committed(work, next, was_in_doubt, cx),
            },
            Step::Parking { parent, tokens } => {
                if let StoreOutcome::Superseded(stored) = outcome {
                    // The login has ended, or a later one is stored, since the pair was to be committed.
                    self.orphaned(work, &tokens, parent, &stored, cx);
                } else {
                    let more = self.more();
                    more.judge = true;
                    more.look_now = true;
                    self.settle(work, None, Leftovers::Remove, cx);
                }
            }
            Step::Inserting { record, ended } => {
                if ended.is_some() {
                    // Only now does the store hold the pair no longer.
                    cx.tell(EventKind::LoggedOut);
                    self.end_logouts(|logout| logout.login == ended, &Ok(None), cx);
                }
                self.reads_are_outdated();
                self.adopt(&record, cx);
                cx.tell(EventKind::LoggedIn { generation: record.generation });
                self.logins_are_stored(Some(record.logged_in_at), cx);
                work.stored = Stored::Grant(record);
                self.settle(work, None, Leftovers::Remove, cx);
            }
            Step::Leaving => match outcome {
                StoreOutcome::Superseded(stored) => {
                    self.adopt_stored(&stored, cx);
                    self.settle(work, None, Leftovers::Leave, cx);
                }
                _ => self.revoke(work, cx),
            },
            Step::Forgetting { tombstone } => {
                self.reads_are_outdated();
                self.known = Known::Gone(Gone::LoggedOut);
                cx.tell(EventKind::LoggedOut);
                let ended = tombstone.login.into();
                self.end_logouts(|logout| logout.login.is_none_or(|login| login == ended), &Ok(None), cx);
            }
            // The claim is released. A refusal means nothing if the store holds a newer pair.
            Step::Settling { record, .. } => match outcome {
                StoreOutcome::Superseded(stored) => self.adopt_stored(&stored, cx),
                _ => {
                    // If it took several attempts, everybody has heard of it.
                    if let Some(dead) = record.filter(|record| record.death.is_some() && work.attempts == 0) {
                        work.store(Step::LookingBack { dead }, StoreOp::Read, cx);
                        self.work = Some(work);
                    }
                }
            },
            Step::Comparing { record } => match outcome {
                // The process with the claim found it in the spool. It may have sent it already.
                StoreOutcome::Read { stored, .. }
                    if stored.record().is_some_and(|it| it.salvaged == record.salvaged) =>
                {
                    self.adopt_stored(&stored, cx);
                }
                _ => self.commit_salvaged(work, record, cx),
            },
            Step::LookingBack { dead } => match outcome {
                StoreOutcome::Read { stored: Stored::Grant(stored), .. } => self.died(&stored, cx),
                StoreOutcome::Read { stored, .. } => self.adopt_stored(&stored, cx),
                _ => self.died(&dead, cx),
            },
            // These wait for a request, and not for the store.
            step @ (Step::Sending { .. } | Step::Revoking { .. } | Step::RevokingLatePair | Step::Trying { .. }) => {
                work.step = step;
                self.work = Some(work);
            }
        }
    }

    pub(in crate::machine) fn work_answered(&mut self, answer: Option<Answer<Unread>>, cx: &mut Context<'_>) {
        let Some(mut work) = self.work.take() else { return };
        work.ticket = None;
        match work.take_step() {
            Step::Sending { marked, interpreter } => {
                match answer {
                    // A whole answer, or a part of one, may hold the only copy of the new pair.
                    Some(answer) if answer.status().is_some() => {
                        let saved = answer.to_saved();
                        let number = marked.requests;
                        let answer_text = Zeroizing::new(saved.expose_secret().to_owned());
                        let spooled = Spooled { parent: marked.parent(), number, answer: answer_text };
                        let claim = work.claim_id();
                        let step = Step::Spooling { marked, interpreter, answer };
                        work.store(step, StoreOp::Spool { claim, answer: spooled }, cx);
                        self.work = Some(work);
                    }
                    Some(answer) => self.arrived(work, &marked, interpreter.interpret(answer), cx),
                    None => {
                        let silence = marked.refresh_token().and_then(|sent| cx.silence(sent));
                        match silence {
                            Some(error) => self.arrived(work, &marked, Err(error), cx),
                            None => self.settle(work, None, Leftovers::Leave, cx),
                        }
                    }
                }
            }
            Step::Revoking { interpreter } => {
                let error = match answer.map(|answer| interpreter.interpret(answer)) {
                    Some(Ok(_)) => None,
                    Some(Err(error)) => Some(error),
                    None => work.record().and_then(Record::refresh_token).and_then(|token| cx.silence(token)),
                };
                self.revoked(work, error, cx);
            }
            Step::RevokingLatePair => self.settle(work, None, Leftovers::Remove, cx),
            Step::Trying { stray_lives } => self.tried(work, stray_lives, answer, cx),
            step => {
                work.step = step;
                self.work = Some(work);
            }
        }
    }

    // The steps, in their order.

    /// The claim is there, with the newest record. Decides what to do with it.
    fn claimed(&mut self, mut work: Box<Work>, claimed: Claimed, cx: &mut Context<'_>) {
        self.is_claimed();
        let Claimed { claim, stored, spooled, logins, warnings } = claimed;
        work.claim = Some(claim);
        work.stored = stored;
        for warning in warnings {
            cx.odd(Odd::Store(warning));
        }
        // An answer that a process spooled before it died says more than a new request could.
        let answer = work.record().and_then(|record| spooled_answer(record, &spooled, cx));
        work.answer_age = answer.as_ref().map_or(Duration::ZERO, |(_, sent_at)| cx.now.since(*sent_at));
        let mut answer = answer.map(|(result, _)| result);
        work.newest = match &answer {
            Some(Ok(tokens)) => tokens.refresh_token().cloned(),
            _ => None,
        };
        // A stash that is not there any more was stored by another process: it must not come back.
        let pending = self.more.as_ref().into_iter().flat_map(|more| &more.logins);
        let pending = pending.filter(|login| !login.stashed_before_claim).map(|login| &*login.tokens);
        let is_ours = |tokens: &&Tokens| cx.shared.client.check_owner(tokens).is_ok();
        let newest = logins.iter().chain(pending).filter(is_ours).max_by_key(|tokens| tokens.sent_at()).cloned();
        if let Some(tokens) = newest.filter(|tokens| work.stored.is_before(tokens, cx.now.wall)) {
            self.logouts_mean(&work.stored, cx);
            match work.stored.record().filter(|record| self.ends(record)).cloned() {
                // The login before it is to end: its pair is revoked first, or nobody ever would.
                Some(record) => {
                    work.login = Some(Box::new(tokens));
                    self.leave(work, &record, cx);
                }
                None => self.insert(work, tokens, None, cx),
            }
            return;
        }
        // Another client may have logged in here.
        work.stashes_are_void = !logins.is_empty() && spooled.is_empty() && logins.iter().all(|it| is_ours(&it));
        if matches!(work.stored.record(), None | Some(Record { death: Some(_), .. })) {
            self.more().left_seen = true;
        }
        self.adopt_claimed(&work.stored, cx);
        // Every login that waits is stored already, or was overtaken by a later one.
        self.logins_are_stored(None, cx);
        let record = match &work.stored {
            Stored::Grant(record) if !matches!(self.known, Known::OtherOwner(_)) => record.clone(),
            _ => {
                let result = match &self.known {
                    Known::OtherOwner(error) => Err(TokenError::OtherOwner(error.clone())),
                    _ => Ok(None),
                };
                self.end_logouts(|_| true, &result, cx);
                self.release(work, cx);
                return;
            }
        };
        if self.is_asked_to_leave(&record, cx) {
            self.leave(work, &record, cx);
            return;
        }
        if let Some(result) = answer.take_if(|result| record.death.is_none() || result.is_ok()) {
            work.give_back(cx);
            self.arrived(work, &record, result, cx);
            return;
        }
        match record.death {
            None => self.rotate(work, record, cx),
            Some(_) if record.strays.is_empty() => self.release(work, cx),
            Some(_) => {
                work.give_back(cx);
                self.refused_for_good(work, &record, cx);
            }
        }
    }

    // The end.

    /// Releases the claim. Nothing was sent.
    pub(super) fn release(&mut self, work: Box<Work>, cx: &mut Context<'_>) {
        work.give_back(cx);
        let leftovers = match &work.stored {
            Stored::Grant(record) if work.stashes_are_void => leftovers_of(record),
            _ if work.stashes_are_void => Leftovers::Remove,
            _ => Leftovers::Leave,
        };
        self.settle(work, None, leftovers, cx);
    }

    pub(super) fn settle(
        &mut self,
        mut work: Box<Work>,
        record: Option<Box<Record>>,
        leftovers: Leftovers,
        cx: &mut Context<'_>,
    ) {
        let claim = work.claim_id();
        work.attempts = 0;
        let op = StoreOp::Settle { claim, record: record.clone(), leftovers };
        work.store(Step::Settling { record, leftovers }, op, cx);
        self.work = Some(work);
    }

    pub(super) fn usable_until(
        &self,
        tokens: &Tokens,
        login: LoginId,
        generation: u64,
        cx: &Context<'_>,
    ) -> SystemTime {
        let start = u64::from_le_bytes(login.0.first_chunk().copied().unwrap_or_default());
        cx.shared.policy.usable_until(self.mode, tokens, mix(start ^ generation))
    }
}

/// What the spooled answers to the requests of a record say, and when the request was sent. A pair counts whenever it
/// turns up, even if the record is dead by now. A refusal counts only if it answers the last request, and nothing was
/// written down of that yet.
fn spooled_answer(
    record: &Record,
    spooled: &[Spooled],
    cx: &Context<'_>,
) -> Option<(Result<Tokens, Error>, SystemTime)> {
    let is_open =
        |spooled: &Spooled| spooled.number == record.requests && record.doubt.is_some_and(|doubt| doubt.in_flight);
    let sent = record.refresh_token()?;
    let mut refusal = None;
    for spooled in spooled.iter().rev().filter(|spooled| record.is_parent(&spooled.parent)) {
        let (_, reader) = cx.shared.client.refresh(sent).into_parts(cx.now.wall);
        let Ok(answer) = reader.restore_answer(spooled.answer.as_bytes()) else { continue };
        let sent_at = answer.sent_at();
        match answer.interpret() {
            Ok(tokens) => return Some((Ok(tokens), sent_at)),
            Err(error) if is_open(spooled) => refusal = Some((Err(error), sent_at)),
            Err(_) => {}
        }
    }
    refusal
}
