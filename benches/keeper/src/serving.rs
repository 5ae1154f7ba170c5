//! What a program does at each API call: it gets the token.
//!
//! The peer is the `ExpiringCache` under the identity cache of AWS's SDK, used as that one uses it: it reads the clock,
//! takes the value if it has not expired, and loads another one otherwise. The value is an `Arc`, which favours the peer:
//! an `Identity` of the SDK is cloned by more than one atomic operation.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime::expiring_cache::ExpiringCache;
use restream_oauth_keeper::store::MemoryStore;
use restream_oauth_keeper::{Grant, Keeper, TokenReader};

use crate::fixtures::{self, LIFE, client, record, tokens};

/// Between two changes of the token, where there is a writer.
const CHANGE: Duration = Duration::from_millis(1);

/// How many tokens are taken between two looks at the clock.
const BATCH: u32 = 10_000;

/// A keeper with one grant, which a thread of its own drives.
pub(crate) struct Ours {
    keeper: Keeper,
    grant: Grant,
    driver: Option<thread::JoinHandle<()>>,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new();
        store.put(&"default".parse().expect("a good name"), record(0, SystemTime::now()));
        let keeper = Keeper::open(client(), store);
        let grant = keeper.grant("default").expect("a good name");
        let driving = keeper.clone();
        let driver = thread::spawn(move || {
            let driven = driving.run_blocking(|_, _| unreachable!("nothing expires in this time"));
            driven.expect("nobody else drives it");
        });
        grant.wait().expect("the store has a token");
        Self { keeper, grant, driver: Some(driver) }
    }

    /// Nanoseconds to take the token by a reader.
    pub(crate) fn read(&self) -> f64 {
        let mut reader = self.grant.reader();
        each(|| {
            black_box(read(&mut reader));
        })
    }

    /// Nanoseconds to take the token by `current()`.
    pub(crate) fn current(&self) -> f64 {
        each(|| drop(black_box(self.grant.current())))
    }

    /// The same as [`read`](Self::read), while another thread does it too and a third one logs in anew and anew.
    pub(crate) fn read_in_company(&self) -> f64 {
        let other = |stop: &AtomicBool| {
            let mut reader = self.grant.reader();
            while !stop.load(Relaxed) {
                black_box(read(&mut reader));
            }
        };
        let writer =
            || drop(self.grant.log_in_blocking(&tokens(1, SystemTime::now())).expect("the store is in memory"));
        in_company(|| self.read(), other, writer)
    }
}

fn read(reader: &mut TokenReader) -> Option<&str> {
    reader.token().map(|token| token.access_token().expose_secret())
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.keeper.shut_down_blocking();
        self.driver.take().and_then(|driver| driver.join().ok());
    }
}

/// AWS's cache of a value that expires.
pub(crate) struct Peer {
    cache: ExpiringCache<Arc<String>, Infallible>,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self { cache: ExpiringCache::new(Duration::from_secs(10)) }
    }

    /// Nanoseconds to take the token.
    pub(crate) fn read(&self) -> f64 {
        each(|| drop(black_box(finish(self.token()))))
    }

    /// The same, while another thread does it too and a third one replaces the token.
    pub(crate) fn read_in_company(&self) -> f64 {
        let other = |stop: &AtomicBool| {
            while !stop.load(Relaxed) {
                drop(black_box(finish(self.token())));
            }
        };
        let writer = || {
            finish(self.cache.yield_or_clear_if_expired(SystemTime::now() + 2 * LIFE));
            finish(self.token());
        };
        in_company(|| self.read(), other, writer)
    }

    async fn token(&self) -> Arc<String> {
        let now = SystemTime::now();
        if let Some(token) = self.cache.yield_or_clear_if_expired(now).await {
            return token;
        }
        let load = || async { Ok((Arc::new(fixtures::text('a', 0)), SystemTime::now() + LIFE)) };
        let Ok(token) = self.cache.get_or_load(load).await;
        token
    }
}

/// Runs the measurement while one thread runs `other` until it is to stop, and another calls `writer` every millisecond.
fn in_company(measure: impl Fn() -> f64, other: impl Fn(&AtomicBool) + Sync, writer: impl Fn() + Sync) -> f64 {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| other(&stop));
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                writer();
                thread::sleep(CHANGE);
            }
        });
        // Both are well under way.
        thread::sleep(2 * CHANGE);
        let begin = Instant::now();
        let mut samples = Vec::new();
        while begin.elapsed() < 10 * CHANGE {
            samples.push(measure());
        }
        stop.store(true, Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
        {
            samples.iter().sum::<f64>() / samples.len() as f64
        }
    })
}

fn each(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..BATCH).for_each(|_| work());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
}

/// Drives a future that waits for locks alone, and no runtime's timers. Spinning is the fastest way for so short waits.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::yield_now(),
        }
    }
}
