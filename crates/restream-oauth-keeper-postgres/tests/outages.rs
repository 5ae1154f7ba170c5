//! The server stops, is killed, comes back, and is replaced by its standby. In an order, because there is one server.
//!
//! Cargo runs test binaries in the order of their names: those that need the standby come before this one.

mod support;

use std::time::Duration;

use restream_oauth_keeper::Stored;
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper_postgres::{Config, PostgresStore};
use support::{
    Database, claim, client_of, done, kind_of, login, marked, next, put, record, server, stored, tokens, variable,
};
use tokio::time::{sleep, timeout};

/// Long enough to see that nothing is claimed meanwhile.
const QUIET: Duration = Duration::from_secs(8);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_its_server_and_a_failover_that_loses_the_newest_writes() {
    let Some(database) = Database::migrated().await else { return };
    a_stopped_server(&database).await;
    a_killed_server(&database).await;
    a_full_disk_is_told_apart(&database).await;
    a_lost_tail(&database).await;
    // For whatever is run after this.
    server("primary", "start");
}

/// A restart: nothing is lost, and for a while nobody claims anything.
async fn a_stopped_server(database: &Database) {
    let store = PostgresStore::connect(&database.config().quiet_after_restart(QUIET)).await.unwrap();
    let stopped = "stopped".parse().unwrap();
    put(&store, &stopped, &login("1")).await;
    let held = claim(&store, &stopped).await.claim;
    server("primary", "stop");
    let outcome = store.execute(&stopped, StoreOp::Read).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Unavailable);
    let marked = marked(&login("1"));
    server("primary", "start");
    // The connection is renewed by the next operation. What needs no new claim goes on at once.
    sleep(Duration::from_millis(600)).await;
    let outcome = store.execute(&stopped, StoreOp::Prepare { claim: held, record: marked.clone() }).await;
    assert!(matches!(&outcome, StoreOutcome::Done), "{outcome:?}");
    done(&store, &stopped, StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::Remove }).await;
    let outcome = store.execute(&stopped, StoreOp::Claim).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Unavailable, "nothing is claimed yet");
    eventually_claimed(&store, &stopped).await;
}

/// `kill -9`, in effect: what was confirmed is there.
async fn a_killed_server(database: &Database) {
    let store = PostgresStore::connect(&database.config().quiet_after_restart(Duration::ZERO)).await.unwrap();
    let killed = "killed".parse().unwrap();
    let first = login("1");
    put(&store, &killed, &first).await;
    done(&store, &killed, StoreOp::Stash { tokens: Box::new(tokens("2")) }).await;
    server("primary", "kill");
    server("primary", "start");
    let found = eventually_claimed(&store, &killed).await;
    assert_eq!(found.stored, Stored::Grant(first));
    assert_eq!(found.logins.len(), 1);
    support::release(&store, &killed, found.claim).await;
}

/// A trigger stands in for a full disk: it raises the error that the server raises then.
async fn a_full_disk_is_told_apart(database: &Database) {
    let administrator = client_of(&database.url().replace("//keeper@", "//postgres@")).await;
    administrator
        .batch_execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''disk_full''; END';
             CREATE TRIGGER full_disk BEFORE UPDATE OF record ON restream_oauth.grants
               FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        .await
        .unwrap();
    let store = database.store().await;
    let held = eventually_claimed(&store, &"killed".parse().unwrap()).await.claim;
    let outcome = store.execute(&"killed".parse().unwrap(), StoreOp::Insert { claim: held, record: login("3") }).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::NoRoom);
    administrator.batch_execute("DROP FUNCTION full_disk() CASCADE").await.unwrap();
}

