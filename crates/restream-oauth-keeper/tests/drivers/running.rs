//! What callers are told when nobody drives a keeper, or not yet, or no longer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{Answer, Call};
use restream_oauth_keeper::{AlreadyRunning, BuildError, Current, EventKind, Keeper, Left, TokenError};

use crate::hand;
use crate::programs::{Program, Tasks, Threads};
use crate::world::{HOUR, LONG, World, wait_for};

/// Nobody needs the server here.
async fn no_network(call: Call<Unread>) -> Answer<Unread> {
    let (_, reader) = call.into_parts(std::time::SystemTime::now());
    reader.fail(Stage::BeforeBody, Failure::new(FailureKind::Connect))
}

fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn nobody_drives_and_a_caller_is_told_so_by_its_limit() {
    let world = World::with_expired_token();
    let grant = world.keeper().grant("default").unwrap().with_limit(Duration::from_millis(30));
    assert!(matches!(grant.wait(), Err(TokenError::NotRunning)));
    assert!(matches!(hand::block_on(grant.token()), Err(TokenError::NotRunning)), "tasks have no timer of their own");
    assert_eq!(world.token_requests(), 1);
}

#[test]
fn a_caller_may_be_earlier_than_the_driver() {
    for program in [Box::new(Tasks::new()) as Box<dyn Program>, Box::new(Threads::new())] {
        let world = World::with_expired_token();
        let keeper = world.keeper();
        let grant = keeper.grant("default").unwrap();
        let mut early = pin!(grant.token());
        assert!(poll_once(early.as_mut()).is_pending());
        program.drive(&keeper);
        assert_eq!(hand::block_on(early).unwrap().generation(), 1);
        assert!(keeper.shut_down_blocking().is_nothing());
    }
}

#[test]
fn a_driver_that_was_called_and_not_yet_polled_is_waited_for() {
    let world = World::with_expired_token();
    let keeper = world.keeper();
    let transport = restream_oauth_hyper::Transport::new().unwrap();
    let run = keeper.run(async move |call| transport.receive(call).await, tokio::time::sleep);
    let grant = keeper.grant("default").unwrap();
    let asking = std::thread::spawn(move || grant.wait());
    let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stopping = keeper.clone();
    let waiting = std::thread::spawn(move || {
        let token = asking.join().unwrap();
        stopping.shut_down_blocking();
        token
    });
    assert_eq!(tasks.block_on(run), Ok(()));
    assert_eq!(waiting.join().unwrap().unwrap().generation(), 1);
}

#[test]
fn those_who_wait_as_one_give_up_each_for_itself() {
    let world = World::with_expired_token();
    let keeper = world.keeper();
    let grant = keeper.grant("default").unwrap();
    let mut all: Vec<_> = (0..50).map(|_| Box::pin(grant.token())).collect();
    for asking in &mut all {
        assert!(poll_once(asking.as_mut()).is_pending());
    }
    all.truncate(1);
    let tasks = Tasks::new();
    tasks.drive(&keeper);
    assert_eq!(hand::block_on(all.pop().unwrap()).unwrap().generation(), 1);

    // All of them are gone before anything was sent: nothing is sent.
    world.put("other", HOUR);
    let requests = world.token_requests();
    let idle = Keeper::open(world.client.clone(), Arc::clone(&world.store));
    let other = idle.grant("other").unwrap();
    let mut all: Vec<_> = (0..50).map(|_| Box::pin(other.token())).collect();
    for asking in &mut all {
        assert!(poll_once(asking.as_mut()).is_pending());
    }
    drop(all);
    tasks.drive(&idle);
    while !matches!(other.current(), Current::Expired(_)) {
        std::thread::yield_now();
    }
    assert!(idle.shut_down_blocking().is_nothing());
    assert_eq!(world.token_requests(), requests);
    assert!(keeper.shut_down_blocking().is_nothing());
}

