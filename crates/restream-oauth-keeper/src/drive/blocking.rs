//! The driver for programs without a runtime: the same future, on the thread that calls, and a thread for each request in
//! flight.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Builder, Scope, Thread, current, park, park_timeout, scope};
use std::time::{Duration, Instant};

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call};

use super::tasks::{AlreadyRunning, not_sent, run};
use crate::hub::Hub;
use crate::slot::Slot;

/// Drives a keeper on this thread until it has shut down.
pub(crate) fn run_blocking<F>(hub: &Arc<Hub>, send: &F) -> Result<(), AlreadyRunning>
where
    F: Fn(Call<Unread>, Duration) -> Answer<Unread> + Sync,
{
    let alarm = Cell::new(None);
    let sleep = |nap: Duration| {
        let now = Instant::now();
        let until = now.checked_add(nap).unwrap_or(now);
        let alarm = &alarm;
        poll_fn(move |_| {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            alarm.set(Some(until));
            Poll::Pending
        })
    };
    scope(|threads| {
        let receive = async |call, limit| receive(threads, send, call, limit).await;
        block_on_with(run(hub, receive, sleep, false), || alarm.take())
    })
}

/// Sends one call on a thread of its own. `None` if the closure panicked.
async fn receive<'scope, F>(
    threads: &'scope Scope<'scope, '_>,
    send: &'scope F,
    call: Call<Unread>,
    limit: Duration,
) -> Option<Answer<Unread>>
where
    F: Fn(Call<Unread>, Duration) -> Answer<Unread> + Sync,
{
    let slot = Slot::new();
    let call = Arc::new(Mutex::new(Some(call)));
    let take = |call: &Mutex<Option<Call<Unread>>>| call.lock().unwrap_or_else(PoisonError::into_inner).take();
    let work = {
        let (slot, call) = (Arc::clone(&slot), Arc::clone(&call));
        move || {
            let answer = take(&call).and_then(|call| catch_unwind(AssertUnwindSafe(|| send(call, limit))).ok());
            if let Some(waker) = slot.put(answer) {
                waker.wake();
            }
        }
    };
    if Builder::new().name("restream-oauth-request".to_owned()).spawn_scoped(threads, work).is_err() {
        // The system has no thread for it.
        return take(&call).map(not_sent);
    }
    poll_fn(|context| slot.poll(context)).await
}

/// Waits for a future on this thread, for as long as it takes.
fn block_on_with<T>(future: impl Future<Output = T>, alarm: impl Fn() -> Option<Instant>) -> T {
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        match alarm() {
            Some(until) => park_timeout(until.saturating_duration_since(Instant::now())),
            None => park(),
        }
    }
}

/// Waits for a future on this thread, up to a limit.
pub(crate) fn block_on<T>(future: impl Future<Output = T>, limit: Option<Duration>) -> Option<T> {
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut future = pin!(future);
    let limited = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if until.is_some_and(|until| Instant::now() >= until) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    block_on_with(limited, || until)
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
