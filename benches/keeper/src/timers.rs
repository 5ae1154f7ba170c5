//! The timers of a million grants: one fires, and is set again.
//!
//! Both sides fire the same grants in the same order. 100 come up at each look at the clock, which favours the peer: its
//! sleep is set anew at each look, and a real process would look once for each grant.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_util::time::DelayQueue;

use crate::fixtures::mix;

// The type is private to the keeper: a program sees the machine's `wake_at` alone.
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the file is the keeper's, and so are its lints")]
#[path = "../../../crates/restream-oauth-keeper/src/timers.rs"]
mod keeper;

/// How long a grant waits, in milliseconds: 60 to 80 % of an hour.
fn wait(round: u64, grant: u32) -> Duration {
    Duration::from_millis(2_160_000 + mix(round << 32 | u64::from(grant)) % 720_000)
}

/// Between two looks at the clock, so many grants come up.
const AT_ONCE: u32 = 100;

/// Time goes on by this much between two looks at the clock.
fn step(grants: u32) -> Duration {
    Duration::from_mins(42) * AT_ONCE / grants
}

/// The keeper's timers.
pub(crate) struct Ours {
    timers: keeper::Timers,
    now: Duration,
    grants: u32,
    round: u64,
}

impl Ours {
    pub(crate) fn new(grants: u32) -> Self {
        let mut timers = keeper::Timers::default();
        for grant in 0..grants {
            timers.set(grant, Some(first(grant)));
        }
        Self { timers, now: Duration::ZERO, grants, round: 0 }
    }

    /// Fires this many grants. Returns nanoseconds for each.
    pub(crate) fn fire(&mut self, count: u32) -> f64 {
        let start = Instant::now();
        let mut fired = 0;
        while fired < count {
            self.now += step(self.grants);
            while let Some(grant) = self.timers.pop_due(self.now) {
                self.round += 1;
                self.timers.set(grant, Some(self.now + wait(self.round, grant)));
                fired += 1;
            }
        }
        each(start, fired)
    }
}

/// A [`DelayQueue`] on a clock that stands still until it is set.
pub(crate) struct Peer {
    runtime: Runtime,
    queue: DelayQueue<u32>,
    grants: u32,
    round: u64,
}

impl Peer {
    pub(crate) fn new(grants: u32) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let mut queue = DelayQueue::new();
        runtime.block_on(async {
            for grant in 0..grants {
                queue.insert(grant, first(grant));
            }
        });
        Self { runtime, queue, grants, round: 0 }
    }

    /// Fires this many grants. Returns nanoseconds for each.
    pub(crate) fn fire(&mut self, count: u32) -> f64 {
        let Self { runtime, queue, grants, round } = self;
        runtime.block_on(async {
            let start = Instant::now();
            let mut fired = 0;
            while fired < count {
                tokio::time::advance(step(*grants)).await;
                poll_fn(|context| {
                    while let Poll::Ready(Some(expired)) = queue.poll_expired(context) {
                        *round += 1;
                        let grant = expired.into_inner();
                        queue.insert(grant, wait(*round, grant));
                        fired += 1;
                    }
                    Poll::Ready(())
                })
                .await;
            }
            each(start, fired)
        })
    }
}

/// At first the grants are spread evenly over the longest wait.
fn first(grant: u32) -> Duration {
    Duration::from_millis(mix(u64::from(grant)) % 2_880_000)
}

fn each(start: Instant, count: u32) -> f64 {
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}
