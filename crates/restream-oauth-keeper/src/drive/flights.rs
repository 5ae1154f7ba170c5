//! What a driver is doing: operations of the store, and requests with their deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use restream_oauth_core::Answer;
use restream_oauth_core::transport::Unread;

use crate::machine::{Input, Ticket};
use crate::operation::{StoreError, StoreErrorKind, StoreOutcome};

/// At its deadline, a request is looked at for this long: what has arrived has to pass through the tasks of an HTTP stack
/// before the request can see it.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How long a request gets after the machine slept: what the server sent in the meantime has to be sent again.
const AFTER_SLEEP: Duration = Duration::from_secs(15);
/// The machine slept if the driver is this much later than it wanted to be.
const LATE: Duration = Duration::from_secs(3);
/// While a request is in flight, the driver looks this often whether the machine slept.
const LOOK_FOR_SLEEP: Duration = Duration::from_secs(2);

/// The result of a future.
pub(super) enum Done {
    Stored(StoreOutcome),
    Answered(Option<Answer<Unread>>),
}

/// What is under way: a small set of tasks, of which only those are polled that were woken.
pub(super) struct Flights<F> {
    all: BTreeMap<u64, Flight<F>>,
    last: u64,
    ready: Arc<Ready>,
    /// When the driver wanted to look again.
    expected: Duration,
}

struct Flight<F> {
    ticket: Ticket,
    /// When a request is hung up; `None` for an operation of the store, which is driven to its end.
    deadline: Option<Duration>,
    /// The end of the last look.
    last_look: Option<Duration>,
    waker: Waker,
    work: Pin<Box<F>>,
}

impl<F: Future<Output = Done>> Flights<F> {
    pub(super) fn new() -> Self {
        Self { all: BTreeMap::new(), last: 0, ready: Arc::default(), expected: Duration::MAX }
    }

    pub(super) fn begin(&mut self, ticket: Ticket, deadline: Option<Duration>, work: F) {
        self.last = self.last.wrapping_add(1);
        let task = Arc::new(Task { id: self.last, ready: Arc::clone(&self.ready) });
        task.wake_by_ref();
        let flight = Flight { ticket, deadline, last_look: None, waker: Waker::from(task), work: Box::pin(work) };
        self.all.insert(self.last, flight);
    }

    /// True while a request is in flight.
    pub(super) fn has_requests(&self) -> bool {
        self.all.values().any(|flight| flight.deadline.is_some())
    }

    /// When to look at the requests again.
    pub(super) fn look_at(&self, now: Duration) -> Option<Duration> {
        let deadlines = self.all.values().filter_map(|flight| flight.last_look.or(flight.deadline));
        let next = deadlines.min()?;
        Some(next.min(now.saturating_add(LOOK_FOR_SLEEP)))
    }

    /// Polls what was woken and what is at its deadline. `until` is when the driver wants to look again.
    pub(super) fn poll(&mut self, context: &Context<'_>, now: Duration, until: Duration, done: &mut Vec<Input>) {
        if now > self.expected.saturating_add(LATE) {
            self.allow(now.saturating_add(AFTER_SLEEP));
        }
        self.expected = until.max(now);
        self.ready.set_waker(context.waker());
        for id in self.ready.take() {
            self.poll_one(id, done);
        }
        let late = |flight: &Flight<F>| flight.last_look.or(flight.deadline).is_some_and(|at| at <= now);
        let late: Vec<u64> = self.all.iter().filter(|(_, flight)| late(flight)).map(|(id, _)| *id).collect();
        for id in late {
            self.poll_one(id, done);
            let Some(flight) = self.all.get_mut(&id) else { continue };
            if flight.last_look.is_none() {
                flight.last_look = Some(now.saturating_add(LAST_LOOK));
            } else if let Some(flight) = self.all.remove(&id) {
                done.push(Input::HungUp { ticket: flight.ticket });
                flight.end();
            }
        }
    }

    /// Lets each request that is in flight go on until this time.
    fn allow(&mut self, until: Duration) {
        for flight in self.all.values_mut() {
            if let Some(deadline) = &mut flight.deadline {
                *deadline = (*deadline).max(until);
                flight.last_look = None;
            }
        }
    }

    fn poll_one(&mut self, id: u64, done: &mut Vec<Input>) {
        let Some(flight) = self.all.get_mut(&id) else { return };
        let mut context = Context::from_waker(&flight.waker);
        // What panicked is never polled again, so nobody sees what it left half done.
        let result = match catch_unwind(AssertUnwindSafe(|| flight.work.as_mut().poll(&mut context))) {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => result,
            Err(_) if flight.deadline.is_some() => Done::Answered(None),
            Err(_) => {
                let error = StoreError::new(StoreErrorKind::Unavailable, "the store panicked");
                Done::Stored(StoreOutcome::Failed(error))
            }
        };
        let ticket = flight.ticket;
        if let Some(flight) = self.all.remove(&id) {
            flight.end();
        }
        done.push(match result {
            Done::Stored(outcome) => Input::Stored { ticket, outcome },
            Done::Answered(Some(answer)) => Input::Answered { ticket, answer },
            Done::Answered(None) => Input::HungUp { ticket },
        });
    }
}

impl<F> Flight<F> {
    /// Drops the future, which may panic as well.
    fn end(self) {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
    }
}

/// The tasks that were woken, and who polls them.
#[derive(Default)]
struct Ready(Mutex<(BTreeSet<u64>, Option<Waker>)>);

impl Ready {
    fn set_waker(&self, waker: &Waker) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.1 = Some(waker.clone());
    }

    fn take(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// Wakes one task.
struct Task {
    id: u64,
    ready: Arc<Ready>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut inner = self.ready.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.insert(self.id);
        let waker = inner.1.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
