//! An operation of the store that failed: given up before the request, tried again after it.

use std::time::Duration;

use super::step::{LONGEST_STORE_PAUSE, Retry, Step, Work, unsent};
use crate::event::{EventKind, Problem};
use crate::machine::context::Context;
use crate::machine::grant::Grant;
use crate::operation::{Leftovers, StoreError, StoreErrorKind, StoreOp};
use crate::record::Record;

impl Grant {
    /// An operation failed. Before the request that ends the attempt; after it, the operation is tried again until it
    /// works.
    pub(super) fn operation_failed(&mut self, mut work: Box<Work>, error: StoreError, cx: &mut Context<'_>) {
        let claim = work.claim_id();
        let lost_claim = *error.kind() == StoreErrorKind::ClaimLost;
        let op = match work.take_step() {
            // Somebody else may have the claim by now: nothing more may be done with it. A login that is not stored yet
            // is still stashed, and a logout is still wanted: both begin anew.
            Step::Preparing { .. } if lost_claim => {
                work.give_back(cx);
                self.store_failed(error, cx);
                return;
            }
            // This may be the only copy of a refresh token that came alone.
            Step::Settling { record: Some(record), .. } if lost_claim && is_newly_salvaged(&work, &record) => {
                work.store(Step::Comparing { record }, StoreOp::Read, cx);
                self.work = Some(work);
                return;
            }
            Step::Comparing { record } => {
                self.commit_salvaged(work, record, cx);
                return;
            }
            Step::Inserting { .. } | Step::Leaving | Step::Forgetting { .. } if lost_claim => {
                self.store_failed(error, cx);
                return;
            }
            Step::Settling { .. } if lost_claim => return,
            Step::LookingBack { dead } => {
                self.died(&dead, cx);
                return;
            }
            Step::Claiming => {
                work.give_back(cx);
                self.store_failed(error, cx);
                return;
            }
            Step::Preparing { marked } => {
                work.give_back(cx);
                // The mark may be on disk or not. The record as it was before is put back.
                let unmarked = unsent(*marked);
                self.store_failed(error, cx);
                self.settle(work, Some(Box::new(unmarked)), Leftovers::Leave, cx);
                return;
            }
            Step::Leaving => {
                self.store_failed(error, cx);
                self.settle(work, None, Leftovers::Leave, cx);
                return;
            }
            Step::Spooling { marked, interpreter, answer } => {
                // The answer is in memory alone. Committing it is the next chance.
                cx.tell(EventKind::Failed(Problem::Store(error)));
                self.arrived(work, &marked, interpreter.interpret(answer), cx);
                return;
            }
            Step::Committing { next, parent, was_in_doubt } => {
                if work.attempts == 0 {
                    // The old token is dead, and this one is in the spool or in memory: nobody gains by waiting.
                    self.adopt_unstored(&next, cx);
                }
                let op = StoreOp::Commit { claim, parent, record: next.clone() };
                work.step = Step::Committing { next, parent, was_in_doubt };
                cx.tell(EventKind::Stranded { attempt: work.attempts.saturating_add(1), error });
                op
            }
            Step::Inserting { record, ended } => {
                let op = StoreOp::Insert { claim, record: record.clone() };
                work.step = Step::Inserting { record, ended };
                cx.tell(EventKind::Stranded { attempt: work.attempts.saturating_add(1), error });
                op
            }
            Step::Forgetting { tombstone } => {
                cx.tell(EventKind::Failed(Problem::Store(error)));
                work.step = Step::Forgetting { tombstone };
                StoreOp::Forget { claim, tombstone }
            }
            Step::Settling { record, leftovers } => {
                if let Some(dead) = record.as_deref().filter(|it| it.death.is_some() && work.attempts == 0) {
                    self.died(dead, cx);
                }
                cx.tell(EventKind::Failed(Problem::Store(error)));
                let op = StoreOp::Settle { claim, record: record.clone(), leftovers };
                work.step = Step::Settling { record, leftovers };
                op
            }
            Step::Parking { parent, tokens } => {
                cx.tell(EventKind::Stranded { attempt: work.attempts.saturating_add(1), error });
                let op = StoreOp::Park { parent, tokens: tokens.clone() };
                work.step = Step::Parking { parent, tokens };
                op
            }
            step @ (Step::Sending { .. } | Step::Revoking { .. } | Step::RevokingLatePair | Step::Trying { .. }) => {
                work.step = step;
                self.work = Some(work);
                return;
            }
        };
        work.attempts = work.attempts.saturating_add(1);
        let pause = Duration::from_secs(1_u64.checked_shl(work.attempts.saturating_sub(1).min(5)).unwrap_or(32));
        work.retry = Some(Retry { at: cx.steady().saturating_add(pause.min(LONGEST_STORE_PAUSE)), op });
        self.work = Some(work);
    }

    /// Tries the operation again that failed, if its time has come.
    pub(in crate::machine) fn retry_work(&mut self, cx: &mut Context<'_>) {
        let now = cx.steady();
        let Some(work) = &mut self.work else { return };
        if let Some(retry) = work.retry.take_if(|retry| retry.at <= now) {
            work.ticket = Some(cx.store(retry.op));
        }
    }
}

/// True if the record holds a refresh token that came alone, and that no store holds yet.
fn is_newly_salvaged(work: &Work, record: &Record) -> bool {
    record.salvaged.is_some() && work.record().is_none_or(|stored| stored.salvaged != record.salvaged)
}
