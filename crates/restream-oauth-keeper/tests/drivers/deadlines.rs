//! When the driver of tasks hangs up, on a clock that the test moves.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call, Reader};
use restream_oauth_keeper::{AlreadyRunning, EventKind, Events, Grant, Keeper, Now};

use crate::world::{HOUR, World};

/// A keeper that is polled by hand, whose only request is in the hands of the test.
struct Flight {
    /// Keeps the sandbox that the pair is from.
    _world: World,
    clock: Arc<AtomicU64>,
    run: Pin<Box<dyn Future<Output = Result<(), AlreadyRunning>>>>,
    grant: Grant,
    events: Events,
    request: Arc<Request>,
}

#[derive(Default)]
struct Request {
    reader: Mutex<Option<Reader<Unread>>>,
    arrived: AtomicBool,
    dropped: AtomicBool,
}

impl Flight {
    /// Sends a refresh, and leaves it in flight.
    fn begin() -> Self {
        let world = World::with_expired_token();
        let start = SystemTime::now();
        let clock = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&clock);
        let keeper = Keeper::builder(world.client.clone(), Arc::clone(&world.store))
            .clock(move || {
                let passed = Duration::from_millis(read.load(Ordering::SeqCst));
                Now { wall: start + passed, steady: HOUR + passed }
            })
            .build()
            .unwrap();
        let events = keeper.events();
        let grant = keeper.grant("default").unwrap();
        let request = Arc::new(Request::default());
        let in_flight = Arc::clone(&request);
        let timer = Arc::clone(&clock);
        let run = keeper.run(
            move |call| {
                let request = Arc::clone(&in_flight);
                async move { request.answer(call).await }
            },
            move |nap: Duration| {
                let clock = Arc::clone(&timer);
                let until = Duration::from_millis(clock.load(Ordering::SeqCst)) + nap;
                poll_fn(move |_| ready_if(Duration::from_millis(clock.load(Ordering::SeqCst)) >= until))
            },
        );
        let mut flight = Self { _world: world, clock, run: Box::pin(run), grant, events, request };
        let asking = flight.grant.clone();
        let mut waiting = Box::pin(asking.token());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        flight.poll();
        // From here on nothing depends on the caller.
        drop(waiting);
        assert!(flight.request.reader.lock().unwrap().is_some(), "the request is in flight");
        flight
    }

    fn poll(&mut self) {
        for _ in 0..10 {
            assert!(self.run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }

    /// Lets time pass as it does while the machine is awake.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds * 4 {
            self.clock.fetch_add(250, Ordering::SeqCst);
            self.poll();
        }
    }

    /// Lets time pass while the machine sleeps.
    fn sleep(&mut self, seconds: u64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
        self.poll();
    }

    fn is_hung_up(&self) -> bool {
        self.request.dropped.load(Ordering::SeqCst)
    }

    fn has_rotated(&mut self) -> bool {
        std::iter::from_fn(|| self.events.try_next()).any(|event| matches!(event.kind, EventKind::Rotated { .. }))
    }
}

impl Request {
    /// Becomes ready without waking anybody, as a socket does while the machine sleeps.
    async fn answer(self: Arc<Self>, call: Call<Unread>) -> Answer<Unread> {
        struct Drops(Arc<Request>);
        impl Drop for Drops {
            fn drop(&mut self) {
                self.0.dropped.store(true, Ordering::SeqCst);
            }
        }
        let (_, reader) = call.into_parts(SystemTime::now());
        *self.reader.lock().unwrap() = Some(reader);
        let request = Drops(self);
        poll_fn(|_| ready_if(request.0.arrived.load(Ordering::SeqCst))).await;
        let mut reader = request.0.reader.lock().unwrap().take().unwrap();
        let _ = reader.head(StatusCode::OK, &HeaderMap::new());
        let _ = reader.chunk(br#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
        reader.finish()
    }
}

fn ready_if(ready: bool) -> Poll<()> {
    if ready { Poll::Ready(()) } else { Poll::Pending }
}

#[test]
fn a_request_is_hung_up_after_75_seconds_and_a_last_look() {
    let mut flight = Flight::begin();
    flight.pass(75);
    assert!(!flight.is_hung_up());
    flight.pass(2);
    assert!(flight.is_hung_up());
    let events: Vec<_> = std::iter::from_fn(|| flight.events.try_next()).collect();
    assert!(events.iter().any(|event| matches!(event.kind, EventKind::InDoubt { sends: 1, .. })), "{events:?}");
}

#[test]
fn what_has_arrived_by_the_deadline_is_read() {
    let mut flight = Flight::begin();
    flight.pass(74);
    flight.request.arrived.store(true, Ordering::SeqCst);
    assert!(!flight.has_rotated(), "nobody was woken");
    flight.pass(2);
    assert!(flight.has_rotated());
}

#[test]
fn a_request_gets_fifteen_seconds_after_the_machine_slept() {
    for slept in [70, 80, 100_000] {
        let mut flight = Flight::begin();
        flight.pass(10);
        flight.sleep(slept);
        flight.pass(14);
        assert!(!flight.is_hung_up(), "slept for {slept} s");
        flight.request.arrived.store(true, Ordering::SeqCst);
        flight.pass(2);
        assert!(flight.has_rotated(), "slept for {slept} s");
    }
    let mut flight = Flight::begin();
    flight.sleep(80);
    flight.pass(17);
    assert!(flight.is_hung_up(), "but not for ever");
}

#[test]
fn a_short_sleep_early_on_changes_no_deadline() {
    let mut flight = Flight::begin();
    flight.sleep(20);
    flight.pass(54);
    assert!(!flight.is_hung_up());
    flight.pass(3);
    assert!(flight.is_hung_up());
}
