//! The state of what is done with the claim on one grant.

use std::time::Duration;

use restream_oauth_core::transport::{Interpreter, Unread};
use restream_oauth_core::{Answer, RefreshToken, Revoked, Tokens};
use zeroize::Zeroizing;

use crate::doubt::without_last_request;
use crate::machine::context::Context;
use crate::machine::known::ShortLoginId;
use crate::operation::{ClaimId, Leftovers, StoreOp};
use crate::pace::Attempt;
use crate::record::{Parent, Record, Stored, Tombstone};

/// How long a request may take, from the start of the claim on.
pub(super) const LIMIT: Duration = Duration::from_secs(75);
/// With less than this left, nothing is prepared.
pub(super) const LEFT_TO_PREPARE: Duration = Duration::from_secs(60);
/// With less than this left, nothing is sent.
pub(super) const LEFT_TO_SEND: Duration = Duration::from_secs(45);
/// How long a question to the API may take.
pub(super) const WITNESS_LIMIT: Duration = Duration::from_secs(15);
/// The longest pause between two attempts of the store to keep something.
pub(super) const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(30);

/// What is under way with the claim on one grant.
#[derive(Debug)]
pub(in crate::machine) struct Work {
    /// When the claim was asked for, on the steady clock.
    pub(super) began: Duration,
    /// The right to send a refresh that was taken from the pace; `None` for a claim that is to send none.
    pub(super) attempt: Option<Attempt>,
    pub(super) claim: Option<ClaimId>,
    /// What the store holds.
    pub(super) stored: Stored,
    pub(super) step: Step,
    /// The operation or request that is under way.
    pub(in crate::machine) ticket: Option<u64>,
    /// An operation that failed and is tried again.
    pub(super) retry: Option<Retry>,
    pub(super) attempts: u32,
    /// True from the refresh on, until the pace is told how it ended.
    pub(super) sent: bool,
    /// When the refresh was sent, on the steady clock; `None` if another process sent it.
    pub(super) sent_at: Option<Duration>,
    /// True if the stashed logins that the claim returned are earlier than what is stored, and nothing else was left.
    pub(super) stashes_are_void: bool,
    /// How old the answer is that is being interpreted, if it was spooled: what a server asked to wait counts from then.
    pub(super) answer_age: Duration,
    /// True if the pair that is being committed has to be refreshed at once: it is a stray, and may be dead.
    pub(super) refresh_next: bool,
    /// The refresh token of a spooled answer: newer than that of the record.
    pub(super) newest: Option<RefreshToken>,
    /// A login that is stored once the pair of the login before it is revoked.
    pub(super) login: Option<Box<Tokens>>,
}

#[derive(Debug)]
pub(super) struct Retry {
    pub(super) at: Duration,
    pub(super) op: StoreOp,
}

#[derive(Debug)]
pub(super) enum Step {
    Claiming,
    /// The record is being replaced by itself, marked "in doubt".
    Preparing {
        marked: Box<Record>,
    },
    Sending {
        marked: Box<Record>,
        interpreter: Interpreter<Tokens>,
    },
    Spooling {
        marked: Box<Record>,
        interpreter: Interpreter<Tokens>,
        answer: Answer<Unread>,
    },
    /// The successor is being stored.
    Committing {
        next: Box<Record>,
        parent: Parent,
        was_in_doubt: bool,
    },
    /// A pair that came too late is being stored beside the record.
    Parking {
        parent: Parent,
        tokens: Box<Tokens>,
    },
    /// The record of a login is being stored.
    Inserting {
        record: Box<Record>,
        /// The login that ends with it, if somebody logged out of it.
        ended: Option<ShortLoginId>,
    },
    /// The wish to log out is being stored.
    Leaving,
    Revoking {
        interpreter: Interpreter<Revoked>,
    },
    /// A late pair of a login that ended is being revoked.
    RevokingLatePair,
    /// The record is being replaced by what is left of it.
    Forgetting {
        tombstone: Tombstone,
    },
    /// The API is asked whether the access token of a stray lives, and then whether that of the record does.
    Trying {
        stray_lives: bool,
    },
    /// The claim is being released.
    Settling {
        record: Option<Box<Record>>,
        leftovers: Leftovers,
    },
    /// The claim has run out before a refresh token that came alone was stored. The store is read, in case another process
    /// has stored it.
    Comparing {
        record: Box<Record>,
    },
    /// The death of the grant is stored, and the claim released. The store is read once more before anybody hears of it: a
    /// pair may have been parked since the claim.
    LookingBack {
        dead: Box<Record>,
    },
}