#[test]
fn a_second_driver_is_refused() {
    let world = World::new();
    let keeper = world.keeper();
    let mut first = Box::pin(keeper.run(no_network, hand::sleep));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(keeper.run(no_network, hand::sleep));
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Err(AlreadyRunning)));
    drop(second);
    assert_eq!(keeper.run_blocking(|_, _| unreachable!()), Err(AlreadyRunning));
    assert!(poll_once(first.as_mut()).is_pending(), "the first one goes on");
    let mut stopping = Box::pin(keeper.shut_down());
    assert!(poll_once(stopping.as_mut()).is_pending());
    assert_eq!(poll_once(first.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(poll_once(stopping.as_mut()), Poll::Ready(Left::default()));
}

#[test]
fn a_driver_that_is_dropped_ends_all_waits_and_the_next_one_goes_on() {
    let world = World::with_expired_token();
    let keeper = world.keeper();
    let mut events = keeper.events();
    let grant = keeper.grant("default").unwrap();
    let mut run = Box::pin(keeper.run(
        async |call| {
            poll_fn(|_| Poll::<()>::Pending).await;
            no_network(call).await
        },
        hand::sleep,
    ));
    let mut asking = pin!(grant.token());
    let mut watching = pin!(grant.changed(7));
    assert!(poll_once(asking.as_mut()).is_pending());
    assert!(poll_once(watching.as_mut()).is_pending());
    for _ in 0..10 {
        assert!(poll_once(run.as_mut()).is_pending());
    }
    assert!(world.stored().record().unwrap().doubt.is_some(), "the request is in flight");
    drop(run);
    assert!(matches!(poll_once(asking.as_mut()), Poll::Ready(Err(TokenError::NotRunning))));
    assert!(matches!(poll_once(watching.as_mut()), Poll::Ready(Err(TokenError::NotRunning))));
    assert!(matches!(grant.wait(), Err(TokenError::NotRunning)));
    wait_for(&mut events, |kind| matches!(kind, EventKind::InDoubt { sends: 1, .. }));

    let tasks = Tasks::new();
    tasks.drive(&keeper);
    wait_for(&mut events, |kind| matches!(kind, EventKind::Recovered { generation: 1 }));
    assert_eq!(grant.wait().unwrap().generation(), 1);
    assert!(keeper.shut_down_blocking().is_nothing());
}

#[test]
fn a_keeper_that_is_shut_down_says_what_it_leaves() {
    let world = World::with_expired_token();
    let keeper = world.keeper();
    let grant = keeper.grant("default").unwrap();
    let mut run = Box::pin(keeper.run(async |_| poll_fn(|_| Poll::Pending).await, hand::sleep));
    let mut asking = pin!(grant.token());
    assert!(poll_once(asking.as_mut()).is_pending());
    for _ in 0..10 {
        assert!(poll_once(run.as_mut()).is_pending());
    }
    let mut stopping = Box::pin(keeper.shut_down_within(Duration::ZERO));
    assert!(poll_once(stopping.as_mut()).is_pending());
    assert!(poll_once(run.as_mut()).is_ready());
    let left = hand::block_on(stopping);
    assert_eq!(left.in_doubt, ["default".parse().unwrap()]);
    assert!(matches!(poll_once(asking.as_mut()), Poll::Ready(Err(TokenError::ShuttingDown))));
}

#[test]
fn an_adapter_that_may_take_longer_than_a_claim_allows_is_refused() {
    let world = World::new();
    let limit = Duration::from_secs(76);
    let built = Keeper::builder(world.client.clone(), Arc::clone(&world.store)).request_limit(limit).build();
    assert_eq!(built.map(drop), Err(BuildError::RequestLimit { limit }));
    for limit in [restream_oauth_hyper::Limits::default().total, restream_oauth_ureq::Limits::default().total] {
        let built = Keeper::builder(world.client.clone(), Arc::clone(&world.store)).request_limit(limit).build();
        assert_eq!(built.map(drop), Ok(()), "the adapters' own limits are short enough");
    }
}

#[test]
fn a_promised_token_needs_no_driver() {
    let world = World::new();
    world.put("default", HOUR / 2);
    let keeper = world.keeper();
    let tasks = Tasks::new();
    tasks.drive(&keeper);
    let grant = keeper.grant("default").unwrap();
    let token = grant.wait().unwrap();
    assert!(keeper.shut_down_blocking().is_nothing());
    assert_eq!(grant.with_limit(LONG).wait().unwrap(), token);
}