/// The standby lacks the newest writes when it is promoted: each worker writes them again before anybody claims anything.
async fn a_lost_tail(database: &Database) {
    let standby_url = database.of(&variable("RESTREAM_TEST_STANDBY").unwrap());
    let standby_host = standby_url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let both = format!("postgres://keeper@{},{standby_host}/{}", database.config_hosts().1, database.name);
    let config = Config::from_url(&both).unwrap().quiet_after_restart(QUIET);
    let (worker, other) =
        (PostgresStore::connect(&config).await.unwrap(), PostgresStore::connect(&config).await.unwrap());
    let names = ["committed", "in-flight", "inserted", "stashed", "parked", "forgotten"];
    let [committed, in_flight, inserted, stashed, parked, forgotten] = names.map(|name| name.parse().unwrap());
    let first = login("1");
    for name in [&committed, &in_flight, &parked, &forgotten] {
        put(&worker, name, &first).await;
    }
    let mut held = Vec::new();
    for name in [&committed, &in_flight, &forgotten] {
        held.push(eventually_claimed(&worker, name).await.claim);
    }
    caught_up(database, &standby_url).await;

    // From here on the standby gets nothing any more.
    let standby = client_of(&standby_url.replace("//keeper@", "//postgres@")).await;
    standby.batch_execute("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    standby.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    no_longer_streams(&standby).await;
    let pair = next(&first, "2");
    done(&worker, &committed, StoreOp::Prepare { claim: held[0], record: marked(&first) }).await;
    let commit = StoreOp::Commit { claim: held[0], parent: first.parent(), record: pair.clone() };
    done(&worker, &committed, commit).await;
    let settle = StoreOp::Settle { claim: held[0], record: None, leftovers: Leftovers::Remove };
    done(&worker, &committed, settle).await;
    let sent = marked(&first);
    done(&worker, &in_flight, StoreOp::Prepare { claim: held[1], record: sent.clone() }).await;
    let new = login("new");
    put(&worker, &inserted, &new).await;
    done(&worker, &stashed, StoreOp::Stash { tokens: Box::new(tokens("stash")) }).await;
    done(&worker, &parked, StoreOp::Park { parent: first.parent(), tokens: Box::new(tokens("late")) }).await;
    done(&worker, &forgotten, StoreOp::Forget { claim: held[2], tombstone: first.tombstone() }).await;

    server("primary", "kill");
    // Before the workers can bring anything back: they may be quicker than this test once the standby is promoted.
    let generation = "SELECT generation FROM restream_oauth.grants WHERE name = 'committed'";
    assert_eq!(standby.query_one(generation, &[]).await.unwrap().get::<_, i64>(0), 0, "the tail is lost");
    server("standby", "promote");
    let promoted = client_of(&standby_url).await;

    // Another worker is the first to find the new server. It may not claim anything yet.
    let outcome = timeout(LONG, async {
        loop {
            match other.execute(&committed, StoreOp::Claim).await {
                StoreOutcome::Failed(error) if error.to_string().contains("just been started") => return,
                StoreOutcome::Failed(_) => sleep(Duration::from_millis(50)).await,
                outcome => panic!("{outcome:?} on a server that nobody has noted"),
            }
        }
    });
    outcome.await.unwrap();
    // The worker that wrote it does nothing. It notices by itself, and in time.
    let came_back = timeout(QUIET, async {
        while record(&other, &committed).await != *pair {
            sleep(Duration::from_millis(50)).await;
        }
    });
    came_back.await.expect("the pair comes back before anybody may claim anything");
    eventually_claimed(&other, &"nothing-was-lost-of-this".parse().unwrap()).await;
    // The release was lost too, so the claim lasts until its lease ends.
    assert!(matches!(other.execute(&committed, StoreOp::Claim).await, StoreOutcome::Busy));
    let ended = "UPDATE restream_oauth.grants SET claimed_until = now() WHERE name = 'committed'";
    promoted.batch_execute(ended).await.unwrap();
    assert_eq!(eventually_claimed(&other, &committed).await.stored, Stored::Grant(pair));
    let outcome = other.execute(&in_flight, StoreOp::Claim).await;
    assert!(matches!(outcome, StoreOutcome::Busy), "its request still flies: {outcome:?}");
    assert_eq!(record(&other, &in_flight).await, *sent, "and the doubt came back");
    assert_eq!(record(&other, &inserted).await, *new);
    assert_eq!(eventually_claimed(&other, &stashed).await.logins.len(), 1);
    assert_eq!(record(&other, &parked).await.strays.len(), 1);
    assert_eq!(stored(&other, &forgotten).await, Stored::Tombstone(first.tombstone()), "the logout came back");
    // The request comes to its end on the new server, with the claim that it had.
    let answered = next(&sent, "3");
    let commit = StoreOp::Commit { claim: held[1], parent: sent.parent(), record: answered.clone() };
    done(&worker, &in_flight, commit).await;
    done(&worker, &in_flight, StoreOp::Settle { claim: held[1], record: None, leftovers: Leftovers::Remove }).await;
    assert_eq!(eventually_claimed(&other, &in_flight).await.stored, Stored::Grant(answered));
}

async fn eventually_claimed(
    store: &PostgresStore,
    grant: &restream_oauth_keeper::GrantName,
) -> restream_oauth_keeper::store::Claimed {
    let claimed = async {
        loop {
            match store.execute(grant, StoreOp::Claim).await {
                StoreOutcome::Claimed(claimed) => return claimed,
                StoreOutcome::Failed(_) => sleep(Duration::from_millis(50)).await,
                outcome => panic!("{grant}: {outcome:?}"),
            }
        }
    };
    timeout(LONG, claimed).await.expect("the grant is free sooner or later")
}

async fn caught_up(database: &Database, standby: &str) {
    let primary = database.client().await;
    let written: String = primary.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap().get(0);
    let standby = client_of(standby).await;
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    while !standby.query_one(&replayed, &[]).await.unwrap().get::<_, bool>(0) {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn no_longer_streams(standby: &tokio_postgres::Client) {
    let streams = "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)";
    while standby.query_one(streams, &[]).await.unwrap().get::<_, bool>(0) {
        sleep(Duration::from_millis(50)).await;
    }
}