impl Work {
    /// Asks for the claim.
    pub(in crate::machine) fn claim(attempt: Option<Attempt>, cx: &mut Context<'_>) -> Self {
        Self {
            began: cx.steady(),
            attempt,
            claim: None,
            stored: Stored::Nothing,
            step: Step::Claiming,
            ticket: Some(cx.store(StoreOp::Claim)),
            retry: None,
            attempts: 0,
            sent: false,
            sent_at: None,
            stashes_are_void: false,
            answer_age: Duration::ZERO,
            refresh_next: false,
            newest: None,
            login: None,
        }
    }

    /// True while the store is asked. An operation that failed before says nothing about how busy the store is.
    pub(in crate::machine) fn waits_for_store(&self) -> bool {
        let requests = matches!(
            self.step,
            Step::Sending { .. } | Step::Revoking { .. } | Step::RevokingLatePair | Step::Trying { .. }
        );
        self.ticket.is_some() && self.attempts == 0 && !requests
    }

    /// True from the request on until its outcome is stored: nobody is given the old token anew.
    pub(in crate::machine) fn is_past_sending(&self) -> bool {
        match self.step {
            Step::Sending { .. } | Step::Spooling { .. } => true,
            // While the store fails, the new token is served.
            Step::Committing { .. } => self.attempts == 0,
            _ => false,
        }
    }

    pub(in crate::machine) fn retry_at(&self) -> Option<Duration> {
        self.retry.as_ref().map(|retry| retry.at)
    }

    /// The saved form of a pair that the store refuses.
    pub(in crate::machine) fn stranded(&self) -> Option<Zeroizing<String>> {
        match &self.step {
            Step::Committing { next: record, .. } | Step::Inserting { record, .. } if self.attempts > 0 => {
                Some(record.to_saved())
            }
            Step::Settling { record: Some(record), .. } if self.attempts > 0 && record.salvaged.is_some() => {
                Some(record.to_saved())
            }
            Step::Parking { tokens, .. } if self.attempts > 0 => {
                Some(Zeroizing::new(tokens.to_saved().expose_secret().to_owned()))
            }
            _ => None,
        }
    }

    pub(super) fn deadline(&self) -> Duration {
        self.began.saturating_add(LIMIT)
    }

    pub(super) fn store(&mut self, step: Step, op: StoreOp, cx: &mut Context<'_>) {
        self.step = step;
        self.ticket = Some(cx.store(op));
    }

    pub(super) fn record(&self) -> Option<&Record> {
        self.stored.record()
    }

    /// Gives the right to send a request back to the pace: nothing was sent.
    pub(super) fn give_back(&self, cx: &mut Context<'_>) {
        if let Some(attempt) = self.attempt {
            cx.shared.pace.give_back(attempt);
        }
    }

    pub(super) fn take_step(&mut self) -> Step {
        std::mem::replace(&mut self.step, Step::Settling { record: None, leftovers: Leftovers::Leave })
    }

    pub(super) fn claim_id(&self) -> ClaimId {
        self.claim.unwrap_or(ClaimId(0))
    }
}

/// The record as it was before the last request.
pub(super) fn unsent(marked: Record) -> Record {
    Record { doubt: marked.doubt.and_then(without_last_request), ..marked }
}

/// Answers to an older doubt may hold part of a pair: they stay until that doubt ends.
pub(super) fn leftovers_of(record: &Record) -> Leftovers {
    if record.doubt.is_some() { Leftovers::SetAside } else { Leftovers::Remove }
}
