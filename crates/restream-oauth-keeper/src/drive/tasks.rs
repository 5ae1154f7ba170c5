//! The driver for tasks: one future for any runtime.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{Answer, Call};

use crate::hub::{Hub, StoreFuture};
use crate::machine::{Input, Ticket, Todo};

use super::flights::{Done, Flights};

/// The longest sleep: timers of runtimes stand still while the machine sleeps.
const LONGEST_NAP: Duration = Duration::from_secs(30);
/// After this many rounds without a wait, the driver lets other tasks of its runtime have a turn.
const MOST_ROUNDS: u32 = 64;

/// Another driver of the same keeper runs already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyRunning;

impl fmt::Display for AlreadyRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keeper is being run already")
    }
}

impl std::error::Error for AlreadyRunning {}

/// Drives a keeper until it has shut down. `send` is told how long it may take, and returns `None` if it panicked.
/// `hangs_up` says whether the driver drops a request at its deadline.
pub(crate) fn run<F, S, D>(
    hub: &Arc<Hub>,
    send: F,
    sleep: S,
    hangs_up: bool,
) -> impl Future<Output = Result<(), AlreadyRunning>> + use<F, S, D>
where
    F: AsyncFn(Call<Unread>, Duration) -> Option<Answer<Unread>>,
    S: Fn(Duration) -> D,
    D: Future,
{
    let mut duty = Duty::announced(hub);
    async move {
        let hub = duty.begin()?;
        // Not a reference: a compiler that looks whether the whole is `Send` handles it better.
        let send = Arc::new(send);
        let mut flights = Flights::new();
        let mut done = Vec::new();
        let mut rounds = 0_u32;
        loop {
            let turn = hub.turn(std::mem::take(&mut done));
            let now = turn.now.steady;
            // A blocking closure cannot be interrupted: its answer is waited for, however long it takes.
            let stops = turn.stop_at.is_some_and(|at| at <= now) && (hangs_up || !flights.has_requests());
            if turn.is_over || stops {
                break;
            }
            for (ticket, deadline, job) in begin_jobs(&hub, turn.jobs, now, &mut done) {
                let limit = deadline.unwrap_or_default().saturating_sub(now);
                let send = Arc::clone(&send);
                let work = async move {
                    match job {
                        Job::Store(work) => Done::Stored(work.await),
                        Job::Send(call) => Done::Answered(send(*call, limit).await),
                    }
                };
                let kind = deadline.map(|deadline| if hangs_up { deadline } else { Duration::MAX });
                flights.begin(ticket, kind, work);
            }
            let nap_until = [turn.wake_at, turn.stop_at, flights.look_at(now)].into_iter().flatten().min();
            let until = nap_until.map_or(Duration::MAX, |at| at.max(now)).min(now.saturating_add(LONGEST_NAP));
            let mut nap = pin!(sleep(until.saturating_sub(now)));
            poll_fn(|context| {
                let stirred = hub.waits(until, context.waker());
                flights.poll(context, hub.clock.now().steady, until, &mut done);
                if !stirred && done.is_empty() && nap.as_mut().poll(context).is_pending() {
                    rounds = 0;
                    return Poll::Pending;
                }
                rounds = rounds.saturating_add(1);
                if rounds > MOST_ROUNDS {
                    rounds = 0;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
        }
        Ok(())
    }
}

/// What the driver does for one ticket.
enum Job {
    Store(StoreFuture),
    Send(Box<Call<Unread>>),
}

/// Turns what the machine asks for into jobs, with the deadlines of requests.
fn begin_jobs(
    hub: &Hub,
    todos: VecDeque<Todo>,
    now: Duration,
    done: &mut Vec<Input>,
) -> Vec<(Ticket, Option<Duration>, Job)> {
    let mut jobs = Vec::with_capacity(todos.len());
    for todo in todos {
        match todo {
            Todo::Store { ticket, grant, op } => jobs.push((ticket, None, Job::Store(hub.execute(grant, op)))),
            Todo::Send { ticket, call, deadline } if deadline > now => {
                jobs.push((ticket, Some(deadline), Job::Send(Box::new(call))));
            }
            // The machine slept in the last moment. What is sent now might arrive after somebody else has the claim.
            Todo::Send { ticket, call, .. } => done.push(Input::Answered { ticket, answer: not_sent(call) }),
            // The handles carry these out.
            Todo::Publish { .. } | Todo::Resolve { .. } | Todo::Tell(_) => {}
        }
    }
    jobs
}

/// The answer to a request that was not sent.
pub(super) fn not_sent(call: Call<Unread>) -> Answer<Unread> {
    let (_, reader) = call.into_parts(SystemTime::UNIX_EPOCH);
    reader.fail(Stage::BeforeBody, Failure::new(FailureKind::Other))
}

/// The right to drive a keeper. It is given back when the driver ends or is dropped, whatever the reason.
struct Duty {
    hub: Arc<Hub>,
    state: DutyState,
}

enum DutyState {
    Announced,
    Begun,
    Refused,
}

impl Duty {
    fn announced(hub: &Arc<Hub>) -> Self {
        hub.announce();
        Self { hub: Arc::clone(hub), state: DutyState::Announced }
    }

    fn begin(&mut self) -> Result<Arc<Hub>, AlreadyRunning> {
        if self.hub.begin(true) {
            self.state = DutyState::Begun;
            Ok(Arc::clone(&self.hub))
        } else {
            self.state = DutyState::Refused;
            Err(AlreadyRunning)
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        match self.state {
            DutyState::Announced => {
                self.hub.begin(false);
            }
            DutyState::Begun => self.hub.end(),
            DutyState::Refused => {}
        }
    }
}
