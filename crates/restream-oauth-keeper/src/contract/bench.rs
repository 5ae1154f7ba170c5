//! What every check needs: two handles on one store, and verdicts in words.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

pub(super) use super::records::Verdict;
use super::records::{doubted, login};
use crate::name::GrantName;
use crate::operation::{ClaimId, Claimed, Leftovers, Store, StoreErrorKind, StoreOp, StoreOutcome};
use crate::record::{Record, Stored};

/// A store under test.
pub(super) struct Bench<S> {
    pub(super) one: S,
    pub(super) other: S,
    pub(super) grant: GrantName,
}

impl<S: Store> Bench<S> {
    pub(super) fn one(&self, op: StoreOp) -> StoreOutcome {
        block_on(self.one.execute(&self.grant, op))
    }

    pub(super) fn other(&self, op: StoreOp) -> StoreOutcome {
        block_on(self.other.execute(&self.grant, op))
    }

    /// Claims through the first handle.
    pub(super) fn claim(&self) -> Verdict<Claimed> {
        claimed(self.one(StoreOp::Claim))
    }

    pub(super) fn read(&self) -> Verdict<Stored> {
        match self.one(StoreOp::Read) {
            StoreOutcome::Read { stored, .. } => Ok(stored),
            outcome => Err(format!("Read returned {outcome:?}")),
        }
    }

    pub(super) fn stored_is(&self, expected: &Stored) -> Verdict {
        same("Read through the first handle", &self.read()?, expected)?;
        match self.other(StoreOp::Read) {
            StoreOutcome::Read { stored, .. } => same("Read through the second handle", &stored, expected),
            outcome => Err(format!("Read returned {outcome:?}")),
        }
    }

    /// Releases a claim of the first handle.
    pub(super) fn release(&self, claim: ClaimId, leftovers: Leftovers) -> Verdict {
        done("Settle", &self.one(StoreOp::Settle { claim, record: None, leftovers }))
    }
}

pub(super) fn claimed(outcome: StoreOutcome) -> Verdict<Claimed> {
    match outcome {
        StoreOutcome::Claimed(claimed) => Ok(claimed),
        outcome => Err(format!("expected a claim, got {outcome:?}")),
    }
}

pub(super) fn done(what: &str, outcome: &StoreOutcome) -> Verdict {
    match outcome {
        StoreOutcome::Done => Ok(()),
        outcome => Err(format!("{what} returned {outcome:?}")),
    }
}

pub(super) fn busy(what: &str, outcome: &StoreOutcome) -> Verdict {
    match outcome {
        StoreOutcome::Busy => Ok(()),
        outcome => Err(format!("{what} returned {outcome:?} while the grant was claimed")),
    }
}

pub(super) fn failed(what: &str, outcome: &StoreOutcome) -> Verdict {
    match outcome {
        StoreOutcome::Failed(_) => Ok(()),
        outcome => Err(format!("{what} returned {outcome:?} while another process had the grant")),
    }
}

pub(super) fn superseded(what: &str, outcome: &StoreOutcome, expected: &Stored) -> Verdict {
    match outcome {
        StoreOutcome::Superseded(stored) => same(what, stored, expected),
        outcome => Err(format!("{what} returned {outcome:?} in place of Superseded")),
    }
}

pub(super) fn claim_lost(what: &str, outcome: &StoreOutcome) -> Verdict {
    match outcome {
        StoreOutcome::Failed(error) if *error.kind() == StoreErrorKind::ClaimLost => Ok(()),
        outcome => Err(format!("{what} with a claim that has run out returned {outcome:?}")),
    }
}

/// Compares. The message shows no token, because no `Debug` of ours does.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, got: &T, expected: &T) -> Verdict {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {got:?}")) }
}

/// Waits for a future on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

pub(super) fn grant(record: &Record) -> Stored {
    Stored::Grant(Box::new(record.clone()))
}

pub(super) fn put<S: Store>(bench: &Bench<S>, record: &Record) -> Verdict {
    let claim = bench.claim()?.claim;
    done("Insert", &bench.one(StoreOp::Insert { claim, record: Box::new(record.clone()) }))?;
    bench.release(claim, Leftovers::Remove)
}

/// Stores a login, claims it, and marks it as a refresh does.
pub(super) fn prepared<S: Store>(bench: &Bench<S>) -> Verdict<(ClaimId, Box<Record>)> {
    put(bench, &*login("1")?)?;
    let claim = bench.claim()?.claim;
    let record = doubted(&*login("1")?, 1);
    done("Prepare", &bench.one(StoreOp::Prepare { claim, record: record.clone() }))?;
    Ok((claim, record))
}
