//! A worker that dies, or loses its connection, at any statement loses nothing that reached its spool.

use std::time::Duration;

use restream_oauth_keeper::store::{Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{DeathCause, Gone, Mode, Stored, TokenError};
use restream_oauth_keeper_postgres::{Config, PostgresStore, sql};
use restream_oauth_sandbox::Sandbox;
use tokio::time::{sleep, timeout};

use crate::proxy::{Cut, Proxy};
use crate::support::{Database, grant, login_of, put, stored, tokens};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(30);

/// A world with a grant whose access token expired a moment ago.
async fn world(database: &Database) -> World {
    let world = World::new(Sandbox::start().unwrap());
    let tokens = world.log_in().await;
    let sent_at = tokens.sent_at() - HOUR;
    put(&database.store().await, &grant(), &login_of(tokens.with_sent_at(sent_at))).await;
    world.sandbox.advance(HOUR);
    world
}

async fn proxied(database: &Database) -> (Proxy, PostgresStore) {
    let (_, server) = database.config_hosts();
    let proxy = Proxy::before(&server).await;
    let url = format!("postgres://keeper@127.0.0.1:{}/{}", proxy.port, database.name);
    // One connection, so that the order of statements is the order of operations.
    let config = Config::from_url(&url).unwrap().connections(1);
    (proxy, PostgresStore::connect(&config).await.unwrap())
}

/// Two minutes pass.
async fn end_leases(database: &Database) {
    let ended = "UPDATE restream_oauth.grants SET claimed_until = now() WHERE claim IS NOT NULL";
    database.client().await.batch_execute(ended).await.unwrap();
}

/// The texts that a rotation has, so that the test notices if it ends before it has tried each.
fn is_of_a_rotation(text: &str) -> bool {
    [sql::READ, sql::CLAIM, sql::PREPARE, sql::SPOOL, sql::COMMIT, sql::SETTLE].contains(&text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_statement_loses_nothing_that_reached_its_spool() {
    let mut tried = Vec::new();
    for statement in 1.. {
        let mut was_cut = false;
        for cut in [Cut::Before, Cut::After] {
            let Some(database) = Database::migrated().await else { return };
            let world = world(&database).await;
            let (proxy, store) = proxied(&database).await;
            proxy.cut_at(statement, cut, false);
            let process = world.process(store.clone(), Mode::OnUse);
            let doomed = process.keeper.grant("default").unwrap();
            let served = tokio::spawn(async move { doomed.token().await.is_ok() });
            let text = timeout(LONG, async {
                loop {
                    if let Some(text) = proxy.was_cut() {
                        return Some(text);
                    }
                    if served.is_finished() && is_released(&database).await {
                        return None;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            });
            let Some(text) = text.await.unwrap() else { continue };
            was_cut = true;
            // What it still has in memory dies with it, in the middle of its attempts.
            sleep(Duration::from_millis(200)).await;
            process.die();
            served.abort();
            drop(store);
            end_leases(&database).await;

            let survivor = world.process(database.store().await, Mode::OnUse);
            let outcome = timeout(LONG, survivor.keeper.grant("default").unwrap().token()).await.unwrap();
            let what = format!("statement {statement}, {cut:?}: {text}");
            if text == sql::SPOOL && cut == Cut::Before {
                // The server rotated, and the answer was in the memory of the dead process alone. It says so.
                let lost = matches!(&outcome, Err(TokenError::Gone(Gone::Dead(DeathCause::LostAnswer))));
                assert!(lost, "{:?}, after {what}", outcome.map(|token| token.generation()));
            } else {
                let token = outcome.unwrap_or_else(|error| panic!("{error}, after {what}"));
                world.transport.send(world.client.profile(token.access_token()).unwrap()).await.expect(&what);
                let Stored::Grant(record) = stored(&database.store().await, &grant()).await else { panic!("{what}") };
                assert_eq!(record.generation, 1, "{what}");
            }
            tried.push((text, cut));
        }
        if !was_cut {
            break;
        }
    }
    for text in [sql::CLAIM, sql::PREPARE, sql::SPOOL, sql::COMMIT, sql::SETTLE] {
        for cut in [Cut::Before, Cut::After] {
            assert!(tried.contains(&(text.to_owned(), cut)), "{cut:?}: {text}");
        }
    }
    assert!(tried.iter().all(|(text, _)| is_of_a_rotation(text) || text == sql::CLOCK), "a statement was not known");
}

async fn is_released(database: &Database) -> bool {
    let row = database.client().await.query_one("SELECT claim IS NULL FROM restream_oauth.grants", &[]).await.unwrap();
    row.get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_connection_breaks_at_any_statement_keeps_the_grant() {
    let mut statements = 0;
    for statement in 1.. {
        let mut was_cut = false;
        for cut in [Cut::Before, Cut::After] {
            let Some(database) = Database::migrated().await else { return };
            let world = world(&database).await;
            let (proxy, store) = proxied(&database).await;
            proxy.cut_at(statement, cut, true);
            let process = world.process(store, Mode::OnUse);
            let token = timeout(LONG, process.keeper.grant("default").unwrap().token()).await.unwrap();
            let what = format!("statement {statement}, {cut:?}: {:?}", proxy.was_cut());
            let token = token.unwrap_or_else(|error| panic!("{error}, after {what}"));
            world.transport.send(world.client.profile(token.access_token()).unwrap()).await.expect(&what);
            let settled = timeout(LONG, async {
                while !is_released(&database).await {
                    sleep(Duration::from_millis(10)).await;
                }
            });
            settled.await.expect(&what);
            was_cut |= proxy.was_cut().is_some();
            let Stored::Grant(record) = stored(&database.store().await, &grant()).await else { panic!("{what}") };
            assert_eq!((record.generation, record.doubt), (1, None), "{what}");
            assert_eq!(world.token_requests(), 2, "one login and one refresh, {what}");
        }
        if !was_cut {
            break;
        }
        statements = statement;
    }
    assert!(statements >= 6, "{statements}");
}

/// The connection breaks after the commit, and the next one cannot be opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_made_and_not_confirmed_is_taken_again_when_the_server_is_back() {
    let Some(database) = Database::migrated().await else { return };
    put(&database.store().await, &grant(), &login_of(tokens("1"))).await;
    let (proxy, store) = proxied(&database).await;
    proxy.cut_at(1, Cut::After, false);
    let outcome = store.execute(&grant(), StoreOp::Claim).await;
    assert!(matches!(outcome, StoreOutcome::Failed(_)), "{outcome:?}");
    assert_eq!(proxy.was_cut().as_deref(), Some(sql::CLAIM));
    assert!(!is_released(&database).await, "it was executed");
    proxy.comes_back();
    let claimed = timeout(LONG, async {
        loop {
            match store.execute(&grant(), StoreOp::Claim).await {
                StoreOutcome::Claimed(claimed) => return claimed,
                StoreOutcome::Failed(_) => sleep(Duration::from_millis(50)).await,
                outcome => panic!("{outcome:?}"),
            }
        }
    });
    assert!(claimed.await.unwrap().stored.record().is_some());
}

/// The statement waits for a lock, and an administrator ends its session.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_terminated_in_the_middle_of_a_statement_is_replaced() {
    let Some(database) = Database::migrated().await else { return };
    let world = world(&database).await;
    let store = database.store().await;
    let (administrator, other) = (database.client().await, database.client().await);
    administrator.batch_execute("BEGIN; SELECT FROM restream_oauth.grants FOR UPDATE").await.unwrap();
    let tokens = world.log_in().await;
    let stash = tokio::spawn({
        let store = store.clone();
        async move { store.execute(&grant(), StoreOp::Stash { tokens: Box::new(tokens) }).await }
    });
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE application_name = 'restream-oauth-keeper' AND wait_event_type = 'Lock' AND datname = current_database()";
    let ended = timeout(LONG, async {
        while other.query(terminate, &[]).await.unwrap().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    ended.await.expect("the statement waits for the lock");
    administrator.batch_execute("COMMIT").await.unwrap();
    let outcome = timeout(LONG, stash).await.unwrap().unwrap();
    assert!(matches!(outcome, StoreOutcome::Done), "{outcome:?}");
    let StoreOutcome::Claimed(claimed) = store.execute(&grant(), StoreOp::Claim).await else { panic!("it is free") };
    assert_eq!(claimed.logins.len(), 1);
}
