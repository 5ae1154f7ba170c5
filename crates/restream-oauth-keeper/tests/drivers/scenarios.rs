//! What must hold however a keeper is driven.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::time::Duration;

use restream_oauth_keeper::{
    Current, DeathCause, EventKind, Gone, Grant, Keeper, Left, Mode, Stored, Token, TokenError,
};
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::programs::Program;
use crate::world::{HOUR, LONG, World, name, wait_for};

/// More life than any token has.
const LONGER: Duration = Duration::from_secs(2 * 3600);

fn driven(program: &dyn Program, world: &World) -> (Keeper, Grant) {
    let keeper = world.keeper();
    program.drive(&keeper);
    let grant = keeper.grant("default").unwrap();
    (keeper, grant)
}

/// Asks for a token, and stops waiting for it once the request has arrived at the server.
fn begin_to_wait(world: &World, grant: &Grant, requests: usize) {
    let mut asking = Box::pin(grant.token());
    assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    world.wait_for_token_requests(requests);
}

/// Asks for a token in the background.
fn ask(program: &dyn Program, grant: &Grant) -> impl FnOnce() -> Result<Arc<Token>, TokenError> + use<> {
    let grant = grant.clone();
    let (told, result) = channel();
    program.spawn(Box::pin(async move { told.send(grant.token().await).unwrap() }));
    move || result.recv_timeout(LONG).unwrap()
}

pub(crate) fn a_login_gives_the_first_token_and_refreshes_nothing(program: &dyn Program) {
    let world = World::new();
    let (keeper, grant) = driven(program, &world);
    assert!(matches!(grant.wait(), Err(TokenError::Gone(Gone::NeverLoggedIn))));
    assert_eq!(grant.current(), Current::Gone(Gone::NeverLoggedIn));

    let tokens = world.log_in(Duration::ZERO);
    let token = grant.log_in_blocking(&tokens).unwrap();
    assert_eq!((token.access_token(), token.generation()), (tokens.access_token(), 0));
    assert_eq!(grant.wait().unwrap(), token);
    assert_eq!(grant.current(), Current::Fresh(token));
    assert_eq!(world.sandbox.ledger().refreshes, 0);
    assert_eq!(keeper.shut_down_blocking(), Left::default());
}

pub(crate) fn an_expired_token_is_refreshed_before_it_is_given_out(program: &dyn Program) {
    let world = World::with_expired_token();
    let (keeper, grant) = driven(program, &world);
    let token = grant.wait().unwrap();
    assert_eq!(token.generation(), 1);
    let stored = world.stored();
    assert_eq!(stored.record().unwrap().tokens.access_token(), token.access_token(), "it is stored");
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn more_life_than_any_token_has_makes_one_refresh(program: &dyn Program) {
    let world = World::new();
    world.put("default", Duration::ZERO);
    let (keeper, grant) = driven(program, &world);
    // The first question comes before the keeper knows any token.
    assert_eq!(grant.wait_for(LONGER).unwrap().generation(), 1);
    assert_eq!(grant.wait_for(LONGER).unwrap().generation(), 2);
    assert!(keeper.shut_down_blocking().is_nothing());
    assert_eq!(world.sandbox.ledger().refreshes, 2);
}

pub(crate) fn two_hundred_callers_at_expiry_make_one_refresh(program: &dyn Program) {
    let world = World::with_expired_token();
    let (keeper, grant) = driven(program, &world);
    world.order_delay();
    let asked: Vec<_> = (0..200).map(|_| ask(program, &grant)).collect();
    let tokens: Vec<_> = asked.into_iter().map(|result| result().unwrap()).collect();
    assert!(tokens.iter().all(|token| token.generation() == 1));
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_caller_who_drops_its_future_changes_nothing(program: &dyn Program) {
    let world = World::with_expired_token();
    let (keeper, grant) = driven(program, &world);
    world.order_delay();
    begin_to_wait(&world, &grant, 2);
    assert_eq!(grant.wait().unwrap().generation(), 1);
    assert_eq!((world.sandbox.ledger().refreshes, world.token_requests()), (1, 2));
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_panic_in_a_caller_changes_nothing(program: &dyn Program) {
    let world = World::with_expired_token();
    let (keeper, grant) = driven(program, &world);
    world.order_delay();
    let panics = grant.clone();
    let (about_to, arrived) = channel();
    program.spawn(Box::pin(async move {
        let mut asking = Box::pin(panics.token());
        assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        about_to.send(()).unwrap();
        panic!("as this test wants");
    }));
    arrived.recv_timeout(LONG).unwrap();
    assert_eq!(grant.wait().unwrap().generation(), 1);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_panic_in_the_closure_leaves_a_doubt_that_ends_by_itself(program: &dyn Program) {
    let world = World::with_expired_token();
    let keeper = world.keeper();
    let mut events = keeper.events();
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    program.drive_with(
        &keeper,
        Arc::new(move || {
            assert!(count.fetch_add(1, Ordering::SeqCst) > 0, "the first call panics, as this test wants");
        }),
    );
    let grant = keeper.grant("default").unwrap();
    assert_eq!(grant.wait().unwrap().generation(), 1);
    wait_for(&mut events, |kind| matches!(kind, EventKind::InDoubt { sends: 1, .. }));
    wait_for(&mut events, |kind| matches!(kind, EventKind::Recovered { generation: 1 }));
    assert_eq!((calls.load(Ordering::SeqCst), world.sandbox.ledger().refreshes), (2, 1));
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_lost_answer_is_recovered_if_the_server_had_not_acted(program: &dyn Program) {
    let world = World::with_expired_token();
    world.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    let keeper = world.keeper();
    let mut events = keeper.events();
    program.drive(&keeper);
    let grant = keeper.grant("default").unwrap();
    assert_eq!(grant.wait().unwrap().generation(), 1);
    wait_for(&mut events, |kind| matches!(kind, EventKind::InDoubt { sends: 1, .. }));
    wait_for(&mut events, |kind| matches!(kind, EventKind::Recovered { generation: 1 }));
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_lost_answer_is_told_as_such_if_the_server_had_rotated(program: &dyn Program) {
    let world = World::with_expired_token();
    world.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).after_acting());
    let (keeper, grant) = driven(program, &world);
    let dead = Gone::Dead(DeathCause::LostAnswer);
    assert!(matches!(grant.wait(), Err(TokenError::Gone(gone)) if gone == dead));
    assert_eq!(grant.current(), Current::Gone(dead));
    assert_eq!(world.token_requests(), 3);
    assert!(keeper.shut_down_blocking().is_nothing());
    assert!(world.stored().record().is_some_and(|record| record.death.is_some()), "the record stays, marked");
}

pub(crate) fn a_late_refusal_of_an_old_token_refreshes_nothing(program: &dyn Program) {
    let world = World::new();
    world.put("default", HOUR / 2);
    let (keeper, grant) = driven(program, &world);
    let old = grant.wait().unwrap();
    let new = grant.wait_for(LONGER).unwrap();
    assert_eq!((old.generation(), new.generation()), (0, 1));
    grant.rejected(&old);
    assert_eq!(grant.wait().unwrap(), new);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_refusal_of_the_newest_token_refreshes_it_once(program: &dyn Program) {
    let world = World::new();
    world.put("default", HOUR / 2);
    let (keeper, grant) = driven(program, &world);
    let old = grant.wait().unwrap();
    for _ in 0..10 {
        grant.rejected(&old);
    }
    assert_eq!(grant.wait().unwrap().generation(), 1);
    grant.rejected(&old);
    assert_eq!(grant.wait().unwrap().generation(), 1);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn logging_out_during_a_refresh_revokes_the_pair_that_it_brings(program: &dyn Program) {
    let world = World::with_expired_token();
    let (keeper, grant) = driven(program, &world);
    world.order_delay();
    begin_to_wait(&world, &grant, 2);
    grant.log_out_blocking().unwrap();
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.revocations, ledger.dead_refresh_tokens_used), (1, 1, 0));
    assert!(matches!(world.stored(), Stored::Tombstone(_)));
    assert!(matches!(grant.wait(), Err(TokenError::Gone(Gone::LoggedOut))));
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn shutting_down_waits_for_a_refresh_that_runs(program: &dyn Program) {
    let world = World::with_expired_token();
    let (keeper, grant) = driven(program, &world);
    let events = keeper.events();
    world.order_delay();
    let result = ask(program, &grant);
    world.wait_for_token_requests(2);
    assert!(keeper.shut_down_blocking().is_nothing());
    assert_eq!(world.stored_generation(), Some(1));
    assert_eq!(result().unwrap().generation(), 1);
    assert_eq!(grant.wait().unwrap().generation(), 1, "what is promised is given out to the end");
    assert!(matches!(grant.wait_for(LONGER), Err(TokenError::ShuttingDown)));
    assert!(events.into_iter().count() > 0, "events end");
}

pub(crate) fn two_keepers_of_one_store_refresh_once(program: &dyn Program) {
    let world = World::with_expired_token();
    let pair = [driven(program, &world), driven(program, &world)];
    world.order_delay();
    let asked: Vec<_> = (0..20).map(|index| ask(program, &pair[index % 2].1)).collect();
    for result in asked {
        assert_eq!(result().unwrap().generation(), 1);
    }
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
    for (keeper, _) in pair {
        assert!(keeper.shut_down_blocking().is_nothing());
    }
}

pub(crate) fn a_pair_that_the_store_refuses_is_served_and_stored_later(program: &dyn Program) {
    let world = World::with_expired_token();
    world.store.failing_commits.store(1, Ordering::SeqCst);
    let keeper = world.keeper();
    let mut events = keeper.events();
    program.drive(&keeper);
    let grant = keeper.grant("default").unwrap();
    let token = grant.wait().unwrap();
    assert_eq!(token.generation(), 1);
    wait_for(&mut events, |kind| matches!(kind, EventKind::Stranded { attempt: 1, .. }));
    if world.stored_generation() == Some(0) {
        let exported = keeper.export("default").expect("the pair is in memory alone");
        assert!(exported.contains(token.access_token().expose_secret()));
    }
    wait_for(&mut events, |kind| matches!(kind, EventKind::Rotated { generation: 1 }));
    assert_eq!(world.stored_generation(), Some(1));
    assert!(keeper.export("default").is_none());
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_store_that_panics_is_asked_again(program: &dyn Program) {
    let world = World::with_expired_token();
    world.store.panicking_claims.store(1, Ordering::SeqCst);
    let (keeper, grant) = driven(program, &world);
    assert_eq!(grant.wait().unwrap().generation(), 1);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn a_watcher_sees_the_next_token(program: &dyn Program) {
    let world = World::new();
    world.put("default", HOUR / 2);
    let (keeper, grant) = driven(program, &world);
    assert_eq!(grant.wait().unwrap().generation(), 0);
    let seen = Arc::new(AtomicUsize::new(0));
    let (told, result) = channel();
    for _ in 0..3 {
        let (grant, told, seen) = (grant.clone(), told.clone(), Arc::clone(&seen));
        program.spawn(Box::pin(async move {
            let mut watching = Box::pin(grant.changed(0));
            assert!(watching.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            seen.fetch_add(1, Ordering::SeqCst);
            told.send(watching.await.unwrap().generation()).unwrap();
        }));
    }
    while seen.load(Ordering::SeqCst) < 3 {
        std::thread::yield_now();
    }
    assert_eq!(grant.wait_for(LONGER).unwrap().generation(), 1);
    for _ in 0..3 {
        assert_eq!(result.recv_timeout(LONG).unwrap(), 1);
    }
    grant.log_out_blocking().unwrap();
    let gone = crate::hand::block_on(grant.changed(1));
    assert!(matches!(gone, Err(TokenError::Gone(Gone::LoggedOut))));
    assert!(keeper.shut_down_blocking().is_nothing());
}

pub(crate) fn many_grants_are_kept_by_one_keeper(program: &dyn Program) {
    let world = World::new();
    let names: Vec<String> = (0..12).map(|number| format!("channel-{number}")).collect();
    for name in &names {
        world.put(name, Duration::ZERO);
    }
    world.sandbox.advance(Duration::ZERO);
    let keeper = world.keeper();
    program.drive(&keeper);
    let warm = keeper.grant_in_mode(&names[0], Mode::Warm).unwrap();
    let grants: Vec<_> = names.iter().map(|name| keeper.grant(name).unwrap()).collect();
    assert_eq!(warm.name(), grants[0].name());
    assert_ne!(warm.name(), name());
    let asked: Vec<_> = grants
        .iter()
        .map(|grant| {
            let grant = grant.clone();
            let (told, result) = channel();
            program.spawn(Box::pin(async move { told.send(grant.token_for(LONGER).await).unwrap() }));
            result
        })
        .collect();
    for result in asked {
        assert_eq!(result.recv_timeout(LONG).unwrap().unwrap().generation(), 1);
    }
    assert_eq!(world.sandbox.ledger().refreshes, 12);
    assert!(keeper.shut_down_blocking().is_nothing());
}
